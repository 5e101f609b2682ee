import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.defaults import GENERATOR, QUICK_GENERATOR
from latentloop.editing import Direction
from latentloop.editing.direction_file import save_directions
from latentloop.folder_lock import LOCK, sole_use
from latentloop.generators import DrawnBy
from latentloop.generators.protocol import Generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code
from small_generators import SmallGenerator

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

latentloop.generators.load_generator = lambda name, **_: ToyGenerator().requires_grad_(False)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


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

    def finished_before(*arguments: object, notices: Sequence[str] = ()) -> list[bool]:
        code, lines, errors = run("embed", *arguments, "--out", out)
        assert (code, errors) == (0, list(notices))
        return [line.endswith(" steps, finished earlier") for line in lines[:-1]]

    assert finished_before(photos[0], *QUICK) == [False]
    assert finished_before(photos[0].parent, *QUICK) == [True, False]
    assert finished_before(photos[0].parent / "*.png", *QUICK, "--batch", 2, "--seed", 3) == [True, True]
    again = "latentloop: photo-0: there is a result with other settings (lr); such results are recomputed"
    assert finished_before(*photos, *QUICK, "--lr", 0.0123, notices=[again]) == [False, False]
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
    monkeypatch.setattr("latentloop.embedding.components.load_generator", lambda _, **__: small)
    monkeypatch.setattr(
        "latentloop.embedding.components.load_renderer", lambda _, size, **__: small if size == 16 else large
    )
    sizes = {16: QUICK_GENERATOR, 32: GENERATOR}
    monkeypatch.setattr("latentloop.embedding.components.renderers_of", lambda _: sizes)


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
        assert "finished earlier" not in lines[0]  # other options, another result
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
        assert "finished earlier" not in run(*command)[1][0]
        code = load_code(out / "photo-0.npz")
        assert code.details["settings"]["precision"] == precision
        losses[precision] = code.losses[0]
    assert losses["float32"] != losses["bfloat16"]
    torch.testing.assert_close(losses["float32"], losses["bfloat16"], rtol=0.05, atol=0.0)


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
        *("aligned", "photo-0.npz", "photo-0.png", "report.html", "results.json", "results.jsonl"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_a_terminated_embed_reports_what_is_finished(toy_photos: ToyPhotos, out: Path) -> None:
    photos = toy_photos(40)
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "embed",
        *map(str, photos),
        "--out",
        str(out),
        *QUICK,
        "--steps",
        "1000",
        "--metric",
        "off",
    ]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        rest, errors = program.communicate(timeout=300)
    assert first.startswith("photo-0: "), errors
    assert program.returncode == 130
    assert rest.splitlines()[-1] == str(out / "report.html")
    assert errors == "latentloop: interrupted; finished files are kept\n"
    finished = json.loads((out / "results.json").read_text())["photos"]
    assert 1 <= len(finished) < len(photos)
    assert list(out.rglob("*.part")) == []


