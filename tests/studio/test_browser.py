import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

for needed in ("gradio", "playwright"):
    pytest.importorskip(needed, reason=f"the page is tested where {needed} is installed")

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402 - may be missing

from studio.browser import (  # noqa: E402
    CHROMIUM,
    FACE,
    PATIENCE,
    SLIDER,
    Studio,
    error_on,
    open_photo,
    pixels,
    put_photo,
    serving,
    smile,
    source,
    with_text,
)

if CHROMIUM is None:
    pytest.skip("the page is tested where Chromium is installed", allow_module_level=True)

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
PHOTO = PHOTOS / "female-79.jpg"
MEGABYTES = 6


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with serving(tmp_path_factory.mktemp("studio"), "--max-upload", str(MEGABYTES)) as served:
        yield served


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[[Studio], Page]]:
    """Opens pages, each in a browser of its own; in the end none may have asked other hosts, or had errors."""
    pages, asked, errors = list[Page](), list[str](), list[str]()

    def make(studio: Studio) -> Page:
        page = browser.new_context().new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(studio.address)
        page.wait_for_selector(SLIDER)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.context.close()
    assert {address for address in asked if not re.match(r"http://127\.0\.0\.1:\d+/|data:|blob:", address)} == set()
    assert errors == []


@pytest.fixture
def page(new_page: Callable[[Studio], Page], studio: Studio) -> Page:
    return new_page(studio)


def change(before: str, after: str, rows: slice, columns: slice) -> float:
    """Mean difference of two faces in a part of them, of 255."""
    return float(np.abs(pixels(before) - pixels(after))[rows, columns].mean())


def test_a_smile_changes_the_mouth_and_comes_back_out_of_the_history(page: Page) -> None:
    open_photo(page, PHOTO)
    before = source(page, FACE)
    smile(page)
    after = source(page, FACE)
    mouth = change(before, after, slice(150, 200), slice(90, 166))
    background = change(before, after, slice(0, 60), slice(0, 30))
    assert mouth > 8
    assert background < mouth / 5

    page.locator("#undo").click()
    page.wait_for_function(f"document.querySelector('{FACE}').src == {before!r}")
    assert page.locator(SLIDER).input_value() == "0"


def test_downloads_are_what_the_command_makes(page: Page, tmp_path: Path) -> None:
    open_photo(page, PHOTO)
    smile(page)
    page.locator("#save").click()
    links = page.locator("#files a[download]")
    links.first.wait_for()
    for link in links.all():
        with page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
    command = [
        "edit",
        tmp_path / f"{PHOTO.stem}.npz",
        "--photos",
        PHOTO,
        "--set",
        "smile=1",
        "--out",
        tmp_path / "command",
    ]
    subprocess.run([sys.executable, "-m", "latentloop", *map(str, command)], check=True, capture_output=True)
    (picture,) = (tmp_path / "command").glob("*.png")
    assert (tmp_path / picture.name).read_bytes() == picture.read_bytes()
    face = tmp_path / "command" / "faces" / picture.name
    assert (tmp_path / f"{picture.stem}-face.png").read_bytes() == face.read_bytes()


def test_what_is_no_photo_of_a_face_is_told_and_the_page_goes_on(page: Page, tmp_path: Path) -> None:
    text, plain, heavy = tmp_path / "text.jpg", tmp_path / "plain.jpg", tmp_path / "heavy.jpg"
    text.write_text("Dear diary")
    Image.linear_gradient("L").convert("RGB").save(plain)
    heavy.write_bytes(os.urandom(MEGABYTES * 2**20 + 1))
    for photo, told in (
        (text, "text.jpg: not an image"),
        (plain, "no face found"),
        (heavy, "exceed the maximum allowed size"),
    ):
        put_photo(page, photo)
        assert told in error_on(page)
    page.locator(SLIDER).press("ArrowRight")
    with_text(page, "#face", "choose a photo first")
    put_photo(page, PHOTO)
    page.wait_for_selector(FACE)


def test_a_photo_of_30_megapixels_opens(page: Page, tmp_path: Path) -> None:
    with Image.open(PHOTO) as image:
        large = tmp_path / "large.jpg"
        image.resize((5000, 6000)).save(large, quality=75)
    put_photo(page, large)
    page.wait_for_selector(FACE)
    with_text(page, "#said", "A first look")


def test_sessions_are_apart_and_leave_nothing(new_page: Callable[[Studio], Page], studio: Studio) -> None:
    mine, other = new_page(studio), new_page(studio)
    put_photo(mine, PHOTO)
    mine.wait_for_selector(FACE)
    other.locator("#random").click()
    other.wait_for_selector(FACE)
    with_text(other, "#said", "A random face")
    assert source(other, FACE) != source(mine, FACE)
    assert other.locator("#photo img").count() == 0
    assert studio.files_named(PHOTO.stem)
    mine.close()
    assert wait_until(lambda: not studio.files_named(PHOTO.stem))
    assert other.locator(FACE).is_visible()
    assert "Traceback" not in studio.log.read_text()


def wait_until(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not happened() and time.monotonic() < until:
        time.sleep(0.2)
    return happened()


def test_no_other_file_is_served(page: Page, studio: Studio, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    put_photo(page, PHOTO)
    page.wait_for_selector(FACE)
    (copy, *_) = studio.files_named(PHOTO.name)
    up = "/".join([".."] * 12)
    paths = [f"{secret}", f"{copy.parent}/{up}{secret}", f"{up}{secret}", f"{copy.parent}/%2e%2e/%2e%2e/%2e%2e{secret}"]
    for path in [*paths, f"{Path(__file__)}", "pyproject.toml", f"{copy.parent}", "/etc/passwd"]:
        for route in ("gradio_api/file=", "file=", "static/", "assets/"):
            assert not served(studio.address + route + path), path
    assert served(f"{studio.address}gradio_api/file={copy}")


def served(address: str) -> bool:
    """Whether an address, as it is, gives anything but an error."""
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False


def test_a_server_that_is_interrupted_ends_and_leaves_nothing(
    new_page: Callable[[Studio], Page], tmp_path: Path
) -> None:
    with serving(tmp_path) as own:
        page = new_page(own)
        put_photo(page, PHOTO)
        with_text(page, "#said", "Step ")
        assert own.files_named(PHOTO.stem)
        own.process.send_signal(signal.SIGINT)
        assert own.process.wait(PATIENCE) in (0, 130)
        assert list(own.temporary.iterdir()) == []
    assert "Traceback" not in own.log.read_text()
