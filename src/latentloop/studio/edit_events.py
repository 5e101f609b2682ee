"""The sliders of the tab "Edit", and its undo and redo."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from torch import Tensor

from latentloop.studio.edit_tab import EditTab
from latentloop.studio.history import EditState
from latentloop.studio.requests import Updates, on_the_page, session_of
from latentloop.studio.session import Session, Sessions
from latentloop.studio.sliders import state_of, values_of
from latentloop.studio.views import described, empty, jpeg, picture
from latentloop.studio.workbench import NO_FACE, Workbench

REST = 0.25
"""Seconds after which a slider that does not move is at rest."""


@dataclass(frozen=True)
class EditEvents:
    """Answers to what users do with sliders; each gives new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    def preview(self, request: gr.Request, *values: object) -> str:
        """Draw the face small while a slider moves."""
        session = session_of(self.sessions, request)
        state = state_of(session, self.tab.names, values)
        session.shown = state
        if session.w_plus is None:
            return empty(NO_FACE)
        with on_the_page(), self.bench.turns.quick():
            return picture(self.bench.preview(session, state), f"the face: {described(state.strengths)}")

    def rest(self, request: gr.Request) -> Updates:
        """Draw the whole photo once a slider rests."""
        session = session_of(self.sessions, request)
        state = session.shown
        time.sleep(REST)
        if session.shown != state or session.w_plus is None:
            return {self.tab.compare: gr.skip()}
        session.history.push(state)
        return self.whole(request)

    def whole(self, request: gr.Request) -> Updates:
        """Draw the whole photo with the edit that the sliders say, and the face at full size."""
        session = session_of(self.sessions, request)
        state = session.shown
        if session.w_plus is None:
            return {self.tab.compare: gr.skip()}
        with on_the_page(), self.bench.turns.quick():
            edit = self.bench.picture(session, state)
        if session.shown != state:
            return {self.tab.compare: gr.skip()}
        before = self.bench.original(session)
        return {
            self.tab.compare: (shown_file(session, "before", before), shown_file(session, "after", edit.picture)),
            self.tab.face: picture(edit.faces[0], f"the face: {described(state.strengths)}"),
            **steps_back(self.tab, session),
        }

    def undo(self, request: gr.Request) -> Updates:
        """Go back to the edit before."""
        return self._to(request, lambda session: session.history.undo())

    def redo(self, request: gr.Request) -> Updates:
        """Go on to the edit that was undone."""
        return self._to(request, lambda session: session.history.redo())

    def reset(self, request: gr.Request) -> Updates:
        """Go back to the face as it is."""

        def unedited(session: Session) -> EditState:
            session.history.push(EditState())
            return session.history.state

        return self._to(request, unedited)

    def _to(self, request: gr.Request, choose: Callable[[Session], EditState]) -> Updates:
        session, tab = session_of(self.sessions, request), self.tab
        session.shown = state = choose(session)
        with on_the_page(), self.bench.turns.quick():
            face = picture(self.bench.preview(session, state), f"the face: {described(state.strengths)}")
        numbers = values_of(session, self.tab.names, state)
        sliders = dict(zip((*tab.sliders, *tab.own), numbers, strict=True))
        return {tab.face: face, tab.keep: list(state.keep), **sliders, **steps_back(self.tab, session)}


def steps_back(tab: EditTab, session: Session) -> Updates:
    """Say which of undo, redo and reset there is something for."""
    history = session.history
    return {
        tab.undo: gr.Button(interactive=history.can_undo),
        tab.redo: gr.Button(interactive=history.can_redo),
        tab.reset: gr.Button(interactive=session.shown != EditState()),
    }


def shown_file(session: Session, name: str, image: Tensor) -> str:
    """Write an image (1, 3, H, W) in [-1, 1] for the page, and delete what it took the place of; gives its path."""
    content = jpeg(image)
    path = session.folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.jpg"
    for old in session.folder.glob(f"{name}-*.jpg"):
        if old != path:
            old.unlink(missing_ok=True)
    path.write_bytes(content)
    return str(path)
