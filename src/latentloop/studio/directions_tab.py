"""Tab "Directions": directions from a file, or found by SeFa, which get sliders in the tab "Edit"."""

import html
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.editing import Direction, directions_in, save_directions
from latentloop.errors import UserError
from latentloop.photo_editing.direction_list import info_of
from latentloop.photo_editing.direction_search import find_unsupervised
from latentloop.studio.opening import called, plain_name
from latentloop.studio.requests import Updates, in_turn, on_the_page, session_of, uploaded
from latentloop.studio.session import OwnDirection, Session, Sessions
from latentloop.studio.sliders import OWN
from latentloop.studio.views import status
from latentloop.studio.workbench import Workbench

SEFA, FIRST = "sefa", 6
"""Prefix of the names of SeFa's directions, and their initial number for generators without bundled ones."""
SAMPLES = 2000
"""Number of random styles that determine the unit of SeFa's directions."""


@dataclass(frozen=True)
class DirectionsTab:
    """Components of the tab."""

    file: gr.UploadButton
    count: gr.Slider
    layers: gr.Dropdown
    find: gr.Button
    forget: gr.Button
    said: gr.HTML
    table: gr.HTML
    found: gr.File
    """File of the directions that SeFa found."""


def directions_tab() -> DirectionsTab:
    """Lay out the tab and return its components."""
    gr.Markdown(
        "Your own directions get sliders in the tab Edit: from a file (of `latentloop directions find`, "
        "InterFaceGAN, GANSpace or SeFa), or found by SeFa in the weights of any generator."
    )
    with gr.Row():
        file = gr.UploadButton("Open a file of directions", min_width=160, elem_id="directions-file")
        forget = gr.Button("Remove all", min_width=100, elem_id="directions-forget")
    with gr.Row():
        count = gr.Slider(1, OWN, 6, step=1, label="How many", elem_id="sefa-count")
        layers = gr.Dropdown(["all", "coarse", "middle", "fine"], value="all", label="Layers", elem_id="sefa-layers")
        find = gr.Button("Find by SeFa", min_width=120, elem_id="sefa-find")
    said = gr.HTML(status(""), elem_id="directions-said")
    table = gr.HTML("", elem_id="directions-table")
    found = gr.File(label="File of what was found", visible=False, interactive=False, elem_id="sefa-file")
    return DirectionsTab(file, count, layers, find, forget, said, table, found)


@dataclass(frozen=True)
class DirectionsEvents:
    """Event handlers of the tab; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: DirectionsTab
    sliders: Sequence[gr.Slider]
    """Sliders of the tab "Edit" for the user's own directions."""

    @in_turn
    def open_file(self, request: gr.Request, payload: object) -> Updates:
        """Read the directions in an uploaded file."""
        session = session_of(self.sessions, request)
        with on_the_page():
            upload, name = uploaded(self.sessions, session, payload)
            path = session.new_place() / plain_name(name)
            shutil.copyfile(upload, path)
            with called(path, name):
                found = directions_in(path, self.bench.model.components.generator)
            self._add(session, session.directions, path, found)
            return self._shown(session)

    @in_turn
    def find(self, request: gr.Request, count: float, layers: str) -> Updates:
        """Find directions by SeFa, which replace those that it found before."""
        session = session_of(self.sessions, request)
        with on_the_page():
            path = self._found(session, int(count), layers)
            return self._shown(session) | {self.tab.found: gr.File(value=str(path), visible=True)}

    @in_turn
    def begin(self, request: gr.Request) -> Updates:
        """Give a generator without bundled directions some initial ones."""
        session = session_of(self.sessions, request)
        with on_the_page():
            if not self.bench.bundled and not session.directions:
                self._found(session, FIRST, "all")
            return self._shown(session)

    @in_turn
    def forget(self, request: gr.Request) -> Updates:
        """Remove the user's own directions."""
        session = session_of(self.sessions, request)
        session.use({})
        return self._shown(session) | {self.tab.found: gr.File(value=None, visible=False)}

    def _found(self, session: Session, count: int, layers: str) -> Path:
        path = session.new_place() / f"{SEFA}-{layers}.safetensors"
        found = find_by_sefa(self.bench, path, count, layers)
        others = {name: one for name, one in session.directions.items() if not name.startswith(SEFA)}
        self._add(session, others, path, found)
        return path

    def _add(
        self, session: Session, others: Mapping[str, OwnDirection], path: Path, found: Mapping[str, Direction]
    ) -> None:
        """Give the session new directions beside others."""
        # Names of bundled directions are reserved.
        new = {
            f"{name} (own)" if name in self.bench.bundled else name: OwnDirection(f"{path}:{name}", direction)
            for name, direction in found.items()
        }
        if len({*others, *new}) > OWN:
            raise UserError(f"{len(new)} more directions do not fit, there are {OWN} sliders; remove the others first")
        session.use({**others, **new})

    def _shown(self, session: Session) -> Updates:
        names: list[str] = [*session.directions, *[""] * (OWN - len(session.directions))]
        strengths = session.face.shown.strengths if session.face else {}
        sliders = [gr.Slider(label=name or "-", value=strengths.get(name, 0.0), visible=bool(name)) for name in names]
        count = len(session.directions)
        return {
            self.tab.said: status(f"{count} own directions; their sliders are in the tab Edit."),
            self.tab.table: _table(session),
            **dict(zip(self.sliders, sliders, strict=True)),
        }


def find_by_sefa(bench: Workbench, path: Path, count: int, layers: str) -> Mapping[str, Direction]:
    """Find directions by SeFa, and save them as `latentloop directions find` does.

    Args:
        bench: Workbench with the generator whose weights are factorized.
        path: File for the directions.
        count: Number of directions.
        layers: Layers that they change, as `parse_layers` reads them.

    Raises:
        UserError: The generator does not expose its weights.
    """
    generator = bench.model.components.generator
    found = find_unsupervised(generator, "sefa", count=count, layers=layers, samples=SAMPLES, seed=0)
    save_directions(path, found)
    return {one.name: one for one in found}


def _table(session: Session) -> str:
    """Describe the user's own directions in an HTML table."""
    rows = [(name, info_of(one.direction)) for name, one in session.directions.items()]
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(info.layers)}</td><td>{html.escape(info.measured)}</td></tr>"
        for name, info in rows
    )
    head = "<tr><th>Name</th><th>Layers</th><th>Measured</th></tr>"
    return f'<table class="ll-table">{head}{cells}</table>' if rows else ""
