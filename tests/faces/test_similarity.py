import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from skimage.transform import SimilarityTransform
from torch import Tensor

from latentloop.faces.similarity import fit_similarity, sample_at, sample_similarity


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def grid(height: int, width: int) -> Tensor:
    """The position of each pixel, (height, width, 2)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).double()


@pytest.mark.parametrize("count", [2, 5, 40])
@pytest.mark.parametrize(("angle", "scale"), [(0.0, 1.0), (0.4, 0.05), (-2.0, 30.0), (np.pi, 2.0)])
def test_a_similarity_is_recovered_from_its_points(count: int, angle: float, scale: float) -> None:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = torch.tensor([[cos, -sin, 70.0], [sin, cos, -3.0]], dtype=torch.float64)
    points = 10 * randn(count, 2)
    target = points @ matrix[:, :2].T + matrix[:, 2]
    torch.testing.assert_close(fit_similarity(points, target), matrix, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_noisy_points_are_fitted_as_by_scikit_image(seed: int) -> None:
    source = 20 * randn(5, 2, seed=seed)
    target = source @ torch.tensor([[0.6, 0.9], [-0.9, 0.6]], dtype=torch.float64) + 3 * randn(5, 2, seed=seed + 10)
    expected = SimilarityTransform.from_estimate(source.numpy(), target.numpy()).params[:2]
    torch.testing.assert_close(fit_similarity(source, target), torch.from_numpy(expected), rtol=0, atol=1e-10)


def test_a_similarity_never_mirrors() -> None:
    source = randn(6, 2)
    mirrored = source * torch.tensor([-1.0, 1.0])
    assert fit_similarity(source, mirrored)[:, :2].det() > 0


def test_samples_at_pixels_are_the_pixels() -> None:
    image = randn(1, 3, 5, 7)
    torch.testing.assert_close(sample_at(image, grid(5, 7)), image, rtol=0, atol=1e-12)


def test_samples_between_pixels_are_weighed_by_their_nearness() -> None:
    image = randn(1, 3, 5, 7)
    sample = sample_at(image, torch.tensor([[[2.25, 3.5]]], dtype=torch.float64))[..., 0, 0]
    above = 0.75 * image[:, :, 3, 2] + 0.25 * image[:, :, 3, 3]
    below = 0.75 * image[:, :, 4, 2] + 0.25 * image[:, :, 4, 3]
    torch.testing.assert_close(sample, (above + below) / 2, rtol=0, atol=1e-12)


def test_samples_outside_are_the_nearest_pixel() -> None:
    image = randn(1, 3, 5, 7)
    outside = torch.tensor([[[-9.0, 2.0], [30.0, 30.0], [3.0, -0.5]]], dtype=torch.float64)
    expected = torch.stack([image[:, :, 2, 0], image[:, :, 4, 6], image[:, :, 0, 3]], dim=-1)[:, :, None]
    torch.testing.assert_close(sample_at(image, outside), expected, rtol=0, atol=1e-12)


def test_points_that_lie_on_the_template_leave_the_image_as_it_is() -> None:
    image, points = randn(1, 3, 16, 16), 8 + 4 * randn(5, 2)
    torch.testing.assert_close(sample_similarity(image, points, points, 16), image, rtol=0, atol=1e-10)


def test_an_image_is_moved_as_by_scikit_image_and_scipy() -> None:
    image, template, points = randn(1, 3, 20, 30), 8 + 5 * randn(5, 2), 12 + 4 * randn(5, 2, seed=1)
    transform = SimilarityTransform.from_estimate(template.numpy(), points.numpy())
    x, y = transform(grid(24, 24).reshape(-1, 2).numpy()).T
    planes = [map_coordinates(plane.numpy(), (y, x), order=1, mode="nearest") for plane in image[0]]
    expected = torch.from_numpy(np.stack(planes)).view(1, 3, 24, 24)
    torch.testing.assert_close(sample_similarity(image, template, points, 24), expected, rtol=0, atol=1e-10)
