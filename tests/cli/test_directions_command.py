import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from latentloop.editing import read_directions
from latentloop.generators import Generator
from latentloop.images import read_image

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")


def test_ganspace_writes_directions_and_a_sheet(run: Run, float_toy: Generator, tmp_path: Path) -> None:
    out = tmp_path / "found.safetensors"
    arguments = ["--method", "ganspace", "--count", 3, "--layers", "0-2", "--samples", 100, "--sheet", "--faces", 1]
    code, lines, errors = run("directions", "find", *arguments, "--out", out)
    assert (code, errors) == (0, [])
    assert [line.split()[0] for line in lines[:-2]] == ["name", "pc0", "pc1", "pc2"]
    assert lines[-2:] == [str(out), str(tmp_path / "found.png")]
    found = read_directions(out)
    assert list(found) == ["pc0", "pc1", "pc2"]
    assert found["pc0"].layers == (0, 1, 2)
    assert found["pc0"].fingerprint == float_toy.fingerprint
    assert read_image(tmp_path / "found.png").shape[2] > 3 * 128
    assert run("directions", "list", out)[1] == lines[:-2]


def test_an_attribute_is_learnt_from_scores_of_samples(run: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "faces", tmp_path / "bright.safetensors"
    code, lines, errors = run("directions", "samples", "--out", folder, "--count", 120)
    assert (code, errors) == (0, [])
    assert lines == [f"120 pictures in {folder}; add scores to {folder / 'scores.csv'}"]
    with (folder / "scores.csv").open(newline="") as file:
        rows = [row | {"bright": read_image(folder / row["image"]).mean().item()} for row in csv.DictReader(file)]
    with (folder / "scores.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["image", "bright"])
        table.writeheader()
        table.writerows(rows)
    learn = ["directions", "find", "--method", "interfacegan", "--samples", folder, "--out", out, "--attribute"]
    code, lines, errors = run(*learn, "bright")
    assert (code, errors) == (0, [])
    assert read_directions(out)["bright"].about["held-out accuracy"] > 0.8
    code, _, errors = run(*learn, "smile")
    assert (code, errors) == (
        2,
        [f"latentloop: {folder / 'scores.csv'}: has no column smile; its columns: image, bright"],
    )


def test_sefa_finds_directions_of_a_shipped_generator(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    out = tmp_path / "sefa.safetensors"
    found = ["--generator", "mobile-ffhq-256", "--device", "cpu", "--samples", 50, "--count", 2, "--layers", "coarse"]
    code, _, errors = run("directions", "find", *found, "--out", out)
    assert (code, errors) == (0, [])
    assert list(read_directions(out)) == ["sefa0", "sefa1"]
    assert read_directions(out)["sefa1"].vector.shape == (512,)


def test_a_generator_without_directions_says_how_to_find_some(run: Run) -> None:
    code, lines, errors = run("directions", "list")
    assert (code, lines) == (0, [])
    assert errors == ["latentloop: no directions come with toy-32; find some: latentloop directions find --help"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["find", "--count", 3],
            "toy-32: does not expose the weights that SeFa needs; use GANSpace instead; see --method",
        ),
        (["find", "--method", "ganspace", "--count", 9], "10000 samples of toy-32 have 1 to 8 directions"),
        (["find", "--method", "ganspace", "--count", 0], "count must be 1 or more, samples 2 or more"),
        (["find", "--method", "ganspace", "--samples", 1], "count must be 1 or more, samples 2 or more"),
        (
            ["find", "--samples", "{here}"],
            "interfacegan takes a folder of samples and an attribute, the others a number",
        ),
        (["find", "--method", "interfacegan"], "interfacegan takes a folder of samples and an attribute"),
        (["find", "--method", "ganspace", "--layers", "9"], "layers '9': this generator has the layers 0 to 3"),
        (
            ["find", "--method", "interfacegan", "--samples", "{here}", "--attribute", "smile"],
            "{here}/codes.safetensors: no such file",
        ),
        (["find", "--faces", 0], "faces must be 1 or more, got 0"),
        (["samples", "--count", 0], "count must be 1 or more, got 0"),
        (["list", "{here}/none.npy"], "{here}/none.npy: no such file"),
        ([], "name one of list, find, samples; see latentloop directions --help"),
    ],
)
def test_bad_input_is_told_in_one_line(run: Run, tmp_path: Path, arguments: list[object], problem: str) -> None:
    code, _, errors = run("directions", *(str(argument).format(here=tmp_path) for argument in arguments))
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(f"latentloop: {problem.format(here=tmp_path)}")
