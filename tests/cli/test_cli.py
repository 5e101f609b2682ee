import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from latentloop.cli.commands import COMMANDS
from latentloop.defaults import GENERATOR
from latentloop.generators import registry
from latentloop.latents.code_file import Code, save_code
from latentloop.weights import WeightsFile

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def error_of(run: Run, *arguments: object) -> str:
    """What a command that fails because of bad input says in its one line."""
    code, _, errors = run(*arguments)
    assert code == 2
    (line,) = errors
    assert line.startswith("latentloop: ")
    return line.removeprefix("latentloop: ")


@pytest.mark.usefixtures("toy_shipped")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["embed", "{here}/missing.png"], "{here}/missing.png: no such file"),
        (["embed", "{here}/text.png"], "{here}/text.png: not an image that this Pillow can read"),
        (["embed", "{here}/empty"], "{here}/empty: no photos in this folder"),
        (["embed", "{here}/*.gif"], "{here}/*.gif: no file matches"),
        (["embed", "{here}/blank.png"], "{here}/blank.png: no face found"),
        (["embed", "{here}/wide.png", "--aligned"], "{here}/wide.png: an aligned photo is square"),
        (["embed", "{here}/blank.png", "--max-pixels", "99"], "{here}/blank.png: more than 99 pixels"),
        (["embed", "{here}/blank.png", "--start", "{here}/text.png"], "{here}/text.png: not a code file"),
        (["embed", "{here}/blank.png", "--start", "{here}/none.npz"], "{here}/none.npz: no such file"),
        (["embed", "{here}/blank.png", "--start", "{here}/cats.npz"], "{here}/cats.npz: made for cats-512"),
        (
            ["embed", "{here}/blank.png", "--generator", "cats"],
            "cats: neither a file nor one of the bundled generators",
        ),
        (
            ["embed", "{here}/blank.png", "--generator", "{here}/text.png"],
            "{here}/text.png: not a checkpoint of a known format",
        ),
        (["embed", "{here}/blank.png", "--device", "nonsense"], "device nonsense is not available"),
        (["embed", "{here}/blank.png", "--aligned", "--out", "{here}/text.png"], "{here}/text.png: cannot write here"),
        (
            ["embed", "{here}/blank.png", "--aligned", "--out", "{here}"],
            "{here}/blank.png: its results would overwrite",
        ),
        (["generate", "--device", "nonsense"], "device nonsense is not available"),
        (["generate", "--generator", "cats"], "cats: neither a file nor one of the bundled generators"),
        (["generate", "--out", "{here}/text.png"], "{here}/text.png: cannot write here"),
    ],
)
def test_bad_input_is_told_in_one_line(
    run: Run,
    tmp_path: Path,
    picture: Callable[..., Path],
    make_code: Callable[..., Code],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("not an image")
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    picture("wide.png")
    save_code(tmp_path / "cats.npz", make_code(generator="cats-512", fingerprint="f" * 16))
    line = error_of(run, *(argument.format(here=tmp_path) for argument in arguments))
    assert line.startswith(problem.format(here=tmp_path))


@pytest.mark.parametrize("command", ["embed", "generate"])
def test_a_damaged_weights_file_is_told_with_both_checksums(
    run: Run,
    tmp_path: Path,
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    name = registry.SHIPPED[GENERATOR].trunk or GENERATOR
    shipped, damaged = registry.SHIPPED[name].file, tmp_path / "damaged.safetensors"
    with shipped.path.open("rb") as file:
        damaged.write_bytes(file.read(100_000))
    other = replace(registry.SHIPPED[name], file=WeightsFile(damaged, shipped.sha256))
    monkeypatch.setitem(registry.SHIPPED, name, other)
    line = error_of(run, command, *([picture()] if command == "embed" else []), "--out", tmp_path / "out")
    assert line.startswith(f"{damaged}: wrong or damaged, its sha256 is ")
    assert str(shipped.sha256) in line
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("toy_shipped")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["embed"], ["photo"]),
        (["embed", "a.png", "--steps", "-1"], ["steps", "-1"]),
        (["embed", "a.png", "--steps", "x"], ["--steps", "'x'"]),
        (["embed", "a.png", "--steps"], ["--steps"]),
        (["embed", "a.png", "--lr", "0"], ["lr", "0"]),
        (["embed", "a.png", "--space", "z"], ["--space", "z"]),
        (["embed", "a.png", "--quality", "9"], ["--quality 9: no such choice"]),
        (["embed", "a.png", "--lambda-mse", "nan"], ["lambda_mse", "nan"]),
        (["embed", "a.png", "--unknown", "1"], ["--unknown"]),
        (["embed", "a.png", "--face", "foo"], ["face", "foo"]),
        (["embed", "a.png", "--face", "-1"], ["face", "-1"]),
        (["embed", "a.png", "--batch", "0"], ["batch", "0"]),
        (["embed", "a.png", "--seed", "-1"], ["seed", "-1"]),
        (["generate", "--count", "0"], ["count", "0"]),
        (["generate", "--count", "1.5"], ["--count", "1.5"]),
        (["generate", "--seed", str(2**64)], ["seed", str(2**64)]),
        (["generate", "--truncation-psi", "nan"], ["truncation_psi", "nan"]),
        (["generate", "a.png"], ["a.png"]),
        (["embed", "a.png", "--lambda-mse", "-0.5"], ["got -0.5"]),
        (["embed", "a.png", "--patience=-7"], ["patience must be 0 or more, got -7"]),
        (["embed", "a.png", "--face", "0"], ["face", "got 0"]),
        (["embed", "a.png", "--max-pixels", "-1"], ["max_pixels must be 1 or more, got -1"]),
        (["paint"], ["no command paint"]),
        (["--unknown"], ["no option --unknown"]),
    ],
)
def test_a_wrong_flag_or_value_is_named_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    named: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = error_of(run, *arguments)
    assert all(word in line for word in named)
    command = f"latentloop {arguments[0]} --help" if arguments[0] in COMMANDS else "latentloop --help"
    assert line.endswith(f"; see {command}")
    assert "tyro" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [30, 60, 80])
