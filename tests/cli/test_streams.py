import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="streams close otherwise there")
COMMANDS = ["--help", "embed --help", "inspect mobile-ffhq-256"]


def shell(command: str, **environment: str) -> tuple[int, str, str]:
    """What a command of the shell, with `latentloop` in it, exits with and says."""
    line = command.replace("latentloop", f"{sys.executable} -m latentloop")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=os.environ | environment)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_output_is_no_error(command: str) -> None:
    assert shell(f"latentloop {command} >&-") == (0, "", "")


def test_a_closed_output_lets_a_bar_be_and_files_be_written(tmp_path: Path) -> None:
    options = "--count 1 --generator mobile-ffhq-256"
    assert shell(f"latentloop generate {options} --out {tmp_path} >&- 2>&-") == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image-0000.png", "sheet.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_output_is_one_line(command: str, unbuffered: str) -> None:
    said = "latentloop: standard output: No space left on device\n"
    assert shell(f"latentloop {command} > /dev/full", PYTHONUNBUFFERED=unbuffered) == (2, "", said)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_leaves_early_sees_no_traceback(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments, buffered = [sys.executable, "-m", "latentloop", *command.split()], {"PYTHONUNBUFFERED": ""}
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, env=os.environ | buffered)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_name_that_the_output_cannot_encode_is_escaped(tmp_path: Path) -> None:
    code, out, errors = shell(
        f"latentloop fetch vgg16 > {tmp_path}/log; cat {tmp_path}/log",
        PYTHONIOENCODING="ascii",
        LATENTLOOP_CACHE=str(_cache(tmp_path / "\u0142")),
    )
    assert (code, errors) == (0, "")
    assert "\\u0142" in out


def _cache(folder: Path) -> Path:
    folder.mkdir()
    (folder / "vgg16.safetensors").touch()
    return folder
