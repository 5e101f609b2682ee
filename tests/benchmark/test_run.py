import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from mmap import mmap
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.benchmark.comparison import Outcome, Result, Skipped
from latentloop.benchmark.finders import CodeFinder, Codes
from latentloop.benchmark.meters import CallCounter, PeakMemory, stopwatch
from latentloop.benchmark.methods import PreparedMethod
from latentloop.benchmark.observer import Silent
from latentloop.benchmark.options import ProtocolName
from latentloop.benchmark.result_files import BenchmarkFolder
from latentloop.benchmark.run import Benchmark
from latentloop.benchmark.targets import Aligner
from latentloop.cli.bench_progress import BenchProgress
from latentloop.errors import NotFiniteError, UserError
from latentloop.faces import AlignedFace
from latentloop.generators import DrawnBy, Generator, low_precision, reweighted
from latentloop.images import read_image
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.metrics import mse
from random_networks import NETWORKS, random_codes, random_network

ToyPhotos = Callable[..., list[Path]]
CPU = torch.device("cpu")


class Mse:
    """A protocol that is quick."""

    name: ProtocolName = "psp"
    about = "squares"

    def __init__(self, *columns: str) -> None:
        self.columns = columns or ("mse", "lpips_alex")

    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        return [dict.fromkeys(self.columns, value) for value in mse(image, target).tolist()]


class Sleeper:
    """Takes a known time, draws a known number of images, and returns the start."""

    failure = "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"

    def __init__(self, generator: Generator, steps: int, seconds: float, broken: Sequence[float]) -> None:
        self.generator, self.steps, self.seconds, self.broken = generator, steps, seconds, broken
        self.tuned, self.shade = False, 0.0
        self.room: int | None = None
        """The most images that fit into memory; None for any number."""
        self.seen: list[int] = []

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        self.seen.append(len(target))
        if any(abs(value - mean) < 1e-6 for value in target.mean(dim=(1, 2, 3)).tolist() for mean in self.broken):
            raise NotFiniteError("the loss is not finite")
        if self.room is not None and len(target) > self.room:
            raise RuntimeError(self.failure)
        for step in range(self.steps):
            time.sleep(self.seconds / self.steps)
            image = self.generator.synthesis(start)
            if on_step:
                on_step(step, target.new_zeros(len(target)))
        losses = target.new_zeros(1, len(target))
        inversion = Inversion(start, losses[0], losses, losses[0].long(), lambda: image)
        return (
            replace(inversion, generators=tuple(flat(self.generator, one + self.shade) for one in target))
            if self.tuned
            else inversion
        )


def flat(generator: Generator, target: Tensor) -> Generator:
    """Draws the mean of a target, as if it had been tuned to it."""

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        return torch.full_like(generator.synthesis(w_plus, resolution=resolution), float(target.mean()))

    return DrawnBy(generator, draw)


def counted(toy: Generator, counter: CallCounter) -> Generator:
    """Counts the images of a toy, whose synthesis has no layers to do so."""

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        counter.calls += len(w_plus)
        return toy.synthesis(w_plus, resolution=resolution)

    return DrawnBy(toy, draw)


Make = Callable[..., Benchmark]


@pytest.fixture
def make(float_toy: Generator, tmp_path: Path) -> Make:
    def build(
        *, seconds: float = 0.0, broken: Sequence[float] = (), batch: int = 1, setting: int = 0, methods: int = 1
    ) -> Benchmark:
        counter = CallCounter()
        generator = counted(float_toy, counter)

        def prepared(name: str) -> PreparedMethod:
            refiner = Sleeper(generator, 3, seconds, broken)
            finder = CodeFinder(lambda target: mean_code(generator, len(target)) + 0.1, refiner)
            return PreparedMethod(name, name, "", True, 3, finder, finder, {"setting": setting})

        sleepers = [prepared(f"sleeper{i or ''}") for i in range(methods)]
        return Benchmark(BenchmarkFolder(tmp_path / "out"), sleepers, generator, Mse(), None, counter, batch)

    return build


def seen(job: Benchmark) -> list[int]:
    """How many images the first method was given each time; at first, to warm up."""
    refiner = getattr(job.methods[0].finder, "refiner", None)
    assert isinstance(refiner, Sleeper)
    return refiner.seen


