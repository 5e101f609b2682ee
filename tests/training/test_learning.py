"""What the method promises, on a small scale: that the iterator teaches the network something."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentloop.cache import CodeCache, CodeSpace
from latentloop.encoders import Embedder, EmbedderConfig, make_embedder
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator
from latentloop.images import write_png
from latentloop.losses import pixel_loss, toward
from latentloop.photos.sources import PhotoSource
from latentloop.training.collaboration import Collaboration
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.pending import PendingCodes
from latentloop.training.photos import PhotoSet
from latentloop.training.train_config import TrainConfig
from latentloop.training.trainer import Trainer
from latentloop.training.validation import Validation

NETWORK = EmbedderConfig(
    resolution=32, channels=(8, 16, 32), depths=(1, 1, 1), fusion_blocks=1, identity="none", head_channels=32
)
BUDGET = TrainConfig(steps=300, batch=8, lr=3e-3, warm_up=10, average=0.95)
TEACHING = CollaborationConfig(teacher_steps=8, teacher_lr=0.1, lambda_per=0.0)


def photos_beyond_w(generator: Generator, folder: Path, count: int, seed: int) -> list[Path]:
    """Images of codes that the mapping network never gives, as those of photos are."""
    randomness = torch.Generator().manual_seed(seed)
    paths = [folder / f"{seed}-{i:03}.png" for i in range(count)]
    for path in paths:
        code = generator.latent_avg + 0.7 * torch.randn(1, generator.num_ws, generator.w_dim, generator=randomness)
        write_png(path, generator.synthesis(code))
    return paths


@pytest.fixture
def trained(float_toy: Generator, tmp_path: Path) -> Callable[..., Trainer]:
    """A run that has taken all its steps on photos of its seed."""

    def trained(seed: int, teaching: CollaborationConfig, name: str) -> Trainer:
        space = CodeSpace(float_toy.fingerprint, float_toy.num_ws, float_toy.w_dim, {})
        photos = [PhotoSource(path) for path in photos_beyond_w(float_toy, tmp_path, 256, seed)]
        collaboration = Collaboration(
            embedder=make_embedder(NETWORK, float_toy, seed=seed),
            generator=float_toy,
            loss=toward(pixel_loss),
            perceptual=pixel_loss,
            config=teaching,
            cache=PendingCodes(CodeCache(tmp_path / f"{name}-{seed}.cache", space)),
        )
        trainer = Trainer(collaboration, BUDGET, seed, PhotoSet(photos, 32))
        for _ in trainer.run():
            pass
        return trainer

    return trained


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_iterator_teaches_what_the_generators_own_images_do_not(
    trained: Callable[..., Trainer], float_toy: Generator, tmp_path: Path, seed: int
) -> None:
    """On unseen photos, against the untrained network, and against one that had the same images but no iterator."""
    together = trained(seed, TEACHING, "together")
    alone = trained(seed, replace(TEACHING, teacher_steps=0), "alone")
    unseen = PhotoSet([PhotoSource(path) for path in photos_beyond_w(float_toy, tmp_path, 64, 1000 + seed)], 32)
    measuring = replace(together.collaboration, perceptual=load_lpips())
    validation = Validation(unseen.load(range(64))[0], measuring, batch=32)

    def figures(embedder: Embedder) -> tuple[float, float]:
        found = validation.measure(embedder)
        return found["val_mse"], found["val_lpips"]

    learned, without, untrained = map(
        figures, (together.result(), alone.result(), make_embedder(NETWORK, float_toy, seed=seed))
    )
    for ours, theirs in zip(learned, without, strict=True):
        assert ours < 0.8 * theirs
    for ours, theirs in zip(learned, untrained, strict=True):
        assert ours < 0.5 * theirs
