import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop import load_generator
from latentloop.defaults import QUICK_GENERATOR
from latentloop.editing import Direction, edit, parse_layers
from latentloop.editing.direction_file import read_directions, save_directions
from latentloop.editing.layers import describe_layers
from latentloop.faces import load_face_detector
from latentloop.generators import Generator
from latentloop.latents import mean_code
from latentloop.weights import ASSETS

PHOTOS = ("anna", "ben")
SHIPPED = read_directions(ASSETS / "directions-ffhq.safetensors")


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("calibrate_directions")


def drawn(script: ModuleType, folder: Path, name: str, scores: Sequence[Sequence[float | None]], lost: float) -> None:
    """Add to a folder what draw and the scorers would have written of one direction."""
    path = folder / "directions.safetensors"
    known = list(read_directions(path).values()) if path.exists() else []
    one = Direction(name, torch.full((8,), float(len(known) + 1)), (0, 1), 4, "0" * 16, "toy")
    save_directions(path, [*known, one])
    with (folder / "costs.csv").open("a") as costs, (folder / "scores.csv").open("a") as table:
        costs.write("" if known else "direction,strength,photo,lost\n")
        table.write("" if known else "file,age,mouth_corners\n")
        column = "{0}," if name.startswith("age") else ",{0}"
        for photo, row in zip(PHOTOS, scores, strict=True):
            for strength, score in zip(script.STRENGTHS, row, strict=True):
                file = script.picture(name if strength else "unchanged", strength, photo)
                table.write(f"{file},{column.format('' if score is None else score)}\n")
                costs.write(f"{name},{strength},{photo},{lost}\n" if strength else "")