def results(outcomes: Sequence[Outcome]) -> list[Result]:
    assert not [outcome for outcome in outcomes if isinstance(outcome, Skipped)]
    return [outcome for outcome in outcomes if isinstance(outcome, Result)]


def test_the_clock_measures_what_it_says(make: Make, toy_photos: ToyPhotos) -> None:
    job = make(seconds=0.5)
    with BenchProgress() as progress:
        progress.begin(job.methods, 2)
        with stopwatch(CPU) as whole:
            found = results(list(replace(job, observer=progress).run(toy_photos(2))))
    assert all(one.seconds >= 0.5 for one in found)
    assert sum(one.seconds for one in found) + 0.5 <= whole.seconds  # the warm-up does not count
    begun = time.monotonic()
    with stopwatch(CPU) as watch:
        time.sleep(0.1)
    assert 0.1 <= watch.seconds <= time.monotonic() - begun


class Waiting(Silent):
    """Waits for others at each step."""

    def step(self, method: PreparedMethod, done: int, loss: Tensor) -> None:  # noqa: ARG002
        time.sleep(0.4)


def test_the_clock_stops_while_the_observer_waits(make: Make, toy_photos: ToyPhotos) -> None:
    (found,) = results(list(replace(make(seconds=0.3), observer=Waiting()).run(toy_photos(1))))
    assert 0.3 <= found.seconds < 1.2  # of which the observer took four thirds


