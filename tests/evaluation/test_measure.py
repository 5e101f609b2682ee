import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.images import read_image, resize

KEYS = ["mse", "psnr", "ssim", "lpips_alex", "id"]


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return load_evaluator()


@pytest.fixture
def face(portrait: Path) -> Tensor:
    return resize(read_image(portrait), 256, 256)


def test_a_photo_is_reconstructed_perfectly_by_itself(evaluator: Evaluator, face: Tensor) -> None:
    (figures,) = evaluator.measure(face, face)
    assert list(figures) == KEYS
    assert figures["mse"] == figures["lpips_alex"] == 0
    assert figures["psnr"] == math.inf
    assert figures["ssim"] == pytest.approx(1, abs=1e-6)
    assert figures["id"] == pytest.approx(1, abs=1e-6)


def test_every_figure_sees_a_worse_reconstruction(evaluator: Evaluator, face: Tensor) -> None:
    noise = torch.randn(face.shape, generator=torch.Generator().manual_seed(0))
    good, bad = evaluator.measure(
        torch.cat([face + 0.05 * noise, face.flip(2) + 0.5 * noise]), face.expand(2, 3, -1, -1)
    )
    assert good["mse"] < bad["mse"]
    assert good["lpips_alex"] < bad["lpips_alex"]
    for higher_is_better in ("psnr", "ssim", "id"):
        assert good[higher_is_better] > bad[higher_is_better]


def test_mse_and_psnr_of_flat_images_have_a_closed_form(evaluator: Evaluator) -> None:
    flat = torch.ones(2, 3, 64, 64)
    first, second = evaluator.measure(flat * torch.tensor([0.5, -1.0])[:, None, None, None], flat)
    assert first["mse"] == pytest.approx(0.25)
    assert first["psnr"] == pytest.approx(10 * math.log10(4 / 0.25))
    assert second["mse"] == pytest.approx(4)
    assert second["psnr"] == pytest.approx(0, abs=1e-6)


def test_a_reconstruction_beyond_the_range_is_clamped(evaluator: Evaluator) -> None:
    flat = torch.ones(1, 3, 64, 64)
    assert evaluator.measure(1.5 * flat, flat) == evaluator.measure(flat, flat)


def test_images_of_any_size_are_measured_at_256_pixels(evaluator: Evaluator, face: Tensor) -> None:
    twice = face.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    (large,), (small,) = evaluator.measure(twice, twice.flip(3)), evaluator.measure(face, face.flip(3))
    assert large == pytest.approx(small, rel=1e-4)
