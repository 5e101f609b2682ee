"""Fixtures: files of generators that are as ours are, but small, and photos that they draw."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from latentloop.encoders import EmbedderConfig
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes

SmallGenerator = Callable[..., Path]
SmallPhotos = Callable[..., Path]
TWO_LOOKS = EmbedderConfig(
    resolution=32,
    channels=(8, 16),
    depths=(1, 1),
    fusion_blocks=1,
    identity="none",
    head_channels=4,
    second_look=True,
)
"""A small embedding network for 32 pixels with a second look."""


def make_generator(parent: Path, resolution: int = 32, name: str = "small") -> Path:
    """Write the file of a random generator that draws 32 pixels, or 64."""
    channels = {32: (8, 8, 8), 64: (8, 8, 8, 8)}[resolution]
    shape = Shape(w_dim=8, num_ws=2 * len(channels), channels=channels)
    generator = MobileStyleGAN(shape, name=name, fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=randomness)
    save_generator(parent / f"{name}.safetensors", generator)
    return parent / f"{name}.safetensors"


def make_photos(parent: Path, generator: Path, count: int, folder: str = "faces") -> Path:
    """Write a folder of photos, of several sizes, that a generator draws."""
    small = load_generator(generator)
    for i, w_plus in enumerate(sample_codes(small, count, randomness=torch.Generator().manual_seed(1))):
        image = small.synthesis(w_plus[None]).repeat_interleave(1 + i % 2, 2).repeat_interleave(1 + i % 2, 3)
        write_png(parent / folder / f"{i}.png", image)
    return parent / folder


@pytest.fixture
def small_generator(tmp_path: Path) -> SmallGenerator:
    """Makes the file of a random generator in the test's folder."""
    return partial(make_generator, tmp_path)


@pytest.fixture
def small_photos(tmp_path: Path) -> SmallPhotos:
    """Makes a folder of photos in the test's folder."""
    return partial(make_photos, tmp_path)