def test_what_is_counted(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    job = make()
    found = results(list(job.run(toy_photos(3))))
    assert seen(job) == [1, 1, 1, 1]
    assert [one.image for one in found] == ["photo-0", "photo-1", "photo-2"]
    assert {one.calls for one in found} == {4}  # of the method and of the result
    assert all(one.memory is None or one.memory > 1e7 for one in found)
    for one in found:
        drawn = tmp_path / "out" / "sleeper" / f"{one.image}.png"
        assert read_image(drawn).shape == (1, 3, 256, 256)
        assert (tmp_path / "out" / "photos" / f"{one.image}.png").is_file()


def test_every_method_takes_an_image_before_the_next_one_comes(make: Make, toy_photos: ToyPhotos) -> None:
    found = results(list(make(methods=2).run(toy_photos(2))))
    assert [(one.image[-1], one.method) for one in found] == [
        ("0", "sleeper"),
        ("0", "sleeper1"),
        ("1", "sleeper"),
        ("1", "sleeper1"),
    ]


def test_a_batch_shares_its_time(make: Make, toy_photos: ToyPhotos) -> None:
    with stopwatch(CPU) as whole:
        found = results(list(make(seconds=0.2, batch=2).run(toy_photos(3))))
    assert [one.batch for one in found] == [2, 2, 1]
    assert found[0].seconds == found[1].seconds >= 0.1
    assert found[2].seconds >= 0.2
    assert sum(one.seconds for one in found) + 0.2 <= whole.seconds  # each batch counts once, the warm-up does not
    assert {one.calls for one in found} == {4}


def test_a_resumed_run_equals_one_that_was_not_stopped(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos, folder = toy_photos(3), tmp_path / "out" / "sleeper"
    whole = results(list(make().run(photos)))
    (folder / "photo-2.json").unlink()
    (folder / "photo-1.json").write_text('{"key": "')
    again = make()
    resumed = results(list(again.run(photos)))
    assert seen(again) == [1, 1, 1]  # to warm up, and two images
    assert resumed[0] == whole[0]
    assert [(one.image, one.figures) for one in resumed] == [(one.image, one.figures) for one in whole]
    third = make()
    assert results(list(third.run(photos))) == resumed
    assert seen(third) == []


def test_what_is_finished_is_not_read_again(
    make: Make, toy_photos: ToyPhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = toy_photos(3)
    whole = results(list(make(methods=2, batch=3).run(photos)))
    read: list[Path] = []
    face = Aligner.face

    def watched(aligner: Aligner, photo: Path) -> AlignedFace:
        read.append(photo)
        return face(aligner, photo)

    monkeypatch.setattr(Aligner, "face", watched)
    assert results(list(make(methods=2, batch=3).run(photos))) == whole
    assert read == []
    (tmp_path / "out" / "sleeper1" / "photo-1.json").unlink()
    assert len(results(list(make(methods=2, batch=3).run(photos)))) == 6
    assert read == [photos[1]]


def test_a_picture_that_got_lost_is_made_again(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos, picture = toy_photos(1), tmp_path / "out" / "photos" / "photo-0.png"
    list(make().run(photos))
    content = picture.read_bytes()
    picture.unlink()
    list(make().run(photos))
    assert picture.read_bytes() == content


def test_only_what_is_missing_of_a_batch_is_found(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos = toy_photos(3)
    list(make(batch=3).run(photos))
    (tmp_path / "out" / "sleeper" / "photo-1.json").unlink()
    again = make(batch=3)
    assert len(results(list(again.run(photos)))) == 3
    assert seen(again) == [3, 1]


def test_another_protocol_measures_the_codes_that_were_found(make: Make, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(2)
    first = results(list(make().run(photos)))
    job = replace(make(), protocol=Mse("psnr"))
    other = results(list(job.run(photos)))
    assert seen(job) == []
    for before, after in zip(first, other, strict=True):
        assert after.figures == {"psnr": pytest.approx(before.figures["mse"], rel=1e-5)}
        assert after.seconds == before.seconds
    third = make()
    assert results(list(third.run(photos))) == first
    assert seen(third) == []


def tuned(job: Benchmark, shade: float = 0.0) -> Benchmark:
    """The same benchmark, whose first method tunes a generator for each image, to draw it brighter by `shade`."""
    refiner = getattr(job.methods[0].finder, "refiner", None)
    assert isinstance(refiner, Sleeper)
    refiner.tuned, refiner.shade = True, shade
    return job


def test_what_a_method_tuned_draws_its_images(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos = toy_photos(2)
    for one in results(list(tuned(make(batch=2)).run(photos))):
        drawn = read_image(tmp_path / "out" / "sleeper" / f"{one.image}.png")
        target = read_image(tmp_path / "out" / "photos" / f"{one.image}.png")
        assert (drawn - target.mean()).abs().max() < 1 / 127
        assert one.figures["mse"] == pytest.approx(float((target - target.mean()).square().mean()), rel=0.02)
        assert one.calls == 4


def test_another_protocol_finds_the_codes_of_tuned_generators_again(make: Make, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(1)
    (first,) = results(list(tuned(make()).run(photos)))
    other = replace(tuned(make()), protocol=Mse("psnr"))
    (again,) = results(list(other.run(photos)))
    assert seen(other) == [1, 1]
    assert again.figures == {"psnr": pytest.approx(first.figures["mse"], rel=1e-5)}
    third = tuned(make())
    assert results(list(third.run(photos)))[0].figures == first.figures
    assert seen(third) == []


def test_figures_of_a_tuned_generator_go_with_what_it_drew(make: Make, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(1)
    list(tuned(make()).run(photos))
    other = replace(tuned(make(), shade=0.1), protocol=Mse("psnr"))
    list(other.run(photos))
    again = tuned(make(), shade=0.1)
    (found,) = results(list(again.run(photos)))
    assert seen(again) == [1, 1]
    assert results(list(tuned(make()).run(photos))) == [found]


@pytest.mark.parametrize("kind", NETWORKS)
def test_images_are_counted_whoever_draws_them_from_whatever(kind: str) -> None:
    counter, network = CallCounter(), random_network(kind)
    counter.counted(network)
    codes = random_codes(network, 3)
    for seen, drawing in enumerate((network, reweighted(network, {}), low_precision(network, torch.bfloat16)), 1):
        drawing.synthesis(codes, resolution=8)
        assert counter.calls == 3 * seen
    midway = network.synthesis.begin(codes, max(network.synthesis.seams))
    assert counter.calls == 9  # nothing is drawn yet
    network.synthesis.finish(midway, codes)
    assert counter.calls == 12


def test_other_settings_or_photos_are_found_anew(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos = toy_photos(2)
    list(make().run(photos))
    other = make(setting=1)
    list(other.run(photos))
    assert seen(other) == [1, 1, 1]
    photos[0].write_bytes(photos[1].read_bytes())
    changed = make(setting=1)
    list(changed.run(photos))
    assert seen(changed) == [1, 1]
    shown = [read_image(tmp_path / "out" / "photos" / f"photo-{i}.png") for i in (0, 1)]
    assert torch.equal(shown[0], shown[1])


class Notes(Silent):
    """Collects what a user is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def test_that_results_are_made_again_is_said_once(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos, notes = toy_photos(2), Notes()
    list(replace(make(methods=2), observer=notes).run(photos))
    list(replace(make(methods=2), observer=notes).run(photos))
    assert notes.lines == []
    list(replace(make(methods=2, setting=1), observer=notes).run(photos))
    assert notes.lines == [
        f"results in {tmp_path / 'out'} were made from other photos, with other settings or by another version; "
        "they are recomputed"
    ]


def test_what_fails_is_left_out_and_the_others_go_on(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos = toy_photos(2)
    (tmp_path / "broken.png").write_bytes(b"no image")
    job = make(batch=3, methods=2)
    found = list(job.run([photos[0], tmp_path / "broken.png", photos[1]]))
    assert [type(one) for one in found] == [Skipped, Result, Result, Result, Result]
    assert isinstance(found[0], Skipped)
    assert "broken.png: not an image" in found[0].reason
    again = make(batch=3, methods=2)
    list(again.run([photos[0], tmp_path / "broken.png", photos[1]]))
    assert seen(again) == []


def test_one_loss_that_is_not_finite_does_not_spoil_the_batch(make: Make, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(3)
    mean = read_image(photos[1]).mean().item()
    found = list(make(batch=3, broken=[mean]).run(photos))
    assert [type(one) for one in found] == [Result, Skipped, Result]
    assert isinstance(found[1], Skipped)
    assert found[1].reason == f"{photos[1]}: sleeper: the loss is not finite"


def cramped(job: Benchmark, room: int) -> Benchmark:
    """The same benchmark, whose first method has memory for so many images."""
    refiner = getattr(job.methods[0].finder, "refiner", None)
    assert isinstance(refiner, Sleeper)
    refiner.room = room
    return job


def test_where_memory_runs_out_halves_of_the_batch_follow(make: Make, toy_photos: ToyPhotos) -> None:
    job = cramped(make(batch=4), 2)
    found = results(list(job.run(toy_photos(4))))
    assert seen(job) == [4, 2, 4, 2, 2]  # twice to warm up
    assert [(one.image, one.batch) for one in found] == [(f"photo-{i}", 2) for i in range(4)]


def test_a_method_without_memory_for_an_image_is_left_out_and_the_others_go_on(
    make: Make, toy_photos: ToyPhotos
) -> None:
    photos = toy_photos(2)
    found = list(cramped(make(batch=2, methods=2), 0).run(photos))
    assert [type(one) for one in found] == [Skipped, Skipped, Result, Result]
    assert [one.reason for one in found if isinstance(one, Skipped)] == [
        f"{photo}: sleeper: not enough memory on cpu" for photo in photos
    ]


def test_what_is_no_lack_of_memory_ends_the_run(
    make: Make, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sleeper, "failure", "shapes do not fit")
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(cramped(make(), 0).run(toy_photos(1)))


def test_two_images_of_one_name_are_refused(make: Make, toy_photos: ToyPhotos) -> None:
    with pytest.raises(UserError, match="share a name"):
        list(make().run([*toy_photos(1), *toy_photos(1, "others")]))


def test_a_folder_that_cannot_be_written_ends_the_run(make: Make, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UserError, match="cannot write here"):
        list(make().run(toy_photos(2)))


@pytest.mark.skipif(PeakMemory(CPU).peak() is None, reason="nobody tells there")
def test_peak_memory_is_of_what_came_since() -> None:
    def take(count: int) -> None:
        with mmap(-1, count) as fresh:  # not what an allocator has kept
            fresh.write(b"\1" * count)

    take(200_000_000)
    meter = PeakMemory(CPU)
    low = meter.peak()
    take(100_000_000)
    high = meter.peak()
    assert low is not None
    assert high is not None
    assert 80e6 < high - low < 300e6


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_an_old_result_does_not_vouch_for_new_files(
    make: Make, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    """A run of another key is killed amid the new files of the first image."""
    photos, bench = toy_photos(1), make()
    list(bench.run(photos))
    stored = bench.folder.read("sleeper", "photo-0")
    assert stored is not None
    left, rename = iter(range(renamed)), Path.replace

    def stop(part: Path, path: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return rename(part, path)

    other = replace(stored, key="another")
    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(Path, "replace", stop)
        bench.folder.write("sleeper", "photo-0", other, Codes(torch.zeros(1, 4, 8)), torch.zeros(1, 3, 8, 8))
    assert (bench.folder.read("sleeper", "photo-0") is None) is (renamed > 0)
    assert results(list(make().run(photos)))[0].image == "photo-0"
