import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentloop.encoders import EmbedderConfig, embedder_file, load_embedder, make_embedder, save_embedder
from latentloop.encoders.embedder_file import ShippedEmbedder
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code, save_code
from latentloop.losses import pixel_loss
from latentloop.weights import WeightsFile

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")
QUICK = ["--aligned", "--lambda-lpips", "0", "--device", "cpu", "--precision", "float32"]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


@pytest.fixture
def network(float_toy: Generator, tmp_path: Path) -> Path:
    """The file of a network that has learned nothing, and says so loudly."""
    embedder = make_embedder(TINY, float_toy, seed=0)
    torch.nn.init.normal_(embedder.narrow.weight, std=3.0, generator=torch.Generator().manual_seed(0))
    save_embedder(tmp_path / "network.safetensors", embedder)
    return tmp_path / "network.safetensors"


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_one_pass_gives_the_networks_code_and_what_is_drawn_of_it(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, network: Path, tmp_path: Path, batch: int
) -> None:
    photos, out = toy_photos(3), tmp_path / "out"
    command = ["embed", *photos, "--method", "embed", "--embedder", network, "--batch", batch]
    code, lines, errors = run(*command, "--out", out, *QUICK)
    assert (code, errors, len(lines)) == (0, [], 4)
    for photo in photos:
        w_plus = load_embedder(network, float_toy)(read_image(photo))
        found = load_code(out / f"{photo.stem}.npz")
        torch.testing.assert_close(found.w_plus, w_plus[0], rtol=0, atol=1e-5)
        image = float_toy.synthesis(w_plus)
        assert len(found.losses) == 0
        torch.testing.assert_close(read_image(out / f"{photo.stem}.png"), image, rtol=0, atol=0.01)


def test_hybrid_goes_on_from_the_networks_code(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, network: Path, tmp_path: Path
) -> None:
    (photo,) = toy_photos(1)
    method = ["--method", "hybrid", "--embedder", network, "--steps", 20, "--lr", 0.04]
    assert run("embed", photo, *method, "--out", tmp_path / "out", *QUICK)[0] == 0
    found, target = load_code(tmp_path / "out" / f"{photo.stem}.npz"), read_image(photo)
    proposed = pixel_loss(float_toy.synthesis(load_embedder(network, float_toy)(target)), target)
    torch.testing.assert_close(found.losses[:1], proposed, rtol=1e-4, atol=0)
    assert len(found.losses) == 21
    assert found.losses.min() < 0.5 * found.losses[0]
    passed = read_image(tmp_path / "out" / "one-pass" / f"{photo.stem}.png")
    torch.testing.assert_close(
        passed, float_toy.synthesis(load_embedder(network, float_toy)(target)), rtol=0, atol=0.01
    )
    (told,) = json.loads((tmp_path / "out" / "results.json").read_text())["photos"]
    assert told["one_pass"]["metrics"]["mse"] > told["metrics"]["mse"]
    assert 0 < told["one_pass"]["seconds"] <= told["seconds"]
    assert "one pass" in (tmp_path / "out" / "report.html").read_text()
    again = ["embed", photo, *method, "--out", tmp_path / "out", *QUICK]
    assert run(*again)[1][0].endswith("finished earlier")
    (tmp_path / "out" / "one-pass" / f"{photo.stem}.png").unlink()
    assert not run(*again)[1][0].endswith("finished earlier")


def test_another_network_or_method_makes_results_anew(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, network: Path, tmp_path: Path
) -> None:
    (photo,), other = toy_photos(1), tmp_path / "other.safetensors"
    save_embedder(other, make_embedder(TINY, float_toy, seed=1))

    def finished_before(*options: object, first: bool = False) -> bool:
        code, lines, errors = run("embed", photo, *options, "--out", tmp_path / "out", "--steps", 2, *QUICK)
        again = lines[0].endswith("finished earlier")
        assert (code, len(errors)) == (0, not (again or first))
        assert all("photo-0: there is a result with other settings (" in error for error in errors)
        return again

    one_pass = ["--method", "embed", "--embedder", network]
    assert not finished_before(*one_pass, first=True)
    assert finished_before(*one_pass)
    assert not finished_before("--method", "hybrid", "--embedder", network)
    assert not finished_before(*one_pass[:-1], other)
    assert not finished_before()


