import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.errors import NotFiniteError, UserError
from latentloop.evaluation.benchmark_report import LABELS, MethodLine, Summary, markdown, rows_as_csv
from latentloop.generators import Generator
from latentloop.inversion import Inversion
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.metrics import mse
from latentloop.pipeline.benchmark import Benchmark, Entry, Measurement, Skipped, stopwatch
from latentloop.pipeline.contenders import Contender
from latentloop.pipeline.meters import CallCounter, PeakMemory


class Mse:
    """A protocol that is quick."""

    columns, about = ("mse", "lpips_alex"), "squares"

    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        image = torch.nn.functional.interpolate(image, target.shape[-1])
        return [{"mse": value, "lpips_alex": 2 * value} for value in mse(image, target).tolist()]


class Sleeper:
    """Takes a known time, draws a known number of images, and returns the start."""

    def __init__(self, generator: Generator, seconds: float = 0.0, *, broken: bool = False) -> None:
        self.generator, self.seconds, self.broken, self.runs = generator, seconds, broken, 0

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        self.runs += 1
        if self.broken:
            raise NotFiniteError("the loss is not finite")
        time.sleep(self.seconds)
        for _ in range(3):
            image = self.generator.synthesis(start)
        if on_step:
            on_step(0, target.new_zeros(len(target)))
        losses = target.new_zeros(1, len(target))
        return Inversion(start, losses[0], losses, losses[0].long(), image)


Make = Callable[..., Benchmark]


@pytest.fixture
def make(float_toy: Generator, tmp_path: Path) -> Make:
    counter = CallCounter()
    generator = counter.counted(float_toy)

    def build(*, seconds: float = 0.0, broken: bool = False, batch: int = 1, settings: int = 0) -> Benchmark:
        refiner = Sleeper(generator, seconds, broken=broken)
        contender = Contender(lambda target: mean_code(generator, len(target)), refiner)
        entry = Entry("sleeper", "A sleeper", "", contender, contender, {"settings": settings})
        return Benchmark(tmp_path / "out", [entry], generator, Mse(), None, counter, batch)

    return build


def runs(job: Benchmark) -> int:
    refiner = job.entries[0].contender.refiner
    assert isinstance(refiner, Sleeper)
    return refiner.runs


def only_measured(outcomes: list[Measurement | Skipped]) -> list[Measurement]:
    assert all(isinstance(outcome, Measurement) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, Measurement)]


def test_the_clock_measures_what_it_says(make: Make, toy_photos: Callable[..., list[Path]]) -> None:
    found = only_measured(list(make(seconds=0.25).run(toy_photos(2))))
    for one in found:
        assert 0.25 <= one.seconds < 0.25 * 1.02 + 0.01
    with stopwatch(torch.device("cpu")) as watch:
        time.sleep(0.1)
    assert 0.1 <= watch.seconds < 0.13


def test_what_is_counted(make: Make, toy_photos: Callable[..., list[Path]], tmp_path: Path) -> None:
    job = make()
    found = only_measured(list(job.run(toy_photos(3))))
    assert runs(job) == 4  # once to warm up
    assert [one.image for one in found] == ["photo-0", "photo-1", "photo-2"]
    assert {one.calls for one in found} == {4}  # of the method and of the result
    assert all(one.memory is None or one.memory > 1e7 for one in found)
    for one in found:
        assert (tmp_path / "out" / "sleeper" / f"{one.image}.png").is_file()
        assert (tmp_path / "out" / "photos" / f"{one.image}.png").is_file()


def test_a_batch_shares_its_time(make: Make, toy_photos: Callable[..., list[Path]]) -> None:
    found = only_measured(list(make(seconds=0.2, batch=2).run(toy_photos(3))))
    assert [one.batch for one in found] == [2, 2, 1]
    assert found[0].seconds == pytest.approx(0.1, abs=0.02)
    assert found[2].seconds == pytest.approx(0.2, abs=0.02)
    assert {one.calls for one in found} == {4}


