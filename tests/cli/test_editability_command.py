import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest
import torch

from latentloop.benchmark import editability
from latentloop.benchmark.edit_meter import COLUMNS, EditMeter
from latentloop.editing import Direction, save_directions
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import load_generator
from latentloop.latents import load_code

Run = Callable[..., tuple[int, list[str], list[str]]]
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


@pytest.fixture
def command(small_generator: Callable[..., Path], small_photos: Callable[..., Path], tmp_path: Path) -> list[object]:
    """The command on two photos, with a generator, a network and two directions of its own."""
    file = small_generator()
    generator = load_generator(file)
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, generator, seed=0))
    told: dict[str, Any] = {"num_ws": 6, "fingerprint": generator.fingerprint, "generator": generator.name}
    vectors = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    smile, age = Direction("smile", vectors[0], (1, 2), **told), Direction("age", vectors[1], (0, 1, 2, 3), **told)
    save_directions(tmp_path / "d.safetensors", [smile, age])
    names = [f"{tmp_path / 'd.safetensors'}:{name}" for name in ("smile", "age")]
    made: list[object] = ["--generator", file, "--embedder", tmp_path / "network.safetensors", "--directions", *names]
    common = ["--aligned", "--device", "cpu", "--precision", "float32", "--samples", "20"]
    return ["bench", "editability", small_photos(file, 2), "--out", tmp_path / "out", *made, *common]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sum of each code that is measured from now on."""
    codes: list[float] = []
    measure = EditMeter.measure

    def count(self: EditMeter, w_plus: torch.Tensor, photo: torch.Tensor) -> dict[str, float]:
        codes.append(float(w_plus.sum()))
        return measure(self, w_plus, photo)

    monkeypatch.setattr(EditMeter, "measure", count)
    return codes


def test_a_row_of_means_for_each_number_of_steps(run: Run, command: list[object], tmp_path: Path) -> None:
    code, lines, errors = run(*command, "--steps", "0", "2")
    assert (code, errors) == (0, [])
    out = tmp_path / "out"
    assert lines[-2:] == [str(out / "editability.md"), str(out / "editability.json")]
    assert "\n".join(lines[:-2]) in (out / "editability.md").read_text()
    rows = json.loads((out / "editability.json").read_text())["rows"]
    assert [row["steps"] for row in rows] == [0, 2]
    for row, line in zip(rows, lines[2:], strict=False):
        assert list(row["images"]) == ["0", "1"]
        cells = [str(row["steps"])]
        for name in COLUMNS:
            average = median if name in ("lec", "lec_unedited") else fmean
            cells.append(f"{average(figures[name] for figures in row['images'].values()):.3f}")
        assert line == f"| {' | '.join([*cells, '2'])} |"
    start, stepped = (load_code(out / folder / "0.npz") for folder in ("steps-0", "steps-2"))
    assert rows[0]["images"]["0"]["distance"] == pytest.approx(0, abs=1e-3)  # the aligned photo has 8 bits
    moved = float((start.w_plus - stepped.w_plus).square().mean().sqrt())
    assert rows[1]["images"]["0"]["distance"] == pytest.approx(moved, abs=1e-3)


def test_what_is_measured_is_kept(run: Run, command: list[object], measured: list[float]) -> None:
    first = run(*command, "--steps", "2")
    assert len(measured) == 2
    both = run(*command, "--steps", "0", "2")
    assert len(measured) == 4
    assert both[1][3] == first[1][2]
    run(*command, "--steps", "2", "--strength", "0.5")
    assert len(measured) == 6


def test_a_finished_run_computes_no_anchors(run: Run, command: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(*command, "--steps", "0")
    monkeypatch.delattr(editability, "style_alignment")
    assert run(*command, "--steps", "0") == before


def test_a_damaged_photo_is_left_out_and_named_once(run: Run, command: list[object], tmp_path: Path) -> None:
    (tmp_path / "faces" / "broken.png").write_bytes(b"no image")
    code, lines, errors = run(*command, "--steps", "0", "1")
    assert (code, len(errors)) == (2, 1)
    assert "broken.png: not an image" in errors[0]
    assert [line.split(" | ")[-1] for line in lines[2:4]] == ["2 |", "2 |"]
    assert (tmp_path / "out" / "editability.md").read_text().count("- Left out: ") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--steps", "5", "5"],
            "name at least one number of steps, each only once; see latentloop bench editability --help",
        ),
        (["--steps", "-1"], "steps must be 0 or more, got -1"),
        (["--strength", "0"], "strength must be above 0"),
        (["--samples", "1"], "samples must be 2 or more, got 1"),
        (["--directions", "grin"], "grin: neither a file nor a bundled direction"),
        (["--method", "embed"], "no option --method"),
    ],
    ids=str,
)
def test_bad_input_is_told_in_one_line(
    run: Run, command: list[object], tmp_path: Path, options: list[str], message: str
) -> None:
    code, lines, errors = run(*command, *options)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert message in errors[0]
    assert not (tmp_path / "out").exists()
