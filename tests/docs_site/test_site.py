"""The documentation site builds, has every page and every public name, and asks no other host for anything."""

import ast
import re
import shutil
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import latentloop

pytest.importorskip("zensical")
pytest.importorskip("mkdocstrings")
pytest.importorskip("nbconvert")

import build_docs

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "latentloop"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOOKED_AT = ("index.html", "results.html", "reference/index.html", "reference/metrics.html", "tutorials/index.html")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole build, which also checks all links."""
    out = tmp_path_factory.mktemp("docs")
    assert build_docs.main(out) == 0
    return out


@pytest.fixture
def address(out: Path) -> Iterator[str]:
    """Address of the site on a server of this computer."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(out / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def navigated(pages: Path, entry: object) -> Iterator[str]:
    """Yield the pages that a part of the navigation leads to."""
    if isinstance(entry, dict):
        entry = list(entry.values())
    if isinstance(entry, list):
        for part in entry:
            yield from navigated(pages, part)
    elif str(entry).endswith("/"):
        summary = (pages / str(entry) / "SUMMARY.md").read_text(encoding="utf-8")
        yield from (f"{entry}{name}" for name in re.findall(r"\]\((.+?)\)", summary))
    else:
        yield str(entry)


def test_every_page_is_in_the_navigation(out: Path) -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    pages = [path.relative_to(out / "pages") for path in (out / "pages").rglob("*.md") if path.name != "SUMMARY.md"]
    # Files are what single sentences refer to: code, and what lies beside the sample photos.
    expected = {path.as_posix() for path in pages if path.parts[0] != "files"}
    assert {f"{page.stem}.md" for page in (ROOT / "docs").glob("*.md")} <= expected
    assert sorted(navigated(out / "pages", navigation)) == sorted(expected)


def public_names() -> Iterator[str]:
    """Yield the classes, functions and methods of all modules, but for private ones."""
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        for part in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(part, ast.FunctionDef | ast.ClassDef) and not part.name.startswith("_"):
                yield f"{module}.{part.name}"
                inner = part.body if isinstance(part, ast.ClassDef) else []
                methods = [one.name for one in inner if isinstance(one, ast.FunctionDef)]
                yield from (f"{module}.{part.name}.{name}" for name in methods if not name.startswith("_"))


def test_every_public_name_is_in_the_reference(out: Path) -> None:
    reference = "".join(path.read_text(encoding="utf-8") for path in (out / "site" / "reference").glob("*.html"))
    anchors = set(re.findall(r'id="?(latentloop[\w.]*)', reference))
    names = set(public_names()) - {"latentloop.__main__"}
    assert len(names) > 1000
    assert sorted(names - anchors) == []


def test_the_front_door_is_listed(out: Path) -> None:
    page = (out / "site" / "reference" / "index.html").read_text(encoding="utf-8")
    offered = set(dir(latentloop))
    rooms = {name for name in offered if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}
    names = offered - rooms - {"__version__"}
    assert len(names) > 20
    assert [name for name in sorted(names) if f"ll.{name}</code>" not in page] == []
    assert [room for room in sorted(rooms) if f'href="{room}.html"' not in page] == []


def test_shapes_are_in_the_reference(out: Path) -> None:
    page = (out / "site" / "reference" / "metrics.html").read_text(encoding="utf-8")
    assert "(N, 3, H, W)" in page


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_pages_ask_this_host_alone(address: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    asked: list[str] = []
    complaints: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in LOOKED_AT:
            page.goto(f"{address}/{name}", wait_until="networkidle")
        page.keyboard.press("Control+k")
        page.keyboard.type("psnr")
        page.get_by_text("latentloop.metrics.pixels").first.wait_for()
        browser.close()
    assert len(asked) > len(LOOKED_AT)
    assert [url for url in asked if not url.startswith((address, "data:", f"blob:{address}"))] == []
    assert complaints == []
