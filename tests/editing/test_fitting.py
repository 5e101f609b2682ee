from dataclasses import replace

import pytest
import torch

from latentloop.editing import Direction
from latentloop.editing.fitting import fitted
from latentloop.errors import UserError
from latentloop.generators import Generator


def made(num_ws: int, layers: tuple[int, ...], *, rows: bool = False) -> Direction:
    vector = torch.randn(*([num_ws] if rows else []), 8, generator=torch.Generator().manual_seed(2))
    return Direction("smile", vector, layers, num_ws, "0123456789abcdef", "other")


def test_a_direction_of_as_many_layers_is_left_alone(toy: Generator) -> None:
    direction = made(4, (1, 2), rows=True)
    assert fitted(direction, toy) is direction


@pytest.mark.parametrize("num_ws", [3, 6])
@pytest.mark.parametrize("rows", [False, True])
def test_what_is_alike_for_all_layers_fits_any_number(toy: Generator, num_ws: int, rows: bool) -> None:
    direction = made(num_ws, tuple(range(num_ws)))
    vector = direction.vector
    if rows:
        direction = replace(direction, vector=vector.repeat(num_ws, 1))
    found = fitted(direction, toy)
    assert (found.num_ws, found.layers) == (4, (0, 1, 2, 3))
    assert torch.equal(found.change(), vector.repeat(4, 1))


@pytest.mark.parametrize("num_ws", [3, 6])
@pytest.mark.parametrize("rows", [False, True])
def test_what_changes_some_layers_fits_where_those_exist(toy: Generator, num_ws: int, rows: bool) -> None:
    direction = made(num_ws, (0, 2), rows=rows)
    found = fitted(direction, toy)
    assert (found.num_ws, found.layers) == (4, (0, 2))
    assert torch.equal(found.change()[:3], direction.change()[:3])
    assert not found.change()[3].any()


@pytest.mark.parametrize(
    "direction", [made(6, (0, 4)), made(6, tuple(range(6)), rows=True), made(3, (0, 1, 2), rows=True)], ids=str
)
def test_what_changes_layers_that_are_not_there_is_refused(toy: Generator, direction: Direction) -> None:
    with pytest.raises(UserError, match=rf"smile: changes {direction.num_ws} layers, toy-32 has 4"):
        fitted(direction, toy)


@pytest.mark.parametrize("change", [{"fingerprint": "f" * 16}, {"vector": torch.ones(7)}], ids=str)
def test_a_direction_of_another_space_is_refused_with_both_names(toy: Generator, change: dict[str, object]) -> None:
    direction = replace(made(4, (0,)), **change)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"smile: a direction of other .* not of toy-32"):
        fitted(direction, toy)
