"""Measure the page that needs no server in headless Chromium: how soon it is there, how fast it is, what it loads.

Run: python scripts/web_trials.py SITE [--photos 6] [--moves 50] [--engine wasm] [--screenshots FOLDER]
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import IO, Any, ClassVar

from playwright.sync_api import Page, sync_playwright

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
SIZES = ((1280, 900), (400, 800))
"""Sizes of the window in the screenshots."""
WAIT = 120_000
"""Milliseconds that anything may take."""


class CountingHandler(SimpleHTTPRequestHandler):
    """Serves files, and counts their bytes."""

    sent: ClassVar[dict[str, int]] = {}

    def copyfile(self, source: IO[bytes], outputfile: IO[bytes]) -> None:  # type: ignore[override]
        """Send a file."""
        content = source.read()
        self.sent[self.path] = self.sent.get(self.path, 0) + len(content)
        outputfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it
        """Say nothing."""


def seconds_to_ready(page: Page, address: str | None) -> float:
    """Load a page, or load it again, until its networks are ready."""
    begun = time.perf_counter()
    if address:
        page.goto(address)
    else:
        page.reload()
    page.wait_for_selector("body[data-ready]", timeout=WAIT)
    return time.perf_counter() - begun


def seconds_to_face(page: Page, photo: Path) -> float:
    """Give the page a photo until its face is there."""
    page.evaluate("document.querySelector('#said').textContent = ''")
    begun = time.perf_counter()
    page.set_input_files("#file", photo)
    page.locator("#said", has_text="A first look").wait_for(timeout=WAIT)
    return time.perf_counter() - begun


MOVE = """value => new Promise(done => {
    const [face, slider] = [document.querySelector('#face'), document.querySelector('#slider-smile')];
    const begun = performance.now();
    const seen = new MutationObserver(() => {
        seen.disconnect();
        requestAnimationFrame(() => done((performance.now() - begun) / 1000));
    });
    seen.observe(face, {attributeFilter: ['aria-label']});
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""
"""Moves a slider; gives the seconds until the face has followed, on the screen."""
REST = """value => new Promise(done => {
    const [photo, slider] = [document.querySelector('#after'), document.querySelector('#slider-smile')];
    const begun = performance.now();
    const seen = new MutationObserver(() => { seen.disconnect(); done((performance.now() - begun) / 1000); });
    seen.observe(photo, {attributeFilter: ['aria-label']});
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    slider.dispatchEvent(new Event('change', {bubbles: true}));
})"""
"""Moves a slider and lets it go; gives the seconds until the whole photo has followed."""


def told(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    """Median and 95 % of some times."""
    ordered = sorted(seconds)
    late = ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]
    return {name: {"median": round(statistics.median(ordered), 3), "95 %": round(late, 3), "n": len(ordered)}}


def trials(page: Page, address: str, photos: Sequence[Path], moves: int) -> dict[str, Any]:
    """Measure everything on a page."""
    found: dict[str, Any] = {"ready, first visit": round(seconds_to_ready(page, address), 2)}
    found["bytes, first visit"] = sum(CountingHandler.sent.values())
    found["ready, again"] = round(seconds_to_ready(page, None), 2)
    found["engine"] = page.text_content("#engine")
    to_face, passes = list[float](), list[float]()
    for photo in photos:
        to_face.append(seconds_to_face(page, photo))
        passes.append(float(page.get_attribute("#face", "data-seconds") or "nan"))
    found |= told("photo to face", to_face) | told("one pass and drawing", passes)
    values = [round(-2 + 0.1 * (7 * i % 41), 1) or 0.05 for i in range(moves)]
    previews = list[float]()
    for value in values:
        previews.append(page.evaluate(MOVE, value))
        page.wait_for_timeout(30)
    page.wait_for_timeout(3000)
    found |= told("slider to preview", previews)
    found |= told("slider to whole photo", [page.evaluate(REST, value) for value in (1.0, -1.0, 2.0, 1.5, -0.5)])
    return found


def screenshots(page: Page, folder: Path) -> None:
    """Take pictures of the page with an edited photo, at each of `SIZES`."""
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{width}x{height}.png")
        page.screenshot(path=folder / f"{width}x{height}-all.png", full_page=True)


def main() -> None:
    """Serve a site, measure it, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--moves", type=int, default=50)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--screenshots", type=Path)
    given = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(CountingHandler, directory=str(given.site)))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/?engine={given.engine}"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZES[0][0], "height": SIZES[0][1]})
        page.on("console", lambda message: print(message.text, file=sys.stderr))
        found = trials(page, address, sorted(PHOTOS.glob("*.jpg"))[: given.photos], given.moves)
        if given.screenshots:
            screenshots(page, given.screenshots)
        browser.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
