"""Opening a photo, a code or a random face in the tab "Edit"."""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from torch import Tensor

from latentloop.studio.edit_events import shown_file, steps_back
from latentloop.studio.edit_tab import EXAMPLES, EditTab
from latentloop.studio.opening import SEEDS, look, open_code, open_photo, open_random
from latentloop.studio.requests import Updates, on_the_page, session_of, uploaded
from latentloop.studio.session import Session, Sessions
from latentloop.studio.sliders import values_of
from latentloop.studio.views import picture, status
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class OpeningEvents:
    """Answers to what users open; each gives new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    def open_photo(self, request: gr.Request, payload: object) -> Updates:
        """Read a photo that was dropped, pasted or taken, and look at its largest face."""
        session = session_of(self.sessions, request)
        if payload is None:
            return {self.tab.said: gr.skip()}
        with on_the_page():
            return self._open(session, *uploaded(self.sessions, session, payload))

    def open_example(self, request: gr.Request, chosen: gr.SelectData) -> Updates:
        """Open one of the examples."""
        path = sorted(EXAMPLES.glob("*.jpg"))[int(chosen.index)]
        with on_the_page():
            return self._open(session_of(self.sessions, request), path, path.name) | {self.tab.photo: str(path)}

    def _open(self, session: Session, path: Path, name: str) -> Updates:
        begun, photo = time.perf_counter(), open_photo(self.bench, session, path, name)
        face = look(self.bench, session)
        seconds, several = time.perf_counter() - begun, len(photo.faces) > 1
        faces = [(shown_file(session, f"face{i + 1}", one.image), f"face {i + 1}") for i, one in enumerate(photo.faces)]
        text = f"A first look, in {seconds:.1f} s. Closer ones follow; move a slider whenever you like."
        return self._opened(session, face, text) | {
            self.tab.faces: gr.Gallery(value=faces if several else [], visible=several)
        }

    def choose_face(self, request: gr.Request, chosen: gr.SelectData) -> Updates:
        """Go on with another face of the photo."""
        session = session_of(self.sessions, request)
        with on_the_page():
            face = look(self.bench, session, int(chosen.index))
        return self._opened(session, face, f"Face {int(chosen.index) + 1}.")

    def open_random(self, request: gr.Request) -> Updates:
        """Show a random face."""
        session, seed = session_of(self.sessions, request), secrets.randbelow(SEEDS)
        with on_the_page():
            face = open_random(self.bench, session, seed)
        return self._opened(session, face, f"A random face: seed:{seed}.") | self._no_photo()

    def open_code(self, request: gr.Request, payload: object) -> Updates:
        """Open a code file, with the photo that is open if it is of that."""
        session = session_of(self.sessions, request)
        with on_the_page():
            fits = open_code(self.bench, session, *uploaded(self.sessions, session, payload))
            face = self.bench.preview(session, session.shown)
        text = "The code, in its photo." if fits else "The code. To put its face into its photo, open that first."
        return self._opened(session, face, text) | ({} if fits else self._no_photo())

    def _no_photo(self) -> Updates:
        return {self.tab.photo: None, self.tab.faces: gr.Gallery(value=[], visible=False)}

    def _opened(self, session: Session, face: Tensor, text: str) -> Updates:
        names, tab = self.tab.names, self.tab
        numbers = values_of(session, names, session.shown)
        searchable = session.photo is not None
        return {
            tab.face: picture(face, "the reconstructed face"),
            tab.said: status(text),
            tab.shown: "",
            tab.files: gr.File(value=None, visible=False),
            tab.keep: [],
            **dict(zip((*tab.sliders, *tab.own), numbers, strict=True)),
            **{button: gr.Button(interactive=searchable) for button in (tab.better, tab.best)},
            **{button: gr.Button(interactive=True) for button in (tab.save, tab.strip, tab.mp4, tab.gif)},
            **steps_back(self.tab, session),
        }
