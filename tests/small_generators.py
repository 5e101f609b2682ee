"""Fixtures: files of generators that are as ours are, but small, and photos that they draw."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes

SmallGenerator = Callable[..., Path]
SmallPhotos = Callable[..., Path]


@pytest.fixture
def small_generator(tmp_path: Path) -> SmallGenerator:
    """Makes the file of a random generator that draws 32 pixels, or 64."""

    def make(resolution: int = 32, name: str = "small") -> Path:
        channels = {32: (8, 8, 8), 64: (8, 8, 8, 8)}[resolution]
        shape = Shape(w_dim=8, num_ws=2 * len(channels), channels=channels)
        generator = MobileStyleGAN(shape, name=name, fingerprint="")
        randomness = torch.Generator().manual_seed(0)
        for parameter in generator.parameters():
            torch.nn.init.normal_(parameter, std=0.3, generator=randomness)
        save_generator(tmp_path / f"{name}.safetensors", generator)
        return tmp_path / f"{name}.safetensors"

    return make


@pytest.fixture
def small_photos(tmp_path: Path) -> SmallPhotos:
    """Makes a folder of photos, of several sizes, that a generator draws."""

    def make(generator: Path, count: int, folder: str = "faces") -> Path:
        small = load_generator(generator)
        for i, w_plus in enumerate(sample_codes(small, count, randomness=torch.Generator().manual_seed(1))):
            image = small.synthesis(w_plus[None]).repeat_interleave(1 + i % 2, 2).repeat_interleave(1 + i % 2, 3)
            write_png(tmp_path / folder / f"{i}.png", image)
        return tmp_path / folder

    return make
