"""Event handlers of the tab "Edit" for sliders, undo and redo."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from torch import Tensor

from latentloop.photo_editing.rendered_edit import RenderedEdit
from latentloop.studio.edit_tab import EditTab
from latentloop.studio.history import EditState
from latentloop.studio.requests import Updates, in_turn, on_the_page, session_of
from latentloop.studio.session import OpenFace, Session, Sessions
from latentloop.studio.sliders import values_of
from latentloop.studio.views import described, jpeg, picture
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class EditEvents:
    """Event handlers of the sliders; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    def rest(self, request: gr.Request) -> Updates:
        """Draw the whole photo once a slider rests, and record the edit for undo."""
        self._record(session_of(self.sessions, request))
        return self.whole(request)

    @in_turn
    def _record(self, session: Session) -> None:
        if face := session.face:
            face.history.push(face.shown)

    def whole(self, request: gr.Request) -> Updates:
        """Draw the whole photo with the current edit, and the face at full size."""
        session = session_of(self.sessions, request)
        face = session.face  # read once: another thread may open or close one meanwhile
        return self._whole(session, face) if face else {self.tab.compare: gr.skip()}

    def _whole(self, session: Session, face: OpenFace) -> Updates:
        state, quick = face.shown, self.bench.turns.quick
        with on_the_page():
            edit = quick(lambda: self._drawn(session, face, state))
            return quick(lambda: self._shown(session, face, state, edit))  # two turns, with room for others in between

    def _drawn(self, session: Session, face: OpenFace, state: EditState) -> RenderedEdit | None:
        """Draw an edit; None if another face was opened meanwhile, which deletes this one's files."""
        return self.bench.picture(session, face, state) if session.face is face else None

    def _shown(self, session: Session, face: OpenFace, state: EditState, edit: RenderedEdit | None) -> Updates:
        if edit is None or session.face is not face or face.shown != state:
            return {self.tab.compare: gr.skip()}
        before = self.bench.original(face)
        return {
            self.tab.compare: (shown_file(session, "before", before), shown_file(session, "after", edit.picture)),
            self.tab.face: picture(edit.faces[0], f"the face: {described(state.strengths)}"),
            **steps_back(self.tab, face),
        }

    def undo(self, request: gr.Request) -> Updates:
        """Return to the previous edit."""
        return self._to(request, lambda face: face.history.undo())

    def redo(self, request: gr.Request) -> Updates:
        """Return to the edit that was undone."""
        return self._to(request, lambda face: face.history.redo())

    def reset(self, request: gr.Request) -> Updates:
        """Return to the unedited face."""

        def unedited(face: OpenFace) -> EditState:
            face.history.push(EditState())
            return face.history.state

        return self._to(request, unedited)

    @in_turn
    def _to(self, request: gr.Request, choose: Callable[[OpenFace], EditState]) -> Updates:
        session, tab = session_of(self.sessions, request), self.tab
        with on_the_page():
            face = session.opened
            face.shown = state = choose(face)
            shown = picture(self.bench.preview(session, face, state), f"the face: {described(state.strengths)}")
        sliders = dict(zip((*tab.sliders, *tab.own), values_of(session, tab.names, state), strict=True))
        return {tab.face: shown, tab.keep: list(state.keep), **sliders, **steps_back(tab, face)}


def steps_back(tab: EditTab, face: OpenFace) -> Updates:
    """Enable undo, redo and reset where they have an effect."""
    return {
        tab.undo: gr.Button(interactive=face.history.can_undo),
        tab.redo: gr.Button(interactive=face.history.can_redo),
        tab.reset: gr.Button(interactive=face.shown != EditState()),
    }


def shown_file(session: Session, name: str, image: Tensor) -> str:
    """Write an image (1, 3, H, W) in [-1, 1] for the page, delete its predecessor, and return its path."""
    # The name depends on the content, so that browsers do not show a cached predecessor.
    content, folder = jpeg(image), session.folder / "shown"
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.jpg"
    folder.mkdir(exist_ok=True)
    for old in folder.glob(f"{name}-*.jpg"):
        if old != path:
            old.unlink(missing_ok=True)
    path.write_bytes(content)
    return str(path)
