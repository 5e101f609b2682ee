"""The page that needs no server, in a real browser, against the PyTorch path."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import latentloop as ll
from latentloop.editing import conditional, edit, shipped_directions
from latentloop.encoders import TwoLooks
from latentloop.faces import changed, paste_back
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.web_site import write_site
from latentloop.web_site.site import PAGE

pytest.importorskip("playwright", reason="the page is tested where playwright is installed")
pytest.importorskip("onnx", reason="the page is tested where onnx is installed")

from playwright.sync_api import Browser, Page, sync_playwright

from web.references import Reference, assert_alike, drawn, pixels, reference_of
from web.site_browser import (
    CHROMIUM,
    PATIENCE,
    Host,
    canvas,
    decoded,
    download,
    error_on,
    hosting,
    open_photo,
    set_slider,
    shows,
    wait_until_ready,
    with_text,
)

if CHROMIUM is None:
    pytest.skip("the page is tested where Chromium is installed", allow_module_level=True)
if not (PAGE / "index.html").is_file():
    pytest.skip("the page is tested where it is built: make web", allow_module_level=True)

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
PHOTO = PHOTOS / "female-79.jpg"


@pytest.fixture(scope="module")
def generator() -> Generator:
    return ll.load_generator("mobile-ffhq-256")


@pytest.fixture(scope="module")
def reference(generator: Generator) -> Reference:
    return reference_of(ll.read_image(PHOTO), generator)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, web_bundle: Path, generator: Generator) -> Path:
    return write_site(web_bundle, tmp_path_factory.mktemp("site"), shipped_directions(generator)).folder


@pytest.fixture(scope="module")
def host(site: Path) -> Iterator[Host]:
    with hosting(site) as host:
        yield host


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def loaded(browser: Browser, host: Host) -> Iterator[Page]:
    """A page that is ready; in the end it has asked no other host, and had no errors."""
    asked, errors, page = list[str](), list[str](), browser.new_context().new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.context.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(host.address)
    wait_until_ready(page)
    yield page
    page.context.close()
    assert len(asked) > 10
    assert {url for url in asked if not url.startswith((host.address, "blob:", "data:"))} == set()
    assert errors == []


@pytest.fixture
def page(loaded: Page) -> Page:
    """The page with the photo, not edited."""
    open_photo(loaded, PHOTO)
    return loaded


def test_the_page_has_threads_on_a_plain_host(loaded: Page) -> None:
    assert loaded.evaluate("crossOriginIsolated")
    assert "thread" in (loaded.text_content("#engine") or "")


def test_a_face_is_aligned_as_in_python(page: Page, reference: Reference) -> None:
    assert np.abs(canvas(page, "#faces canvas") - pixels(reference.face.image)).max() <= 1


def test_one_pass_draws_what_pytorch_draws(page: Page, reference: Reference, generator: Generator) -> None:
    assert_alike(canvas(page, "#face"), pixels(drawn(generator, reference.w_plus)))


@torch.inference_mode()
def test_a_second_look_draws_what_pytorch_draws(page: Page, reference: Reference, generator: Generator) -> None:
    page.click("#look")
    with_text(page, "#said", "A second look")
    shows(page, "not edited")
    looks = TwoLooks(ll.load_embedder("base-ffhq", generator), generator)
    assert_alike(canvas(page, "#face"), pixels(drawn(generator, looks(reference.face.image))))


def test_a_slider_changes_face_and_photo_as_the_edit_does(
    page: Page, reference: Reference, generator: Generator, tmp_path: Path
) -> None:
    before = canvas(page, "#face")
    page.click("#slider-column summary")
    page.check("#keep-age")
    set_slider(page, "smile", 1.5)
    known = shipped_directions(generator)
    after = drawn(generator, edit(reference.w_plus, [(conditional(known["smile"], [known["age"]]), 1.5)]))
    assert_alike(canvas(page, "#face"), pixels(after))
    assert np.abs(canvas(page, "#face") - before)[150:200, 90:166].mean() > 8

    where = changed(drawn(generator, reference.w_plus), after)
    wanted = paste_back(reference.photo, after, reference.face.quad, cut_out=reference.face.image, where=where)
    path = download(page, "photo", tmp_path)
    assert path.name == "female-79-smile1.5-keep-age.png"
    assert_alike(decoded(path.read_bytes()), pixels(wanted))
    page.uncheck("#keep-age")


def test_the_code_can_be_opened_in_python(page: Page, reference: Reference, tmp_path: Path) -> None:
    code = ll.load_code(download(page, "code", tmp_path))
    torch.testing.assert_close(code.w_plus, reference.code, rtol=0, atol=0.02)
    torch.testing.assert_close(code.quad, reference.face.quad, rtol=0, atol=1e-3)
    assert code.original_size == reference.size
    assert code.photo_sha256 == sha256_of(PHOTO)


def test_edits_are_undone_redone_and_reset(page: Page) -> None:
    before = canvas(page, "#face")
    set_slider(page, "age", 1.0)
    after = canvas(page, "#face")
    assert np.abs(after - before).mean() > 2
    for button, wanted in (("undo", before), ("redo", after), ("reset", before)):
        page.click(f"#{button}")
        shows(page, "age +1" if button == "redo" else "not edited")
        np.testing.assert_array_equal(canvas(page, "#face"), wanted)


def test_a_slider_follows_the_keyboard(page: Page) -> None:
    page.focus("#slider-yaw")
    page.keyboard.press("ArrowRight")
    shows(page, "yaw +0.1")


def test_nothing_is_edited_while_a_face_is_looked_for(page: Page) -> None:
    for value in ("1", "2"):  # the second one waits for the first
        page.fill("#slider-smile", value)
    page.set_input_files("#file", PHOTOS / "female-1.jpg")
    for control in ("#slider-smile", "#random", "#look", "#reset", "[data-product=code]"):
        assert page.is_disabled(control), control
    with_text(page, "#said", "A first look")
    page.wait_for_selector("body:not([aria-busy])")
    assert page.get_attribute("#face", "aria-label") == "the face: not edited"
    assert page.is_hidden("#error")
    for control in ("#slider-smile", "#random", "#look", "[data-product=code]"):
        assert page.is_enabled(control), control


def test_of_several_faces_the_user_chooses(loaded: Page, generator: Generator, tmp_path: Path) -> None:
    both = Image.new("RGB", (1024 + 768, 1024), "white")
    with Image.open(PHOTOS / "female-1.jpg") as left, Image.open(PHOTOS / "male-23.jpg") as right:
        both.paste(left, (0, 0))
        both.paste(right.resize((768, 768)), (1024, 0))
    both.save(tmp_path / "both.png")
    open_photo(loaded, tmp_path / "both.png")
    assert loaded.locator("#faces button").count() == 2
    loaded.click("#faces button >> nth=1")
    with_text(loaded, "#said", "Face 2.")
    second = reference_of(ll.read_image(tmp_path / "both.png"), generator, face="2")
    assert_alike(canvas(loaded, "#face"), pixels(drawn(generator, second.w_plus)))


def test_a_face_on_its_side_is_found(loaded: Page, generator: Generator, tmp_path: Path) -> None:
    with Image.open(PHOTO) as photo:
        photo.rotate(90, expand=True).save(tmp_path / "turned.png")
    open_photo(loaded, tmp_path / "turned.png")
    wanted = reference_of(ll.read_image(tmp_path / "turned.png"), generator)
    assert_alike(canvas(loaded, "#face"), pixels(drawn(generator, wanted.w_plus)))


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims to be of this size."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\2\0\0\0"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.jpg", b"", "empty.jpg: the file is empty."),
        ("notes.txt", b"To whom it may concern", "notes.txt: not a picture that this browser can read"),
        ("phone.heic", b"\0\0\0\x18ftypheic" + bytes(100), "phone.heic: this browser cannot read HEIC pictures"),
        ("cut.jpg", PHOTO.read_bytes()[:300], "cut.jpg: the picture is damaged."),
        ("huge.png", png_of(20_000, 20_000), "huge.png: 20000 x 20000 pixels; this page takes up to 50 million"),
    ],
)
def test_a_wrong_file_is_a_sentence(page: Page, tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    page.set_input_files("#file", tmp_path / name)
    assert error_on(page).startswith(sentence)
    set_slider(page, "smile", 0.5)  # the photo that was open still is
    page.wait_for_selector("#error", state="hidden")


def test_a_photo_without_a_face_is_a_sentence(loaded: Page, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    loaded.set_input_files("#file", tmp_path / "wall.png")
    assert error_on(loaded) == "wall.png: no face found; is it large enough, and seen from the front?"


def test_the_page_has_threads_after_it_was_loaded_past_the_service_worker(loaded: Page) -> None:
    page = loaded.context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(loaded.url)
    wait_until_ready(page)
    page.evaluate("delete document.body.dataset.ready")
    page.context.new_cdp_session(page).send("Page.reload", {"ignoreCache": True})
    wait_until_ready(page)
    assert page.evaluate("crossOriginIsolated")
    page.close()


def test_an_address_that_is_no_site_says_so(browser: Browser, site: Path, tmp_path: Path) -> None:
    for path in site.iterdir():
        if path.name not in ("site.json", "models"):
            (tmp_path / path.name).symlink_to(path)
    page = browser.new_page()
    with hosting(tmp_path) as host:
        page.goto(host.address)
        with_text(page, "#loading", "latentloop export web")
    page.close()


def test_a_damaged_file_is_a_sentence_until_the_host_has_it_whole(browser: Browser, site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "models" / "detection.bin"
    whole, written = path.read_bytes(), path.stat()
    path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    page = browser.new_context().new_page()
    page.set_default_timeout(1000 * PATIENCE)
    with hosting(tmp_path) as host:
        page.goto(host.address)
        with_text(page, "#loading", "models/detection.bin arrived damaged; load the page again.")
        page.set_input_files("#file", PHOTO)
        assert error_on(page) == "models/detection.bin arrived damaged; load the page again."
        path.write_bytes(whole)
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # older: the host says that it did not change
        page.reload()
        wait_until_ready(page)
    page.context.close()


def test_the_page_works_without_its_host(loaded: Page, host: Host) -> None:
    host.stop()  # for all tests: this one is the last
    loaded.reload()
    wait_until_ready(loaded)
    open_photo(loaded, PHOTO)
    set_slider(loaded, "smile", 1.0)
