import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow
import pytest
import torch
from safetensors.torch import load_file

from latentloop.bulk import BulkOptions, find_bulk_photos, load_photo_coder
from latentloop.bulk.coder import TARGET
from latentloop.bulk.sink import write_records
from latentloop.cache import space_of
from latentloop.cli import main
from latentloop.common import Common
from latentloop.defaults import GENERATOR
from latentloop.embedding.options import FaceOptions
from latentloop.encoders import load_embedder
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.losses.config import LossConfig
from latentloop.records import RecordFolder, arrow_schema, is_record_folder
from latentloop.training.photos import Loaded
from latentloop.training.student import make_student
from latentloop.training.trainer import Metrics, Trainer
from small_generators import SmallGenerator, SmallPhotos, make_generator, make_photos

# A process of several, of which one meets NaN.
DIVERGING = """
import os
import sys
from latentloop.cli import main
from latentloop.training.collaboration import Collaboration

teach = Collaboration.teach

def poisoned(self, images, *rest, step):
    if step == 3 and os.environ["RANK"] == "{failing}":
        rest = (rest[0], rest[1] * float("nan"), rest[2] * float("nan"))
    return teach(self, images, *rest, step=step)

Collaboration.teach = poisoned
sys.exit(main(sys.argv[1:]))
"""

Run = Callable[..., tuple[int, list[str], list[str]]]
OPTIONS = [
    *("--device", "cpu", "--identity", "none", "--batch", "4", "--teacher-steps", "2", "--validation-images", "4"),
    *("--optimizer", "adam", "--lr", "0.001"),  # half of the time of Muon, which runs in test_run, test_trainer ...
]


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    """The file of a generator that draws 32 pixels."""
    return small_generator()


@pytest.fixture
def faces(generator: Path, small_photos: SmallPhotos) -> Path:
    """A folder of seven photos."""
    return small_photos(generator, 7)


def training(generator: Path, faces: Path) -> list[object]:
    return ["train", "--generator", generator, "--data", faces, *OPTIONS, "--steps", 6, "--save-every", 2]


@pytest.fixture
def command(generator: Path, faces: Path) -> list[object]:
    return training(generator, faces)


