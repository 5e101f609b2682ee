"""Fixtures: a toy generator that draws in microseconds, and small pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"


class ToyGenerator(nn.Module):
    """Draws 32-pixel images as a smooth nonlinear function of four styles of eight numbers."""

    name = "toy-32"
    fingerprint = "0123456789abcdef"
    resolution, num_ws, z_dim, w_dim = 32, 4, 8, 8
    latent_avg: Tensor
    basis: Tensor

    def __init__(self) -> None:
        super().__init__()
        randomness = torch.Generator().manual_seed(0)
        self.register_buffer("latent_avg", torch.randn(8, generator=randomness) * 0.1)
        self.register_buffer("basis", torch.randn(32, 3 * 8 * 8, generator=randomness) / 4)

    def mapping(self, z: Tensor) -> Tensor:
        return self.latent_avg + z.tanh()

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        size = resolution or self.resolution
        coarse = (w_plus.flatten(1) @ self.basis).unflatten(1, (3, 8, 8)).tanh()
        image = nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
        return nn.functional.avg_pool2d(image, self.resolution // size)


@pytest.fixture
def toy() -> ToyGenerator:
    return ToyGenerator().double().requires_grad_(False)


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Seeded normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """A file with a smooth colourful picture."""

    def make(name: str = "picture.png", width: int = 40, height: int = 30) -> Path:
        y, x = np.mgrid[0:height, 0:width]
        pixels = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=-1).astype(np.uint8)
        path = tmp_path / name
        Image.fromarray(pixels).save(path)
        return path

    return make


@pytest.fixture
def portrait() -> Path:
    """A real photo with one face."""
    return PHOTOS / "female-1.jpg"
