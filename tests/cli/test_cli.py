import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import latentloop.generators
from latentloop.cli.commands import COMMANDS
from latentloop.defaults import GENERATOR, QUICK_GENERATOR
from latentloop.faces import load_face_detector
from latentloop.generators import DrawnBy, registry
from latentloop.generators.protocol import Generator
from latentloop.images import read_image
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.weights import WeightsFile

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process")
TESTS = Path(__file__).parents[1]
QUICK = ["--aligned", "--steps", "3", "--lambda-lpips", "0", "--device", "cpu", "--precision", "float32"]

# A program that embeds with the toy generator, in a process of its own.
PROGRAM = """
import sys
import latentloop.generators
from conftest import ToyGenerator
from latentloop.cli import main

latentloop.generators.load_generator = lambda name, device: ToyGenerator().requires_grad_(False)
sys.exit(main(sys.argv[1:]))
"""


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
def test_embed_tells_each_photos_figures_and_last_where_the_report_is(
    run: Run, toy_photos: ToyPhotos, out: Path
) -> None:
    code, lines, errors = run("embed", *toy_photos(2), "--out", out, *QUICK)
    assert (code, errors) == (0, [])
    assert lines[2:] == [str(out / "report.html")]
    assert (out / "report.html").is_file()
    for i in (0, 1):
        figures = json.loads((out / "results.json").read_text())["photos"][i]["metrics"]
        assert lines[i].startswith(
            f"photo-{i}: MSE {figures['mse']:.4f}  PSNR {figures['psnr']:.2f}  SSIM {figures['ssim']:.3f}  "
            f"LPIPS {figures['lpips_alex']:.3f}  ID {figures['id']:.3f}  "
        )
        assert lines[i].endswith(" s")


@pytest.mark.usefixtures("toy_shipped")
def test_embed_recovers_what_the_generator_drew(run: Run, toy_photos: ToyPhotos, out: Path) -> None:
    options = ["--aligned", "--steps", "120", "--lr", "0.1", "--lambda-lpips", "0"]
    assert run("embed", *toy_photos(1), "--out", out, *options)[0] == 0
    (photo,) = json.loads((out / "results.json").read_text())["photos"]
    assert photo["metrics"]["psnr"] > 40
    assert photo["metrics"]["lpips_alex"] < 0.01
    drawn, target = read_image(out / photo["reconstruction"]), read_image(Path(photo["file"]))
    torch.testing.assert_close(drawn, target, rtol=0, atol=0.04)


@pytest.mark.usefixtures("toy_shipped")
def test_embed_goes_on_where_it_was_and_redoes_what_has_other_settings(
    run: Run, toy_photos: ToyPhotos, out: Path
) -> None:
    photos = toy_photos(2)

    def finished_before(*arguments: object) -> list[bool]:
        code, lines, errors = run("embed", *arguments, "--out", out)
        assert (code, errors) == (0, [])
        return [line.endswith("  finished before") for line in lines[:-1]]

    assert finished_before(photos[0], *QUICK) == [False]
    assert finished_before(photos[0].parent, *QUICK) == [True, False]
    assert finished_before(photos[0].parent / "*.png", *QUICK, "--batch", 2, "--seed", 3) == [True, True]
    assert finished_before(*photos, *QUICK, "--lr", 0.0123) == [False, False]
    assert finished_before(*photos, *QUICK, "--lr", 0.0123, "--force") == [False, False]


@pytest.mark.usefixtures("toy_shipped")
def test_embed_uses_lpips_by_default_and_every_option(run: Run, toy_photos: ToyPhotos, out: Path) -> None:
    start, net = ["--start", "sample", "--seed", 3], ["--lpips-net", "squeeze"]
    options = ["--aligned", "--steps", 2, "--space", "w", "--lr", 0.02, "--patience", 1, *start, *net]
    assert run("embed", *toy_photos(1), "--out", out, *options)[0] == 0
    code = load_code(out / "photo-0.npz")
    assert code.space == "w"
    assert torch.equal(code.w_plus, code.w_plus[:1].expand(4, 8))
    wanted = {"steps": 2, "space": "w", "start": "sample", "seed": 3, "lr": 0.02, "patience": 1, "lpips_net": "squeeze"}
    assert wanted.items() <= code.details["settings"].items()
    assert code.details["settings"]["lambda_lpips"] > 0


