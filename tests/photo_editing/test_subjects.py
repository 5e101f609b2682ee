from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.photo_editing.subjects import expand, is_coded, once


def test_each_file_once_where_it_came_first(tmp_path: Path) -> None:
    anna, bob = str(tmp_path / "anna.png"), str(tmp_path / "bob.png")
    again = str(tmp_path / "there" / ".." / "anna.png")
    assert once([anna, "seed:1", bob, "seed:1", again]) == [anna, "seed:1", bob]


def test_what_repeats_is_kept_until_then() -> None:
    assert expand(["seed:1", "seed:2", "seed:1"]) == ["seed:1", "seed:2", "seed:1"]


def test_an_empty_name_is_none() -> None:
    with pytest.raises(UserError, match="empty name"):
        expand([""])


@pytest.mark.parametrize("name", ["seed:7", "a.npz", "b.NPY", "c.pt"])
def test_codes_and_photos(name: str) -> None:
    assert is_coded(name)
    assert not is_coded("a.png")
