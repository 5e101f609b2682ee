from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import randn
from latentloop.editing import Direction, conditional, edit


def direction(vector: torch.Tensor, layers: tuple[int, ...] = (0, 1, 2, 3), name: str = "smile") -> Direction:
    return Direction(name, vector, layers, num_ws=4, fingerprint="0123456789abcdef", generator="toy-32")


def test_only_its_layers_change() -> None:
    w_plus, vector = randn(2, 4, 8), randn(8, seed=1)
    moved = edit(w_plus, [(direction(vector, (1, 3)), 2.0)])
    expected = w_plus.numpy().copy()
    expected[:, [1, 3]] += 2 * vector.numpy()
    np.testing.assert_allclose(moved.numpy(), expected, atol=1e-6)


def test_a_style_for_each_layer() -> None:
    w_plus, vector = randn(2, 4, 8), randn(4, 8, seed=1)
    np.testing.assert_allclose(edit(w_plus, [(direction(vector), -1.0)]).numpy(), (w_plus - vector).numpy(), atol=1e-12)


def test_strength_0_changes_nothing_to_the_bit() -> None:
    w_plus = randn(2, 4, 8).float()
    w_plus[0, 0, 0] = -0.0
    unchanged = edit(w_plus, [(direction(randn(8).float()), 0.0)])
    assert unchanged.numpy().tobytes() == w_plus.numpy().tobytes()


def test_there_and_back() -> None:
    w_plus, one = 3 * randn(8, 4, 8).float(), direction(randn(8, seed=1).float())
    back = edit(edit(w_plus, [(one, 1.7)]), [(one, -1.7)])
    assert (back - w_plus).abs().max() < 1e-6
    assert (edit(w_plus, [(one, 1.7)]) - w_plus).abs().max() > 1


def test_several_at_once_add_up() -> None:
    w_plus, a, b = randn(1, 4, 8), direction(randn(8, seed=1)), direction(randn(8, seed=2), (2,))
    torch.testing.assert_close(edit(w_plus, [(a, 1.0), (b, 2.0)]), edit(edit(w_plus, [(b, 2.0)]), [(a, 1.0)]))


def test_conditional_is_what_least_squares_leaves() -> None:
    smile, age, gender = (direction(randn(8, seed=i)) for i in range(3))
    rest = conditional(smile, [age, gender])
    others = torch.stack([age.vector, gender.vector]).T.numpy()
    solution = np.linalg.lstsq(others, smile.vector.numpy(), rcond=None)[0]
    expected = smile.vector.numpy() - others @ solution
    np.testing.assert_allclose(rest.change().numpy(), np.tile(expected, (4, 1)), atol=1e-6)


def test_conditional_of_directions_alike_is_finite() -> None:
    smile, age = direction(randn(8, seed=0)), direction(randn(8, seed=1))
    twice = conditional(smile, [age, replace(age, vector=2 * age.vector)])
    torch.testing.assert_close(twice.change(), conditional(smile, [age]).change(), atol=1e-6, rtol=0)


def test_conditional_on_its_layers_only() -> None:
    smile, age = direction(randn(8, seed=0), (1, 2)), direction(randn(8, seed=1), (3,))
    change = conditional(smile, [age]).change()
    assert not change[[0, 3]].any()
    inner = (change[1:3].double() * age.vector).sum().abs()
    assert inner < 1e-6


def test_conditional_on_nothing_is_the_same() -> None:
    smile = direction(randn(8))
    assert conditional(smile, []) is smile


@pytest.mark.parametrize("strength", [0.5, -2.0])
def test_codes_on_other_types(strength: float) -> None:
    w_plus = randn(1, 4, 8).to(torch.bfloat16)
    assert edit(w_plus, [(direction(randn(8).float()), strength)]).dtype == torch.bfloat16
