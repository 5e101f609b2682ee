import math

import torch

from latentloop.generators.residual import FADE, fade


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_what_is_left_is_that_of_a_slow_loop() -> None:
    found = randn(1, 3, 4, 5)
    features = found + 0.3 * randn(2, 3, 4, 5, seed=1)
    left = fade(features, found)
    assert left.shape == (2, 1, 4, 5)
    for n in range(2):
        for y in range(4):
            for x in range(5):
                near = [(i, j) for i in (y - 1, y, y + 1) for j in (x - 1, x, x + 1) if 0 <= i < 4 and 0 <= j < 5]
                changes = [_relative(features[n, :, i, j].tolist(), found[0, :, i, j].tolist()) for i, j in near]
                expected = math.exp(-((sum(changes) / len(changes) / FADE) ** 2))
                assert math.isclose(float(left[n, 0, y, x]), expected, rel_tol=1e-9)


def _relative(changed: list[float], found: list[float]) -> float:
    """Root of the mean squared change over that of the values, of the channels at one place."""
    change = sum((a - b) ** 2 for a, b in zip(changed, found, strict=True)) / len(found)
    return math.sqrt(change) / math.sqrt(sum(b**2 for b in found) / len(found))


def test_all_is_left_where_nothing_changes_and_nothing_where_all_is_new() -> None:
    found = randn(1, 3, 8, 8).float()
    found[..., :4] = 0
    assert torch.equal(fade(found, found), torch.ones(1, 1, 8, 8))
    assert torch.equal(fade(found + 1, found)[..., :5], torch.zeros(1, 1, 8, 5))
