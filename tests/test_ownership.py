import json
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.images import write_png
from latentloop.ownership import (
    Ours,
    beginning_with,
    is_foreign,
    mark,
    mark_in,
    marked_by,
    refuse_foreign,
    refuse_links,
    with_entries,
)
from latentloop.video import write_gif

IMAGE = torch.zeros(1, 3, 8, 8)


def test_a_mark_is_found_again_and_is_one_commands() -> None:
    assert mark("embed") == "latentloop embed"
    assert mark("embed", "ab12") == "latentloop embed ab12"


def test_pictures_and_json_files_carry_marks(tmp_path: Path) -> None:
    text = mark("embed", "ab12")
    write_png(tmp_path / "a.png", IMAGE, comment=text)
    write_gif(tmp_path / "a.GIF", [IMAGE], 10, comment=text)
    (tmp_path / "a.json").write_text(json.dumps({"signature": text}))
    (tmp_path / "a.txt").write_text(text)
    names = ("a.png", "a.GIF", "a.json", "a.txt", "missing.png")
    assert [mark_in(tmp_path / name, "embed") for name in names] == [text, text, text, None, None]
    assert not any(mark_in(tmp_path / name, command) for name in names for command in ("edit", "emb", "ab12"))


@pytest.mark.parametrize(
    ("ours", "content", "right"),
    [
        (beginning_with("<title>Ours"), "<html>\n<title>Ours, too", True),
        (beginning_with("<title>Ours"), "<title>Theirs", False),
        (beginning_with("<title>Ours"), " " * 5000 + "<title>Ours", False),
        (with_entries("key", "cost"), '{"key": 1, "cost": 2, "more": 3}', True),
        (with_entries("key", "cost"), '{"key": 1}', False),
        (with_entries("key", "cost"), '[{"key": 1, "cost": 2}]', False),
        (with_entries("key", "cost"), '{\n  "key": 1, "co', True),
        (with_entries("key", "cost"), '{"cost": 1, "ke', False),
        (with_entries("key", "cost"), "[" * 100_000, False),
        (with_entries("key", "cost"), "", False),
    ],
)
def test_texts_are_known_by_what_they_hold(tmp_path: Path, ours: Ours, content: str, right: bool) -> None:
    (tmp_path / "file").write_text(content)
    assert is_foreign(tmp_path / "file", ours) is not right


def test_a_file_that_is_no_text_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe\x00")
    assert is_foreign(tmp_path / "file", with_entries("key"))
    assert is_foreign(tmp_path / "file", beginning_with("key"))


def test_links_and_folders_are_foreign_wherever_they_lead(tmp_path: Path) -> None:
    ours = tmp_path / "ours.png"
    write_png(ours, IMAGE, comment=mark("embed"))
    assert not is_foreign(ours, marked_by("embed"))
    assert not is_foreign(tmp_path / "missing.png", marked_by("embed"))
    for name, target in (("link.png", ours), ("dangling.png", tmp_path / "nowhere")):
        (tmp_path / name).symlink_to(target)
        assert is_foreign(tmp_path / name, marked_by("embed"))
    (tmp_path / "folder.png").mkdir()
    assert is_foreign(tmp_path / "folder.png", lambda _: True)


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match=r"would overwrite .*a\.png; choose another folder") as refused:
        refuse_foreign([tmp_path / "missing.png", tmp_path / "a.png"], marked_by("embed"))
    assert refused.value.arguments == ("out",)
    (tmp_path / "link").symlink_to(tmp_path)
    refuse_links(tmp_path, tmp_path / "missing")
    with pytest.raises(UserError, match="link: a link"):
        refuse_links(tmp_path, tmp_path / "link")
