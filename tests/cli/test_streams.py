import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latentloop.cli import OUT_OF_MEMORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="streams close otherwise there")
HELP = ["--help", "embed --help"]
FETCH = "fetch vgg16"
"""A command that prints a line where it finds the weights: see `environment`."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Variables with which weights are there already, in a folder of a Polish name, and output is buffered."""
    cache = tmp_path / "\u0142"
    cache.mkdir()
    (cache / "vgg16.safetensors").touch()
    return dict(os.environ) | {"LATENTLOOP_CACHE": str(cache), "PYTHONUNBUFFERED": ""}


def shell(command: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """What a command of the shell, with `latentloop` in it, exits with and says."""
    line = command.replace("latentloop", f"{sys.executable} -m latentloop", 1)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", HELP)
def test_a_closed_output_is_no_error(command: str, environment: dict[str, str]) -> None:
    assert shell(f"latentloop {command} >&-", environment) == (0, "", "")


def test_with_closed_streams_files_are_written_as_ever(tmp_path: Path, environment: dict[str, str]) -> None:
    command = f"latentloop generate --count 1 --generator mobile-ffhq-256 --out {tmp_path / 'out'} >&- 2>&-"
    assert shell(command, environment) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["image-0000.png", "sheet.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("command", "unbuffered"), [(FETCH, ""), *((command, "1") for command in HELP), (HELP[0], "")])
def test_a_full_output_is_told_in_one_line(command: str, unbuffered: str, environment: dict[str, str]) -> None:
    environment["PYTHONUNBUFFERED"] = unbuffered
    told = "latentloop: standard output: No space left on device\n"
    assert shell(f"latentloop {command} > /dev/full", environment) == (2, "", told)


@pytest.mark.parametrize("command", [*HELP, FETCH])
def test_a_reader_that_leaves_early_sees_no_traceback(command: str, environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = [sys.executable, "-m", "latentloop", *command.split()]
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_name_that_the_output_cannot_encode_is_escaped(environment: dict[str, str]) -> None:
    code, out, errors = shell(f"latentloop {FETCH}", environment | {"PYTHONIOENCODING": "ascii"})
    assert (code, errors) == (0, "")
    assert "\\u0142" in out


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory"), OSError(12, "Cannot allocate memory")],
)
def test_memory_that_has_run_out_is_told_in_one_line(
    run: Callable[..., tuple[int, list[str], list[str]]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr("latentloop.cli._run", fail)
    assert run("fetch", "vgg16") == (2, [], [f"latentloop: {OUT_OF_MEMORY}"])
