"""Tensors as torchvision's VGG16 and LPIPS's linear layers have them, with random numbers."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.features import vgg
from latentloop.files import sha256_of

# torchvision's `features`, in order: channels of a convolution (and its ReLU), or a pooling.
FEATURES = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def vgg16_tensors() -> dict[str, Tensor]:
    """All that a file of VGG16 has, with a small classifier."""
    randomness = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    place, taken = 0, 3
    for made in FEATURES:
        if isinstance(made, int):
            weight = torch.randn(made, taken, 3, 3, generator=randomness) * (2 / (9 * taken)) ** 0.5
            tensors |= {f"features.{place}.weight": weight}
            tensors |= {f"features.{place}.bias": torch.randn(made, generator=randomness) / 10}
            taken, place = made, place + 1
        place += 1
    return tensors | {"classifier.0.weight": torch.zeros(2, 2)}


def linear_tensors() -> dict[str, Tensor]:
    randomness = torch.Generator().manual_seed(1)
    channels = (64, 128, 256, 512, 512)
    return {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1, generator=randomness) for i, c in enumerate(channels)}


def save_both(folder: Path, *, zipped: bool = True) -> tuple[Path, Path]:
    """Files of both, in `torch.save`'s format of today or of before."""
    paths = (folder / "vgg16-397923af.pth", folder / "vgg.pth")
    for path, tensors in zip(paths, (vgg16_tensors(), linear_tensors()), strict=True):
        torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    return paths


def expect(monkeypatch: pytest.MonkeyPatch, vgg16: Path, linear: Path) -> None:
    """Take these for the authors' files."""
    monkeypatch.setattr(vgg, "VGG16_SHA256", sha256_of(vgg16))
    monkeypatch.setattr(vgg, "LINEAR_SHA256", sha256_of(linear))
