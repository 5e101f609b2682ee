import glob
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from latentloop.globs import files_matching

Make = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return make


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.png",
        "**",
        "**/*.png",
        "d/**/*.png",
        "d/**",
        "**/e/*",
        "**/**/a.png",
        "./**/*.png",
        "*/**/a.*",
        "none/**",
    ],
)
def test_what_a_glob_matches_is_what_pythons_own_matches(make: Make, pattern: str, absolute: bool) -> None:
    make("b.png", "a.png", "d/a.png", "d/e/a.png", "d/e/b.jpg", "d[x]/a.png", ".hidden/a.png", ".h.png")
    pattern = os.path.join(os.getcwd(), pattern) if absolute else pattern  # noqa: PTH109, PTH118 - keeps "./"
    wanted = {Path(path) for path in glob.glob(pattern, recursive=True) if Path(path).is_file()}  # noqa: PTH207
    found = [Path(path) for path in files_matching(pattern)]
    assert {path for path in found if path.is_file()} == wanted
    assert len(found) == len(set(found))


def test_folders_that_link_to_themselves_and_each_other_come_once(make: Make) -> None:
    make("a/1.png", "b/2.png")
    for link in ("a/up", "a/up2", "b/up", "b/up2"):
        Path(link).symlink_to("..")
    Path("loop").symlink_to("loop")
    Path("z").symlink_to("a")
    assert sorted(files_matching("**/*.png")) == ["a/1.png", "b/2.png"]
    assert list(files_matching("**/*.jpg")) == []


def test_a_folder_behind_a_link_is_found(make: Make, tmp_path: Path) -> None:
    make("elsewhere/1.png", "here/2.png")
    Path("here/link").symlink_to(tmp_path / "elsewhere")
    assert sorted(files_matching("here/**/*.png")) == ["here/2.png", "here/link/1.png"]
