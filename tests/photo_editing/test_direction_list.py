from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentloop.editing import Direction, save_directions
from latentloop.errors import UserError
from latentloop.generators import Generator, list_generators, load_generator
from latentloop.photo_editing.direction_list import (
    known_directions,
    list_directions,
    measured,
    table,
)

SMILE = Direction(
    "smile", torch.ones(8), (0, 1, 3), 4, "f" * 16, "cats", licence="CC0", about={"std": 1.23456, "u": "x"}
)


def test_a_table_has_a_line_for_each_direction_and_columns_that_stand_below_each_other() -> None:
    head, line = table([SMILE])
    assert line.split() == ["smile", "-", "0-1,3", "std", "1.235", "CC0"]
    assert head.index("licence") == line.index("CC0")


def test_a_listing_in_python_is_short_enough_to_read() -> None:
    listed = list_directions()
    assert str(listed[1]) == "DirectionInfo(name='smile', positive='smiles more')"
    assert len(str(listed)) < 80 * len(listed)
    assert "licence" not in str(list_generators())


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


def test_the_bundled_directions_are_listed_with_what_was_measured(float_toy: Generator) -> None:
    infos = list_directions()
    assert [one.name for one in infos] == [
        "age",
        "smile",
        "yaw",
        "pitch",
        "gender",
        "glasses",
        "eyes_open",
        "surprise",
        "anger",
        "sadness",
        "face_width",
        "face_height",
    ]
    age = infos[0]
    assert (age.positive, age.layers, age.licence, age.generator) == ("older", "0-15", "MIT", "mobile-ffhq-1024")
    assert age.measured == "age: 5.12 at -2, 57.4 at +2; identity lost: 0.17 at -1, 0.14 at +1"
    assert list_directions(float_toy) == []


def test_directions_are_listed_for_each_generator_of_their_latent_space() -> None:
    infos = list_directions(load_generator("mobile-ffhq-256"))
    assert [one.name for one in infos] == [one.name for one in list_directions()]
