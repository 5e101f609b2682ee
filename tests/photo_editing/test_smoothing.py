import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from conftest import randn
from latentloop.errors import UserError
from latentloop.photo_editing.smoothing import jitter, smooth_codes, smooth_quads


def squares(count: int) -> Tensor:
    """A face that drifts, turns and grows, and trembles, (F, 4, 2)."""
    middle = 100 + 3 * torch.arange(count)[:, None] + 2 * randn(count, 2)
    x = torch.tensor([30.0, 5.0]) + 0.2 * torch.arange(count)[:, None] + randn(count, 2, seed=1)
    y = torch.stack([-x[:, 1], x[:, 0]], dim=1)
    return torch.stack([middle - x - y, middle - x + y, middle + x + y, middle + x - y], dim=1)


def with_scipy(values: Tensor, sigma: float) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(values.numpy(), sigma, axis=0))


# Wide ones reach past both ends, and mirror the frames again and again.
@pytest.mark.parametrize("sigma", [0.2, 0.7, 1, 3, 10, 30])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_codes_are_smoothed_as_by_scipy(sigma: float, count: int) -> None:
    codes = randn(count, 4, 8)
    torch.testing.assert_close(smooth_codes(codes, sigma), with_scipy(codes, sigma), rtol=0, atol=1e-12)
    assert codes.equal(randn(count, 4, 8))


@pytest.mark.parametrize("sigma", [0.5, 2])
def test_quads_are_smoothed_corner_by_corner_as_by_scipy(sigma: float) -> None:
    # Smoothing is linear, and so the same for middle and axis as for the corners.
    quads = squares(25)
    torch.testing.assert_close(smooth_quads(list(quads), sigma), with_scipy(quads, sigma), rtol=0, atol=1e-10)


def test_middle_and_axis_are_smoothed_apart() -> None:
    quads = squares(25)
    smooth = smooth_quads(list(quads), 1, axis_sigma=3)
    torch.testing.assert_close(smooth.mean(dim=1), with_scipy(quads.mean(dim=1), 1))
    sides = quads[:, 3] - quads[:, 0]
    torch.testing.assert_close(smooth[:, 3] - smooth[:, 0], with_scipy(sides, 3))
    torch.testing.assert_close(smooth[:, 1] - smooth[:, 0], with_scipy(sides.flip(1) * torch.tensor([-1, 1]), 3))


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_smoothed_with_a_sigma_of_0(count: int) -> None:
    assert smooth_codes(randn(count, 4, 8), 0).equal(randn(count, 4, 8))
    torch.testing.assert_close(smooth_quads(list(squares(count)), 0), squares(count), rtol=0, atol=1e-12)


@pytest.mark.parametrize("missing", [None, torch.full((4, 2), torch.nan)])
def test_frames_without_a_face_are_filled_in(missing: Tensor | None) -> None:
    first, last = squares(2)
    quads = [missing, missing, first, missing, missing, missing, last, missing]
    expected = [first, first, first, 0.75 * first + 0.25 * last, 0.5 * (first + last), 0.25 * first + 0.75 * last]
    smooth = smooth_quads(quads, 0)
    torch.testing.assert_close(smooth, torch.stack([*expected, last, last]), rtol=0, atol=1e-12)


def test_a_video_without_a_face_is_refused() -> None:
    with pytest.raises(UserError, match="no face found in any frame"):
        smooth_quads([None, torch.full((4, 2), torch.nan)], 1)


@pytest.mark.parametrize("sigma", [-1, float("inf"), float("nan")])
def test_sigma_is_a_number_of_frames(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must be 0 or more, got"):
        smooth_codes(randn(3, 4, 8), sigma)


def test_a_steady_change_is_no_jitter() -> None:
    start, end = randn(2, 4, 8)
    steady = torch.stack([start.lerp(end, i / 9) for i in range(10)])
    assert jitter(steady) == pytest.approx(0, abs=1e-12)
    assert jitter(steady[:2]) == jitter(steady[:0]) == 0


def test_jitter_is_the_mean_length_of_second_differences() -> None:
    codes = torch.zeros(4, 2, 3)
    codes[1, 0, 0], codes[1, 1, 2] = 3, 4
    # (0 - 2 * 5 + 0) and (5 - 0 + 0), as lengths.
    assert jitter(codes) == pytest.approx((10 + 5) / 2)


def test_smoothing_takes_jitter_away() -> None:
    codes = randn(50, 4, 8)
    assert jitter(smooth_codes(codes, 2)) < 0.1 * jitter(codes)
