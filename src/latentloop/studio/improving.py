"""Better codes: the iterator goes on in the background while the page shows what it has."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import Quality, preset_of
from latentloop.errors import UserError
from latentloop.options import with_changes
from latentloop.results import InvertedPhoto
from latentloop.studio.opening import code_of, take
from latentloop.studio.session import OpenPhoto, Session
from latentloop.studio.workbench import NO_FACE, Workbench


class Stopped(Exception):  # noqa: N818 - no error
    """The user ended the search."""


@dataclass(frozen=True)
class Step:
    """A step of the search for a better code."""

    done: int
    """Steps that are done."""
    face: Tensor
    """What the best code so far draws with the edits that the sliders say, (1, 3, S, S) in [-1, 1]."""


@dataclass
class _Search:
    """A search for a better code of a face of a session."""

    bench: Workbench
    session: Session
    photo: OpenPhoto
    face: int
    stopped: threading.Event
    tell: Callable[[Step], None]
    done: int = field(default=0, init=False)
    code: Tensor | None = field(default=None, init=False)

    def on_code(self, code: Tensor) -> None:
        """Keep the best code so far."""
        self.code = code.detach().clone()

    def on_step(self, done: int, loss: Tensor) -> None:  # noqa: ARG002
        """Show what there is, let quick requests go first, and end if the user wants that."""
        if self.stopped.is_set():
            raise Stopped
        if self.code is not None:
            self.session.w_plus = self.code
        with torch.inference_mode():
            self.tell(Step(done, self.bench.preview(self.session, self.session.shown)))
        self.bench.turns.give_way()

    def run(self, quality: Quality) -> InvertedPhoto | None:
        """Search to the end; None if it was stopped before."""
        try:
            return self.bench.model.invert(
                self.photo.path,
                **_going_on(self.session, quality),
                face=self.face + 1,
                aligned=self.photo.aligned,
                max_pixels=self.bench.max_pixels,
                on_step=self.on_step,
                on_code=self.on_code,
            )
        except Stopped:
            return None


def steps_of(bench: Workbench, session: Session, quality: Quality) -> int:
    """Count the steps of a session's next search of some quality, those of a refinement among them."""
    near = session.searched or bench.model.components.embedder is not None
    options = with_changes(EmbedOptions(), _going_on(session, quality))
    filled = options.filled(preset_of(quality, near=near))
    return (filled.search.steps or 0) + filled.beyond.steps


def _going_on(session: Session, quality: Quality) -> dict[str, Any]:
    """Options of a search: one that only adds a refinement goes on from the code that a balanced one has found."""
    refine = preset_of(quality, near=True).refine
    if not session.searched or refine == "none":
        return {"quality": quality}
    return {"quality": quality, "start": str(session.folder), "steps": 0, "refine": refine}


def improve(bench: Workbench, session: Session, quality: Quality, tell: Callable[[Step], None]) -> InvertedPhoto | None:
    """Look for a better code of a session's face, which the session takes; if it is stopped, the best until then.

    Args:
        bench: The workbench.
        session: A session with a photo.
        quality: What the code may cost.
        tell: Called after each step.

    Returns:
        The result; None if it was stopped.

    Raises:
        UserError: There is no photo.
    """
    photo, face = session.photo, session.face
    if photo is None:
        raise UserError(NO_FACE)
    with session.work() as stopped, bench.turns.long():
        if stopped.is_set():  # while it waited
            return None
        search = _Search(bench, session, photo, face, stopped, tell)
        found = search.run(quality)
        if session.photo is not photo or session.face != face:
            return None
        if found:
            take(session, photo, found.code)
            session.searched = True
        elif search.code is not None:
            take(session, photo, code_of(bench, photo, photo.faces[face], search.code))
        return found
