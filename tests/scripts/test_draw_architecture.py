import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("draw_architecture")


def test_every_room_is_in_the_picture_and_says_what_it_is(script: ModuleType) -> None:
    rows = script.floors()
    shown = {text.get_text() for text in script.draw(rows).axes[0].texts}
    for room in (room for row in rows for room in row):
        assert room in shown
        assert re.fullmatch(r"[A-Z].+\.", script.about(room))


def test_all_that_imports_others_has_a_floor(script: ModuleType) -> None:
    package = ROOT / "src" / "latentloop"
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    free = {"__init__", "__main__"}
    assert rooms - free == {room for row in script.floors() for room in row}


def test_the_page_names_files_that_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "latentloop"
    names = [name for name in re.findall(r"`((?:\w+/)+\w+\.py)`", page) if "NAME" not in name]
    assert len(names) > 12
    for name in names:
        assert (package / name).exists() or (ROOT / name).exists(), name
