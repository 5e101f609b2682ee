"""Page of the studio: its tabs, and the wiring of its events."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from latentloop.studio.about_tab import about_tab
from latentloop.studio.compare_tab import CompareEvents, CompareTab, compare_tab
from latentloop.studio.directions_tab import DirectionsEvents, DirectionsTab, directions_tab
from latentloop.studio.edit_events import EditEvents
from latentloop.studio.edit_tab import EditTab, edit_tab
from latentloop.studio.file_events import FileEvents
from latentloop.studio.live_preview import MOVED, LivePreview
from latentloop.studio.mix_events import MixEvents
from latentloop.studio.mix_tab import MixTab, mix_tab
from latentloop.studio.opening_events import OpeningEvents
from latentloop.studio.requests import Updates
from latentloop.studio.search_events import SearchEvents
from latentloop.studio.session import Sessions
from latentloop.studio.sliders import grouped
from latentloop.studio.workbench import Workbench

QUICK: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
"""Settings of events answered at once, beside running work; they are queued since Gradio shows no errors otherwise."""
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Settings of slider moves: without the queue, which takes a tenth of a second."""
WORK: dict[str, Any] = {"concurrency_id": "work", "concurrency_limit": 1, "api_visibility": "private"}
"""Settings of long work: one at a time, for all sessions together."""


def build_page(bench: Workbench, sessions: Sessions) -> gr.Blocks:
    """Build the page.

    Args:
        bench: Workbench of all sessions.
        sessions: Sessions of all open pages.
    """
    page: gr.Blocks = gr.Blocks(title="latentloop studio", analytics_enabled=False)
    with page:
        gr.HTML("<h1>latentloop studio</h1>")
        with gr.Tab("Edit"):
            groups = grouped(bench.bundled)
            names = [spec.name for specs in groups.values() for spec in specs]
            preview = LivePreview(bench, sessions, names).served()
            tab = edit_tab(groups, preview, for_faces=bench.for_faces)
        with gr.Tab("Mix and morph"):
            mix = mix_tab()
        with gr.Tab("Directions"):
            directions = directions_tab()
        with gr.Tab("Compare"):
            compare = compare_tab(network=bench.model.components.embedder is not None)
        with gr.Tab("About"):
            about_tab(bench.model.components.generator.name)
        edits = EditEvents(bench, sessions, tab)
        _wire(tab, edits)
        _wire_mix(mix, MixEvents(bench, sessions, mix))
        begin = _wire_directions(directions, DirectionsEvents(bench, sessions, directions, tab.own), edits)
        _wire_compare(compare, CompareEvents(bench, sessions, compare))
        page.load(begin, None, [directions.said, directions.table, *tab.own], **QUICK)
        page.unload(_closing(sessions))
    return page


def _closing(sessions: Sessions) -> Callable[[gr.Request], None]:
    """Create the handler that is called when a page is closed."""

    def close(request: gr.Request) -> None:
        sessions.close(str(request.session_hash))

    return close


def _wire(tab: EditTab, edits: EditEvents) -> None:
    """Connect the components of the tab "Edit" with their handlers."""
    both = edits.bench, edits.sessions
    opening, search, files = OpeningEvents(*both, tab), SearchEvents(*both, tab), FileEvents(*both, tab)
    everything, whole = tab.components, tab.whole

    photo = tab.photo.input(
        opening.open_photo, tab.photo, everything, preprocess=False, trigger_mode="always_last", **QUICK
    )
    example = tab.examples.select(opening.open_example, None, everything, **QUICK)
    face = tab.faces.select(opening.choose_face, None, everything, **QUICK)
    random = tab.random.click(opening.open_random, None, everything, **QUICK)
    code = tab.code.upload(opening.open_code, tab.code, everything, **QUICK)
    for opened in (photo, example, face, random, code):
        shown = opened.success(edits.whole, None, whole, trigger_mode="multiple", **QUICK)
        if opened in (photo, example, face):
            _search(shown.success, search.first, search, edits)
    for button, searching in ((tab.better, search.improve), (tab.best, search.best)):
        _search(button.click, searching, search, edits)
    tab.stop.click(search.stop, None, None, **QUICK)

    changes = [*(slider.input for slider in (*tab.sliders, *tab.own)), tab.keep.input]
    gr.on(changes, None, tab.values, None, js=MOVED, show_progress="hidden", api_visibility="private")
    tab.face.rest(edits.rest, None, whole, trigger_mode="multiple", **AT_ONCE)
    for button, event in ((tab.undo, edits.undo), (tab.redo, edits.redo), (tab.reset, edits.reset)):
        stepped = button.click(event, None, everything, **QUICK)
        stepped.success(edits.whole, None, whole, trigger_mode="multiple", **QUICK)

    tab.save.click(files.save, None, tab.files, **QUICK)
    tab.strip.click(files.strip, None, tab.shown, **QUICK)
    for button, film in ((tab.mp4, files.mp4), (tab.gif, files.gif)):
        made = button.click(film, None, [tab.said, tab.stop, tab.shown, tab.files], show_progress="hidden", **WORK)
        made.failure(search.failed, None, [tab.said, *tab.searching], **QUICK)


