"""The page that needs no server, in a real browser, against the PyTorch path."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import latentloop as ll
from latentloop.editing import conditional, edit, shipped_directions
from latentloop.encoders import TwoLooks
from latentloop.export import set_up_export
from latentloop.export.options import ExportOptions
from latentloop.faces import AlignedFace, changed, paste_back
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import to_uint8
from latentloop.web_site import write_site
from latentloop.web_site.site import PAGE

pytest.importorskip("playwright", reason="the page is tested where playwright is installed")
pytest.importorskip("onnx", reason="the page is tested where onnx is installed")

from playwright.sync_api import Browser, Page, sync_playwright

from web.site_browser import (
    CHROMIUM,
    PATIENCE,
    Host,
    Pixels,
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
MEAN, NEARLY_ALL, MOST = 0.5, 4.0, 15.0
"""Levels of 255 by which a picture may differ from PyTorch's: on average, at 999 of 1000 places, and anywhere. The
page's networks have fewer bits; with all of them no place differs by more than 1."""


@dataclass(frozen=True)
class Reference:
    """What PyTorch makes of a photo."""

    photo: Tensor
    face: AlignedFace
    w_plus: Tensor

    @property
    def code(self) -> Tensor:
        return self.w_plus[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.photo.shape[-1], self.photo.shape[-2]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return ll.load_generator("mobile-ffhq-256")


@pytest.fixture(scope="module")
def reference(generator: Generator) -> Reference:
    return reference_of(ll.read_image(PHOTO), generator)


@torch.inference_mode()
def reference_of(photo: Tensor, generator: Generator, *, face: str = "largest") -> Reference:
    (found,) = ll.align_faces(photo, ll.load_face_detector(), 256, face=face)
    return Reference(photo, found, ll.load_embedder("base-ffhq", generator)(found.image))


@torch.inference_mode()
def drawn(generator: Generator, w_plus: Tensor) -> Tensor:
    image: Tensor = generator.synthesis(w_plus).clamp(-1, 1)
    return image


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, generator: Generator) -> Path:
    bundle = kept_bundle(pytestconfig.rootpath / ".pytest_cache" / "web-bundles", generator.name)
    return write_site(bundle, tmp_path_factory.mktemp("site"), shipped_directions(generator)).folder


def kept_bundle(folder: Path, generator: str) -> Path:
    """The page's generator, which takes a while to export, from an earlier run if nothing has changed since."""
    package = Path(ll.__file__).parent
    sources = sorted([*(package / "export").glob("*.py"), *(package / "assets").glob("mobile-*.safetensors")])
    key = hashlib.sha256(b"".join(sha256_of(one).encode() for one in sources)).hexdigest()[:16]
    bundle = folder / key
    if not (bundle / "bundle.json").is_file():  # which is written last
        for _ in set_up_export(["generator"], bundle, ExportOptions(generator=generator, half=True)).run():
            pass
    return bundle


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


def pixels(image: Tensor) -> Pixels:
    return to_uint8(image[0]).astype(np.float64)


def assert_alike(ours: Pixels, theirs: Pixels) -> None:
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    assert difference.mean() <= MEAN
    assert np.percentile(difference, 99.9) <= NEARLY_ALL
    assert difference.max() <= MOST


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


def test_the_page_works_without_its_host(browser: Browser, site: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    with hosting(site) as host:
        page.goto(host.address)
        wait_until_ready(page)
        host.stop()
        page.reload()
        wait_until_ready(page)
        open_photo(page, PHOTO)
        set_slider(page, "smile", 1.0)
    context.close()


def test_an_address_that_is_no_site_says_so(browser: Browser, site: Path, tmp_path: Path) -> None:
    for path in site.iterdir():
        if path.name not in ("site.json", "models"):
            (tmp_path / path.name).symlink_to(path)
    page = browser.new_page()
    with hosting(tmp_path) as host:
        page.goto(host.address)
        with_text(page, "#loading", "latentloop export web")
    page.close()


def test_a_damaged_file_is_a_sentence(browser: Browser, site: Path, tmp_path: Path) -> None:
    for path in site.iterdir():
        if path.name != "site.json":
            (tmp_path / path.name).symlink_to(path)
    content = json.loads((site / "site.json").read_text())
    content["files"]["models/detection.bin"]["sha256"] = "0" * 64
    (tmp_path / "site.json").write_text(json.dumps(content))
    page = browser.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    with hosting(tmp_path) as host:
        page.goto(host.address)
        with_text(page, "#loading", "models/detection.bin arrived damaged; load the page again.")
    page.close()
