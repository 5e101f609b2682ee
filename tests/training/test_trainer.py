import copy
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentloop.cache import CodeCache, CodeSpace
from latentloop.encoders import EmbedderConfig, make_embedder
from latentloop.errors import NotFiniteError
from latentloop.generators import Generator
from latentloop.images import write_png
from latentloop.latents import sample_codes
from latentloop.losses import pixel_loss, toward
from latentloop.photos.sources import PhotoSource
from latentloop.training.best_codes import NoCache
from latentloop.training.checkpoint import load_checkpoint, save_checkpoint
from latentloop.training.collaboration import Batch, Collaboration, Teaching
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.pending import PendingCodes
from latentloop.training.photos import Loaded, PhotoSet, mirror_key
from latentloop.training.train_config import TrainConfig
from latentloop.training.trainer import Trainer

Begin = Callable[..., Trainer]
NETWORK = EmbedderConfig(
    resolution=32, channels=(8, 16, 32), depths=(1, 1, 1), fusion_blocks=1, identity="none", head_channels=32
)
CONFIG = TrainConfig(steps=6, batch=4, lr=1e-3, warm_up=2, average=0.9)
TEACHING = CollaborationConfig(teacher_steps=5, lambda_per=0.0)


@pytest.fixture
def photos(float_toy: Generator, tmp_path: Path) -> PhotoSet:
    codes = sample_codes(float_toy, 12, randomness=torch.Generator().manual_seed(9))
    paths = [tmp_path / "photos" / f"{i:02}.png" for i in range(12)]
    for path, image in zip(paths, float_toy.synthesis(codes), strict=True):
        write_png(path, image)
    return PhotoSet([PhotoSource(path) for path in paths], 32)


@pytest.fixture
def begin(float_toy: Generator, photos: PhotoSet, tmp_path: Path) -> Begin:
    """Begins a run; its cache is in a file of some name."""

    def begin(
        name: str = "codes",
        config: TrainConfig = CONFIG,
        teaching: CollaborationConfig = TEACHING,
        seed: int = 0,
        look_every: int = 1,
    ) -> Trainer:
        space = CodeSpace(float_toy.fingerprint, float_toy.num_ws, float_toy.w_dim, {})
        pending = PendingCodes(CodeCache(tmp_path / f"{name}.cache", space)) if teaching.cache else NoCache()
        embedder = make_embedder(NETWORK, float_toy, seed=seed)
        both = Collaboration(embedder, float_toy, toward(pixel_loss), pixel_loss, teaching, pending)
        return Trainer(both, config, seed, photos if config.synthetic < 1 else None, look_every=look_every)

    return begin


def unseen_error(trainer: Trainer) -> float:
    """Mean squared error on images that the run never sees, of the network with its averaged weights."""
    generator, embedder = trainer.collaboration.generator, trainer.result()
    images = generator.synthesis(sample_codes(generator, 64, randomness=torch.Generator().manual_seed(77)))
    return pixel_loss(generator.synthesis(embedder(images)), images).mean().item()


def batches(trainer: Trainer) -> list[Batch]:
    """Takes all steps; gives what was learned from."""
    seen: list[Batch] = []
    learn = trainer.collaboration.learn

    def watched(batch: Batch, *, step: int) -> tuple[dict[str, torch.Tensor], Teaching]:
        seen.append(batch)
        return learn(batch, step=step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Collaboration, "learn", lambda _, batch, *, step: watched(batch, step=step))
        for _ in trainer.run():
            pass
    return seen


