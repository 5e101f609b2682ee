"""Training and distilling from Python."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from latentloop.encoders import load_embedder
from latentloop.errors import UserError
from latentloop.generators import load_generator
from latentloop.training import DistillOptions, Progress, TrainOptions, distill, train
from small_generators import SmallGenerator, SmallPhotos

TINY: dict[str, Any] = {"device": "cpu", "identity": "none", "batch": 2, "validation_images": 1, "teacher_steps": 1}


@pytest.fixture(autouse=True)
def _process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the memory of this process as it is."""
    monkeypatch.setattr("latentloop.training.entry.keep_freed_memory", lambda: False)


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    return small_generator()


def test_a_network_is_trained_and_the_run_goes_on(generator: Path, small_photos: SmallPhotos, tmp_path: Path) -> None:
    """Ctrl-C saves the step that is being taken, long before it would be saved otherwise."""
    faces, seen = small_photos(generator, 2), list[Progress]()

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        os.kill(os.getpid(), signal.SIGINT)

    call: dict[str, Any] = {"data": str(faces), "out": str(tmp_path / "run"), "steps": 3, **TINY}
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(generator, on_progress=interrupt, **call)
    assert signal.getsignal(signal.SIGINT) is handler
    taken = len(seen)
    best = train(generator, on_progress=seen.append, **call)
    assert [progress.metrics["step"] for progress in seen] == [1, 2, 3]
    assert 1 <= taken < 3
    assert best == tmp_path / "run" / "best.safetensors"
    assert seen[-1].saved is not None
    assert [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()] == [seen[-1].saved]
    assert load_embedder(best, load_generator(generator)).config.resolution == 32
    with pytest.raises(UserError, match="made with lr"):
        train(generator, lr=1.0, **call)


def test_it_works_in_a_thread_and_with_options(generator: Path, tmp_path: Path) -> None:
    options, found = TrainOptions(identity="none", device="cpu", validation_images=1), list[Path]()
    call: dict[str, Any] = {"out": tmp_path / "run", "options": options, "steps": 1, "batch": 2}
    thread = threading.Thread(target=lambda: found.append(train(generator, **call)))
    thread.start()
    thread.join()
    assert found == [tmp_path / "run" / "best.safetensors"]


def test_several_photos_and_globs_may_be_named(generator: Path, small_photos: SmallPhotos, tmp_path: Path) -> None:
    faces = small_photos(generator, 3)
    call: dict[str, Any] = {"validation": faces / "2.png", "out": tmp_path / "run", "steps": 1, **TINY}
    train(generator, data=[faces / "0.png", str(faces / "[12].png")], **call)
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written["data"] == [str(faces / "0.png"), str(faces / "[12].png")]
    assert written["validation"] == [str(faces / "2.png")]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"step": 3}, TypeError, "no option 'step'; did you mean 'steps'"),
        ({"steps": 0}, ValueError, "steps must be 1 or more"),
        ({"identity": "arcface"}, ValueError, "identity must be one of mobilefacenet, none, got arcface"),
        ({"precision": "fp16"}, ValueError, "precision must be one of auto, float32, bfloat16"),
        ({"start_from": "zero"}, ValueError, "start_from must be one of best, embedder, cache, average, got zero"),
        ({"data": "nothere/"}, UserError, "nothere/: no such file or folder"),
    ],
)
def test_what_cannot_be_is_refused(
    generator: Path, tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(generator, out=tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_generator_is_distilled(small_generator: SmallGenerator, tmp_path: Path) -> None:
    sizes = {"resolution": 32, "batch": 1, "pool": 1, "repeats": 1, "trained_blocks": 1}
    lines: list[Any] = []
    options = DistillOptions(name="quick", device="cpu")
    call: dict[str, Any] = {"out": tmp_path / "out", "options": options, "steps": 2, **sizes}
    student = distill(small_generator(64), on_progress=lines.append, **call)
    assert [line["step"] for line in lines] == [1, 2]
    assert load_generator(student).resolution == 32
    assert student == tmp_path / "out" / "quick.safetensors"
