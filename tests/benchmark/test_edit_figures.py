import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.benchmark.edit_figures import code_distance, strengths_of_change, there_and_back


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_distance_of_codes_is_numpys() -> None:
    one, other = randn(3, 4, 8), randn(3, 4, 8, seed=1)
    expected = np.linalg.norm((one - other).numpy().reshape(3, -1), axis=1) / np.sqrt(4 * 8)
    np.testing.assert_allclose(code_distance(one, other), expected)


def test_edits_are_undone_where_nothing_is_lost() -> None:
    start, changes = randn(1, 4, 8), randn(3, 4, 8, seed=1)
    square = randn(32, 32, seed=2)

    def draw(w_plus: Tensor) -> Tensor:
        return w_plus.flatten(1) @ square

    def embed(image: Tensor) -> Tensor:
        codes: Tensor = (image @ torch.linalg.inv(square)).unflatten(1, (4, 8))
        return codes

    back = there_and_back(start, changes, draw, embed)
    torch.testing.assert_close(back, start.expand(3, -1, -1))


def test_what_embedding_does_to_an_edited_image_is_left_once_the_edit_is_undone() -> None:
    codes, changes = randn(1, 4, 8), randn(3, 4, 8, seed=1)
    back = there_and_back(codes, changes, lambda w_plus: w_plus.tanh(), lambda image: 2 * image)
    for i, change in enumerate(changes):
        torch.testing.assert_close(back[i], 2 * (codes[0] + change).tanh() - change)


@pytest.mark.parametrize("power", [1.0, 1.3, 1.9])
def test_strengths_change_images_equally(power: float) -> None:
    slopes = torch.tensor([0.03, 0.05, 0.2])
    strengths = strengths_of_change(lambda s: slopes * s**power, 0.05, count=3, most=4)
    np.testing.assert_allclose(strengths, (0.05 / slopes) ** (1 / power), rtol=1e-3)


def test_strengths_follow_a_change_that_levels_off() -> None:
    slopes = torch.tensor([0.1, 0.5, 4.0])
    strengths = strengths_of_change(lambda s: 0.1 * (slopes * s).tanh(), 0.05, count=3, most=20)
    np.testing.assert_allclose(strengths, np.arctanh(0.5) / slopes, rtol=0.02)


def test_an_edit_that_changes_too_little_gets_the_largest_strength() -> None:
    slopes = torch.tensor([0.0, 0.001, 0.05])
    strengths = strengths_of_change(lambda s: slopes * s, 0.05, count=3, most=4)
    torch.testing.assert_close(strengths, torch.tensor([4.0, 4.0, 1.0]))
