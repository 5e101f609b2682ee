from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentloop.editing.layers import describe_layers, layer_mask, layer_weights, parse_layers
from latentloop.errors import UserError

NUM_WS = 18
quick = settings(max_examples=50, derandomize=True, database=None, deadline=None)
layer_sets = st.sets(st.integers(0, NUM_WS - 1), min_size=1)
ranges = st.tuples(st.integers(0, NUM_WS - 1), st.integers(0, NUM_WS - 1)).map(sorted)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("all", tuple(range(18))),
        ("coarse", (0, 1, 2, 3)),
        ("middle", (4, 5, 6, 7)),
        ("fine", tuple(range(8, 18))),
        ("3", (3,)),
        ("0-2, 2-4,17", (0, 1, 2, 3, 4, 17)),
        ("coarse,5", (0, 1, 2, 3, 5)),
    ],
)
def test_names_numbers_and_ranges(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text, 18) == layers


def test_names_fit_any_generator() -> None:
    together = [parse_layers(name, 16) for name in ("coarse", "middle", "fine")]
    assert sum(together, ()) == parse_layers("all", 16) == tuple(range(16))
    assert parse_layers("middle", 6) == (4, 5)


@pytest.mark.parametrize("text", ["", "hair", "16", "0-16", "5-3", "1-", "-1", "1,,2", "fine,99"])
def test_what_there_is_not(text: str) -> None:
    with pytest.raises(UserError, match="layers"):
        parse_layers(text, 16)


def test_a_generator_without_fine_layers() -> None:
    with pytest.raises(UserError, match="the layers 0 to 3"):
        parse_layers("fine", 4)


def test_what_is_described_can_be_read() -> None:
    for layers in [(0,), (0, 1, 2), (0, 2, 3, 7), tuple(range(16))]:
        assert parse_layers(describe_layers(layers), 16) == layers
    assert describe_layers((0, 1, 2, 5)) == "0-2,5"


@quick
@given(layer_sets)
def test_a_description_names_the_layers_that_it_describes(layers: set[int]) -> None:
    text = describe_layers(tuple(sorted(layers)))
    assert parse_layers(text, NUM_WS) == tuple(sorted(layers))
    # No two ranges that could be one: between their ends at least one layer is missing.
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    assert all(after[0] - before[-1] > 1 for before, after in pairwise(ends))


@quick
@given(st.lists(ranges, min_size=1, max_size=4))
def test_ranges_name_their_union(parts: Sequence[Sequence[int]]) -> None:
    text = ", ".join(f"{first}-{last}" for first, last in parts)
    named = [layer for layer in range(NUM_WS) if any(first <= layer <= last for first, last in parts)]
    assert parse_layers(text, NUM_WS) == tuple(named)
    assert layer_mask(tuple(named), NUM_WS).equal(layer_weights(text, NUM_WS))


@quick
@given(layer_sets, st.integers(1, NUM_WS))
def test_layers_that_a_generator_lacks_are_refused(layers: set[int], num_ws: int) -> None:
    text = ",".join(map(str, layers))
    if max(layers) < num_ws:
        assert parse_layers(text, num_ws) == tuple(sorted(layers))
    else:
        with pytest.raises(UserError, match=f"the layers 0 to {num_ws - 1}$"):
            parse_layers(text, num_ws)


def test_weights() -> None:
    assert layer_weights("0,2-3=0.5", 5).flatten().tolist() == [1, 0, 0.5, 0.5, 0]
    assert layer_weights("all=0.5,coarse", 6).flatten().tolist() == [1, 1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize("text", ["0=", "0=much", "0=nan", "9=1", "=1"])
def test_weights_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="layers"):
        layer_weights(text, 5)


def test_mask() -> None:
    assert torch.equal(layer_mask((1, 3), 4), torch.tensor([[0.0], [1.0], [0.0], [1.0]]))