def journal(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("toy_shipped")
def test_results_are_told_line_by_line_as_in_results_json(
    run: Run, toy_photos: ToyPhotos, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, seen = [*toy_photos(2), tmp_path / "missing.png"], list[list[str]]()

    def look(*_: object) -> None:
        seen.append([str(line["file"]) for line in journal(out)])

    monkeypatch.setattr("latentloop.cli.embed_progress.EmbedProgress.done", look)
    assert run("embed", *photos, "--out", out, *QUICK)[0] == 2
    assert [names[: i + 1] for i, names in enumerate(seen)] == [list(map(str, photos[: i + 1])) for i in range(3)]
    results = json.loads((out / "results.json").read_text())
    assert journal(out) == results["photos"] + results["failed"]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_embed_has_the_lines_of_what_is_finished_and_goes_on(toy_photos: ToyPhotos, out: Path) -> None:
    photos = toy_photos(4)
    command = [sys.executable, "-c", PROGRAM, "embed", *map(str, photos), "--out", str(out), *QUICK, "--metric", "off"]
    with subprocess.Popen([*command, "--steps", "300"], cwd=TESTS, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("photo-0: ")
        program.kill()
    assert not (out / "results.json").exists()
    before = journal(out)
    assert [line["name"] for line in before] == [f"photo-{i}" for i in range(len(before))]
    assert 1 <= len(before) < 4
    with (out / "results.jsonl").open("a") as file:
        file.write('{"file": "photo')
    done = subprocess.run(
        [*command, "--steps", "300"], cwd=TESTS, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished earlier") >= len(before)
    assert journal(out)[: len(before)] == before
    assert journal(out) == json.loads((out / "results.json").read_text())["photos"]


@pytest.mark.usefixtures("toy_shipped")
def test_a_report_of_many_photos_takes_thumbnails_that_were_made_with_the_codes(
    run: Run, toy_photos: ToyPhotos, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("run", "results"):
        monkeypatch.setattr(f"latentloop.embedding.{user}.FEW", 1)
    monkeypatch.setattr("latentloop.embedding.thumbnails.read_image", lambda _: pytest.fail("made from the pictures"))
    assert run("embed", *toy_photos(2), "--out", out, *QUICK)[0] == 0
    assert sorted(path.name for path in (out / "report").iterdir()) == ["page-1.html", "photo-0.jpg", "photo-1.jpg"]
    assert 'src="photo-1.jpg"' in (out / "report" / "page-1.html").read_text()


@pytest.mark.usefixtures("toy_shipped")
def test_without_pictures_there_are_codes_and_figures_which_other_commands_take(
    run: Run, toy_photos: ToyPhotos, out: Path, tmp_path: Path
) -> None:
    photos, bare = toy_photos(2), ["--no-pictures", *QUICK]
    for again in (False, True):
        code, lines, errors = run("embed", *photos, "--out", out, *bare)
        assert (code, errors) == (0, [])
        assert [line.endswith("finished earlier") for line in lines[:-1]] == [again, again]
        assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
            *("photo-0.npz", "photo-1.npz", "report.html", "results.json", "results.jsonl")
        ]
        assert "image/jpeg" not in (out / "report.html").read_text()
    assert all(set(line).isdisjoint({"reconstruction", "aligned"}) for line in journal(out))
    vector = torch.randn(8, generator=torch.Generator().manual_seed(3))
    about = {"num_ws": 4, "fingerprint": "0123456789abcdef", "generator": "toy-32"}
    smile = tmp_path / "d.safetensors"
    save_directions(smile, [Direction("smile", vector, (1, 2), **about)])  # type: ignore[arg-type]
    edit = ["--set", f"{smile}:smile=1", "--strip", "--device", "cpu", "--precision", "float32"]
    subjects: list[list[object]] = [[out / "photo-0.npz"], [out / "photo-0.npz", "--photos", photos[0]]]
    for i, subject in enumerate(subjects):
        assert run("edit", *subject, *edit, "--out", tmp_path / f"edited-{i}")[0] == 0
    embedded = [photos[0], "--codes", out, "--aligned"]
    code, lines, _ = run("edit", *embedded, *edit, "--out", tmp_path / "edited-2")
    assert code == 0
    assert lines[0].endswith("finished earlier")
    assert run("embed", photos[0], "--start", out, "--out", tmp_path / "further", *QUICK)[0] == 0


@pytest.mark.parametrize("name", ["results.json", "results.jsonl", "report.html", "report/page-1.html"])
@pytest.mark.parametrize("content", ['{"photos": [], "mine": 1}', "<title>Holiday</title>", ""])
@pytest.mark.usefixtures("toy_shipped")
def test_embed_replaces_no_summary_of_somebody_else(
    run: Run, toy_photos: ToyPhotos, out: Path, name: str, content: str
) -> None:
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text(content)
    written = "no results.json, results.jsonl or report.html"
    told = f"latentloop: {out / name}: not written by latentloop, so it is kept; this run writes {written}"
    code, lines, errors = run("embed", *toy_photos(1), "--out", out, *QUICK)
    assert (code, len(lines), errors) == (2, 1, [told])
    assert {path.name for path in out.iterdir()} == {"aligned", "photo-0.npz", "photo-0.png", Path(name).parts[0]}
    assert (out / name).read_text() == content


def test_the_steps_beyond_the_code_are_told_apart(
    run: Run, small_generator: SmallGenerator, toy_photos: ToyPhotos, out: Path
) -> None:
    beyond = ["--generator", small_generator(), "--refine", "features", "--refine-steps", "2", *QUICK]
    for end in (" s", "finished earlier"):
        code, (line, _), _ = run("embed", *toy_photos(1), "--out", out, *beyond)
        assert code == 0
        assert "  3 steps, 2 beyond the code, " in line
        assert line.endswith(end)


@pytest.mark.usefixtures("toy_shipped")
def test_a_picture_of_somebody_else_costs_its_photo_alone_and_leaves_no_report_of_nothing(
    run: Run, toy_photos: ToyPhotos, out: Path
) -> None:
    photos = toy_photos(2)
    out.mkdir()
    (out / "photo-0.png").write_text("mine")
    told = (
        f"latentloop: {photos[0]}: its results would overwrite {out / 'photo-0.png'}; choose another folder; see --out"
    )
    code, lines, errors = run("embed", photos[0], "--out", out, *QUICK)
    assert (code, lines, errors) == (2, [], [told])
    assert {path.name for path in out.iterdir()} == {"aligned", "photo-0.png", "results.jsonl"}
    code, lines, errors = run("embed", *photos, "--out", out, *QUICK)
    assert (code, len(lines), errors) == (2, 2, [told])
    assert (out / "photo-0.png").read_text() == "mine"
    run("embed", photos[0], "--out", out, *QUICK)
    assert json.loads((out / "results.json").read_text())["photos"] == []


@pytest.mark.usefixtures("toy_shipped")
def test_a_folder_that_another_process_fills_is_refused(run: Run, toy_photos: ToyPhotos, out: Path) -> None:
    told = f"latentloop: {out}: another latentloop is at work here; let it finish, or choose another folder; see --out"
    with sole_use(out):
        assert run("embed", *toy_photos(1), "--out", out, *QUICK) == (2, [], [told])
        assert [path.name for path in out.iterdir()] == [LOCK]
    assert run("embed", *toy_photos(1), "--out", out, *QUICK)[0] == 0
    assert LOCK not in {path.name for path in out.iterdir()}