class Finished(NamedTuple):
    """A run that nothing disturbed, for tests that compare with it or go on from a copy."""

    command: list[object]
    folder: Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    parent = tmp_path_factory.mktemp("finished")
    generator = make_generator(parent)
    command = training(generator, make_photos(parent, generator, 7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentloop.cli.keep_freed_memory", lambda: False)
        handler = signal.getsignal(signal.SIGTERM)
        assert main([str(word) for word in [*command, "--out", parent / "run"]]) == 0
        signal.signal(signal.SIGTERM, handler)
    return Finished(command, parent / "run")


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last.safetensors")


def contents(folder: Path) -> dict[Path, bytes]:
    """Of all its files, but for the cache's, which SQLite tidies up whenever it is opened."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("codes.cache"))
    return {path: path.read_bytes() for path in files}


def codes(folder: Path) -> dict[bytes, float]:
    """The losses in a run's cache."""
    with sqlite3.connect(folder / "codes.cache") as connection:
        found = dict(connection.execute("SELECT photo, loss FROM best").fetchall())
    connection.close()
    return found


def test_a_run_begins_with_the_codes_of_records(
    run: Run, command: list[object], generator: Path, faces: Path, tmp_path: Path
) -> None:
    common, loss = Common(generator=str(generator), device="cpu"), LossConfig()
    options = BulkOptions(common, quality="balanced", steps=3, loss=loss, faces=FaceOptions(aligned=True))
    coder = load_photo_coder(options)
    folder, rows = RecordFolder(tmp_path / "records"), coder.rows(find_bulk_photos([str(faces)]))
    folder.begin(coder.coder.run)
    table = pyarrow.Table.from_pylist([{**row, TARGET: None} for row in rows], schema=arrow_schema(coder.coder.run))
    write_records(table, folder.path, "a", coder.coder.run)
    out = tmp_path / "out"
    code, _, errors = run(*command, "--out", out, "--codes", folder.path, "--lr", "1e-9", "--teacher-lr", "1e-9")
    assert (code, errors) == (0, [])
    found = codes(out)
    assert len(found) == 7
    assert sorted(found.values()) == pytest.approx(sorted(row["loss"] for row in rows), rel=1e-3)
    assert is_record_folder(folder.path)


def test_a_network_is_trained(run: Run, command: list[object], generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, lines, errors = run(*command, "--out", out)
    assert (code, errors) == (0, [])
    assert [line.split()[:2] for line in lines[:-1]] == [["step", "2"], ["step", "4"], ["step", "6"]]
    assert lines[-1] == str(out / "best.safetensors")
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [2, 4, 6]
    assert {"loss", "w", "img", "per", "gain", "known", "teacher", "val_mse", "val_lpips", "val_loss"} < log[0].keys()
    assert len(codes(out)) == 7
    assert len(list((out / "tensorboard").iterdir())) == 1
    embedder = load_embedder(out / "last.safetensors", load_generator(generator))
    assert embedder(torch.zeros(1, 3, 32, 32)).shape == (1, 6, 8)


def test_a_killed_run_goes_on_as_if_it_never_had_been(run: Run, finished: Finished, tmp_path: Path) -> None:
    """Killed so that no one can clean up, once between two checkpoints, wherever that is."""
    (command, whole), killed = finished, tmp_path / "killed"
    program = [sys.executable, "-m", "latentloop", *map(str, command), "--out", str(killed)]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("step 2")
        process.kill()
    code, lines, errors = run("train", "--resume", killed)
    assert (code, errors) == (0, [])
    assert lines[-2].startswith("step 6")
    assert all(torch.equal(tensor, tensors(whole)[name]) for name, tensor in tensors(killed).items())
    assert codes(killed) == codes(whole)
    logs = [(folder / "log.jsonl").read_text().splitlines() for folder in (whole, killed)]
    told = [[{**json.loads(line), "seconds": 0} for line in log] for log in logs]
    assert told[0] == told[1]


def test_a_finished_run_can_be_made_longer(run: Run, finished: Finished, tmp_path: Path) -> None:
    command, out = finished.command, shutil.copytree(finished.folder, tmp_path / "run")
    code, _, errors = run(*command, "--steps", 8, "--out", out)
    assert code == 2
    assert errors[0].endswith(
        "made with steps 6, not 8; resume the run with that, or choose another folder; see --resume, --out"
    )
    code, lines, errors = run("train", "--resume", out, "--steps", 8)
    assert (code, errors) == (0, [])
    assert [line.split()[1] for line in lines[:-1]] == ["8"]
    assert [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()] == [2, 4, 6, 8]
    before = tensors(out)
    code, lines, errors = run("train", "--resume", out)  # it is the longer one now
    assert (code, errors) == (0, ["latentloop: already finished after 8 steps; --steps or --minutes make it longer"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors(out).items())
    code, _, errors = run("train", "--resume", out, "--steps", 5)
    assert (code, errors) == (
        2,
        [f"latentloop: {out}: the run has ended after 8 steps; give it more; see --steps, --minutes"],
    )


def test_a_run_that_was_stopped_just_when_it_was_made_longer_can_be_made_so_again(
    run: Run, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoint is of the longer run then, its settings are not."""
    out = shutil.copytree(finished.folder, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr("latentloop.training.setup.write_options", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run("train", "--resume", out, "--steps", 8)[0] == 130
    assert run("train", "--resume", out, "--steps", 8)[0] == 0
    assert (out / "log.jsonl").read_text().count("\n") == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_asked_to_stop_it_saves_the_step_and_says_how_to_go_on(
    run: Run, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command, whole), stopped = finished, tmp_path / "stopped"
    take_step = Trainer._take_step

    def interrupted(self: Trainer, photos: Loaded | None) -> Metrics:
        metrics = take_step(self, photos)
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return metrics

    monkeypatch.setattr(Trainer, "_take_step", interrupted)
    code, lines, errors = run(*command, "--out", stopped)
    assert code == 130
    assert lines[-1] == f"latentloop: stopped; step 3 is saved, go on: latentloop train --resume {stopped}"
    assert errors == ["latentloop: stopping after this step; once more stops at once"]
    monkeypatch.undo()
    assert run(*command, "--out", stopped)[0] == 0
    assert contents(stopped).keys() - (stopped / "tensorboard").glob("*") == {
        stopped / path.relative_to(whole) for path in contents(whole).keys() - (whole / "tensorboard").glob("*")
    }
    for name in ("best.safetensors", "last.safetensors"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    first, second = ((folder / "log.jsonl").read_text().splitlines() for folder in (whole, stopped))
    for told, like in zip(first, second, strict=True):
        assert {**json.loads(told), "seconds": 0} == {**json.loads(like), "seconds": 0}


@pytest.mark.parametrize("last", ["log.jsonl", "step-00000002.safetensors", "last.safetensors"])
def test_a_run_killed_at_its_first_save_goes_on(
    run: Run, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """The kill comes right after a file has appeared; `replace` is what makes it appear."""
    (command, whole), killed, appear = finished, tmp_path / "killed", Path.replace

    def die(self: Path, target: Path) -> Path:
        appeared = appear(self, target)
        if target.name == last and target.stat().st_size:
            raise KeyboardInterrupt
        return appeared

    monkeypatch.setattr(Path, "replace", die)
    assert run(*command, "--out", killed)[0] == 130
    monkeypatch.undo()
    code, lines, errors = run(*command, "--out", killed)
    assert (code, errors) == (0, [])
    assert lines[-2].startswith("step 6")
    assert all(torch.equal(tensor, tensors(whole)[name]) for name, tensor in tensors(killed).items())
    assert codes(killed) == codes(whole)


def test_a_run_goes_on_from_another_folder_and_without_what_it_began_with(
    run: Run, command: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, out = tmp_path / "begun", tmp_path / "out"
    assert run(*command, "--steps", 2, "--out", begun)[0] == 0
    monkeypatch.chdir(tmp_path)
    relative = [Path(word).relative_to(tmp_path) if isinstance(word, Path) else word for word in command]
    assert run(*relative, "--start", "begun/best.safetensors", "--steps", 4, "--out", out)[0] == 0
    settings = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**settings, "config": {**settings["config"], "steps": 4}}))
    (begun / "best.safetensors").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, lines, errors = run("train", "--resume", "../out")
    assert (code, lines) == (0, [str(Path("../out/best.safetensors"))])
    assert errors == ["latentloop: already finished after 4 steps; --steps or --minutes make it longer"]


def test_settings_that_were_tampered_with_are_refused(run: Run, command: list[object], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(*command, "--steps", 2, "--out", out)[0] == 0
    settings = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**settings, "preset": "huge"}))
    code, _, errors = run("train", "--resume", out)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].endswith("not the settings of a run: preset must be one of base, small, paper, got huge")


@pytest.mark.parametrize("how", ["as it is", "absolute", "through a link"])
def test_photos_to_measure_on_are_not_learned_from(
    run: Run, command: list[object], faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(faces)
    held_out = {"as it is": Path("faces"), "absolute": faces, "through a link": Path("link")}[how]
    options = ["--data", "faces", "faces/*.png", "--validation", held_out / "0.png", held_out / "1.png"]
    assert run(*command, *options, "--steps", 8, "--out", "out")[0] == 0
    assert len(codes(tmp_path / "out")) == 5
    code, _, errors = run(*command, "--validation", held_out / "2.png", "--steps", 8, "--out", "out")
    assert code == 2
    assert "made with validation" in errors[0] or "made with data" in errors[0]


def test_without_the_iterator_a_run_that_diverges_says_so_too(run: Run, command: list[object], tmp_path: Path) -> None:
    options = ["--teacher-steps", 0, "--lr", 3e6, "--warm-up", 0, "--clip", 1e9, "--synthetic", 0]
    code, _, errors = run(*command, *options, "--steps", 20, "--out", tmp_path / "out")
    assert code == 2
    assert len(errors) == 1
    assert "not finite" in errors[0]
    assert "is saved, start another run with smaller steps; see --lr" in errors[0]  # no network is worth beginning with
    assert not (tmp_path / "out" / "last.safetensors").exists()


LARGE = [
    *("--optimizer", "adam", "--lr", "0.01", "--warm-up", "0", "--steps", "9", "--save-every", "3"),
    *("--precision", "float32", "--teacher-optimizer", "adam", "--teacher-lr", "0.02", "--lambda-second-look", "1"),
]
"""Steps so large that half of the gradient would lead elsewhere; Muon's rounding would be seen in them."""


def launched(*launches: list[str], command: list[object], out: Path) -> list[str]:
    """Train by launchers that work together; what each of them says on stdout."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    programs = [
        subprocess.Popen(
            [sys.executable, *launch, "-m", "latentloop", *map(str, command), *LARGE, "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for launch in launches
    ]
    told = [program.communicate(timeout=300) for program in programs]
    assert [program.returncode for program in programs] == [0] * len(programs), told
    return [stdout for stdout, _ in told]


def check_alike(one: Path, two: Path) -> None:
    """Compare a run of one process with one of two."""
    assert (two / "config.json").exists()
    alone, both = tensors(one), tensors(two)
    for name, tensor in both.items():  # a single weight whose gradient is near 0 may step the other way
        assert (tensor.float() - alone[name].float()).square().mean().sqrt() < 1e-3, name
    found, expected = codes(two), codes(one)
    assert found.keys() == expected.keys()
    assert [found[photo] for photo in expected] == pytest.approx(list(expected.values()), rel=1e-3)
    logs = [(folder / "log.jsonl").read_text().splitlines() for folder in (one, two)]
    for first, second in zip(*logs, strict=True):
        told, like = json.loads(first), json.loads(second)
        assert {**told, "seconds": 0} == pytest.approx({**like, "seconds": 0}, rel=1e-3, abs=1e-5)


def test_two_processes_and_two_machines_learn_what_one_process_does(
    run: Run, command: list[object], tmp_path: Path
) -> None:
    """The machines are two launchers of Accelerate that meet at a port, with a folder that both see."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2", "--num_processes", "2"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_ip", "127.0.0.1"]
    launch += ["--main_process_port", port, "--machine_rank"]
    code, alone, _ = run(*command, *LARGE, "--out", tmp_path / "one")
    assert (code, sum(line.startswith("step ") for line in alone)) == (0, 3)
    for name, launches, lines in (
        ("two", [torchrun], [3]),  # only the first one speaks
        ("machines", [[*launch, "0"], [*launch, "1"]], [3, 0]),
    ):
        told = launched(*launches, command=command, out=tmp_path / name)
        assert [text.count("step ") for text in told] == lines
    for name in ("two", "machines"):
        check_alike(tmp_path / "one", tmp_path / name)


@pytest.mark.parametrize("failing", [0, 1])
def test_if_one_of_two_processes_diverges_both_stop_and_the_run_is_saved(
    command: list[object], tmp_path: Path, failing: int
) -> None:
    """The iterator's loss turns to NaN in one of them, at the fourth step."""
    program = tmp_path / "program.py"
    program.write_text(DIVERGING.format(failing=failing))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(program)]
    out, environment = tmp_path / "out", {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launch, *map(str, command), "--out", str(out)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    # The launcher may still ask the slower one to stop, which says so, too.
    said = [line for line in done.stderr.splitlines() if line.startswith("latentloop: ") and "stopping" not in line]
    assert set(said) == {
        "latentloop: start is not finite: NaN or infinity; step 3 is saved, start another run from "
        f"{out / 'last.safetensors'} with smaller steps; see --start, --lr"
    }
    assert (out / "checkpoints" / "step-00000003.safetensors").exists()
    assert (out / "last.safetensors").exists()


def test_a_quicker_generator_stands_for_the_one_that_is_trained_for(
    run: Run, command: list[object], generator: Path, tmp_path: Path
) -> None:
    """It draws half as many pixels, so images are compared at these; the network is the larger one's all the same."""
    teacher = load_generator(generator)
    assert isinstance(teacher, MobileStyleGAN)
    randomness = torch.Generator().manual_seed(0)
    student = make_student(teacher, name="student", resolution=16, randomness=randomness)
    save_generator(tmp_path / "student.safetensors", student)
    quick, out = ["--quick", tmp_path / "student.safetensors"], tmp_path / "out"
    code, _, errors = run(*command, *quick, "--repeats", 3, "--out", out)
    assert (code, errors) == (2, ["latentloop: LPIPS needs images of 32 pixels or more, got 16; see --resolution"])
    quick += ["--lambda-lpips", 0, "--lambda-per", 0]
    code, _, errors = run(*command, *quick, "--repeats", 3, "--out", out)
    assert (code, errors) == (0, [])
    assert space_of(out / "codes.cache").loss["resolution"] == 16
    assert load_embedder(out / "best.safetensors", teacher)(torch.zeros(1, 3, 32, 32)).shape == (1, 6, 8)
    code, _, errors = run(*command, "--quick", GENERATOR, "--out", tmp_path / "other")
    assert (code, errors) == (2, [f"latentloop: {GENERATOR}: has another latent space than small"])


def test_a_run_without_photos(run: Run, generator: Path, tmp_path: Path) -> None:
    code, lines, errors = run("train", "--generator", generator, *OPTIONS, "--steps", "2", "--out", tmp_path / "out")
    assert (code, errors) == (0, [])
    assert "gain" not in lines[0]


def test_unusable_photos_are_left_out_and_named(run: Run, command: list[object], faces: Path, tmp_path: Path) -> None:
    (faces / "3.png").write_bytes(b"no picture")
    write_png(faces / "4.png", torch.zeros(1, 3, 20, 30))
    code, _, errors = run(*command, "--out", tmp_path / "out")
    assert code == 0
    unreadable = "not an image that this Pillow can read; save it as JPEG or PNG"
    assert sorted(errors) == [
        f"latentloop: not learned from: {faces / '3.png'}: {unreadable}",
        f"latentloop: not learned from: {faces / '4.png'}: "
        "not aligned, it is 30 x 20; training takes square, aligned photos",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "{tmp}/empty"], "{tmp}/empty: no photos in this folder"),
        (["--data", "{tmp}/missing"], "{tmp}/missing: no such file or folder"),
        (["--start", "{generator}"], "{generator}: not an embedding network (kind: mobilestylegan)"),
        (["--lr", "0"], "lr must be above 0"),
        (["--no-cache", "--start-from", "cache"], "start_from cache needs the cache"),
        (["--synthetic", "1"], "synthetic 1 does not use data; leave it out"),
        (["--no-cache", "--codes", "{tmp}/codes"], "codes need the cache"),
        (["--validation", "{tmp}/faces"], "all photos to learn from are among those to measure on: nothing is left"),
        (["--data", "{tmp}/none.tar"], "{tmp}/none.tar: no such file or folder"),
        (
            ["--resume", "{tmp}/empty"],
            "resume takes all settings from the run except steps, minutes and codes; leave out",
        ),
        (["--out", "{generator}/out"], "cannot"),
    ],
)
def test_bad_input_is_told_in_a_line(
    run: Run, command: list[object], generator: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [option.format(tmp=tmp_path, generator=generator) for option in options]
    code, lines, errors = run(*command, "--out", tmp_path / "out", *filled)
    assert (code, lines) == (2, [])
    assert len(errors) == 1
    assert message.format(tmp=tmp_path, generator=generator) in errors[0]
    assert not (tmp_path / "out").exists()


def test_a_run_of_another_network_or_with_other_settings_is_refused(
    run: Run, finished: Finished, tmp_path: Path
) -> None:
    command, out = finished.command, shutil.copytree(finished.folder, tmp_path / "out")
    written, known = contents(out), codes(out)
    for option, message in [
        (("--head", "dense"), "made with head tree, not dense"),
        (("--lr", "2e-3"), "made with lr"),
    ]:
        code, _, errors = run(*command, "--out", out, *option)
        assert code == 2
        assert message in errors[0]
    code, _, errors = run(*command, "--out", tmp_path / "other", "--start", out / "best.safetensors", "--head", "dense")
    assert (code, errors) == (
        2,
        [
            f"latentloop: {out / 'best.safetensors'}: "
            "a network with head tree, not dense; see --preset, --identity, --head"
        ],
    )
    assert (contents(out), codes(out)) == (written, known)


@pytest.mark.parametrize("name", ["config.json", "validation.png", "best.safetensors", "last.safetensors"])
def test_strangers_files_are_not_replaced(run: Run, command: list[object], tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    code, _, errors = run(*command, "--out", out)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(f"latentloop: {out / name}: in the way")
    assert {path: path.read_text() for path in out.iterdir()} == {out / name: "mine"}


def test_where_the_disk_is_full_the_old_checkpoint_stays(
    run: Run, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command, whole), out, write = finished, tmp_path / "out", Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.parent.name == "checkpoints" and list(self.parent.glob("step-00000002.*")):
            write(self, data[:100])
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, errors = run(*command, "--out", out)
    assert code == 2
    name = out / "checkpoints" / "step-00000004.safetensors"
    assert errors == [f"latentloop: {name}: cannot write here: No space left on device"]
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-00000002.safetensors"]
    monkeypatch.undo()
    assert run("train", "--resume", out)[0] == 0
    assert all(torch.equal(tensor, tensors(whole)[name]) for name, tensor in tensors(out).items())


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_it(
    run: Run, command: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, take_step = tmp_path / "out", Trainer._take_step

    def poisoned(self: Trainer, photos: Loaded | None) -> Metrics:
        if self.step == 3:
            next(self.embedder.parameters()).register_hook(lambda gradient: gradient * float("nan"))
        return take_step(self, photos)

    monkeypatch.setattr(Trainer, "_take_step", poisoned)
    code, _, errors = run(*command, "--out", out)
    assert code == 2
    assert errors == [
        "latentloop: the gradient of step 4 is not finite; step 3 is saved, start another run from "
        f"{out / 'last.safetensors'} with smaller steps; see --start, --lr"
    ]
    assert (out / "checkpoints" / "step-00000003.safetensors").exists()
    assert all(
        tensor.isfinite().all() for tensor in load_file(out / "checkpoints" / "step-00000003.safetensors").values()
    )
