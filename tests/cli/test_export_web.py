"""`latentloop export web`: which networks it exports, where, and what it refuses before it does."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from latentloop.cli import export_web
from latentloop.export import ExportOptions
from latentloop.export.options import PartName
from latentloop.web_site import site
from web_bundle import OPTIONS

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of two small files, as if it were built."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<title>latentloop</title>")
    (folder / site.WORKER).write_bytes(b"const version = '" + site.VERSION_PLACE + b"'")
    monkeypatch.setattr(export_web, "check_site", lambda out: real_check(out, page=folder))
    monkeypatch.setattr(export_web, "write_site", lambda *args: real_write(*args, page=folder))
    return folder


real_check, real_write = site.check_site, site.write_site


@pytest.fixture
def exported(web_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of the page's generator, in place of another export that is asked for the same; what was asked for."""
    asked: list[str] = []

    def set_up(names: Sequence[PartName], out: Path, options: ExportOptions) -> SimpleNamespace:
        assert options == OPTIONS
        asked.extend(names)
        files = (shutil.copy(path, out) for path in web_bundle.iterdir())
        return SimpleNamespace(parts=names, run=lambda: files)

    monkeypatch.setattr(export_web, "set_up_export", set_up)
    return asked


@pytest.mark.usefixtures("page")
def test_a_site_is_written_with_the_quick_generator(tmp_path: Path, run: Run, exported: list[str]) -> None:
    code, lines, errors = run("export", "web", "--out", str(tmp_path / "site"))
    assert (code, errors, exported) == (0, [], ["generator"])
    assert lines[0].startswith(f"{tmp_path / 'site'}: a page for mobile-ffhq-256, of which a visitor loads 3")
    about = json.loads((tmp_path / "site" / "site.json").read_text())
    assert about["generator"]["name"] == "mobile-ffhq-256"
    assert len(about["directions"]) >= 12
    assert (tmp_path / "site" / "models" / "drawing.bin").stat().st_size > 10_000_000


@pytest.mark.usefixtures("page")
def test_a_folder_of_others_is_refused_before_anything_is_exported(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_web, "set_up_export", lambda *_: pytest.fail("exported"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    code, _, (error,) = run("export", "web", "--out", str(tmp_path / "site"))
    assert code == 2
    assert "holds mine.txt, which no site contains" in error


def test_a_page_that_is_not_built_says_how(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_web, "check_site", lambda out: real_check(out, page=tmp_path / "nowhere"))
    code, _, errors = run("export", "web", "--out", str(tmp_path / "site"))
    assert code == 2
    assert errors == [
        "latentloop: the page is not built; run make web in a clone of the repository, which needs Node 20 or newer"
    ]


def test_web_stands_alone(run: Run) -> None:
    code, _, errors = run("export", "web", "faces")
    assert code == 2
    assert errors[0].startswith("latentloop: web is exported by itself, not beside other parts")


@pytest.mark.usefixtures("page")
def test_a_generator_that_the_page_is_not_for_is_refused(
    tmp_path: Path, run: Run, small_generator: Callable[..., Path]
) -> None:
    code, _, errors = run("export", "web", "--generator", str(small_generator()), "--out", str(tmp_path / "site"))
    assert code == 2
    wanted = "the page is for generators of 256 pixels with the codes of mobile-ffhq-256, which small is not"
    assert errors == [f"latentloop: {wanted}; see --generator"]
