"""A studio in a process of its own, and its page as the system's Chromium shows it."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 180
"""Seconds that anything may take on a machine that is busy with other tests."""
SLIDER = "#slider-smile input[type=range]"
FACE = "#face img"


@dataclass(frozen=True)
class Studio:
    """A studio that is being served."""

    process: subprocess.Popen[str]
    address: str
    temporary: Path
    """The folder for temporary files that the studio has to itself."""
    log: Path
    """What it says on stderr."""

    def files_named(self, name: str) -> list[Path]:
        """Temporary files whose name begins with one."""
        return [path for path in self.temporary.rglob(f"{name}*") if path.is_file()]


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Studio]:
    """Serve a studio whose temporary files lie in a folder, once its page is there."""
    temporary, log = folder / "temporary", folder / "log"
    temporary.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "latentloop", "studio", "--no-browser", "--port", port, *options]
    variables = {**os.environ, "TMPDIR": str(temporary)}
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits that one is ignored
    with log.open("w") as errors:
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)
    signal.signal(signal.SIGINT, handler)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("The studio: "), log.read_text()
            yield Studio(process, f"http://127.0.0.1:{port}/", temporary, log)
        finally:
            process.kill()


def put_photo(page: Page, photo: Path) -> None:
    """Drop a photo on the page."""
    page.locator("#photo input[type=file]").first.set_input_files(photo)


def open_photo(page: Page, photo: Path) -> None:
    """Open a photo, and end the search for a closer code as soon as it has begun."""
    put_photo(page, photo)
    page.locator("#stop:enabled").click()
    with_text(page, "#said", "so far is kept")
    page.wait_for_function(f"document.querySelector('{FACE}').naturalWidth == 1024")


def smile(page: Page) -> None:
    """Move the slider of the smile from 0 to 1 in one go, and wait until the whole photo follows."""
    page.locator(SLIDER).fill("1")
    page.wait_for_function(f"document.querySelector('{FACE}').alt == 'the face: smile +1'")
    page.wait_for_function(f"document.querySelector('{FACE}').naturalWidth == 1024")


def with_text(page: Page, selector: str, text: str) -> None:
    """Wait until an element says something."""
    page.wait_for_function(f"document.querySelector('{selector}')?.innerText.includes({text!r})")


def error_on(page: Page) -> str:
    """Wait for an error on the page, close it, and say what it says."""
    text = page.locator(".toast-body").first.inner_text()
    page.locator(".toast-close").first.click()
    page.locator(".toast-body").first.wait_for(state="detached")
    return text


def source(page: Page, selector: str) -> str:
    """The address of a picture, which may hold all of it."""
    return page.locator(selector).get_attribute("src") or ""


def pixels(address: str) -> npt.NDArray[np.float64]:
    """Pixels (256, 256, 3) from 0 to 255 of a picture that lies within its address."""
    image = Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))
    return np.asarray(image.convert("RGB").resize((256, 256), Image.Resampling.BOX), dtype=np.float64)