def test_photos_of_the_next_step_are_read_while_one_is_taken(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The iterator of each step but the last waits until they are asked for: else it would wait in vain."""
    asked, teach, load = threading.Semaphore(0), Collaboration.teach, PhotoSet.load

    def counted(self: PhotoSet, indices: Iterable[int]) -> Loaded:
        asked.release()
        return load(self, indices)

    def waiting(self: Collaboration, *rest: Any, step: int) -> Teaching:  # noqa: ANN401 - as `teach` takes
        if step == 0:
            assert asked.acquire(timeout=60)
        assert step == CONFIG.steps - 1 or asked.acquire(timeout=60)
        return teach(self, *rest, step=step)

    monkeypatch.setattr(PhotoSet, "load", counted)
    monkeypatch.setattr(Collaboration, "teach", waiting)
    assert len(list(begin().run())) == CONFIG.steps
    assert not asked.acquire(blocking=False)  # each step's photos are read once


@pytest.mark.parametrize(
    "changes", [{"synthetic": 0.0}, {"synthetic": 0.5}, {"synthetic": 1.0}, {"jitter": 1.0, "spoil_on_device": True}]
)
def test_a_resumed_run_equals_an_uninterrupted_one(begin: Begin, tmp_path: Path, changes: dict[str, Any]) -> None:
    """With the kill coming two steps after the checkpoint, and the cache written or not."""
    config = replace(CONFIG, **changes)
    whole = begin("whole", config)
    told = list(whole.run())
    for written in (True, False):
        first = begin(f"killed-{written}", config)
        steps = first.run()
        for _ in range(3):
            next(steps)
        save_checkpoint(tmp_path / "checkpoint.safetensors", kind="training", config={}, state=first.state())
        if written:
            first.collaboration.cache.commit()
        for _ in range(2):
            next(steps)
        second = begin(f"killed-{written}", config)
        second.load_state(load_checkpoint(tmp_path / "checkpoint.safetensors", kind="training", config={}))
        assert list(second.run()) == told[3:]
        expected = whole.result().state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in second.result().state_dict().items())


def test_half_of_the_photos_are_mirrored_and_known_as_others(begin: Begin, photos: PhotoSet) -> None:
    trainer = begin(config=replace(CONFIG, synthetic=0.0, batch=12, mirror=True))
    given, keys = photos.load(range(12))
    known = dict(zip(keys, given, strict=True))
    mirrored = {mirror_key(key): image.flip(2) for key, image in known.items()}
    seen: list[bytes] = []
    for batch in batches(trainer):
        for key, image in zip(batch.photos, batch.images, strict=True):
            assert torch.equal(image, (known | mirrored)[key])
        seen += [key for key in batch.photos if key in mirrored]
    assert 0.3 < len(seen) / (12 * CONFIG.steps) < 0.7
    codes = trainer.collaboration.cache.lookup(list(mirrored))
    assert sum(code is not None for code in codes) > 6


CHANGING = replace(CONFIG, mirror=True, jitter=1.0, relight=1.0, spoil_on_device=True, weights=("03.png=0",))
UNTAUGHT = replace(TEACHING, teacher_steps=0, cache=False, image_target="photo")


def test_photos_change_anew_in_each_step_as_it_says(begin: Begin, photos: PhotoSet) -> None:
    """A run that begins later changes them alike; one of weight 0 never comes."""
    config, (never,) = replace(CHANGING, batch=6), photos.load([3]).keys
    plain, changed = batches(begin("a", replace(config, jitter=0.0, relight=0.0))), batches(begin("b", config))
    for one, other in zip(plain, changed, strict=True):
        assert one.photos == other.photos
        difference = (one.images[:3] - other.images[:3]).abs().mean(dim=(1, 2, 3))
        assert ((difference > 0.01) & (difference < 0.5)).all()
        assert torch.equal(one.images[3:], other.images[3:])
    seen: dict[bytes, list[torch.Tensor]] = {}
    for batch in changed:
        assert not {never, mirror_key(never)} & set(batch.photos)
        for key, image in zip(batch.photos, batch.images, strict=False):
            assert all((image - other).abs().mean() > 0.01 for other in seen.get(key, ()))
            seen.setdefault(key, []).append(image)
    assert max(map(len, seen.values())) > 1
    later = begin("c", config)
    later._learner.step = 4
    assert all(torch.equal(a.images, b.images) for a, b in zip(batches(later), changed[4:], strict=True))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_same_images_get_a_second_look_whatever_the_number_of_processes(begin: Begin, count: int) -> None:
    """Every fourth of ten photos and of six drawn images, named by their places in the whole batch."""
    trainer, looked = begin(), []
    for index in range(count):
        trainer.processes = SimpleNamespace(index=index, count=count)
        photos, drawn = range(index, 10, count), range(10 + index, 16, count)
        own = trainer._looked_at_again(len(photos), len(drawn))
        looked += [[*photos, *drawn][i] for i in own]
    assert sorted(looked) == [0, 4, 8, 10, 14]


def test_another_seed_takes_another_course(begin: Begin) -> None:
    assert list(begin("a").run()) != list(begin("b", seed=1).run())


def test_a_step_tells_of_its_terms_and_of_the_iterators_work(begin: Begin) -> None:
    told = list(begin(config=replace(CONFIG, synthetic=0.0)).run())
    assert [one["step"] for one in told] == [1, 2, 3, 4, 5, 6]
    assert told[0]["known"] == 0
    assert told[3]["known"] == 1  # twelve photos are an epoch of three steps
    for one in told:
        assert one["loss"] == pytest.approx(one["w"] + one["img"])
        assert one["gain"] > 0


def test_without_photos_it_learns_from_what_the_generator_draws(begin: Begin) -> None:
    trainer = begin(config=replace(CONFIG, synthetic=1.0, steps=150, batch=16, lr=5e-3))
    before = unseen_error(trainer)
    told = list(trainer.run())
    assert "gain" not in told[0]
    assert unseen_error(trainer) < 0.5 * before


def test_the_step_size_rises_and_falls(begin: Begin) -> None:
    trainer = begin()
    sizes = [trainer._learner._optimizer.param_groups[0]["lr"] for _ in trainer.run()]
    cosine = [0.5 + 0.5 * torch.tensor(step * torch.pi / 6).cos().item() for step in range(6)]
    expected = [1e-3 * up * down for up, down in zip([1 / 3, 2 / 3, 1, 1, 1, 1], cosine, strict=True)]
    assert sizes == pytest.approx(expected)


class Backwards(torch.autograd.Function):
    """Passes an image on, and NaN back."""

    @staticmethod
    def forward(_: object, image: torch.Tensor) -> torch.Tensor:
        return image.clone()

    @staticmethod
    def backward(_: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * float("nan")


def nan(image: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return image.mean((1, 2, 3)) * float("nan")


def nan_gradient(image: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    passed: torch.Tensor = Backwards.apply(image)  # type: ignore[no-untyped-call]
    return passed.mean((1, 2, 3))


@pytest.mark.parametrize(("term", "what"), [(nan, "loss"), (nan_gradient, "gradient")])
def test_what_is_not_finite_stops_the_run_before_it_harms_the_network(
    begin: Begin, term: Callable[..., torch.Tensor], what: str
) -> None:
    trainer = begin()
    steps = trainer.run()
    next(steps)
    before = copy.deepcopy(trainer.state())
    broken = replace(trainer.collaboration, perceptual=term)
    trainer.collaboration = replace(broken, config=replace(TEACHING, lambda_per=1.0))
    with pytest.raises(NotFiniteError, match=f"the {what} of step 2 is not finite"):
        next(steps)
    after = trainer.state()
    assert after["step"] == 1
    for part in ("learning", "average"):
        assert all(torch.equal(tensor, before[part][name]) for name, tensor in after[part].items())
    for mine, theirs in zip(after["optimizer"]["state"].values(), before["optimizer"]["state"].values(), strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("every", [2, 4])
def test_looking_at_several_steps_at_a_time_changes_nothing(begin: Begin, every: int) -> None:
    one, several = begin(teaching=UNTAUGHT), begin(teaching=UNTAUGHT, look_every=every)
    told, steps = list(one.run()), []
    for metrics, expected in zip(several.run(), told, strict=True):
        assert metrics == expected
        steps.append(several.step)
    assert steps == {2: [2, 2, 4, 4, 6, 6], 4: [4, 4, 4, 4, 6, 6]}[every]
    assert "gain" not in told[0]  # nobody taught, so it was not looked at
    network = one.result().state_dict()
    assert all(torch.equal(tensor, network[name]) for name, tensor in several.result().state_dict().items())


def test_what_is_not_finite_is_taken_back_to_the_last_look(begin: Begin) -> None:
    trainer = begin(teaching=UNTAUGHT, look_every=2)
    steps = trainer.run()
    next(steps)
    before = copy.deepcopy(trainer.state())
    trainer.collaboration = replace(trainer.collaboration, perceptual=nan, config=replace(UNTAUGHT, lambda_per=1.0))
    with pytest.raises(NotFiniteError, match="the loss of step 3 is not finite"):
        list(steps)
    assert trainer.step == 2
    assert all(torch.equal(tensor, before["learning"][name]) for name, tensor in trainer.state()["learning"].items())


def test_who_looks_in_each_step_cannot_look_seldom(begin: Begin) -> None:
    with pytest.raises(ValueError, match="look_every must be 1"):
        begin(look_every=2)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which does not go on by itself."""
    now = [100.0]
    monkeypatch.setattr("latentloop.training.clock.time.monotonic", lambda: now[0])
    return now


def test_a_run_ends_with_its_time_and_its_step_size_falls_to_0_by_then(begin: Begin, seconds: list[float]) -> None:
    """Twenty seconds a step of a minute, with a pause after the second one."""
    config = replace(CONFIG, steps=100, warm_up=0, minutes=1.0, ramp_down=0.5)
    first, sizes = begin(config=config), []
    for _ in first.run():
        sizes.append(first._learner._optimizer.param_groups[0]["lr"])
        seconds[0] += 20
        if first.step == 2:
            break
    state = first.state()
    assert state["seconds"] == 40
    seconds[0] += 1000
    second = begin(config=config)
    second.load_state(state)
    for _ in second.run():
        sizes.append(second._learner._optimizer.param_groups[0]["lr"])
        seconds[0] += 20
    # The share that is done is that of the end of the step before, or of the pause: 0, 0, then 40 of 60 seconds.
    assert sizes == pytest.approx([1e-3, 1e-3, 0.75e-3, 0.75e-3])
    assert second.finished
    assert list(second.run()) == []


@pytest.mark.parametrize(("share", "made"), [(0.0, 0), (0.1, 1), (0.5, 2), (0.9, 3), (1.0, 4)])
def test_of_both_kinds_of_images_there_are_some(share: float, made: int) -> None:
    assert replace(CONFIG, batch=4, synthetic=share).synthetic_images == made


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"steps": 0}, "steps must be 1 or more"),
        ({"optimizer": "sgd"}, "optimizer must be one of muon, adam, got sgd"),
        ({"batch": 0}, "batch must be 1 or more"),
        ({"warm_up": -1}, "warm_up must be 0 or more"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"clip": float("inf")}, "clip must be above 0"),
        ({"synthetic": 1.5}, "synthetic must be from 0 to 1"),
        ({"batch": 1, "synthetic": 0.5}, "with a batch of 1 synthetic must be 0 or 1"),
        ({"average": 1.0}, "average must be from 0 to below 1"),
        ({"jitter": -1.0}, "jitter must be from 0 to 3"),
        ({"relight": float("nan")}, "relight must be from 0 to 3"),
        ({"minutes": 0.0}, "minutes must be above 0"),
        ({"ramp_down": 0.0}, "ramp_down must be above 0 and at most 1"),
        ({"weights": ("celeba",)}, "weights must be TEXT=WEIGHT, such as celeba=0.2, got 'celeba'"),
        ({"weights": ("=2",)}, "weights must be TEXT=WEIGHT, such as celeba=0.2, got '=2'"),
        ({"weights": ("a=-1",)}, "weights must be TEXT=WEIGHT, such as celeba=0.2, got 'a=-1'"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(CONFIG, **changes)  # type: ignore[arg-type]
