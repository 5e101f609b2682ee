"""Event handlers of the tab "Edit" for opening a photo, a code or a random face."""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.errors import UserError
from latentloop.studio.edit_events import shown_file, steps_back
from latentloop.studio.edit_tab import EXAMPLES, EditTab
from latentloop.studio.opening import SEEDS, open_code, open_face, open_photo, open_random
from latentloop.studio.requests import Updates, in_turn, on_the_page, session_of, uploaded
from latentloop.studio.session import NO_FACE, OpenFace, Session, Sessions
from latentloop.studio.sliders import values_of
from latentloop.studio.views import picture, status
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class OpeningEvents:
    """Event handlers of what users open; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    @in_turn
    def open_photo(self, request: gr.Request, payload: object) -> Updates:
        """Read a dropped, pasted or taken photo, and show its largest face."""
        session = session_of(self.sessions, request)
        if payload is None:
            return {self.tab.said: gr.skip()}
        with on_the_page():
            return self._open(session, *uploaded(self.sessions, session, payload))

    @in_turn
    def open_example(self, request: gr.Request, chosen: gr.SelectData) -> Updates:
        """Open one of the examples."""
        path = sorted(EXAMPLES.glob("*.jpg"))[int(chosen.index)]
        with on_the_page():
            return self._open(session_of(self.sessions, request), path, path.name) | {self.tab.photo: str(path)}

    def _open(self, session: Session, path: Path, name: str) -> Updates:
        begun, face = time.perf_counter(), open_photo(self.bench, session, path, name)
        shown = self._opened(session, face, f"A first look, in {time.perf_counter() - begun:.1f} s.")
        faces = [one.image for one in face.photo.faces] if face.photo else []
        tiles = [(shown_file(session, f"face{i + 1}", image), f"face {i + 1}") for i, image in enumerate(faces)]
        several = len(tiles) > 1
        return shown | {self.tab.faces: gr.Gallery(value=tiles if several else [], visible=several)}

    @in_turn
    def choose_face(self, request: gr.Request, chosen: gr.SelectData) -> Updates:
        """Switch to another face of the photo."""
        session, number = session_of(self.sessions, request), int(chosen.index)
        with on_the_page():
            photo = session.opened.photo
            if photo is None:
                raise UserError(NO_FACE)
            return self._opened(session, open_face(self.bench, session, photo, number), f"Face {number + 1}.")

    @in_turn
    def open_random(self, request: gr.Request) -> Updates:
        """Open and show a random face."""
        session, seed = session_of(self.sessions, request), secrets.randbelow(SEEDS)
        with on_the_page():
            face = open_random(self.bench, session, seed)
            return self._opened(session, face, f"A random face: seed:{seed}.") | self._no_photo()

    @in_turn
    def open_code(self, request: gr.Request, payload: object) -> Updates:
        """Open a code file, within the open photo if it comes from there."""
        session = session_of(self.sessions, request)
        with on_the_page():
            face = open_code(self.bench, session, *uploaded(self.sessions, session, payload))
            text = "The code, in its photo." if face.photo else "The code. For the whole photo, open that first."
            return self._opened(session, face, text) | ({} if face.photo else self._no_photo())

    def _no_photo(self) -> Updates:
        return {self.tab.photo: None, self.tab.faces: gr.Gallery(value=[], visible=False)}

    def _opened(self, session: Session, face: OpenFace, text: str) -> Updates:
        tab, searchable = self.tab, face.photo is not None
        numbers = values_of(session, tab.names, face.shown)
        shown = picture(self.bench.preview(session, face, face.shown), "the reconstructed face")
        return {
            tab.face: shown,
            tab.said: status(text),
            tab.shown: "",
            tab.files: gr.File(value=None, visible=False),
            tab.keep: [],
            **dict(zip((*tab.sliders, *tab.own), numbers, strict=True)),
            **{button: gr.Button(interactive=searchable) for button in (tab.better, tab.best)},
            **{button: gr.Button(interactive=True) for button in (tab.save, tab.strip, tab.mp4, tab.gif)},
            tab.stop: gr.Button(interactive=False),
            **steps_back(tab, face),
        }
