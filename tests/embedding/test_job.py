import math
import os
import re
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.embedding.inverter import Inverter
from latentloop.embedding.job import EmbedJob
from latentloop.embedding.outcomes import Embedded, Failed, Outcome
from latentloop.embedding.result_folder import ResultFolder
from latentloop.embedding.starts import SameStart
from latentloop.embedding.thumbnails import thumbnail_of
from latentloop.errors import UserError
from latentloop.evaluation.measure import METRICS, Evaluator
from latentloop.faces import FaceDetector, Faces
from latentloop.files import sha256_of
from latentloop.generators.protocol import Generator
from latentloop.image_info import png_comment
from latentloop.images import read_image, resample
from latentloop.inversion import IteratorChain, IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.losses import pixel_loss, toward

ToyPhotos = Callable[..., list[Path]]
MakeJob = Callable[..., EmbedJob]


@dataclass
class Measured:
    """Stands for the evaluator, which is tested by itself."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    lpips = None

    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        self.shapes += [tuple(image.shape), tuple(target.shape)]
        return [{**dict.fromkeys(METRICS, 0.5), "mse": float(i)} for i in range(len(image))]


@dataclass(frozen=True)
class Seen:
    """Stands for the face detector: sees as many faces in every photo."""

    count: int

    def detect(self, photo: Tensor) -> Faces:
        eyes_nose_mouth = torch.tensor([[11.0, 12.0], [21.0, 12.0], [16.0, 17.0], [12.0, 22.0], [20.0, 22.0]])
        shifts = torch.arange(self.count, dtype=photo.dtype)[:, None, None]
        return Faces(torch.zeros(self.count, 4), eyes_nose_mouth + shifts, torch.ones(self.count))


@pytest.fixture
def make_job(toy: Generator, tmp_path: Path) -> MakeJob:
    def make(
        steps: int = 3,
        detector: Seen | None = None,
        evaluator: Measured | None = None,
        **changes: Any,  # noqa: ANN401
    ) -> EmbedJob:
        iterators = IteratorChain([LatentIterator(toy, toward(pixel_loss), IteratorConfig(steps=steps, lr=0.1))])
        job = EmbedJob(
            inverter=Inverter(toy, iterators, toy, cast("Evaluator", evaluator or Measured())),
            detector=cast("FaceDetector | None", detector),
            start=SameStart(mean_code(toy)),
            folder=ResultFolder(tmp_path / "out"),
            stamp={"steps": steps},
        )
        return replace(job, **changes)

    return make


def never(step: int, _: Tensor) -> None:
    pytest.fail(f"the iterator was at work, step {step}")


def stop_in_photo(number: int, error: BaseException) -> Callable[[int, Tensor], None]:
    """Called by the iterator, raises in the middle of a photo counted from 1."""
    begun = [0]

    def on_step(step: int, _: Tensor) -> None:
        begun[0] += step == 0
        if begun[0] == number and step == 2:
            raise error

    return on_step


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def result_files(*names: str) -> list[str]:
    return sorted(file for name in names for file in (f"{name}.npz", f"{name}.png", f"aligned/{name}.png"))


def redone(outcomes: Iterable[object]) -> list[bool]:
    return [isinstance(outcome, Embedded) and not outcome.skipped for outcome in outcomes]


def test_it_recovers_what_the_generator_drew(make_job: MakeJob, toy_photos: ToyPhotos, toy: Generator) -> None:
    photos, job = toy_photos(2), make_job(steps=120)
    outcomes = list(job.run(photos))
    assert [(o.photo, getattr(o, "name", None)) for o in outcomes] == [(p, p.stem) for p in photos]
    assert redone(outcomes) == [True, True]
    assert files(job.folder.path) == result_files("photo-0", "photo-1")
    for photo in photos:
        paths, target = job.folder.paths(photo.stem), read_image(photo)
        torch.testing.assert_close(read_image(paths.reconstruction), target, rtol=0, atol=0.04)
        assert torch.equal(read_image(paths.aligned), target)
        drawn = toy.synthesis(load_code(paths.code).w_plus[None].double())
        torch.testing.assert_close(drawn.float(), read_image(paths.reconstruction), rtol=0, atol=1.1 / 255)


@pytest.mark.parametrize("show_start", [False, True])
def test_one_pass_draws_once(
    make_job: MakeJob, toy_photos: ToyPhotos, toy: Generator, show_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, synthesis = [], toy.synthesis

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        codes.append(w_plus)
        return synthesis(w_plus, resolution=resolution)

    photos = toy_photos(1)
    monkeypatch.setattr(toy, "synthesis", draw)
    job = make_job(steps=0)
    one_pass = replace(job, inverter=replace(job.inverter, iterators=None, show_start=show_start))
    (outcome,) = one_pass.run(photos)
    assert isinstance(outcome, Embedded)
    assert (outcome.one_pass is not None) is show_start
    assert len(codes) == 1


def test_the_code_file_says_how_it_came_about(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    (photo,), job = toy_photos(1), make_job(steps=4)
    (outcome,) = job.run([photo])
    code = load_code(job.folder.paths("photo-0").code)
    assert (code.space, code.generator, code.fingerprint) == ("w+", "toy-32", "0123456789abcdef")
    assert code.original_size == (32, 32)
    assert code.quad.tolist() == [[-0.5, -0.5], [-0.5, 31.5], [31.5, 31.5], [31.5, -0.5]]
    assert len(code.losses) == 5
    assert code.losses[code.steps] == code.losses.min()
    assert isinstance(outcome, Embedded)
    assert code.details == {
        "photo": {"file": "photo-0.png", "sha256": sha256_of(photo), "faces": None},
        "settings": {"steps": 4},
        "metrics": {**dict.fromkeys(METRICS, 0.5), "mse": 0.0},
        "seconds": outcome.figures.seconds,
        "one_pass": None,
        "signature": png_comment(job.folder.paths("photo-0").aligned),
    }
    assert str(code.details["signature"]).startswith("latentloop embed ")


def test_reconstructions_are_measured_at_256_pixels_whatever_the_generators_size(
    make_job: MakeJob, toy_photos: ToyPhotos
) -> None:
    evaluator = Measured()
    list(make_job(evaluator=evaluator, batch=2).run(toy_photos(2)))
    assert evaluator.shapes == [(2, 3, 256, 256), (2, 3, 32, 32)]


def test_a_second_run_leaves_finished_photos_alone(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos, job = toy_photos(2), make_job()
    first = list(job.run(photos))
    written = {path: path.stat().st_mtime_ns for path in job.folder.path.rglob("*")}
    again = list(make_job().run(photos, never))
    assert again == [replace(outcome, skipped=True) for outcome in first if isinstance(outcome, Embedded)]
    assert {path: path.stat().st_mtime_ns for path in job.folder.path.rglob("*")} == written


@pytest.mark.parametrize("changes", [{"steps": 4}, {"stamp": {"steps": 3, "lr": 0.1}}, {"force": True}])
def test_changed_settings_or_force_redo_a_photo(
    make_job: MakeJob, toy_photos: ToyPhotos, changes: dict[str, Any]
) -> None:
    photos = toy_photos(1)
    list(make_job().run(photos))
    job = make_job(**changes)
    assert redone(job.run(photos)) == [True]
    assert load_code(job.folder.paths("photo-0").code).details["settings"] == job.stamp
    assert files(job.folder.path) == result_files("photo-0")


def test_a_result_without_its_one_pass_is_redone_where_it_is_shown_but_not_where_codes_are_wanted(
    make_job: MakeJob, toy_photos: ToyPhotos
) -> None:
    photos, job = toy_photos(1), make_job()
    assert redone(job.run(photos)) == [True]
    showing = replace(job.inverter, show_start=True)
    assert redone(make_job(inverter=showing, deciding=frozenset({"steps"})).run(photos)) == [False]
    assert [redone(make_job(inverter=showing).run(photos)) for _ in range(2)] == [[True], [False]]
    assert redone(make_job().run(photos)) == [False]


@pytest.mark.parametrize("kind", ["code", "reconstruction", "aligned"])
def test_a_photo_with_a_deleted_result_is_redone_and_no_other(
    make_job: MakeJob, toy_photos: ToyPhotos, kind: str
) -> None:
    photos, job = toy_photos(2), make_job()
    list(job.run(photos))
    getattr(job.folder.paths("photo-1"), kind).unlink()
    assert redone(make_job().run(photos)) == [False, True]
    assert files(job.folder.path) == result_files("photo-0", "photo-1")


@pytest.mark.parametrize(
    "damaged",
    [lambda old: old[:-100], lambda old: old[:200], lambda _: b"", lambda old: old.replace(b"\x93NUMPY", b"\x93NVMPY")],
    ids=["without its end", "its beginning", "empty", "changed"],
)
def test_a_photo_whose_code_is_damaged_is_redone_and_that_is_said(
    make_job: MakeJob, toy_photos: ToyPhotos, damaged: Callable[[bytes], bytes]
) -> None:
    photos, job = toy_photos(2), make_job()
    list(job.run(photos))
    code, said = job.folder.paths("photo-0").code, list[str]()
    code.write_bytes(damaged(code.read_bytes()))
    assert redone(make_job(warn=said.append).run(photos)) == [True, False]
    assert said == [f"{code}: damaged; it is recomputed"]
    load_code(code)
    assert redone(make_job(warn=pytest.fail).run(photos)) == [False, False]


def test_a_photo_of_the_same_name_with_other_content_is_another_photo(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos, job = toy_photos(2), make_job()
    list(job.run(photos))
    photos[0].write_bytes(photos[1].read_bytes())
    assert [o.name for o in make_job().run(photos) if isinstance(o, Embedded)] == ["photo-0-2", "photo-1"]


def test_photos_give_the_same_codes_in_batches_as_alone(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path
) -> None:
    photos = toy_photos(3)
    alone = make_job(steps=20, folder=ResultFolder(tmp_path / "alone"))
    together = make_job(steps=20, folder=ResultFolder(tmp_path / "together"), batch=2)
    assert redone(alone.run(photos)) == redone(together.run(photos)) == [True] * 3
    for photo in photos:
        one, other = (load_code(job.folder.paths(photo.stem).code) for job in (alone, together))
        torch.testing.assert_close(one.w_plus, other.w_plus, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(one.losses, other.losses, rtol=1e-5, atol=0)


@pytest.mark.parametrize("batch", [1, 2])
def test_bad_photos_fail_with_their_name_and_the_others_go_on(
    make_job: MakeJob, toy_photos: ToyPhotos, picture: Callable[..., Path], tmp_path: Path, batch: int
) -> None:
    good, text = toy_photos(2), tmp_path / "text.png"
    text.write_text("not an image")
    os.mkfifo(tmp_path / "pipe")
    bad = [tmp_path / "missing.png", text, picture("wide.png"), tmp_path / ("long" * 100), tmp_path / "pipe"]
    outcomes = list(make_job(batch=batch).run([bad[0], good[0], bad[1], bad[2], good[1], bad[3], bad[4]]))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert [failure.photo for failure in failures] == bad
    assert all(str(failure.photo) in failure.reason for failure in failures)
    wanted = ["no such file", "not an image", "an aligned photo is square, this one is 40 x 30", "", "a pipe"]
    assert all(part in failure.reason for part, failure in zip(wanted, failures, strict=True))
    assert [o.photo for o in outcomes if isinstance(o, Embedded)] == good


def test_a_photo_that_the_system_does_not_give_fails_and_the_others_go_on(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_first(path: Path) -> str:
        if path.stem == "photo-0":
            raise PermissionError(13, "Permission denied", str(path))
        return sha256_of(path)

    monkeypatch.setattr("latentloop.embedding.job.sha256_of", refuse_first)
    first, second = make_job().run(toy_photos(2))
    assert isinstance(first, Failed)
    assert "Permission denied" in first.reason
    assert isinstance(second, Embedded)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("can't allocate memory"), torch.OutOfMemoryError("out of memory")],
)
def test_a_photo_too_large_for_the_memory_fails_and_the_others_go_on(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse_first(path: Path, *, max_pixels: int) -> Tensor:
        if path.stem == "photo-0":
            raise error
        return read_image(path, max_pixels=max_pixels)

    monkeypatch.setattr("latentloop.embedding.job.read_image", refuse_first)
    first, second = make_job().run(toy_photos(2))
    assert isinstance(first, Failed)
    assert "photo-0.png: not enough memory to read it" in first.reason
    assert isinstance(second, Embedded)


def test_other_errors_of_the_work_on_a_photo_are_not_hidden(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, *, max_pixels: int) -> Tensor:
        raise RuntimeError(f"{path} of {max_pixels}")

    monkeypatch.setattr("latentloop.embedding.job.read_image", broken)
    with pytest.raises(RuntimeError, match="photo-0"):
        list(make_job().run(toy_photos(1)))


def test_stopping_keeps_finished_photos_and_leaves_nothing_of_the_next(
    make_job: MakeJob, toy_photos: ToyPhotos
) -> None:
    photos, job = toy_photos(3), make_job()
    outcomes = job.run(photos, stop_in_photo(2, KeyboardInterrupt()))
    assert redone([next(outcomes)]) == [True]
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)
    assert files(job.folder.path) == result_files("photo-0")
    assert redone(make_job().run(photos)) == [False, True, True]


def test_an_outcome_is_on_disk_when_it_is_told(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    job = make_job()
    outcomes = job.run(toy_photos(2))
    next(outcomes)
    assert set(files(job.folder.path)) >= set(result_files("photo-0"))
    cast("Any", outcomes).close()
    assert not [file for file in files(job.folder.path) if file.endswith(".part")]


@pytest.mark.parametrize("renamed", [0, 1, 2, 3])
def test_an_old_code_stays_until_the_new_one_is_there_and_does_not_vouch_for_new_pictures(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    photos, job = toy_photos(1), make_job()
    list(job.run(photos))
    before, rename = job.folder.paths("photo-0").code.read_bytes(), Path.replace
    left = iter(range(renamed))

    def stop(part: Path, path: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return rename(part, path)

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        patched.setattr(Path, "replace", stop)
        list(make_job(steps=4).run(photos))
    assert (job.folder.paths("photo-0").code.read_bytes() == before) is (renamed < 3)
    assert redone(make_job().run(photos)) == [renamed > 0]
    assert files(job.folder.path) == result_files("photo-0")


def test_two_photos_of_one_name_have_results_of_their_own(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos, job = [*toy_photos(1, "monday"), toy_photos(2, "tuesday")[1]], make_job()
    photos[1] = photos[1].rename(photos[1].with_name("photo-0.png"))
    for outcomes in (list(job.run(photos)), list(make_job().run(photos))):
        assert [o.name for o in outcomes if isinstance(o, Embedded)] == ["photo-0", "photo-0-2"]
    assert torch.equal(read_image(job.folder.paths("photo-0-2").aligned), read_image(photos[1]))


def test_every_face_of_a_photo_has_its_result(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos, settings = toy_photos(1), {"detector": Seen(3), "face": "all"}
    job, names = make_job(**settings), [f"photo-0-face{i}" for i in (1, 2, 3)]
    assert [o.name for o in job.run(photos) if isinstance(o, Embedded)] == names
    assert files(job.folder.path) == result_files(*names)
    quads = torch.stack([load_code(job.folder.paths(name).code).quad for name in names])
    torch.testing.assert_close(quads - quads[0], torch.tensor([0.0, 1.0, 2.0]).double()[:, None, None].expand(3, 4, 2))
    assert redone(make_job(**settings).run(photos, never)) == [False] * 3
    job.folder.paths(names[2]).reconstruction.unlink()
    assert redone(make_job(**settings).run(photos)) == [True] * 3


@pytest.mark.parametrize(
    ("count", "face", "problem"), [(0, "largest", "no face found"), (2, "3", "no face 3: the photo has 2 faces")]
)
def test_a_photo_without_the_face_fails(
    make_job: MakeJob, toy_photos: ToyPhotos, count: int, face: str, problem: str
) -> None:
    photos = toy_photos(1)
    (outcome,) = make_job(detector=Seen(count), face=face).run(photos)
    assert isinstance(outcome, Failed)
    assert outcome.reason.startswith(f"{photos[0]}: {problem}")


def test_one_face_of_several_is_the_photos_only_result(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    job = make_job(detector=Seen(2), face="2")
    list(job.run(toy_photos(1)))
    assert files(job.folder.path) == result_files("photo-0")


@pytest.mark.parametrize("photos_in", ["out", "out/aligned"])
def test_a_result_never_overwrites_a_photo(make_job: MakeJob, toy_photos: ToyPhotos, photos_in: str) -> None:
    photos = toy_photos(2, photos_in)
    before = [photo.read_bytes() for photo in photos]
    for outcome in make_job().run(photos):
        assert isinstance(outcome, Failed)
        assert re.search(r": its results would overwrite .*photo-\d.png; choose another folder", outcome.reason)
    assert [photo.read_bytes() for photo in photos] == before


@pytest.mark.parametrize("mine", ["photo-0.png", "photo-0.npz", "aligned/photo-0.png", "one-pass/photo-0.png"])
@pytest.mark.parametrize("linked", [False, True])
def test_a_result_never_overwrites_a_file_that_is_not_a_result(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path, mine: str, linked: bool
) -> None:
    """Not even among the other files of a result."""
    job, photos = make_job(), toy_photos(1)
    list(job.run(photos))
    path, kept = job.folder.path / mine, tmp_path / "kept.npz"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    np.savez(kept, version=1, w_plus=np.zeros(3))
    (path.symlink_to if linked else kept.rename)(kept if linked else path)
    before = path.read_bytes()
    (outcome,) = make_job(force=True).run(photos)
    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith(f"its results would overwrite {path}; choose another folder")
    assert outcome.error.arguments == ("out",)
    assert path.read_bytes() == before
    assert path.is_symlink() is linked


@pytest.mark.parametrize("details", [{}, {"photo": {"file": "photo-0.png", "sha256": "", "faces": None}}])
def test_a_code_that_another_command_wrote_stays(
    make_job: MakeJob, toy_photos: ToyPhotos, make_code: Callable[..., Code], details: dict[str, Any]
) -> None:
    job, photos = make_job(), toy_photos(1)
    save_code(job.folder.paths("photo-0").code, replace(make_code(), details=details))
    before = job.folder.paths("photo-0").code.read_bytes()
    (outcome,) = job.run(photos)
    assert isinstance(outcome, Failed)
    assert job.folder.paths("photo-0").code.read_bytes() == before


@pytest.mark.parametrize("name", ["aligned", "one-pass"])
def test_a_link_to_somebody_elses_folder_is_refused_before_any_work(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path, name: str
) -> None:
    job, theirs = make_job(), tmp_path / "theirs"
    theirs.mkdir()
    job.folder.path.mkdir()
    (job.folder.path / name).symlink_to(theirs)
    with pytest.raises(UserError, match=f"{name}: a link"):
        list(job.run(toy_photos(1), never))
    assert not list(theirs.iterdir())


def test_a_photo_whose_loss_is_not_finite_fails_and_spoils_no_other(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    job, photos = make_job(batch=3), toy_photos(3)
    middle = read_image(photos[1])
    inverter = job.inverter
    assert inverter.iterators
    iterator = inverter.iterators.iterators[0]

    def spoilt(target: Tensor) -> Callable[[Tensor], Tensor]:
        is_middle = (target.cpu().float() - resample(middle, target.shape[-1])).abs().amax(dim=(1, 2, 3)) < 1e-6
        loss = iterator.loss(target)
        return lambda image: torch.where(is_middle, math.nan, loss(image))

    chain = IteratorChain([replace(iterator, loss=spoilt)])
    outcomes = list(replace(job, inverter=replace(inverter, iterators=chain)).run(photos))
    assert [type(outcome) for outcome in outcomes] == [Embedded, Failed, Embedded]
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].reason.startswith(f"{photos[1]}: the loss after 0 steps is not finite")
    assert outcomes[1].reason.endswith("try a smaller step size or another start")
    assert outcomes[1].error.arguments == ("lr", "start")


@pytest.mark.parametrize(
    ("error", "room"),
    [
        (MemoryError(), 2),
        (torch.OutOfMemoryError("out of memory"), 2),
        (RuntimeError("could not create a primitive"), 0),
    ],
)
def test_faces_that_are_too_many_for_the_memory_are_taken_in_smaller_batches(
    make_job: MakeJob, toy_photos: ToyPhotos, error: Exception, room: int
) -> None:
    job, photos, batches = make_job(batch=5), toy_photos(5), list[int]()
    iterator = cast("IteratorChain", job.inverter.iterators).iterators[0]

    def loss(target: Tensor) -> Callable[[Tensor], Tensor]:
        batches.append(len(target))
        if len(target) > room:
            raise error
        return iterator.loss(target)

    chain = IteratorChain([replace(iterator, loss=loss)])
    outcomes = list(replace(job, inverter=replace(job.inverter, iterators=chain)).run(photos))
    assert [outcome.photo for outcome in outcomes] == photos
    if room:
        assert batches == [5, 2, 3, 1, 2]
        assert redone(outcomes) == [True] * 5
    else:
        message = "not enough memory on cpu to find its code; free memory, or choose another"
        reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Failed)]
        assert reasons == [f"{photo}: {message}" for photo in photos]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (torch.cuda.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2.00 GiB."),
        (RuntimeError, "CUDA error: out of memory"),
        (RuntimeError, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        (RuntimeError, "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_that_runs_out_amid_a_step_is_free_again_for_the_smaller_batches(
    make_job: MakeJob, toy_photos: ToyPhotos, kind: type[Exception], message: str
) -> None:
    """As on CUDA, where nothing that the failed step drew may stay."""
    job, photos, held, alive = make_job(batch=4), toy_photos(4), list[weakref.ref[Tensor]](), list[int]()
    iterator = cast("IteratorChain", job.inverter.iterators).iterators[0]

    def loss(target: Tensor) -> Callable[[Tensor], Tensor]:
        alive.append(sum(one() is not None for one in held))
        measured, steps = iterator.loss(target), list[Tensor]()

        def of(image: Tensor) -> Tensor:
            steps.append(image)
            if len(target) > 2:
                held.append(weakref.ref(image))
                if len(steps) == 2:
                    raise kind(message)
            return measured(image)

        return of

    chain = IteratorChain([replace(iterator, loss=loss)])
    outcomes = list(replace(job, inverter=replace(job.inverter, iterators=chain)).run(photos))
    assert redone(outcomes) == [True] * 4
    assert (len(held), alive) == (2, [0, 0, 0])


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match="out: cannot write here"):
        list(make_job().run(toy_photos(1), never))


def test_the_same_photo_in_two_folders_is_embedded_once(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    first, second = toy_photos(1, "monday")[0], toy_photos(1, "tuesday")[0]
    outcomes = list(make_job().run([first, second]))
    assert [(o.photo, o.name, o.skipped) for o in outcomes if isinstance(o, Embedded)] == [
        (first, "photo-0", False),
        (second, "photo-0", True),
    ]


def test_all_that_was_finished_is_known_wherever_a_run_is_left(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    job = make_job()
    outcomes = job.run(toy_photos(3))
    next(outcomes)
    cast("Any", outcomes).close()
    names = {o.name for o in job.done if isinstance(o, Embedded)}
    assert {f"{name}.npz" for name in names} == {file for file in files(job.folder.path) if file.endswith(".npz")}


def test_a_job_that_shares_a_folder_leaves_other_codes_of_a_photo_alone(
    make_job: MakeJob, toy_photos: ToyPhotos
) -> None:
    (photo,), mine = toy_photos(1), {"stamp": {"face": "2", "steps": 3}, "deciding": frozenset({"face"})}
    list(make_job(stamp={"face": "1", "steps": 3}).run([photo]))
    before = (make_job().folder.path / "photo-0.npz").read_bytes()
    for skipped in (False, True):
        (outcome,) = make_job(**mine).run([photo])
        assert isinstance(outcome, Embedded)
        assert (outcome.name, outcome.skipped) == ("photo-0-2", skipped)
    (outcome,) = make_job(stamp={"face": "1", "steps": 50}, deciding=frozenset({"face"})).run([photo])
    assert isinstance(outcome, Embedded)
    assert (outcome.name, outcome.skipped) == ("photo-0", True)
    assert (make_job().folder.path / "photo-0.npz").read_bytes() == before


@pytest.mark.parametrize(("enlarged", "steps"), [(2.0, 5), (0.0, 3)])
def test_the_steps_that_are_told_are_those_that_were_taken(
    make_job: MakeJob,
    toy_photos: ToyPhotos,
    toy: Generator,
    monkeypatch: pytest.MonkeyPatch,
    enlarged: float,
    steps: int,
) -> None:
    monkeypatch.setattr("latentloop.embedding.inverter.MOST_ENLARGED", enlarged)
    job, full_size = make_job(steps=3), LatentIterator(toy, toward(pixel_loss), IteratorConfig(steps=2))
    job = replace(job, inverter=replace(job.inverter, full_size=full_size))
    photos = toy_photos(1)
    told = [outcome.steps for _ in range(2) for outcome in job.run(photos) if isinstance(outcome, Embedded)]
    assert told == [steps, steps]  # new, and finished before


def test_without_pictures_there_are_codes_alone_and_they_count_as_finished(
    make_job: MakeJob, toy_photos: ToyPhotos
) -> None:
    photos = toy_photos(2)
    shown, bare = make_job(), make_job(pictures=False)
    outcomes = list(bare.run(photos))
    assert [outcome.pictures for outcome in outcomes if isinstance(outcome, Embedded)] == [False, False]
    assert files(bare.folder.path) == ["photo-0.npz", "photo-1.npz"]
    for job in (make_job(pictures=False), make_job(deciding={"steps"})):  # who names what decides wants codes alone
        again = list(job.run(photos, never))
        assert redone(again) == [False, False]
        assert [outcome.pictures for outcome in again if isinstance(outcome, Embedded)] == [False, False]
    assert redone(shown.run(photos)) == [True, True]  # as pictures are wanted
    assert files(shown.folder.path) == result_files("photo-0", "photo-1")
    again = list(make_job(pictures=False).run(photos, never))
    assert [outcome.pictures for outcome in again if isinstance(outcome, Embedded)] == [True, True]


def test_a_code_without_pictures_is_that_with_pictures(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path
) -> None:
    photos, codes = toy_photos(1), []
    for pictures in (False, True):
        job = make_job(pictures=pictures, folder=ResultFolder(tmp_path / str(pictures)))
        list(job.run(photos))
        codes.append(load_code(job.folder.paths("photo-0").code))
    assert torch.equal(codes[0].w_plus, codes[1].w_plus)
    assert codes[0].details["metrics"] == codes[1].details["metrics"]
    assert codes[0].details["signature"] == codes[1].details["signature"]


def test_a_new_code_without_pictures_leaves_none_of_an_earlier_one(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(1)
    list(make_job(thumbnails=True).run(photos))
    again = make_job(pictures=False, stamp={"steps": 4})
    assert files(again.folder.path) == sorted([*result_files("photo-0"), "report/photo-0.jpg"])
    assert redone(again.run(photos)) == [True]
    assert files(again.folder.path) == ["photo-0.npz"]


def test_pictures_of_an_earlier_code_make_it_anew_even_where_none_are_wanted(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kill leaves them, between the new code and the end of the old pictures."""
    photos = toy_photos(1)
    list(make_job().run(photos))
    with monkeypatch.context() as killed:
        killed.setattr(ResultFolder, "delete_pictures", lambda *_: None)
        list(make_job(pictures=False, stamp={"steps": 4}).run(photos))
    again = make_job(pictures=False, stamp={"steps": 4})
    assert redone(again.run(photos)) == [True]
    assert files(again.folder.path) == ["photo-0.npz"]