def _search(
    trigger: Callable[..., Any],
    searching: Callable[[gr.Request], Iterator[Updates]],
    search: SearchEvents,
    edits: EditEvents,
) -> None:
    """Search for a closer code after an event, then draw the whole photo with it; after a failure as it was before."""
    tab = search.tab
    outputs = [tab.said, tab.face, *tab.searching]
    found = trigger(searching, None, outputs, show_progress="hidden", trigger_mode="multiple", **WORK)
    failed = found.failure(search.failed, None, [tab.said, *tab.searching], **QUICK)
    for ended in (found, failed):
        ended.success(edits.whole, None, tab.whole, trigger_mode="multiple", **QUICK)


def _wire_mix(tab: MixTab, events: MixEvents) -> None:
    tray = [tab.said, tab.tray, tab.face, tab.styles, tab.order]
    tab.add.click(events.add, None, tray, **QUICK)
    tab.photos.upload(events.add_photos, tab.photos, tray, **QUICK)
    tab.random.click(events.add_random, None, tray, **QUICK)
    tab.clear.click(events.clear, None, tray, **QUICK)
    mixing = [tab.face, tab.styles, tab.layers, tab.strength]
    changes = [tab.face.input, tab.styles.input, tab.layers.input, tab.strength.input]
    gr.on(changes, events.mix, mixing, tab.mixture, trigger_mode="always_last", **QUICK)
    for change in (tab.way.input, tab.order.input):
        change(events.between, [tab.order, tab.way], tab.between, trigger_mode="always_last", **QUICK)
    for button, film in ((tab.mp4, events.mp4), (tab.gif, events.gif)):
        made = button.click(film, tab.order, [tab.said, tab.stop, tab.film, tab.files], show_progress="hidden", **WORK)
        made.failure(events.failed, None, [tab.said, tab.stop], **QUICK)
    tab.stop.click(events.stop, None, None, **QUICK)


def _wire_directions(
    tab: DirectionsTab, events: DirectionsEvents, edits: EditEvents
) -> Callable[[gr.Request], Updates]:
    """Connect the components; returns the handler that is called when a page is opened."""
    shown, visibly = [tab.said, tab.table, *events.sliders], {**QUICK, "show_progress": "full"}
    opened = tab.file.upload(events.open_file, tab.file, shown, **QUICK)
    found = tab.find.click(events.find, [tab.count, tab.layers], [*shown, tab.found], **visibly)
    forgotten = tab.forget.click(events.forget, None, [*shown, tab.found], **QUICK)
    for changed in (opened, found, forgotten):  # the edit may have lost directions
        changed.success(edits.whole, None, edits.tab.whole, trigger_mode="multiple", **QUICK)
    return events.begin


def _wire_compare(tab: CompareTab, events: CompareEvents) -> None:
    outputs = [tab.said, tab.table, tab.plot, tab.grid]
    compared = tab.run.click(events.run, tab.methods, outputs, show_progress="hidden", **WORK)
    compared.failure(events.failed, None, tab.said, **QUICK)
    tab.stop.click(events.stop, None, None, **QUICK)
