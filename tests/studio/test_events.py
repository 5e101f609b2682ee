"""What happens on the page, without a browser: a small random generator that draws no faces."""

import asyncio
import gc
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from latentloop.baselines import Projector
from latentloop.benchmark.method_table import choose_methods
from latentloop.benchmark.run import Benchmark
from latentloop.embedding import quality
from latentloop.errors import NotFiniteError, UserError
from latentloop.studio.history import EditState
from latentloop.studio.session import Stopped
from latentloop.studio.sliders import OWN
from latentloop.studio.turns import Turns
from latentloop.studio.workbench import Workbench
from small_generators import SmallGenerator, SmallPhotos

gr = pytest.importorskip("gradio")

from gradio.context import LocalContext  # noqa: E402 - needs Gradio

from latentloop.studio.compare_tab import CompareTab, Follower, compare_tab  # noqa: E402
from latentloop.studio.directions_tab import directions_tab  # noqa: E402
from latentloop.studio.edit_tab import edit_tab  # noqa: E402
from latentloop.studio.mix_tab import mix_tab  # noqa: E402
from studio.pages import Layout, Page, given  # noqa: E402


@contextmanager
def laying_out() -> Iterator[None]:
    """Gives the place for components."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Gradio leaves event loops open
        with gr.Blocks(analytics_enabled=False):
            yield
        asyncio.set_event_loop(None)
        gc.collect()


@pytest.fixture(scope="module")
def layout() -> Layout:
    async def preview(*_: object) -> str:
        return ""

    with laying_out():
        return Layout(edit_tab({}, preview, for_faces=False), mix_tab(), directions_tab(), compare_tab(network=False))


@pytest.fixture(scope="module")
def layout_with_network() -> CompareTab:
    with laying_out():
        return compare_tab(network=True)


@pytest.fixture
def page(small_generator: SmallGenerator, tmp_path: Path, layout: Layout) -> Iterator[Page]:
    root = tmp_path / "root"
    root.mkdir()
    answering = LocalContext.in_event_listener.set(True)  # components are values from here on
    yield Page(small_generator(), root, layout)
    LocalContext.in_event_listener.reset(answering)


@pytest.fixture
def photo(page: Page, small_photos: SmallPhotos) -> Path:
    return small_photos(Path(page.bench.model.components.generator_file), 1) / "0.png"


@pytest.fixture
def edited(page: Page) -> Page:
    """A page with a random face, and a slider that was moved."""
    page.directions.find(page.asked, 2, "all")
    page.opening.open_random(page.asked)
    page.live.shown("one", page.moved(1.5))
    return page


def test_the_face_follows_a_slider(edited: Page) -> None:
    page, face = edited, edited.session.opened
    assert face.shown == EditState({"sefa0": 1.5})
    shown = {page.live.shown("one", page.moved(strength)) for strength in (0.5, 1.0, 1.5)}
    assert len(shown) == 3
    assert all(one.startswith("<img") for one in shown)
    assert "sefa0 +1.5" in page.live.shown("one", page.moved(1.5))
    assert not face.history.can_undo  # until it rests


def test_faces_are_drawn_in_the_thread_of_quick_requests(edited: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, draw = list[int](), Workbench.preview

    def preview(*arguments: Any) -> Any:  # noqa: ANN401
        threads.append(threading.get_ident())
        return draw(*arguments)

    monkeypatch.setattr(Workbench, "preview", preview)
    html = asyncio.run(edited.live.served()(edited.moved(0.5), edited.asked))
    assert html.startswith("<img")
    edited.edits.reset(edited.asked)
    assert {*threads} == {edited.bench.turns.quick(threading.get_ident)}


def test_without_a_face_or_on_a_closed_page_a_sentence_stands_in_its_place(page: Page) -> None:
    assert "choose a photo first" in page.live.shown("one", page.moved(1.0))
    page.sessions.close("one")
    assert "this page was closed" in page.live.shown("one", page.moved(1.0))


def test_what_a_preview_fails_of_stands_in_its_place(edited: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def preview(*_: object) -> str:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(Workbench, "preview", preview)
    assert "there is not enough memory" in edited.live.shown("one", edited.moved(1.0))


def test_the_whole_picture_comes_when_a_slider_rests(edited: Page) -> None:
    tab, face = edited.tab, edited.session.opened
    updates = edited.edits.rest(edited.asked)
    before, after = map(Path, updates[tab.compare])
    assert before.is_file()
    assert after.is_file()
    assert before.parent.parent == edited.session.folder
    assert face.history.can_undo
    assert given(updates, tab.undo)["interactive"]
    assert "sefa0 +1.5" in updates[tab.face]
    edited.edits.rest(edited.asked)  # the same again
    assert face.history.undo() == EditState()
    assert not face.history.can_undo


def test_a_picture_that_is_no_longer_wanted_is_not_shown(edited: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, face = Workbench.picture, edited.session.opened

    def moved_on(*arguments: Any) -> Any:  # noqa: ANN401
        found = draw(*arguments)
        face.shown = EditState({"sefa0": 0.5})
        return found

    monkeypatch.setattr(Workbench, "picture", moved_on)
    updates = edited.edits.rest(edited.asked)
    assert [*updates] == [edited.tab.compare]


def test_a_face_that_was_left_meanwhile_is_not_drawn(edited: Page) -> None:
    page, left = edited, edited.session.opened
    page.opening.open_random(page.asked)  # deletes its files
    left.argument = str(left.place / "deleted.npz")
    left.subject = None
    assert [*page.edits._whole(page.session, left)] == [page.tab.compare]


def test_undo_redo_and_reset_move_the_sliders(edited: Page) -> None:
    tab, edits, asked = edited.tab, edited.edits, edited.asked
    edits.rest(asked)
    assert edits.undo(asked)[tab.own[0]] == 0
    assert edits.redo(asked)[tab.own[0]] == 1.5
    updates = edits.reset(asked)
    assert updates[tab.own[0]] == 0
    assert given(updates, tab.undo)["interactive"]
    assert not given(updates, tab.reset)["interactive"]


def test_a_photo_opens_and_what_is_none_is_told(page: Page, photo: Path, tmp_path: Path) -> None:
    updates = page.opening.open_photo(page.asked, page.upload(photo))
    assert "A first look" in updates[page.tab.said]
    assert given(updates, page.tab.better)["interactive"]
    text = tmp_path / "text.jpg"
    text.write_text("Dear diary")
    with pytest.raises(gr.Error, match=r"text\.jpg: not an image"):
        page.opening.open_photo(page.asked, page.upload(text))
    assert page.session.opened.photo is not None
    updates = page.opening.open_random(page.asked)
    assert updates[page.tab.photo] is None
    assert not given(updates, page.tab.better)["interactive"]


def test_a_search_shows_its_steps_and_its_end(page: Page, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = quality.Preset(steps=3, lr=0.08, plain_lr=0.08)
    monkeypatch.setattr(quality, "FAR", dict.fromkeys(quality.FAR, short))
    page.opening.open_photo(page.asked, page.upload(photo))
    first, *steps, last = page.search.improve(page.asked)
    assert not given(first, page.tab.better)["interactive"]
    assert steps[-1][page.tab.face].startswith("<img")
    assert "Step 3 of 3" in steps[-1][page.tab.said]
    assert "Found in" in last[page.tab.said]
    assert given(last, page.tab.better)["interactive"]


def test_a_search_can_be_stopped(page: Page, photo: Path) -> None:
    page.opening.open_photo(page.asked, page.upload(photo))
    for updates in page.search.improve(page.asked):
        if page.tab.stop in updates and given(updates, page.tab.stop)["interactive"]:
            page.search.stop(page.asked)
    assert "Stopped" in updates[page.tab.said]
    assert not given(updates, page.tab.stop)["interactive"]


def test_a_face_is_searched_once_after_it_was_opened(page: Page, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = quality.Preset(steps=1, lr=0.08, plain_lr=0.08)
    monkeypatch.setattr(quality, "FAR", dict.fromkeys(quality.FAR, short))
    page.opening.open_photo(page.asked, page.upload(photo))
    assert len([*page.search.first(page.asked)]) > 2
    assert [[*updates] for updates in page.search.first(page.asked)] == [[page.tab.said]]


def test_files_wait_for_the_end_of_a_search(page: Page, photo: Path) -> None:
    page.opening.open_photo(page.asked, page.upload(photo))
    search = page.search.improve(page.asked)
    assert not given(next(search), page.tab.save)["interactive"]
    page.search.stop(page.asked)
    *_, last = search
    assert given(last, page.tab.save)["interactive"]


def test_a_search_that_failed_can_be_tried_again(page: Page, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NotFiniteError("the loss is not finite")

    monkeypatch.setattr("latentloop.studio.search_events.improve", fail)
    page.opening.open_photo(page.asked, page.upload(photo))
    with pytest.raises(gr.Error, match="the loss is not finite; find the code with"):
        list(page.search.improve(page.asked))
    updates = page.search.failed(page.asked)
    assert "That did not work" in updates[page.tab.said]
    assert given(updates, page.tab.better)["interactive"]
    assert not given(updates, page.tab.stop)["interactive"]


def mixed_page(page: Page) -> list[str]:
    for _ in range(2):
        updates = page.mix.add_random(page.asked)
    return [*given(updates, page.mix_tab.order)["choices"]]


def test_faces_are_mixed_and_the_mistakes_told(page: Page) -> None:
    one, two = mixed_page(page)
    assert page.mix.mix(page.asked, one, two, ["coarse"], 0.5).startswith("<img")
    assert page.mix.between(page.asked, [one, two], 0.5).startswith("<img")
    with pytest.raises(gr.Error, match="at least one kind"):
        page.mix.mix(page.asked, one, two, [], 0.5)
    with pytest.raises(gr.Error, match="two faces or more"):
        page.mix.between(page.asked, [one], 0.5)
    page.mix.clear(page.asked)
    assert page.session.tray == {}


def test_photos_of_one_name_are_both_added(page: Page, photo: Path) -> None:
    updates = page.mix.add_photos(page.asked, [page.upload(photo), page.upload(photo)])
    assert given(updates, page.mix_tab.order)["choices"] == ["0", "0 (2)"]


def ended(films: Iterator[dict[Any, Any]], page: Page) -> dict[Any, Any]:
    """Stop a film as soon as that is offered; gives the last updates."""
    for updates in films:
        if any(given(updates, stop)["interactive"] for stop in (page.mix_tab.stop, page.tab.stop) if stop in updates):
            page.mix.stop(page.asked)
    return updates


def test_films_can_be_stopped(edited: Page) -> None:
    tab, names = edited.mix_tab, mixed_page(edited)
    last = ended(edited.mix.gif(edited.asked, names), edited)
    assert "Stopped" in last[tab.said]
    assert not given(last, tab.stop)["interactive"]
    assert tab.film not in last
    last = ended(edited.files.gif(edited.asked), edited)
    assert "Stopped" in last[edited.tab.said]
    assert not given(last, edited.tab.stop)["interactive"]


def test_a_morph_is_shown(page: Page) -> None:
    *_, last = page.mix.gif(page.asked, mixed_page(page))
    assert "data:image/gif" in last[page.mix_tab.film]
    assert Path(given(last, page.mix_tab.files)["value"]).read_bytes().startswith(b"GIF89a")
    assert not given(last, page.mix_tab.stop)["interactive"]


def test_directions_get_sliders_and_lose_them(page: Page) -> None:
    updates = page.directions.begin(page.asked)
    assert [given(updates, slider)["visible"] for slider in page.tab.own] == [True] * 6 + [False] * (OWN - 6)
    updates = page.directions.forget(page.asked)
    assert not any(given(updates, slider)["visible"] for slider in page.tab.own)
    assert page.session.directions == {}


def test_directions_that_do_not_fit_leave_the_others(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.directions.find(page.asked, 2, "all")
    before = page.session.directions
    monkeypatch.setattr("latentloop.studio.directions_tab.OWN", 2)
    with pytest.raises(gr.Error, match="do not fit"):
        page.directions.find(page.asked, 3, "all")
    assert page.session.directions == before


def test_an_edit_by_directions_that_were_removed_is_no_edit(edited: Page) -> None:
    edited.directions.forget(edited.asked)
    assert edited.session.opened.shown == EditState()
    names = [Path(file).name for file in given(edited.files.save(edited.asked), edited.tab.files)["value"]]
    assert [name for name in names if "reconstruction" in name]


def test_only_photos_are_compared(page: Page) -> None:
    with pytest.raises(gr.Error, match="open a photo"):
        list(page.compare.run(page.asked, ["one-pass"]))


def compared(page: Page, photo: Path, *methods: str) -> dict[Any, Any]:
    """Open a photo and compare methods on it; gives the last updates."""
    page.opening.open_photo(page.asked, page.upload(photo))
    *_, last = page.compare.run(page.asked, methods)
    return last


def test_what_a_comparison_leaves_out_is_told(page: Page, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise NotFiniteError("the <loss> is not finite")

    monkeypatch.setattr(Projector, "refine", fail)
    monkeypatch.setattr(Benchmark, "_warm_up", lambda *_: None)
    tab = page.compare.tab
    updates = compared(page, photo, "optimize:1", "projector:1")
    assert "Done" in updates[tab.said]
    assert "Left out: projector-1: the &lt;loss&gt; is not finite" in updates[tab.table]
    assert "data:image/png" in updates[tab.plot]
    with pytest.raises(gr.Error, match=r"^.projector-2: the &lt;loss&gt; is not finite"):  # not the plot from before
        compared(page, photo, "projector:2")
    assert "did not work" in page.compare.failed()


def test_a_comparison_of_a_photo_that_is_left_stops(page: Page, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object, **__: object) -> None:
        page.opening.open_random(page.asked)
        raise UserError("cut-out/0.png: no such file")

    monkeypatch.setattr("latentloop.benchmark.run_benchmark", leave)
    assert "Stopped" in compared(page, photo, "optimize:1")[page.compare.tab.said]


def test_methods_that_need_a_network_are_offered_with_one(layout: Layout, layout_with_network: CompareTab) -> None:
    assert layout.compare.methods.value == ["optimize", "image2stylegan:100", "projector:100"]
    assert layout_with_network.methods.value == ["one-pass", "instant", "balanced"]
    offered = [str(name) for _, name in layout_with_network.methods.choices]
    assert {*offered} > {str(name) for _, name in layout.compare.methods.choices}
    assert len(choose_methods(offered)) == len(offered)


def test_a_comparison_ends_when_it_is_stopped(page: Page) -> None:
    told, stopped = list[str](), threading.Event()
    follower = Follower(page.bench, stopped, told.append)
    method: Any = type("Method", (), {"title": "Ours"})
    loss: Any = None
    follower.step(method, 3, loss)
    assert told == ["Ours: step 3 ..."]
    stopped.set()
    with pytest.raises(Stopped):
        follower.step(method, 4, loss)


def test_files_of_an_edit_are_offered(edited: Page) -> None:
    updates = edited.files.save(edited.asked)
    names = [Path(file).suffix for file in given(updates, edited.tab.files)["value"]]
    assert names == [".png", ".npz"]
    assert edited.files.strip(edited.asked)[edited.tab.shown].startswith("<img")


def test_long_work_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[bool]()
    monkeypatch.setattr("latentloop.studio.turns.return_freed_memory", lambda: given.append(True))
    with pytest.raises(ZeroDivisionError), Turns().long():
        _ = 1 / 0
    assert given == [True]