@pytest.mark.parametrize("value", ["-1", "-20", "-300"])
def test_a_minus_sign_survives_a_narrow_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int, value: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert f"patience must be 0 or more, got {value};" in error_of(run, "embed", "a.png", "--patience", value)


def test_the_version_is_told(run: Run) -> None:
    assert run("--version") == (0, [f"latentloop {version('latentloop')}"], [])


@pytest.mark.parametrize(
    ("command", "mentioned"),
    [
        ([], ["embed", "generate"]),
        (["embed"], ["PHOTO", "--out", "--steps", "--start", "--face", "--aligned", "--batch", "--device", "--force"]),
        (["generate"], ["--out", "--count", "--truncation-psi", "--seed", "--generator", "--device"]),
    ],
)
def test_help_mentions_what_matters(run: Run, command: list[str], mentioned: list[str]) -> None:
    code, lines, errors = run(*command, "--help")
    assert (code, errors) == (0, [])
    assert all(word in "\n".join(lines) for word in mentioned)


@pytest.mark.parametrize(
    "statement",
    [
        "import latentloop",
        "import latentloop.cli; latentloop.cli.main(['--help'])",
        "import latentloop.cli; latentloop.cli.main(['embed', '-h'])",
    ],
)
def test_pytorch_is_not_imported_for(statement: str) -> None:
    script = f"""
import sys
from contextlib import suppress
with suppress(SystemExit):
    {statement}
print("torch" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


def test_the_package_runs_as_a_program() -> None:
    result = subprocess.run([sys.executable, "-m", "latentloop", "--help"], capture_output=True, text=True, check=True)
    assert "latentloop" in result.stdout
    assert result.stderr == ""
