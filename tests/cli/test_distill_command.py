import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.weights import ASSETS

Run = Callable[..., tuple[int, list[str], list[str]]]
SMALL = ["--device", "cpu", "--resolution", "32", "--batch", "2", "--pool", "4", "--repeats", "1"]


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """The file of a generator that draws 64 pixels."""
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=8, channels=(16, 16, 16, 8)), name="teacher", fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=randomness)
    path = tmp_path / "teacher.safetensors"
    save_generator(path, generator)
    return path


def test_a_student_is_made_and_shares_its_teachers_codes(run: Run, teacher: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, lines, errors = run("distill", "--generator", teacher, "--out", out, "--steps", 4, *SMALL)
    assert (code, errors) == (0, [])
    assert [line.split()[:2] for line in lines[:-1]] == [["step", "2"], ["step", "4"]]
    assert lines[-1] == str(out / "student.safetensors")
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.safetensors", "log.jsonl", "student.safetensors"]
    student = load_generator(out / "student.safetensors")
    assert student.resolution == 32
    assert student.fingerprint == load_generator(teacher).fingerprint


def test_the_finished_run_is_not_done_again(run: Run, teacher: Path, tmp_path: Path) -> None:
    command = ["distill", "--generator", teacher, "--out", tmp_path / "out", "--steps", 2, *SMALL]
    run(*command)
    written = (tmp_path / "out" / "checkpoint.safetensors").stat().st_mtime_ns
    assert run(*command) == (0, [str(tmp_path / "out" / "student.safetensors")], [])
    assert (tmp_path / "out" / "checkpoint.safetensors").stat().st_mtime_ns == written


def test_a_student_of_somebody_else_beside_a_real_checkpoint_stays(run: Run, teacher: Path, tmp_path: Path) -> None:
    student = tmp_path / "out" / "student.safetensors"
    command = ["distill", "--generator", teacher, "--out", student.parent, "--steps", 2, *SMALL]
    assert run(*command)[0] == 0
    student.write_text("of somebody else")
    code, _, errors = run(*command)
    message = "in the way, and not of this run; move it, or choose another folder; see --out"
    assert (code, errors) == (2, [f"latentloop: {student}: {message}"])
    assert student.read_text() == "of somebody else"


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot kill so")
def test_a_killed_run_ends_as_one_that_never_was(run: Run, teacher: Path, tmp_path: Path) -> None:
    command = ["distill", "--generator", str(teacher), *SMALL, "--steps", "40", "--out"]
    program = [sys.executable, "-m", "latentloop", *command, str(tmp_path / "killed")]
    # Many threads add up in another order; the other run, in this process, has one as well.
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=one_thread) as killed:
        assert killed.stdout is not None
        first = killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
        _, errors = killed.communicate(timeout=300)
    assert first.startswith("step 2"), errors
    log = [json.loads(line) for line in (tmp_path / "killed" / "log.jsonl").read_text().splitlines()]
    assert 1 <= len(log) < 20
    assert run(*command, tmp_path / "killed")[0] == 0
    assert run(*command, tmp_path / "whole")[0] == 0
    ends = [(tmp_path / name / "student.safetensors").read_bytes() for name in ("killed", "whole")]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--generator", "cats"], "cats: neither a file nor one of the bundled generators"),
        (["--start", "cats"], "cats: neither a file nor one of the bundled generators"),
        (["--start", "mobile-ffhq-256"], "mobile-ffhq-256: cannot start from it"),
        (["--photos", "{here}/none", "--pool", "128"], "{here}/none: no such file or folder"),
        (["--resolution", "24"], "resolution must be a power of 2 from 8 to 32, got 24"),
        (["--out", "{here}/teacher.safetensors"], "{here}/teacher.safetensors: cannot write here"),
        (["--device", "nonsense"], "device nonsense is not available"),
        (["--steps", "0"], "steps must be 1 or more, got 0"),
        (["--name", "../elsewhere"], "name must be a file name without folders, got '../elsewhere'"),
        (["--name", ""], "name must be a file name without folders, got ''"),
        (["--batch", "0"], "batch must be 1 or more, got 0"),
        (["--pool", "3"], "pool must be a multiple of batch, got 3 and 2"),
        (["--photo-codes", "99"], "photo_codes must be from 1 to photo_steps, got 99"),
        (["--photos", "{photo}"], "pool_photos * photo_codes must be at most pool, got 8 * 16 = 128 and 4"),
        (["--average", "1"], "average must be from 0 to below 1"),
        (["--generator", str(ASSETS / "mtcnn.safetensors")], "{assets}/mtcnn.safetensors: not a generator"),
    ],
)
def test_bad_input_is_told_in_one_line(
    run: Run, teacher: Path, portrait: Path, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    places = {"here": tmp_path, "assets": ASSETS, "photo": portrait}
    given = [argument.format(**places) for argument in arguments]
    code, _, errors = run("distill", "--generator", teacher, "--out", tmp_path / "out", "--steps", 2, *SMALL, *given)
    assert (code, len(errors)) == (2, 1)
    assert errors[0].removeprefix("latentloop: ").startswith(problem.format(**places))
    assert not (tmp_path / "out").exists()


def test_bench_prints_a_table_and_the_iterators_step(run: Run, teacher: Path) -> None:
    code, lines, errors = run(
        "bench", "generator", "--generators", teacher, "--batches", 1, "--runs", 1, "--precision", "float32"
    )
    assert (code, errors) == (0, [])
    assert lines[0].startswith("torch ")
    assert lines[0].endswith("float32")
    assert sum(line.startswith("| teacher | 64 | 1 | eager |") for line in lines) == 2
    assert lines[-1].startswith("A step of the iterator on teacher: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["generator", "--generators", "cats"], "cats: neither a file"),
        (["generator", "--batches", "0"], "runs and batches must be 1 or more"),
        (["generator", "--runs", "0"], "runs and batches must be 1 or more"),
        (["generator", "--device", "nonsense"], "device nonsense is not available"),
        (["encoder"], "encoder"),
    ],
)
def test_a_bench_of_nothing_is_refused_in_one_line(run: Run, arguments: list[str], problem: str) -> None:
    code, _, errors = run("bench", *arguments)
    assert (code, len(errors)) == (2, 1)
    assert problem in errors[0]
