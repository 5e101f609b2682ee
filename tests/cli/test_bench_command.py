import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import GeneratorFile, MobileStyleGAN, StyleGAN2, mobilestylegan, write_generator_file
from latentloop.generators.registry import load_generator, save_generator
from latentloop.generators.stylegan2 import Shape

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
FILES = ["results.csv", "summary.csv", "summary.json", "table.md", "pareto.png", "grid.png", "report.html"]
pytestmark = pytest.mark.usefixtures("process", "no_vgg")


@pytest.fixture
def no_vgg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The file of a generator of 32-pixel images."""
    torch.manual_seed(0)
    shape = mobilestylegan.Shape(w_dim=8, num_ws=6, channels=(16, 16, 8))
    save_generator(tmp_path / "tiny.safetensors", MobileStyleGAN(shape, name="", fingerprint=""))
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def network(tiny: Path, tmp_path: Path) -> Path:
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, load_generator(tiny), seed=0))
    return tmp_path / "network.safetensors"


def test_methods_are_compared_and_gone_on_with(
    run: Run, toy_photos: ToyPhotos, tiny: Path, network: Path, tmp_path: Path
) -> None:
    photos, out = toy_photos(2), tmp_path / "out"
    methods = ["one-pass", "hybrid:3", "optimize:3", "image2stylegan", "projector-w+"]
    command = ["bench", "--root", photos[0].parent, "--aligned", "--device", "cpu", "--out", out]
    command += ["--generator", tiny, "--embedder", network]
    code, lines, errors = run(*command, "--steps", 2, "--methods", *methods)
    assert (code, errors) == (0, [])
    assert lines[-len(FILES) :] == [str(out / name) for name in FILES]
    assert lines[0].startswith("one-pass: photo-0: mse ")
    rows = list(csv.DictReader(StringIO((out / "results.csv").read_text())))
    assert len(rows) == 10
    names = list(dict.fromkeys(row["method"] for row in rows))
    assert names == ["one-pass", "hybrid-3", "optimize-3", "image2stylegan-2", "projector-w+-2"]
    calls = {row["method"]: int(row["generator_calls"]) for row in rows}
    assert calls == {"one-pass": 1, "hybrid-3": 5, "optimize-3": 5, "image2stylegan-2": 4, "projector-w+-2": 4}
    table = (out / "table.md").read_text()
    assert "- data: folder: 2 images found" in table
    assert "published with 5,000 steps, here 2; AlexNet's features instead of VGG16's" in table
    with Image.open(out / "grid.png") as grid:
        assert grid.size == (192 * 6, 18 + 192 * 2)
    assert (out / "report.html").read_text().count("data:image/png") == 2
    before = (out / "results.csv").read_text()
    assert run(*command, "--steps", 2, "--methods", *methods)[0] == 0
    assert (out / "results.csv").read_text() == before


def test_a_generator_with_noise_has_it_optimized(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = StyleGAN2(Shape(mapping=(8, 8), channels=(4,) * 4), name="", fingerprint="")
    for layer in generator.synthesis.layers:
        torch.nn.init.ones_(layer.noise_strength)
    path = tmp_path / "noisy.safetensors"
    write_generator_file(path, GeneratorFile("stylegan2", dict(generator.state_dict())))
    photos, out = toy_photos(1), tmp_path / "out"
    command = ["bench", "--root", photos[0].parent, "--aligned", "--device", "cpu", "--out", out, "--generator", path]
    code, _, errors = run(*command, "--steps", 8, "--methods", "image2stylegan++", "projector")
    assert (code, errors) == (0, [])
    rows = {row["method"]: row for row in csv.DictReader(StringIO((out / "results.csv").read_text()))}
    # Six images of five steps of the styles, three of the noise, two results.
    assert int(rows["image2stylegan++-8"]["generator_calls"]) == 11
    assert "float32" in (out / "table.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "psp"], "unknown method 'psp'; choose from one-pass, two-looks, "),
        (["--methods", "projecter"], "unknown method 'projecter'; did you mean projector?"),
        (["--methods", "hybrid:many"], "hybrid:many: steps must be 1 or more, as in hybrid:100"),
        (["--methods", "one-pass:5"], "one-pass:5: one-pass takes no steps"),
        (["--methods", "optimize", "optimize:100"], "optimize-100 is named twice"),
        (
            ["--methods", "one-pass"],
            "no embedding network is bundled for tiny; make one: latentloop train; see --embedder",
        ),
        (["--methods", "image2stylegan++"], "tiny takes no noise maps; use Image2StyleGAN instead of Image2StyleGAN++"),
        (["--methods", "stylegan-encoder"], "stylegan-encoder needs images of 176 pixels or more"),
        (["--features", "vgg16", "--methods", "optimize"], "latentloop fetch vgg16"),
        (["--data", "celeba-hq"], "CelebA"),
        (["--root", "nowhere"], "nowhere"),
    ],
    ids=str,
)
def test_bad_input_is_told_in_one_line(
    run: Run, toy_photos: ToyPhotos, tiny: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    root = ["--root", toy_photos(1)[0].parent] if "--root" not in options else []
    command = ["bench", *root, "--generator", tiny, "--aligned", "--device", "cpu", "--out", tmp_path / "out"]
    code, lines, errors = run(*command, *options)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert message in errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (["generator", "--methods", "pti"], "--methods"),
        (["collaboration", "--engines", "onnx", "--compile"], "--compile, --engines"),
        (["training", "--engines", "onnx"], "--engines"),
        (["methods", "--runs", "50"], "--runs"),
        (["--root", "photos", "--batches", "2"], "--batches"),
    ],
    ids=str,
)
def test_options_that_would_be_ignored_are_refused(run: Run, command: list[str], flags: str) -> None:
    what = command[0] if "--" not in command[0] else "methods"
    said = f"latentloop: an option does not apply to bench {what}; see {flags}"
    assert run("bench", *command) == (2, [], [said])


def test_runs_on_other_sets_stand_beside(run: Run, toy_photos: ToyPhotos, tiny: Path, tmp_path: Path) -> None:
    first, second = toy_photos(2, "first")[0].parent, toy_photos(1, "second")[0].parent
    other, out = tmp_path / "other", tmp_path / "out"
    command: list[object] = ["bench", "--generator", tiny, "--aligned", "--device", "cpu"]
    assert run(*command, "--root", first, "--out", other, "--methods", "optimize:1", "optimize:2")[0] == 0
    command += ["--root", second, "--out", out, "--methods", "optimize:2", "--beside", other]
    code, _, errors = run(*command)
    assert (code, errors) == (0, [])
    table = (out / "table.md").read_text().splitlines()
    assert "| method | second, 1 image | first, 2 images |" in table
    assert table[-4].startswith("| Ours, iterator alone, 2 steps | ")
    assert table[-3].startswith("| Ours, iterator alone, 1 steps | - | ")
    assert "first, 2 images" in (out / "report.html").read_text()
    before = (out / "table.md").read_text()
    assert run(*command, "--protocol", "psp") == (
        2,
        [],
        [f"latentloop: {other}: made with another protocol, strict; here it is psp; see --beside"],
    )
    assert (out / "table.md").read_text() == before


def test_without_images_it_says_what_to_name(run: Run) -> None:
    assert run("bench")[2] == ["latentloop: name the folder with the images, such as examples/photos; see --root"]


def test_a_damaged_image_is_left_out_and_named(run: Run, toy_photos: ToyPhotos, tiny: Path, tmp_path: Path) -> None:
    photos, out = toy_photos(1), tmp_path / "out"
    (photos[0].parent / "broken.png").write_bytes(b"no image")
    command = ["bench", "--root", photos[0].parent, "--aligned", "--device", "cpu", "--out", out, "--generator", tiny]
    code, _, errors = run(*command, "--methods", "optimize:1")
    assert code == 2
    assert len(errors) == 1
    assert "broken.png: not an image" in errors[0]
    assert "- Left out: " in (out / "table.md").read_text()
    assert len((out / "results.csv").read_text().splitlines()) == 2