def test_embed_starts_from_a_code_file(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos, first = toy_photos(1), tmp_path / "first"
    run("embed", *photos, "--out", first, "--steps", 3, *QUICK)
    run("embed", *photos, "--out", tmp_path / "second", "--start", first / "photo-0.npz", "--steps", 3, *QUICK)
    start = load_code(first / "photo-0.npz")
    assert load_code(tmp_path / "second" / "photo-0.npz").losses[0] == start.losses.min()


def test_embed_starts_each_photo_from_its_code_in_a_folder(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> None:
    photos, first, second = toy_photos(3), tmp_path / "first", tmp_path / "second"
    run("embed", *photos[:2], "--out", first, "--steps", 3, *QUICK)
    again = ["embed", *photos, "--out", second, "--start", first, "--steps", 3, *QUICK]
    code, lines, errors = run(*again)
    assert code == 2
    assert errors == [f"latentloop: {photos[2]}: {first / 'photo-2.npz'}: no such file"]
    for i in (0, 1):
        begun, found = (load_code(folder / f"photo-{i}.npz").losses for folder in (first, second))
        assert found[0] == begun.min()
    assert run("embed", *photos[:1], "--out", first, "--steps", 5, *QUICK)[0] == 0
    _, lines, _ = run(*again)
    assert [line.endswith("finished earlier") for line in lines[:2]] == [False, True]
    (first / "photo-0.npz").write_bytes((first / "photo-1.npz").read_bytes())
    _, _, errors = run(*again)
    assert errors[0] == f"latentloop: {photos[0]}: {first / 'photo-0.npz'}: the code of another photo of this name"
    save_code(first / "photo-0.npz", replace(load_code(first / "photo-1.npz"), details={"photo": 3}))
    assert not any(str(photos[0]) in error for error in run(*again)[2])  # whose photo it is, it does not say
    before = (first / "photo-1.npz").read_bytes()
    code, _, errors = run("embed", *photos[:2], "--start", first, "--out", first, *QUICK)
    assert code == 2
    assert errors == [
        f"latentloop: {first}: these codes would be overwritten; choose another folder; see --start, --out"
    ]
    assert (first / "photo-1.npz").read_bytes() == before


def test_a_source_in_the_place_of_the_one_pass_is_not_overwritten(
    run: Run, toy_photos: ToyPhotos, network: Path, tmp_path: Path
) -> None:
    (photo,) = toy_photos(1, "out/one-pass")
    before = photo.read_bytes()
    command = ["embed", photo, "--method", "hybrid", "--embedder", network, "--out", tmp_path / "out", *QUICK]
    assert run(*command)[0] == 2
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ([], "hybrid"),
        (["--method", "embed"], "embed"),
        (["--method", "optimize"], "optimize"),
        (["--start", "sample"], "optimize"),
        (["--space", "w"], "optimize"),
    ],
)
def test_where_a_network_ships_it_is_used_unless_options_say_otherwise(
    run: Run,
    toy_photos: ToyPhotos,
    float_toy: Generator,
    network: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    method: str,
) -> None:
    ours = ShippedEmbedder(WeightsFile(network, sha256_of(network)), float_toy.fingerprint)
    monkeypatch.setattr(embedder_file, "SHIPPED", {"toy-network": ours})
    out = tmp_path / "out"
    assert run("embed", *toy_photos(1), *options, "--steps", 1, "--out", out, *QUICK)[0] == 0
    settings = load_code(out / "photo-0.npz").details["settings"]
    assert settings["method"] == method
    assert ("embedder_sha256" in settings) is (method != "optimize")
    assert len(load_code(out / "photo-0.npz").losses) == (0 if method == "embed" else 2)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            ["--method", "embed"],
            "no embedding network is bundled for toy-32; make one: latentloop train; see --embedder",
        ),
        (
            ["--method", "optimize", "--embedder", "{network}"],
            "method optimize takes no embedder; choose embed or hybrid",
        ),
        (["--embedder", "{network}", "--start", "sample"], "leave start out"),
        (["--embedder", "{network}", "--space", "w"], "for w use method optimize"),
        (["--method", "embed", "--embedder", "{network}", "--polish", "3"], "method embed takes no steps"),
        (
            ["--method", "embed", "--embedder", "{here}/none"],
            "{here}/none: neither a file nor one of the bundled networks",
        ),
        (["--method", "embed", "--embedder", "{other}"], "predicts codes of latent space cats with 4 styles"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(
    run: Run,
    toy_photos: ToyPhotos,
    float_toy: Generator,
    network: Path,
    tmp_path: Path,
    options: list[str],
    problem: str,
) -> None:
    foreign = make_embedder(TINY, float_toy, seed=0)
    foreign.fingerprint, other = "cats", tmp_path / "other.safetensors"
    save_embedder(other, foreign)
    filled = [option.format(here=tmp_path, network=network, other=other) for option in options]
    code, _, errors = run("embed", *toy_photos(1), *filled, "--out", tmp_path / "out", *QUICK)
    assert (code, len(errors)) == (2, 1)
    assert problem.format(here=tmp_path) in errors[0]
    assert not (tmp_path / "out").exists()
