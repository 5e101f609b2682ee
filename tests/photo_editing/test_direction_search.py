from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentloop.editing import Direction, save_directions
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents import sample_codes
from latentloop.photo_editing.direction_search import (
    STRENGTHS,
    draw_rows,
    find_unsupervised,
    known_directions,
    measured,
    sheet,
    table,
)

SMILE = Direction(
    "smile", torch.ones(8), (0, 1, 3), 4, "f" * 16, "cats", licence="CC0", about={"std": 1.23456, "u": "x"}
)


@pytest.mark.parametrize(("count", "samples", "most"), [(9, 100, 8), (8, 8, 7), (0, 100, 8)])
def test_more_directions_than_there_are_are_refused(float_toy: Generator, count: int, samples: int, most: int) -> None:
    with pytest.raises(UserError, match=rf"--count {count}: {samples} samples of toy-32 have 1 to {most} directions"):
        find_unsupervised(float_toy, "ganspace", count=count, layers="all", samples=samples, seed=0)


def test_a_seed_finds_the_same_directions(float_toy: Generator) -> None:
    first, again, other = (
        find_unsupervised(float_toy, "ganspace", count=2, layers="0-1", samples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first[0].vector, again[0].vector)
    assert not torch.equal(first[0].vector, other[0].vector)
    assert first[0].layers == (0, 1)


def test_rows_show_each_strength_of_each_direction_on_each_face(float_toy: Generator) -> None:
    directions = find_unsupervised(float_toy, "ganspace", count=3, layers="all", samples=50, seed=1)
    rows = list(draw_rows(float_toy, directions, faces=2, seed=5))
    assert len(rows) == 6
    faces = sample_codes(float_toy, 2, randomness=torch.Generator().manual_seed(5), truncation_psi=0.7)
    for i, row in enumerate(rows):
        for strength, image in zip(STRENGTHS, row, strict=True):
            code = faces[i % 2] + strength * directions[i // 2].vector
            torch.testing.assert_close(image, float_toy.synthesis(code[None]))
    picture = sheet(rows, directions)
    assert picture.shape[2] > 6 * 128
    assert picture.shape[3] > 7 * 128


def test_a_table_has_a_line_for_each_direction_and_columns_that_stand_below_each_other() -> None:
    head, line = table([SMILE])
    assert line.split() == ["smile", "-", "0-1,3", "std", "1.235", "CC0"]
    assert head.index("licence") == line.index("CC0")


def test_what_was_measured_of_a_calibrated_direction_is_told() -> None:
    about = {"positive": "smiles", "score": "mouth", "strengths": [-2.0, 2.0], "scores": [0.1, 0.52]}
    calibrated = replace(SMILE, about={**about, "identity lost": {"-1": 0.1, "+1": 0.2}})
    told = "mouth: 0.1 at -2, 0.52 at +2; identity lost: 0.10 at -1, 0.20 at +1"
    assert measured(calibrated) == told
    assert table([calibrated])[1].split()[:2] == ["smile", "smiles"]
    changes: list[dict[str, Any]] = [{"scores": ["x"]}, {"strengths": []}, {"identity lost": "much"}, {"scores": None}]
    for broken in changes:
        assert measured(replace(calibrated, about={**calibrated.about, **broken})) == "-"


def test_known_directions_are_those_of_a_file_whosever_they_are(float_toy: Generator, tmp_path: Path) -> None:
    save_directions(tmp_path / "ours", [SMILE])
    assert known_directions(tmp_path / "ours", float_toy)[0].generator == "cats"
    np.save(tmp_path / "boundary.npy", np.ones((1, 8)))
    assert known_directions(tmp_path / "boundary.npy", float_toy)[0].name == "boundary"
    assert known_directions(None, float_toy) == []
    with pytest.raises(UserError, match=r"none\.npy: no such file"):
        known_directions(tmp_path / "none.npy", float_toy)
