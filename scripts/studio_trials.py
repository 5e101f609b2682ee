"""Time the studio in Chromium, or use it at random for long, and look at its errors and memory.

    python scripts/studio_trials.py --actions 1000 --out studio.json   # without --actions: the times alone

Needs Chromium, Playwright, and Linux for the memory. Each time is one of the user: from the key or the file to the
picture on the page. A slider moves as a hand moves it: again once the face of the last move is there.
"""

import json
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import tyro
from playwright.sync_api import Error, Page, sync_playwright

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SLIDER, FACE = "#slider-smile input[type=range]", "#face img"
WARM = 100  # random actions before the memory is looked at first: each kind of work was done by then


@dataclass
class Measured:
    """What was measured; times in seconds, memory in megabytes."""

    ready: float = 0.0
    """From the command to the address that it prints."""
    uploads: list[float] = field(default_factory=list)
    """From a photo's upload to its first reconstruction."""
    previews: list[float] = field(default_factory=list)
    """From the move of a slider to the face with it."""
    rests: list[float] = field(default_factory=list)
    """From a slider's last move to the whole photo with the edit."""
    actions: Counter[str] = field(default_factory=Counter)
    """Random actions, by name."""
    errors: list[str] = field(default_factory=list)
    """Errors on the page, in its console, and in what the server says."""
    memory: list[float] = field(default_factory=list)
    """After each hundred random actions and the last, at rest."""


@contextmanager
def studio(log: Path) -> Iterator[tuple[int, str]]:
    """Serve a studio; gives its process and the page's address once that is there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "latentloop", "studio", "--no-browser", "--port", port]
    with (
        log.open("w") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as process,  # noqa: S603 - our own
    ):
        try:
            if process.stdout is None or not process.stdout.readline():
                raise SystemExit(log.read_text())
            yield process.pid, f"http://127.0.0.1:{port}/"
        finally:
            process.send_signal(signal.SIGTERM)


def memory_of(pid: int) -> float:
    """Read the resident memory of a process, in megabytes."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


def clock(work: Callable[[], object]) -> float:
    """Count the seconds of some work."""
    begun, _ = time.perf_counter(), work()
    return time.perf_counter() - begun


def when(page: Page, condition: str) -> None:
    """Wait until a condition on the face's picture, `face`, is true; looked at with every frame of the screen."""
    page.wait_for_function(f"(() => {{ const face = document.querySelector('{FACE}'); return {condition}; }})()")


def upload(page: Page, photo: Path) -> float:
    """Open a photo on a page that was just loaded; gives the seconds to its face."""
    page.reload()
    page.locator(SLIDER).wait_for()
    chooser = page.locator("#photo input[type=file]").first

    def open_photo() -> None:
        chooser.set_input_files(photo)
        when(page, "face")

    return clock(open_photo)


def end_search(page: Page) -> None:
    """Stop the search for a closer code, and wait for the whole photo."""
    page.locator("#stop:enabled").click()
    page.locator("#better:enabled").wait_for()
    when(page, "face.naturalWidth == 1024")


def moves(page: Page, count: int, measured: Measured) -> None:
    """Move the smile's slider to and fro, a step at a time."""
    slider = page.locator(SLIDER)
    slider.focus()
    for i in range(count):
        step, key = (0.1, "ArrowRight") if i // 20 % 2 == 0 else (-0.1, "ArrowLeft")
        strength = round(float(slider.input_value()) + step, 1)
        alt = f"the face: smile {strength:+g}" if strength else "the face: not edited"
        measured.previews.append(clock(partial(move, page, key, f"face.alt == {alt!r}")))


def move(page: Page, key: str, condition: str) -> None:
    """Press a key, and wait until a condition on the face's picture is true."""
    page.keyboard.press(key)
    when(page, condition)


def rest(page: Page) -> float:
    """Move the slider once; gives the seconds to the whole photo."""
    last = "[...document.querySelectorAll('#compare img')].at(-1).getAttribute('src')"
    changed = f"{last} != {page.evaluate(last)!r}"

    def move_and_wait() -> None:
        page.locator(SLIDER).press("ArrowRight")
        page.wait_for_function(changed)

    return clock(move_and_wait)


def time_page(page: Page, measured: Measured, count: int) -> None:
    """Measure the times that a user waits."""
    for photo in sorted(PHOTOS.glob("*.jpg")):
        measured.uploads.append(upload(page, photo))
        end_search(page)
        measured.rests.append(rest(page))
    moves(page, count, measured)


def push(page: Page, button: str) -> None:
    """Push a button of the tab "Edit", if there is something for it to do."""
    for enabled in page.locator(f"{button}:enabled").all():
        enabled.click()


def slide(page: Page, chance: random.Random) -> None:
    """Move one of the sliders anywhere."""
    sliders = page.locator("#sliders input[type=range]:visible").all()
    chance.choice(sliders).fill(f"{chance.uniform(-2, 2):.1f}")


def keep(page: Page, chance: random.Random) -> None:
    """Check or clear a box of those to keep, which are folded away at first."""
    boxes = page.locator("#keep input")
    if not boxes.first.is_visible():
        page.get_by_text("Keep as it is").click()
    chance.choice(boxes.all()).click()


def add_face(page: Page, chance: random.Random) -> None:  # noqa: ARG001
    """Add a random face to those that are mixed, or remove them if there are many."""
    page.get_by_role("tab", name="Mix and morph").click()
    many = page.locator("#mix-tray img").count() > 3
    page.locator("#mix-clear" if many else "#mix-random").click()


