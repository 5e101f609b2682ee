"""A site on a plain file server, and its page as the system's Chromium shows it."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 120
"""Seconds that anything may take on a machine that is busy with other tests."""

Pixels = npt.NDArray[np.float64]  # (H, W, 3), 0 to 255


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, as `python -m http.server` does, without a line for each."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it
        pass


@dataclass
class Host:
    """A host of plain files that can be cut off."""

    server: ThreadingHTTPServer

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def hosting(folder: Path) -> Iterator[Host]:
    """Serve a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Host(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until_ready(page: Page) -> None:
    """Wait until the networks are loaded; the page loads itself once more to be isolated."""
    page.wait_for_selector("body[data-ready]")


def open_photo(page: Page, photo: Path) -> None:
    """Give the page a photo, and wait for its face."""
    page.set_input_files("#file", photo)
    with_text(page, "#said", "A first look")


def with_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element says something."""
    page.locator(selector, has_text=text).wait_for()


def set_slider(page: Page, name: str, value: float) -> None:
    """Move a slider, and wait until face and photo follow."""
    page.fill(f"#slider-{name}", str(value))
    shows(page, f"{name.replace('_', ' ')} {value:+g}")


def shows(page: Page, edit: str) -> None:
    """Wait until face and photo show an edit."""
    for picture in ("face", "after"):
        page.wait_for_selector(f"#{picture}[aria-label*='{edit}']", state="attached")


def canvas(page: Page, selector: str) -> Pixels:
    """Pixels of a canvas."""
    address = page.eval_on_selector(selector, "one => one.toDataURL('image/png')")
    return decoded(base64.b64decode(address.partition(",")[2]))


def decoded(content: bytes) -> Pixels:
    """Pixels of a picture's file."""
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"), dtype=np.float64)


def download(page: Page, product: str, folder: Path) -> Path:
    """Download the whole photo, the face or the code."""
    with page.expect_download() as started:
        page.click(f"[data-product={product}]")
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def error_on(page: Page) -> str:
    """The sentence that says what was wrong."""
    page.wait_for_selector("#error:visible")
    return page.inner_text("#error")