def test_of_the_directions_that_work_the_one_that_moves_most_is_kept(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn(script, tmp_path, "age mit all", [[1, 2, 3, 4, 5.5], [1, 2, 3, 5, 4.5]], 0.2)
    drawn(script, tmp_path, "age mit 0-3", [[1, 1.5, 3, 5.5, 6], [1, 2, 3, 5, 6]], 0.2)
    drawn(script, tmp_path, "age mit 0-5", [[1, 1.5, 3, 9, 10], [1, 2, 3, 9, 11]], 0.25)  # costs too much
    drawn(script, tmp_path, "age mit 0-7", [[1, 1.5, 3, 9, 8], [1, 2, 3, 9, 7]], 0.2)  # goes back
    drawn(script, tmp_path, "smile mit all", [[5, 4, 3, 2, 1], [5, 4, 3, 2, 1]], 0.2)
    script.Fit(tmp_path, (tmp_path / "scores.csv",), tmp_path / "kept.safetensors").run()
    kept = read_directions(tmp_path / "kept.safetensors")
    assert list(kept) == ["age"]
    assert (kept["age"].vector == 2).all()
    about = kept["age"].about
    assert about["scores"] == pytest.approx([1, 1.75, 3, 5.25, 6])
    assert (about["monotone in"], about["photos"]) == (1, 2)
    assert about["identity lost"] == {"-1": 0.2, "+1": 0.2}
    assert "| age mit all | age | 1 2 3 4.5 5 | 50% of 2 | 0.2 0.2 |" in capsys.readouterr().out


def test_photos_without_a_score_do_not_count(script: ModuleType, tmp_path: Path) -> None:
    drawn(script, tmp_path, "age mit all", [[1, 2, 3, 4, 5], [9, 9, None, 9, 9]], 0.1)
    script.Fit(tmp_path, (tmp_path / "scores.csv",), tmp_path / "kept.safetensors").run()
    about = read_directions(tmp_path / "kept.safetensors")["age"].about
    assert (about["scores"], about["photos"]) == ([1, 2, 3, 4, 5], 1)


def test_strength_1_costs_what_it_is_to(script: ModuleType, toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def similarity(image: Tensor, target: Tensor, _: object) -> Tensor:
        return 1 - (image - target).square().sum((1, 2, 3))

    monkeypatch.setattr(script, "identity_similarity", similarity)
    codes = torch.randn(3, 4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    codes = codes.repeat_interleave(script.ROUNDS[-1], dim=0)  # the last round sees one of each
    images = [toy.synthesis(code[None]) for code in codes]
    subjects = script.Subjects([str(i) for i in range(len(codes))], codes, images, toy, face_embedder=None)
    vector = torch.ones(8, dtype=torch.float64) / 8**0.5
    scaled = subjects.scaled(Direction("x", vector, (1, 2), 4, "0" * 16, "toy"), 0.5)
    assert torch.cosine_similarity(scaled.vector, vector, dim=0) == pytest.approx(1)
    change = torch.zeros(4, 8, dtype=torch.float64)
    change[1:3] = scaled.vector
    both = [(toy.synthesis(codes + way * change) - torch.cat(images)).square().sum((1, 2, 3)) for way in (1, -1)]
    assert torch.cat(both).mean().item() == pytest.approx(0.5, rel=0.03)


def test_each_attribute_is_tried_from_all_sources_on_all_ranges(
    script: ModuleType, toy: Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(script, "RANGES", ("all", "0-1", "3"))
    paths = {name: tmp_path / f"{name}.npz" for name in ("mit", "noncommercial")}
    np.savez(paths["mit"], pose=np.full((4, 8), 2.0))
    np.savez(paths["noncommercial"], angle_horizontal=np.arange(8.0))
    found = list(script.Draw(**paths, photos=(), only=("yaw",), search=True)._directions(toy))
    assert [describe_layers(one.layers) for one in found] == ["0-3", "0-1", "3"] * 2
    assert all(one.vector.norm() == pytest.approx(1) for one in found)
    assert (found[0].vector < 0).all()  # the other way round
    assert (found[3].vector[1:] > 0).all()
    assert [one.licence for one in found[::3]] == ["MIT", "NVIDIA Source Code License, non-commercial"]


def test_tables_are_read_as_written(script: ModuleType, tmp_path: Path) -> None:
    rows = [{"direction": "a", "strength": -1.0, "photo": "x, y", "lost": 0.25}]
    script.write_table(tmp_path / "costs.csv", rows)
    assert script.read_costs(tmp_path / "costs.csv") == {("a", -1.0): {"x, y": 0.25}}
    with (tmp_path / "costs.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["direction", "strength", "photo", "lost"]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_we_ship_does_what_its_figures_promise(script: ModuleType, name: str) -> None:
    about, vector = SHIPPED[name].about, SHIPPED[name].vector
    assert script.rises(about["scores"])
    assert sum(about["identity lost"].values()) / 2 == pytest.approx(0.15, abs=0.02)
    assert max(about["identity lost"].values()) < script.MOST_LOST
    assert vector.isfinite().all()
    assert SHIPPED[name].licence != "unknown"


def test_what_we_ship_is_of_the_attributes_and_layers_of_the_script(script: ModuleType) -> None:
    for name, direction in SHIPPED.items():
        assert direction.layers == parse_layers(script.ATTRIBUTES[name].layers, direction.num_ws)


@pytest.fixture(scope="module")
def landmarks() -> Callable[[str, float], Tensor]:
    """Five landmarks (x, y) of the mean face moved along what we ship, by MTCNN."""
    generator, detector = load_generator(QUICK_GENERATOR), load_face_detector()

    def find(name: str, strength: float) -> Tensor:
        assert SHIPPED[name].fingerprint == generator.fingerprint
        code = edit(mean_code(generator), [(SHIPPED[name], strength)])
        return detector.detect(generator.synthesis(code).clamp(-1, 1)).landmarks[0]

    return find


def test_positive_yaw_turns_to_the_pictures_right(landmarks: Callable[[str, float], Tensor]) -> None:
    noses = []
    for strength in (-1, 0, 1):
        left, right, nose, *_ = landmarks("yaw", strength)
        noses.append(((nose - left)[0] / (right - left)[0]).item())
    assert noses[1] - noses[0] > 0.1
    assert noses[2] - noses[1] > 0.1


def test_positive_pitch_looks_up(landmarks: Callable[[str, float], Tensor]) -> None:
    noses = []
    for strength in (-1, 0, 1):
        left, right, nose, *mouth = landmarks("pitch", strength)
        eyes, lips = (left + right) / 2, (mouth[0] + mouth[1]) / 2
        noses.append(((lips - nose)[1] / (lips - eyes)[1]).item())
    assert noses[1] - noses[0] > 0.05
    assert noses[2] - noses[1] > 0.05


def test_a_smile_widens_the_mouth(landmarks: Callable[[str, float], Tensor]) -> None:
    widths = []
    for strength in (-1, 0, 1):
        left, right, _, *mouth = landmarks("smile", strength)
        widths.append(((mouth[1] - mouth[0]).norm() / (right - left).norm()).item())
    assert widths[1] - widths[0] > 0.05
    assert widths[2] - widths[1] > 0.05
