import re
from pathlib import Path
from typing import Any

import pytest

from latentloop.photo_editing.edit_name import edit_suffix


@pytest.mark.parametrize(
    ("strengths", "options", "name"),
    [
        ([("smile", 1.5), ("age", -1.0)], {}, "smile1.5-age-1"),
        ([("eyes_open", 0.0)], {}, "eyes_open0"),
        ([("smile", 1.0)], {"keep": ["gender", "glasses"]}, "smile1-keep-gender-glasses"),
        ([("smile", 1.0)], {"layers": "0-3"}, "smile1-layers0-3"),
        ([("smile", 1.0)], {"keep": ["age"], "layers": "coarse, 7"}, "smile1-keep-age-layerscoarse+7"),
        ([("smile", 1.00000001)], {}, "smile1.00000001"),
        ([("smile", 1e-7)], {}, "smile1e-07"),
    ],
)
def test_a_name_says_the_edit(strengths: list[tuple[str, float]], options: dict[str, Any], name: str) -> None:
    assert edit_suffix(strengths, **options) == name


def test_directions_of_files_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.safetensors").write_text(folder)

    def name(text: str) -> str:
        return edit_suffix([(str(tmp_path / text), 1.5)])

    names = [name("a/mine.safetensors"), name("b/mine.safetensors"), name("a/mine.safetensors:smile")]
    assert re.fullmatch(r"mine1\.5-[0-9a-f]{8}", names[0])
    assert re.fullmatch(r"smile1\.5-[0-9a-f]{8}", names[2])
    assert edit_suffix([(str(tmp_path / "a/mine.safetensors"), 1)]) == edit_suffix(
        [(str(tmp_path / "a/mine.safetensors"), 1.0)]
    )
    assert name("a/../a/mine.safetensors") == names[0]
    (tmp_path / "a" / "mine.safetensors").write_text("found anew")
    assert len({*names, name("a/mine.safetensors")}) == 4


@pytest.mark.parametrize("name", ["../../etc/passwd", 'a<b>:"c|d?*\\', "größer", "CON", "x" * 300, "smile 1", ".", ""])
def test_odd_names_make_names_of_files(name: str, tmp_path: Path) -> None:
    suffix = edit_suffix([(name, 2.0)])
    assert re.fullmatch(r"[0-9A-Za-z_]*[0-9A-Za-z_.+-]*-[0-9a-f]{8}", suffix)
    assert len(suffix) <= 100
    (tmp_path / f"anna-{suffix}.png").touch()


def test_long_edits_have_short_names_of_their_own() -> None:
    many = [(name, 1.23) for name in ("smile", "age", "yaw", "pitch", "gender", "glasses", "anger", "sadness") * 2]
    names = {edit_suffix([*many, ("smile", strength)]) for strength in (1.0, 2.0)}
    assert len(names) == 2
    assert {len(name) for name in names} == {100}
