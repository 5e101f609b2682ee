import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.generators import GeneratorFile, StyleGAN2, load_generator, write_generator_file
from latentloop.generators.stylegan2 import Shape
from stylegan2_tensors import nvidia, random_stylegan2, rosinality

Run = Callable[..., tuple[int, list[str], list[str]]]
FACTS = ["layout", "kind", "resolution", "num_ws", "w_dim", "z_dim", "classes", "parameters", "latent_avg"]
FACTS += ["fingerprint"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small StyleGAN2's file."""
    torch.manual_seed(0)
    generator = StyleGAN2(Shape(mapping=(8, 7, 6), channels=(5, 4, 3)), name="", fingerprint="")
    for conv in generator.synthesis.layers:
        torch.nn.init.ones_(conv.noise_strength)
    path = tmp_path / "small.safetensors"
    write_generator_file(path, GeneratorFile("stylegan2", dict(generator.state_dict())))
    return path


def test_inspect_tells_what_a_file_holds(run: Run, small: Path) -> None:
    code, lines, errors = run("inspect", small)
    assert (code, errors) == (0, [])
    told = {line[:12].strip(): re.split("  +", line[12:])[0] for line in lines}
    assert lines[3].startswith("num_ws      6 ")
    assert lines[3].endswith("  styles in a W+ code, one for each layer that takes a style")
    assert list(told) == FACTS
    wanted = {"kind": "stylegan2", "resolution": "16", "num_ws": "6", "w_dim": "6", "z_dim": "8", "classes": "none"}
    assert told.items() >= (wanted | {"latent_avg": "in the file", "layout": "latentloop"}).items()
    parameters = (
        8 * 7
        + 7
        + 7 * 6
        + 6
        + 5 * 16
        + sum(9 * i * o + 6 * i + i + o + 1 for i, o in ((5, 5), (5, 4), (4, 4), (4, 3), (3, 3)))
        + sum(3 * i + 3 + 6 * i + i for i in (5, 4, 3))
    )
    assert told["parameters"] == f"{parameters:,}"
    assert told["fingerprint"] == load_generator(small).fingerprint


def test_inspect_knows_the_shipped_generators(run: Run) -> None:
    code, lines, _ = run("inspect", "mobile-ffhq-256")
    assert code == 0
    assert lines[2].split()[:2] == ["resolution", "256"]


def test_convert_says_what_it_wrote(run: Run, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "other.safetensors"
    code, lines, errors = run("convert", small, target)
    assert (code, errors) == (0, [])
    assert lines[:-1] == run("inspect", target)[1]
    assert lines[-1] == f"{target}: 0.0 MiB"


def test_convert_needs_a_name_that_says_what_it_is(run: Run, small: Path, tmp_path: Path) -> None:
    code, lines, errors = run("convert", small, tmp_path / "other.pt")
    assert (code, lines) == (2, [])
    assert errors == [f"latentloop: {tmp_path / 'other.pt'}: the file to write must end in .safetensors"]


@pytest.mark.parametrize("command", ["inspect", "convert", "generate"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "neither a file nor one of the bundled generators"),
        (b"", "an empty file"),
        (b"hello", "not a checkpoint of a known format: neither safetensors, nor a pickle, nor a file of torch.save"),
        (b"\x80\x04cos\nsystem\n.", "refused, it asks for the global os.system; a checkpoint needs only data"),
        (b"\x80\x04", "damaged, truncated or not a checkpoint"),
    ],
    ids=["missing", "empty", "text", "code", "cut"],
)
def test_what_is_no_generator_is_one_line_and_writes_nothing(
    run: Run, tmp_path: Path, command: str, content: bytes | None, message: str
) -> None:
    path, target = tmp_path / "file.pkl", tmp_path / "ours.safetensors"
    if content is not None:
        path.write_bytes(content)
    files: dict[str, list[object]] = {
        "inspect": [path],
        "convert": [path, target],
        "generate": ["--generator", path, "--out", tmp_path / "out"],
    }
    code, lines, errors = run(command, *files[command])
    assert (code, lines, len(errors)) == (2, [], 1)
    assert f"{path}: {message}" in errors[0]
    assert not target.exists()
    assert not (tmp_path / "out").exists()


def test_a_target_that_cannot_be_written_leaves_nothing(run: Run, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.safetensors" / "ours.safetensors"
    code, _, errors = run("convert", small, target)
    assert (code, len(errors)) == (2, 1)
    assert "cannot write here" in errors[0]
    assert list(tmp_path.iterdir()) == [small]


def test_generate_takes_noise_as_it_is_told(run: Run, small: Path, tmp_path: Path) -> None:
    def drawn(*options: object) -> bytes:
        folder = tmp_path / "-".join(map(str, options))
        code, _, errors = run("generate", "--generator", small, "--count", 1, "--out", folder, *options)
        assert (code, errors) == (0, [])
        return (folder / "image-0000.png").read_bytes()

    stored, none, random = (drawn("--noise", mode) for mode in ("const", "none", "random"))
    assert len({stored, none, random}) == 3
    assert stored == drawn()
    assert random == drawn("--noise", "random", "--seed", 0)


@pytest.mark.usefixtures("toy_shipped")
def test_generate_says_where_there_is_no_noise(run: Run, tmp_path: Path) -> None:
    code, _, errors = run("generate", "--noise", "random", "--out", tmp_path / "out")
    assert (code, errors) == (2, ["latentloop: noise random: toy-32 takes no noise; leave it at const; see --noise"])
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_of_ours_is_refused(small: Path) -> None:
    small.write_bytes(small.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"small\.safetensors: "):
        load_generator(small)


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "{}"),
        ("generate", "--generator", "{}", "--count", 1),
        ("directions", "list", "--generator", "{}"),
        ("directions", "samples", "--generator", "{}", "--count", 1),
        ("directions", "find", "--method", "sefa", "--count", 1, "--generator", "{}", "--out", "found.safetensors"),
        ("edit", "seed:1", "--set", "smile=1", "--generator", "{}", "--steps", 0),
    ],
)
def test_every_command_with_a_generator_takes_the_raw_one_of_a_training(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[object, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = rosinality(nvidia(random_stylegan2(Shape(mapping=(8, 8, 8), channels=(4, 4, 4)))))
    torch.save({"g": raw, "d": {}}, "training.pt")
    arguments = [str(one).format("training.pt") for one in command]
    code, _, errors = run(*arguments)
    assert code == 2
    assert "training.pt: has no generator g_ema, but g, d; g can be taken instead; see --which" in errors[0]
    _, _, errors = run(*arguments, "--which", "g")
    assert not any("generator g_ema" in error for error in errors)
    assert not any("unrecognized" in error.lower() for error in errors)
