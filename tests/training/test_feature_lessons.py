from random import Random

import pytest
import torch
from torch import Tensor

from conftest import randn
from feature_encoders import CONFIG, feature_encoder, small_mobile
from latentloop.encoders import Encoder, make_embedder
from latentloop.generators import Midway, MobileStyleGAN
from latentloop.inversion import FeatureEncoder
from latentloop.losses import pixel_loss
from latentloop.training.feature_lessons import FeatureLessons, Study
from latentloop.training.learner import Learner
from random_networks import random_codes, random_images
from small_generators import TWO_LOOKS

SIDE = 8


@pytest.fixture
def generator() -> MobileStyleGAN:
    return small_mobile()


@pytest.fixture
def lessons(generator: MobileStyleGAN) -> FeatureLessons:
    encode: Encoder = make_embedder(TWO_LOOKS, generator, seed=0).eval()
    return FeatureLessons(generator, encode, pixel_loss, side=SIDE)


@pytest.fixture
def studies(lessons: FeatureLessons, generator: MobileStyleGAN) -> list[Study]:
    """Photos that changed features of their codes draw."""
    encoder, photos = feature_encoder(generator), generator.synthesis(random_codes(generator), resolution=32)
    found = [lessons.study(photo, encoder) for photo in photos.split(1)]
    changed = [one.features + one.sight.spread * randn(1, 8, 1, 1, seed=3).float() for one in found]
    return [
        one._replace(photo=generator.synthesis.finish(Midway(CONFIG.seam, x), one.w_plus, resolution=32))
        for one, x in zip(found, changed, strict=True)
    ]


def loss(lessons: FeatureLessons, encoder: FeatureEncoder, studies: list[Study], *, again: bool = False) -> Tensor:
    return lessons.loss_of(encoder, studies, Random(3), again=again)  # noqa: S311 - nothing secret


def test_a_part_is_drawn_as_within_its_whole(lessons: FeatureLessons, generator: MobileStyleGAN) -> None:
    codes, encoder = random_codes(generator, 2), feature_encoder(generator)
    features = generator.synthesis.begin(codes, CONFIG.seam).features
    whole = generator.synthesis.finish(Midway(CONFIG.seam, features), codes, resolution=32)
    corners = [(3, 0), (1, 4)]
    parts = torch.cat([x[None, :, a : a + SIDE, b : b + SIDE] for x, (a, b) in zip(features, corners, strict=True)])
    for image, one, (a, b) in zip(whole, lessons.draw(parts, codes, corners, encoder), corners, strict=True):
        same = image[:, 2 * a : 2 * (a + SIDE), 2 * b : 2 * (b + SIDE)]
        torch.testing.assert_close(one[:, 4:-4, 4:-4], same[:, 4:-4, 4:-4])


def test_a_study_holds_what_one_pass_draws(lessons: FeatureLessons, generator: MobileStyleGAN) -> None:
    for photo in random_images(generator)[..., ::2, ::2].split(1):
        study = lessons.study(photo, feature_encoder(generator))
        torch.testing.assert_close(study.w_plus, lessons.encode(photo))
        torch.testing.assert_close(study.drawn, lessons.generator.synthesis(study.w_plus, resolution=32))


def test_without_a_change_the_loss_is_that_of_one_pass(lessons: FeatureLessons, studies: list[Study]) -> None:
    whole = FeatureLessons(lessons.generator, lessons.encode, pixel_loss, side=CONFIG.seam)
    untrained = FeatureEncoder(CONFIG, weights="")
    inside = (..., slice(4, -4), slice(4, -4))
    wanted = torch.stack([pixel_loss(one.drawn[inside], one.photo[inside]) for one in studies]).mean()
    torch.testing.assert_close(loss(whole, untrained, studies), wanted)


def test_large_changes_cost_something(lessons: FeatureLessons, studies: list[Study]) -> None:
    encoder = feature_encoder(lessons.generator)
    free = FeatureLessons(lessons.generator, lessons.encode, pixel_loss, side=SIDE, lambda_small=0.0)
    assert loss(lessons, encoder, studies) > loss(free, encoder, studies)


@pytest.mark.parametrize("again", [False, True])
def test_an_encoder_learns_to_lessen_the_error(lessons: FeatureLessons, studies: list[Study], again: bool) -> None:
    encoder = feature_encoder(lessons.generator, std=0.1).requires_grad_()
    learner = Learner([(dict(encoder.named_parameters()), 0.03)], steps=30, warm_up=2, average=0.9)
    before = loss(lessons, encoder, studies, again=again)
    for _ in range(30):
        learner.learn(loss(lessons, encoder, studies, again=again))
    assert loss(lessons, encoder, studies, again=again) < 0.7 * before


def test_a_second_look_learns_from_what_the_first_leaves(lessons: FeatureLessons, studies: list[Study]) -> None:
    encoder = feature_encoder(lessons.generator)
    assert loss(lessons, encoder, studies, again=True) != loss(lessons, encoder, studies)
