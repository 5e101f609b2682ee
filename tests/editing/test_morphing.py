import numpy as np
import pytest
import torch

from conftest import randn
from latentloop.editing import layer_weights, morph


def test_straight_lines_that_meet_every_code() -> None:
    codes = randn(3, 4, 8)
    between = morph(codes, 4)
    assert len(between) == 9
    assert torch.equal(between[::4], codes)
    times = np.arange(9) / 4
    flat = codes.flatten(1).numpy()
    expected = np.stack([np.interp(times, [0, 1, 2], flat[:, i]) for i in range(32)], axis=1)
    np.testing.assert_allclose(between.flatten(1), expected, atol=1e-12)


def test_a_loop_ends_a_step_before_its_beginning() -> None:
    codes = randn(3, 4, 8)
    between = morph(codes, 5, loop=True)
    assert len(between) == 15
    assert torch.equal(between[::5], codes)
    torch.testing.assert_close(between[-1], codes[2].lerp(codes[0], 0.8))


def test_easing_is_slow_at_the_ends() -> None:
    steps = morph(randn(2, 4, 8), 10, ease=True).diff(dim=0).flatten(1).norm(dim=1)
    assert steps[0] < 0.3 * steps[5]
    torch.testing.assert_close(steps, steps.flip(0))


def test_other_layers_stay_as_in_the_first() -> None:
    codes = randn(3, 4, 8)
    between = morph(codes, 4, weights=layer_weights("1", 4))
    assert torch.equal(between[:, [0, 2, 3]], codes[:1, [0, 2, 3]].expand(9, -1, -1))
    assert torch.equal(between[::4, 1], codes[:, 1])


def test_each_layer_goes_a_part_of_the_way() -> None:
    codes = randn(2, 4, 8)
    last = morph(codes, 4, weights=torch.tensor([[0.0], [0.25], [0.5], [1.0]]))[-1]
    for layer, weight in enumerate((0.0, 0.25, 0.5, 1.0)):
        np.testing.assert_allclose(last[layer], (1 - weight) * codes[0, layer] + weight * codes[1, layer], atol=1e-12)


@pytest.mark.parametrize(("count", "frames"), [(1, 4), (2, 0)])
def test_too_few(count: int, frames: int) -> None:
    with pytest.raises(ValueError, match="at least two codes and one frame"):
        morph(randn(count, 4, 8), frames)