def mix(page: Page, chance: random.Random) -> None:
    """Mix and morph, where there are faces for it."""
    page.get_by_role("tab", name="Mix and morph").click()
    if page.locator("#mix-tray img").count() > 1:
        page.locator("#mix-strength input[type=range]").fill(f"{chance.random():.2f}")
        page.locator("#morph-way input[type=range]").fill(f"{chance.random():.2f}")


READ = ("Directions", "Compare", "About")
ACTIONS: dict[str, tuple[int, Callable[[Page, random.Random], object]]] = {
    "slider": (50, slide),
    "undo": (8, lambda page, _: push(page, "#undo")),
    "redo": (5, lambda page, _: push(page, "#redo")),
    "reset": (3, lambda page, _: push(page, "#reset")),
    "keep": (5, keep),
    "stop": (4, lambda page, _: push(page, "#stop")),
    "example": (4, lambda page, chance: page.locator("#examples button img").nth(chance.randrange(3)).click()),
    "random face": (4, lambda page, _: push(page, "#random")),
    "strip": (2, lambda page, _: push(page, "#strip")),
    "files": (2, lambda page, _: push(page, "#save")),
    "add a face": (4, add_face),
    "mix and morph": (6, mix),
    "look around": (3, lambda page, chance: page.get_by_role("tab", name=chance.choice(READ)).click()),
}
"""What users do, how often, and how."""
ELSEWHERE = ("add a face", "mix and morph", "look around")


def use(page: Page, count: int, pid: int, measured: Measured, seed: int) -> None:
    """Do things at random, about one in two seconds, as somebody who plays."""
    page.set_default_timeout(10_000)
    chance, weights = random.Random(seed), [weight for weight, _ in ACTIONS.values()]  # noqa: S311
    page.reload()
    page.locator(SLIDER).wait_for()
    page.locator("#random").click()
    when(page, "face")
    for i in range(count):
        (name,) = chance.choices([*ACTIONS], weights)
        measured.actions[name] += 1
        try:
            if name not in ELSEWHERE:
                page.get_by_role("tab", name="Edit").click()
            ACTIONS[name][1](page, chance)
        except Error as error:
            measured.errors.append(f"{name}: {error.message.splitlines()[0]}")
        page.wait_for_timeout(chance.uniform(200, 3000))
        toasts_of(page, measured)
        if (i + 1) % WARM == 0 or i + 1 == count:
            measured.memory.append(memory_at_rest(page, pid))
            print(f"{i + 1} actions, {len(measured.errors)} errors, {measured.memory[-1]:.0f} MB", flush=True)


def memory_at_rest(page: Page, pid: int) -> float:
    """Read the memory while nothing is computed, in megabytes: a search takes a gigabyte as long as it goes on."""
    page.get_by_role("tab", name="Edit").click()
    push(page, "#stop")
    page.locator("#stop:disabled").wait_for(timeout=120_000)
    page.wait_for_timeout(5000)  # for the pictures of its code
    return memory_of(pid)


def toasts_of(page: Page, measured: Measured) -> None:
    """Note the errors on the page, not what it rightly says now and then, and close them."""
    for toast in page.locator(".toast-body").all():
        with suppress(Error):
            text = toast.inner_text(timeout=1000)
            measured.errors += [] if "move a slider first" in text else [f"page: {text}"]
    for close in page.locator(".toast-close").all():
        with suppress(Error):
            close.click(timeout=1000)


def row(name: str, seconds: Sequence[float]) -> str:
    """Write a line of the table."""
    if not seconds:
        return f"{name:28} -"
    p95 = sorted(seconds)[max(round(0.95 * len(seconds)) - 1, 0)]
    return f"{name:28} median {statistics.median(seconds):.2f} s, p95 {p95:.2f} s, of {len(seconds)}"


def report(measured: Measured) -> None:
    """Print the table."""
    print(f"{'command to page':28} {measured.ready:.1f} s")
    print(row("upload to face", measured.uploads))
    print(row("slider to preview", measured.previews))
    print(row("slider to whole photo", measured.rests))
    if measured.actions:
        print(f"{'random actions':28} {measured.actions.total()}, with {len(measured.errors)} errors")
        first, last = measured.memory[0], measured.memory[-1]
        print(f"{'memory':28} {first:.0f} MB at first, {last:.0f} MB at the end: grown by {last - first:.0f} MB")
    for error, count in Counter(measured.errors).most_common(20):
        print(f"  {count} x {error[:200]}")


def main(actions: int = 0, count: int = 50, seed: int = 0, patience: float = 120, out: Path | None = None) -> None:
    """Measure the studio.

    Args:
        actions: Random actions after the times were measured.
        count: Moves of a slider that are timed.
        seed: Seed of the random actions.
        patience: Seconds after which something that does not come is an error.
        out: JSON file for all figures.
    """
    measured = Measured()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        log, begun = Path(folder) / "log", time.perf_counter()
        with studio(log) as (pid, address):
            measured.ready = time.perf_counter() - begun
            page = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
            page.set_default_timeout(1000 * patience)
            note = measured.errors.append
            page.on("pageerror", lambda error: note(f"script: {error}"))
            page.on("console", lambda said: note(f"console: {said.text}") if said.type == "error" else None)
            page.goto(address)
            if count:
                time_page(page, measured, count)
            if actions:
                use(page, actions, pid, measured, seed)
        measured.errors += [f"server: {line}" for line in log.read_text().splitlines() if "Error" in line]
    report(measured)
    if out:
        out.write_text(json.dumps({**vars(measured), "actions": dict(measured.actions)}, indent=1))


if __name__ == "__main__":
    tyro.cli(main)
