from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.features.lpips import load_lpips
from latentloop.generators import MobileStyleGAN
from latentloop.generators.mobilestylegan import Shape
from latentloop.photos.sources import PhotoSource
from latentloop.training.distill_config import DistillConfig
from latentloop.training.distillation import Distillation
from latentloop.training.photos import PhotoSet
from latentloop.training.student import begin_with, make_student

CONFIG = DistillConfig(
    steps=8, batch=2, pool=4, repeats=1, trained_blocks=1, pool_photos=2, photo_steps=4, photo_codes=2
)


@pytest.fixture
def teacher() -> MobileStyleGAN:
    """Draws 64 pixels; small random weights."""
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=8, channels=(16, 16, 16, 8)), name="teacher", fingerprint="f")
    randomness = torch.Generator().manual_seed(0)
    state = generator.state_dict()
    generator.load_state_dict({k: torch.randn(v.shape, generator=randomness) * 0.5 for k, v in state.items()})
    return generator.requires_grad_(False)


def begin(
    teacher: MobileStyleGAN, config: DistillConfig = CONFIG, seed: int = 0, photos: PhotoSet | None = None
) -> Distillation:
    randomness = torch.Generator().manual_seed(seed)
    student = make_student(teacher, name="s", resolution=32, randomness=randomness)
    return Distillation(teacher, student, load_lpips(), config, seed, photos)


def test_the_student_comes_closer_to_its_teacher(teacher: MobileStyleGAN) -> None:
    distillation = begin(teacher, replace(CONFIG, steps=100, lr=0.02, trunk_lr=0.005))
    terms = list(distillation.run())
    assert terms[-1]["l1"] < 0.7 * terms[0]["l1"]


def test_a_resumed_run_equals_an_uninterrupted_one(teacher: MobileStyleGAN) -> None:
    whole = begin(teacher)
    terms = list(whole.run())
    first = begin(teacher)
    next(first.run())
    second = begin(teacher)
    second.load_state(first.state())
    assert list(second.run()) == terms[1:]
    expected = whole.result().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in second.result().state_dict().items())


def test_only_the_head_and_the_last_blocks_change(teacher: MobileStyleGAN) -> None:
    distillation = begin(teacher)
    list(distillation.run())
    before, after = teacher.state_dict(), distillation.result().state_dict()
    changed = {n for n in after if n not in before or not torch.equal(after[n], before[n])}
    assert {name.rpartition(".")[0].split(".")[1:3].__str__() for name in changed} == {
        "['blocks', '2']",
        "['to_rgb', 'affine']",
        "['to_rgb', 'conv']",
    }


def test_another_seed_takes_another_course(teacher: MobileStyleGAN) -> None:
    assert list(begin(teacher).run()) != list(begin(teacher, seed=1).run())


def test_the_result_is_the_running_mean_of_the_weights(teacher: MobileStyleGAN) -> None:
    distillation, weight = begin(teacher, replace(CONFIG, average=0.2)), "synthesis.to_rgb.conv.weight"
    student = distillation.student.synthesis.to_rgb.conv
    means = [student.weight.detach().clone()]
    original = distillation._learn

    def learn(w_plus: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
        terms = original(w_plus, target)
        step = len(means)
        means.append(means[-1].lerp(student.weight.detach(), 1 - min(0.2, step / (step + 10))))
        return terms

    distillation._learn = learn  # type: ignore[method-assign]
    list(distillation.run())
    torch.testing.assert_close(distillation.result().state_dict()[weight], means[-1])


@pytest.mark.parametrize("resolution", [4, 24, 64, 0])
def test_a_resolution_that_the_teacher_does_not_pass_is_refused(teacher: MobileStyleGAN, resolution: int) -> None:
    with pytest.raises(ValueError, match=f"resolution must be a power of 2 from 8 to 32, got {resolution}"):
        make_student(teacher, name="s", resolution=resolution, randomness=torch.Generator())


@pytest.fixture
def photos(toy_photos: Callable[..., list[Path]]) -> PhotoSet:
    return PhotoSet([PhotoSource(path) for path in toy_photos(5)], 32)


def test_with_photos_it_learns_from_codes_on_the_way_to_them_and_random_ones(
    teacher: MobileStyleGAN, photos: PhotoSet
) -> None:
    config = replace(CONFIG, pool=6, pool_photos=2, photo_codes=2)
    with_photos, without = begin(teacher, config, photos=photos), begin(teacher, config)
    (codes, plain) = (d._codes(torch.Generator().manual_seed(0)) for d in (with_photos, without))
    assert len(codes) == len(plain) == 6
    # Of the first four, each photo's two lie on one path away from the mean code; the last two are random.
    moved = (codes - teacher.latent_avg).abs().amax(dim=(1, 2))
    assert moved[1] > moved[0] > 0
    assert moved[3] > moved[2] > 0


def test_a_resumed_run_with_photos_equals_an_uninterrupted_one(teacher: MobileStyleGAN, photos: PhotoSet) -> None:
    terms = list(begin(teacher, photos=photos).run())
    first, second = begin(teacher, photos=photos), begin(teacher, photos=photos)
    next(first.run())
    second.load_state(first.state())
    assert list(second.run()) == terms[1:]
    assert terms != list(begin(teacher).run())


def test_a_student_can_begin_with_what_another_learned(teacher: MobileStyleGAN) -> None:
    learned = begin(teacher)
    list(learned.run())
    student = make_student(teacher, name="t", resolution=32, randomness=torch.Generator().manual_seed(9))
    begin_with(student, learned.result())
    expected = learned.result().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in student.state_dict().items())


@pytest.mark.parametrize("resolution", [16, 64])
def test_a_student_of_another_size_is_no_beginning(teacher: MobileStyleGAN, resolution: int) -> None:
    student = make_student(teacher, name="t", resolution=32, randomness=torch.Generator())
    other = (
        teacher if resolution == 64 else make_student(teacher, name="o", resolution=16, randomness=torch.Generator())
    )
    with pytest.raises(UserError, match=f"{other.name}: cannot start from it"):
        begin_with(student, other)