@pytest.fixture
def toy_family(float_toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two generators of the toy's codes: the quick one, whose images are darker, draws half as many pixels."""

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        return float_toy.synthesis(w_plus, resolution=resolution or 16) - 0.5

    small, large = DrawnBy(float_toy, draw), DrawnBy(float_toy, float_toy.synthesis)
    small.name, large.name, small.resolution = QUICK_GENERATOR, GENERATOR, 16
    monkeypatch.setattr(latentloop.generators, "load_generator", lambda _, **__: small)
    monkeypatch.setattr(latentloop.generators, "load_renderer", lambda _, size, **__: small if size == 16 else large)


@pytest.mark.usefixtures("toy_family")
def test_embed_iterates_on_one_generator_and_polishes_and_renders_on_another(
    run: Run, toy_photos: ToyPhotos, out: Path
) -> None:
    command = ["embed", *toy_photos(1), *QUICK, "--generator", QUICK_GENERATOR, "--steps", 20]
    losses = {}
    for polish, render, pixels in [(0, 16, 16), (0, "largest", 32), (40, "largest", 32)]:
        options = ["--out", out, "--polish", polish, "--render", render]
        code, lines, _ = run(*command, *options)
        assert code == 0
        assert "finished before" not in lines[0]  # other options, another result
        with Image.open(out / "photo-0.png") as image:
            assert image.size == (pixels, pixels)
        losses[polish] = load_code(out / "photo-0.npz").losses
        assert len(losses[polish]) == 21 + polish
    assert f"{QUICK_GENERATOR}, drawn by {GENERATOR}" in (out / "report.html").read_text()
    assert losses[40][-1] < 0.02 < losses[40][20:23].max()  # the darker one's code is off, until it is polished


@pytest.mark.usefixtures("toy_shipped")
def test_embed_without_a_compiler_gives_one_notice_and_the_same_code(
    run: Run, toy_photos: ToyPhotos, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler here\nand a long trace")

    monkeypatch.setattr(torch, "compile", refuse)
    photos, codes = toy_photos(2), []
    for option, notices in (("on", ["latentloop: not compiled: no compiler here"]), ("off", []), ("auto", [])):
        command = ["embed", *photos, "--out", out / option, *QUICK, "--compile", option]
        code, _, errors = run(*command)
        assert (code, errors) == (0, notices)
        codes.append(load_code(out / option / "photo-1.npz").w_plus)
    assert torch.equal(codes[0], codes[1])


@pytest.mark.usefixtures("toy_shipped")
def test_embed_draws_in_the_precision_it_is_told(run: Run, toy_photos: ToyPhotos, out: Path) -> None:
    photos, losses = toy_photos(1), {}
    for precision in ("float32", "bfloat16"):
        command = ["embed", *photos, *QUICK, "--out", out, "--precision", precision, "--steps", 1]
        assert "finished before" not in run(*command)[1][0]
        code = load_code(out / "photo-0.npz")
        assert code.details["settings"]["precision"] == precision
        losses[precision] = code.losses[0]
    assert losses["float32"] != losses["bfloat16"]
    torch.testing.assert_close(losses["float32"], losses["bfloat16"], rtol=0.05, atol=0.0)


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
            "cats: neither a file nor one of the generators we ship",
        ),
        (
            ["embed", "{here}/blank.png", "--generator", "{here}/text.png"],
            "{here}/text.png: no checkpoint that we know",
        ),
        (["embed", "{here}/blank.png", "--device", "nonsense"], "--device nonsense: not available"),
        (["embed", "{here}/blank.png", "--aligned", "--out", "{here}/text.png"], "{here}/text.png: cannot write here"),
        (
            ["embed", "{here}/blank.png", "--aligned", "--out", "{here}"],
            "{here}/blank.png: its results would overwrite",
        ),
        (["generate", "--device", "nonsense"], "--device nonsense: not available"),
        (["generate", "--generator", "cats"], "cats: neither a file nor one of the generators we ship"),
        (["generate", "--out", "{here}/text.png"], "{here}/text.png/image-0000.png: cannot write here"),
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
    shipped, damaged = registry.SHIPPED[GENERATOR].file, tmp_path / "damaged.safetensors"
    with shipped.path.open("rb") as file:
        damaged.write_bytes(file.read(100_000))
    other = replace(registry.SHIPPED[GENERATOR], file=WeightsFile(damaged, shipped.sha256))
    monkeypatch.setitem(registry.SHIPPED, GENERATOR, other)
    line = error_of(run, command, *([picture()] if command == "embed" else []), "--out", tmp_path / "out")
    assert line.startswith(f"{damaged}: wrong or damaged, its sha256 is ")
    assert str(shipped.sha256) in line
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("toy_shipped")
def test_embed_does_the_good_photos_and_names_each_bad_one(
    run: Run, toy_photos: ToyPhotos, tmp_path: Path, out: Path
) -> None:
    good, bad = toy_photos(2), [tmp_path / "missing.png", tmp_path / "empty.png"]
    bad[1].touch()
    code, lines, errors = run("embed", bad[0], good[0], bad[1], good[1], "--out", out, *QUICK)
    assert code == 2
    assert [line.split(":")[0] for line in lines] == ["photo-0", "photo-1", str(out / "report.html")]
    assert errors == [f"latentloop: {bad[0]}: no such file", f"latentloop: {bad[1]}: the file is empty"]
    results = json.loads((out / "results.json").read_text())
    assert [photo["name"] for photo in results["photos"]] == ["photo-0", "photo-1"]
    assert [failure["file"] for failure in results["failed"]] == [str(path) for path in bad]


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


@pytest.mark.usefixtures("toy_shipped")
def test_an_interrupted_embed_reports_what_is_finished(
    run: Run, toy_photos: ToyPhotos, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = [0]

    def interrupt_second(_: object, done: int, __: Tensor) -> None:
        begun[0] += done == 0
        if (begun[0], done) == (2, 1):
            raise KeyboardInterrupt

    monkeypatch.setattr("latentloop.cli.embed_progress.EmbedProgress.step", interrupt_second)
    code, lines, errors = run("embed", *toy_photos(3), "--out", out, *QUICK)
    assert code == 130
    assert lines[1:] == [str(out / "report.html")]
    assert errors == ["latentloop: interrupted; finished files are kept"]
    assert [photo["name"] for photo in json.loads((out / "results.json").read_text())["photos"]] == ["photo-0"]
    assert sorted(path.name for path in out.iterdir()) == [
        *("aligned", "photo-0.npz", "photo-0.png", "report.html", "results.json"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_terminated_embed_reports_what_is_finished(toy_photos: ToyPhotos, out: Path) -> None:
    photos = toy_photos(40)
    command = [sys.executable, "-c", PROGRAM, "embed", *map(str, photos), "--out", str(out), *QUICK, "--steps", "1000"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        rest, errors = program.communicate(timeout=60)
    assert first.startswith("photo-0: "), errors
    assert program.returncode == 130
    assert rest.splitlines()[-1] == str(out / "report.html")
    assert errors == "latentloop: interrupted; finished files are kept\n"
    finished = json.loads((out / "results.json").read_text())["photos"]
    assert 1 <= len(finished) < len(photos)
    assert list(out.rglob("*.part")) == []


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


@pytest.mark.usefixtures("toy_shipped")
def test_generate_writes_the_images_and_a_sheet_of_them(run: Run, out: Path) -> None:
    code, lines, errors = run("generate", "--count", 5, "--out", out)
    assert (code, errors) == (0, [])
    paths = [out / name for name in (*(f"image-{i:04d}.png" for i in range(5)), "sheet.png")]
    assert lines == [str(path) for path in paths]
    assert sorted(out.iterdir()) == paths
    images = [np.asarray(Image.open(path)) for path in paths]
    white = np.full((32, 32 * 3, 3), 255)
    second_row = np.concatenate([images[4], white], axis=1)
    np.testing.assert_array_equal(images[5], np.concatenate([np.concatenate(images[:4], axis=1), second_row]))
    assert len({image.tobytes() for image in images}) == 6


@pytest.mark.usefixtures("toy_shipped")
def test_generate_draws_alike_for_a_seed_and_otherwise_for_another(run: Run, tmp_path: Path) -> None:
    def drawn(name: str, *options: object) -> list[bytes]:
        assert run("generate", "--count", 2, "--out", tmp_path / name, *options)[0] == 0
        return [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    first = drawn("a", "--seed", 1)
    assert drawn("b", "--seed", 1) == first
    assert not set(drawn("c", "--seed", 2)) & set(first)
    assert not set(drawn("d", "--seed", 1, "--truncation-psi", 1)) & set(first)
    assert len(set(drawn("e", "--truncation-psi", 0)[:2])) == 1


def test_generate_draws_a_face_with_the_shipped_generator(run: Run, out: Path) -> None:
    code, lines, errors = run("generate", "--count", 1, "--out", out, "--device", "cpu")
    assert (code, errors) == (0, [])
    image, sheet = (read_image(line) for line in lines)
    assert image.shape == (1, 3, 1024, 1024)
    assert sheet.shape == (1, 3, 256, 256)
    assert len(load_face_detector().detect(sheet)) == 1