def test_without_pictures_those_of_others_are_in_nobodys_way_and_stay(make_job: MakeJob, toy_photos: ToyPhotos) -> None:
    photos = toy_photos(1)
    job = make_job(pictures=False)
    mine = job.folder.paths("photo-0").reconstruction
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert redone(job.run(photos)) == [True]
    assert redone(make_job(pictures=False).run(photos, never)) == [False]
    assert mine.read_bytes() == b"mine"


def test_thumbnails_are_those_that_the_pictures_give(
    make_job: MakeJob, toy_photos: ToyPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(thumbnails=True)
    list(job.run(toy_photos(1)))
    paths = job.folder.paths("photo-0")
    at_once = read_image(paths.thumbnail)
    monkeypatch.setattr("latentloop.embedding.thumbnails.write_thumbnail", lambda *_: pytest.fail("made again"))
    assert thumbnail_of(paths, one_pass=False) == paths.thumbnail
    monkeypatch.undo()
    paths.thumbnail.unlink()
    thumbnail_of(paths, one_pass=False)
    assert (read_image(paths.thumbnail) - at_once).abs().mean() < 0.01


def test_each_outcome_is_told_once_its_files_are_there(
    make_job: MakeJob, toy_photos: ToyPhotos, tmp_path: Path
) -> None:
    told = list[tuple[Path, bool]]()
    photos = [*toy_photos(2), tmp_path / "missing.png"]

    def on_done(outcome: Outcome) -> None:
        told.append((outcome.photo, (tmp_path / "out" / f"{outcome.photo.stem}.npz").exists()))

    list(make_job(on_done=on_done, batch=2).run(photos))
    assert told == [(photos[0], True), (photos[1], True), (photos[2], False)]
