from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentloop.encoders import Embedder, EmbedderConfig, make_embedder
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.losses import pixel_loss, toward
from latentloop.training.best_codes import NoCache
from latentloop.training.collaboration import Collaboration
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.synthetic import Synthetic
from latentloop.training.validation import SHOWN, Validation, unseen_images

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


def absolute(image: Tensor, target: Tensor) -> Tensor:
    return (image - target).abs().mean(dim=(1, 2, 3))


@pytest.fixture
def embedder(float_toy: Generator) -> Embedder:
    return make_embedder(TINY, float_toy, seed=0).requires_grad_(False)


@pytest.fixture
def validation(float_toy: Generator, embedder: Embedder) -> Validation:
    """Thirteen images that the toy draws, measured four at a time."""
    config = CollaborationConfig(teacher_steps=30, teacher_lr=0.1, cache=False)
    both = Collaboration(embedder, float_toy, toward(pixel_loss), absolute, config, NoCache())
    return Validation(unseen_images(float_toy, 13, 32), both, batch=4)


@pytest.mark.parametrize("resolution", [32, 16])
def test_figures_are_means_over_all_images(
    validation: Validation, embedder: Embedder, float_toy: Generator, resolution: int
) -> None:
    config = replace(validation.collaboration.config, resolution=resolution)
    found = replace(validation, collaboration=replace(validation.collaboration, config=config)).measure(embedder)
    target = resample(validation.images, resolution)
    image = float_toy.synthesis(embedder(validation.images), resolution=resolution).clamp(-1, 1)
    difference = (image - target).double()
    assert found["val_mse"] == pytest.approx(difference.square().mean().item(), rel=1e-5)
    assert found["val_lpips"] == pytest.approx(difference.abs().mean().item(), rel=1e-5)
    assert found["val_loss"] == pytest.approx(found["val_mse"])


def test_the_picture_shows_photo_one_pass_and_with_the_iterator(
    validation: Validation, embedder: Embedder, float_toy: Generator
) -> None:
    picture = validation.picture(embedder)
    assert picture.shape == (1, 3, SHOWN * 32, 3 * 32)
    columns = picture.split(32, dim=3)
    photos, passed, helped = (column.unflatten(2, (SHOWN, 32))[0].transpose(0, 1) for column in columns)
    torch.testing.assert_close(photos, validation.images[: 2 * SHOWN : 2])
    torch.testing.assert_close(passed, float_toy.synthesis(embedder(photos)).clamp(-1, 1))
    assert (pixel_loss(helped, photos) < pixel_loss(passed, photos)).all()


def test_images_to_measure_on_are_ones_that_no_step_draws(float_toy: Generator) -> None:
    synthetic = Synthetic(float_toy, 32, batch=50, repeats=1, seed=0)
    seen = torch.cat([synthetic.of_step(step).images for step in range(3)])
    unseen = unseen_images(float_toy, 5, 32)
    assert torch.equal(unseen, unseen_images(float_toy, 5, 32))
    assert torch.cdist(unseen.flatten(1), seen.flatten(1)).min() > 0.5
