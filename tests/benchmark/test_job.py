from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import latentloop.benchmark
from latentloop.benchmark import Comparison, ComparisonOptions, MachineOptions, run_benchmark, setup
from latentloop.benchmark.comparison import Outcome
from latentloop.benchmark.observer import Silent
from latentloop.errors import NotFiniteError, UserError
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator, MobileStyleGAN, mobilestylegan
from latentloop.generators.registry import save_generator
from latentloop.images import read_image
from latentloop.inversion import Inversion, LatentIterator
from latentloop.metrics import mse

ToyPhotos = Callable[..., list[Path]]


@pytest.fixture
def options(tmp_path: Path) -> ComparisonOptions:
    torch.manual_seed(0)
    shape = mobilestylegan.Shape(w_dim=8, num_ws=6, channels=(16, 16, 8))
    save_generator(tmp_path / "tiny.safetensors", MobileStyleGAN(shape, name="", fingerprint=""))
    return ComparisonOptions(
        methods=("optimize:1", "optimize:2"),
        protocol="psp",
        generator=str(tmp_path / "tiny.safetensors"),
        aligned=True,
        out=tmp_path / "out",
        machine=MachineOptions("cpu", "float32"),
    )


def test_methods_are_compared_by_a_call(options: ComparisonOptions, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos = toy_photos(3)
    comparison = run_benchmark(photos[0].parent, options=options, out=str(tmp_path / "here"), limit=2)
    assert [line.name for line in comparison.lines] == ["optimize-1", "optimize-2"]
    assert [[one.image for one in line.results] for line in comparison.lines] == [["photo-0", "photo-1"]] * 2
    assert set(comparison.means.methods["optimize-1"].means) == {"mse", "lpips_alex", "id"}
    assert (tmp_path / "here" / "table.md").is_file()
    assert not (tmp_path / "out").exists()


def test_images_may_be_named_one_by_one(options: ComparisonOptions, toy_photos: ToyPhotos) -> None:
    _, second, third = toy_photos(3)
    comparison = run_benchmark([third, str(second)], options=options, methods=("optimize:1",))
    assert comparison.name == "photos"
    assert [one.image for one in comparison.lines[0].results] == ["photo-2", "photo-1"]


class Interrupting(Silent):
    """Stops the run after the first result, as Ctrl-C does."""

    def __init__(self) -> None:
        self.files: list[str] = []

    def finish(self, outcome: Outcome) -> None:  # noqa: ARG002
        raise KeyboardInterrupt

    def written(self, file: Path) -> None:
        self.files.append(file.name)


def test_a_run_that_is_stopped_leaves_its_tables(
    options: ComparisonOptions, toy_photos: ToyPhotos, tmp_path: Path
) -> None:
    observer = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(toy_photos(2), options=options, observer=observer)
    assert "table.md" in observer.files
    assert len((tmp_path / "out" / "results.csv").read_text().splitlines()) == 2


def test_without_any_result_nothing_is_written(options: ComparisonOptions, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    comparison = run_benchmark([tmp_path / "broken.png"], options=options)
    assert not comparison.lines
    assert [reason for reason in comparison.left_out if "broken.png: not an image" in reason]
    assert not (tmp_path / "out").exists()


def test_means_over_different_images_are_called_so(
    options: ComparisonOptions, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, refine = toy_photos(2), LatentIterator.refine
    means = [read_image(photo).mean() for photo in photos]

    def failing(iterator: LatentIterator, target: Tensor, *others: Any) -> Inversion:  # noqa: ANN401
        """One step fails on the first photo, two steps on the second."""
        if (target.mean() - means[iterator.config.steps - 1]).abs() < 1e-4:
            raise NotFiniteError("the loss is not finite")
        return refine(iterator, target, *others)

    assert "images" not in run_benchmark(photos, options=options, out=options.out / "first").facts
    monkeypatch.setattr(LatentIterator, "refine", failing)
    comparison = run_benchmark(photos, options=options)
    assert [[one.image for one in line.results] for line in comparison.lines] == [["photo-1"], ["photo-0"]]
    assert comparison.facts["images"] == "none is common to all methods: their means do not compare"


def test_what_is_missing_is_named_by_its_argument(options: ComparisonOptions) -> None:
    with pytest.raises(UserError, match="name the folder") as caught:
        run_benchmark(options=options)
    assert caught.value.arguments == ("root",)
    with pytest.raises(TypeError, match="no option 'method'; did you mean 'methods'"):
        run_benchmark("photos", options=options, method=("optimize",))


def test_the_room_gives_its_doors() -> None:
    assert latentloop.benchmark.Comparison is Comparison
    assert {"run_benchmark", "time_generators", "time_collaboration"} <= set(dir(latentloop.benchmark))


def test_codes_that_were_found_are_measured_at_full_size_when_that_is_asked_for(
    options: ComparisonOptions, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(image: Tensor, photo: Tensor, lpips: Lpips, *, side: float) -> dict[str, float]:
        assert image.shape == photo.shape == (1, 3, 32, 32)
        assert isinstance(lpips, Lpips)
        return {"pattern": mse(image.clamp(-1, 1), photo).item(), "pattern_photo": side}

    monkeypatch.setattr("latentloop.benchmark.run.measure_full_size", measure)
    photos = toy_photos(2)
    plain, full, again = (run_benchmark(photos, options=options, full_size=wanted) for wanted in (False, True, False))
    assert again.lines == plain.lines
    assert [*full.columns] == [*plain.columns, "lpips_full", "pattern", "pattern_photo"]
    for before, after in zip(plain.lines[0].results, full.lines[0].results, strict=True):
        assert after.seconds == before.seconds  # found once
        assert after.figures.items() >= before.figures.items()
        assert after.figures["pattern_photo"] == 32
        assert 0 < after.figures["pattern"] < 1


@dataclass(frozen=True)
class MeanMeter:
    """Tells the mean of what a code draws, in the place of an `EditMeter`."""

    generator: Generator

    def edits(self, w_plus: Tensor, photo: Tensor) -> dict[str, float]:
        assert photo.shape == (1, 3, 32, 32)
        with torch.no_grad():
            mean = self.generator.synthesis(w_plus).clamp(-1, 1).mean().item()
        return dict.fromkeys(("lec", "cycle_lpips", "id_edited", "strength"), mean)


def test_edits_are_measured_by_what_draws_the_code_when_that_is_asked_for(
    options: ComparisonOptions, toy_photos: ToyPhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_edit_meter", lambda parts: MeanMeter(parts.generator))
    photos, methods = toy_photos(1), ("optimize:1", "pti:4")
    plain, edited = (run_benchmark(photos, options=options, methods=methods, edits=wanted) for wanted in (False, True))
    assert [*edited.columns] == [*plain.columns, "lec", "cycle_lpips", "id_edited", "strength"]
    for line in edited.lines:
        picture = read_image(tmp_path / "out" / line.name / "photo-0.png")
        assert line.results[0].figures["id_edited"] == pytest.approx(picture.mean().item(), abs=0.01)
    assert edited.lines[0].results[0].seconds == plain.lines[0].results[0].seconds  # found once