def test_a_resumed_run_equals_one_that_was_not_stopped(
    make: Make, toy_photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    photos = toy_photos(3)
    whole = only_measured(list(make().run(photos)))
    (tmp_path / "out" / "sleeper" / "photo-2.json").unlink()
    (tmp_path / "out" / "sleeper" / "photo-1.json").write_text("{")
    again = make()
    resumed = only_measured(list(again.run(photos)))
    assert runs(again) == 3  # to warm up, and two images
    assert resumed[0] == whole[0]
    assert [(one.image, one.figures) for one in resumed] == [(one.image, one.figures) for one in whole]
    third = make()
    assert only_measured(list(third.run(photos))) == resumed
    assert runs(third) == 0


def test_other_settings_or_photos_are_measured_anew(make: Make, toy_photos: Callable[..., list[Path]]) -> None:
    photos = toy_photos(2)
    list(make().run(photos))
    other = make(settings=1)
    list(other.run(photos))
    assert runs(other) == 3
    photos[0].write_bytes(photos[1].read_bytes())
    changed = make(settings=1)
    list(changed.run(photos))
    assert runs(changed) == 2


def test_what_fails_is_left_out_and_the_others_go_on(
    make: Make, toy_photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    photos = toy_photos(2)
    (tmp_path / "broken.png").write_bytes(b"no image")
    found = list(make(batch=2).run([photos[0], tmp_path / "broken.png", photos[1]]))
    assert [type(one) for one in found] == [Skipped, Measurement, Measurement]
    assert isinstance(found[0], Skipped)
    assert "broken.png: not an image" in found[0].reason
    job = make(settings=5)
    entry = job.entries[0]
    broken = Contender(entry.contender.start, Sleeper(job.generator, broken=True))
    job = replace(job, entries=[replace(entry, contender=broken)])
    one = next(iter(job.run(photos)))
    assert isinstance(one, Skipped)
    assert one.reason == f"{photos[0]}: sleeper: the loss is not finite"


def test_two_images_of_one_name_are_refused(make: Make, toy_photos: Callable[..., list[Path]]) -> None:
    with pytest.raises(UserError, match="share a name"):
        list(make().run([*toy_photos(1), *toy_photos(1, "others")]))


def test_the_settings_are_in_the_file_without_their_values(
    make: Make, toy_photos: Callable[..., list[Path]], tmp_path: Path
) -> None:
    list(make().run(toy_photos(1)))
    content = json.loads((tmp_path / "out" / "sleeper" / "photo-0.json").read_text())
    assert len(content["settings"]) == 64
    assert content["method"] == "sleeper"


def test_tables_say_what_was_measured(make: Make, toy_photos: Callable[..., list[Path]]) -> None:
    found = only_measured(list(make().run(toy_photos(3))))
    line = MethodLine("sleeper", "A sleeper", "slept", [one.as_result() for one in found])
    summary = Summary("Toys", {"data": "three"}, ("mse", "lpips_alex"), [line], ["x.png: broken"])
    table = markdown(summary).splitlines()
    header = next(row for row in table if row.startswith("| method"))
    assert header.split(" | ")[1:3] == [LABELS["mse"], LABELS["lpips_alex"]]
    mean = sum(one.figures["mse"] for one in found) / 3
    assert f"| A sleeper | {mean:.4f} (" in "\n".join(table)
    assert "- A sleeper: slept" in table
    assert "- Left out: x.png: broken" in table
    rows = rows_as_csv(summary).splitlines()
    assert rows[0] == "method,image,mse,lpips_alex,seconds,peak_memory_bytes,generator_calls,batch"
    assert rows[1].startswith(f"sleeper,photo-0,{found[0].figures['mse']},")
    assert len(rows) == 4


@pytest.mark.skipif(PeakMemory(torch.device("cpu")).peak() is None, reason="nobody tells there")
def test_peak_memory_is_of_what_came_since() -> None:
    large = torch.ones(30_000_000)
    before = PeakMemory(torch.device("cpu")).peak()
    del large
    meter = PeakMemory(torch.device("cpu"))
    low = meter.peak()
    again = torch.ones(30_000_000)
    high = meter.peak()
    assert before is not None
    assert low is not None
    assert high is not None
    assert high - low > 90e6
    assert again.sum() > 0
