"""Search for closer codes in the background, while the page shows the best one so far."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import Quality, preset_of
from latentloop.errors import UserError
from latentloop.images import resample
from latentloop.options import with_changes
from latentloop.results import InvertedPhoto
from latentloop.studio.opening import code_of, save
from latentloop.studio.session import NO_FACE, OpenFace, OpenPhoto, Session, Stopped
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class Step:
    """A step of the search for a closer code."""

    done: int
    """Number of steps done."""
    face: Tensor
    """Best code's image with the current edit, (1, 3, S, S) in [-1, 1]."""


@dataclass
class _Search:
    """A search for a closer code of a face."""

    bench: Workbench
    session: Session
    face: OpenFace
    photo: OpenPhoto
    stopped: threading.Event
    tell: Callable[[Step], None]
    code: Tensor | None = field(default=None, init=False)
    image: Tensor | None = field(default=None, init=False)

    def on_code(self, code: Tensor) -> None:
        """Keep the best code so far."""
        self.code = code.detach().clone()

    def on_image(self, image: Tensor) -> None:
        """Keep the image of a step beyond the code."""
        self.image = resample(image, min(self.bench.previewer.renderer.resolution, image.shape[-1])).clamp(-1, 1).cpu()

    def on_step(self, done: int, loss: Tensor) -> None:  # noqa: ARG002
        """Show the result so far, let quick requests go first, and stop on request."""
        if self.stopped.is_set() or self.session.face is not self.face:
            raise Stopped
        if self.code is not None:
            self.face.w_plus = self.code
        self.tell(Step(done, self._face()))
        self.bench.turns.give_way(self.stopped)

    def _face(self) -> Tensor:
        """Return the image so far; steps beyond the code have one only for the unedited face."""
        if self.image is not None and not self.face.shown.strengths:
            return self.image
        with torch.inference_mode():
            return self.bench.preview(self.session, self.face, self.face.shown)

    def run(self, quality: Quality) -> InvertedPhoto | None:
        """Search, and give the face the result, or the best code so far if it was stopped; returns the result."""
        before, found = self.face.w_plus, None
        try:
            with suppress(Stopped):
                found = self._found(quality)
        finally:
            self.face.w_plus = before  # a search that fails changes nothing
        # In the thread that also opens faces and reads their codes, so that nothing comes in between.
        return self.bench.turns.quick(lambda: self._given(found))

    def _found(self, quality: Quality) -> InvertedPhoto:
        """Search to the end."""
        if self.stopped.is_set():  # stopped while it waited for its turn
            raise Stopped
        return self.bench.model.invert(
            self.photo.path,
            **going_on(self.face, quality),
            face=self.face.number + 1,
            aligned=self.photo.aligned,
            max_pixels=self.bench.max_pixels,
            on_step=self.on_step,
            on_code=self.on_code,
            on_image=self.on_image,
        )

    def _given(self, found: InvertedPhoto | None) -> InvertedPhoto | None:
        """Give the face its closer code; None if it is no longer open, or the search was stopped."""
        face, photo = self.face, self.photo
        if self.session.face is not face:
            return None
        if found:
            face.take(save(photo, found.code), found.code.w_plus[None].to(face.w_plus), balanced=True)
        elif self.code is not None and not self._refined():
            face.take(save(photo, code_of(self.bench, photo, photo.faces[face.number], self.code)), self.code)
        return found

    def _refined(self) -> bool:
        """Tell whether the face's own code has a refinement, without which no code is as close."""
        return self.face.found and bool(self.bench.subject(self.face).drawn_by)


def steps_of(bench: Workbench, face: OpenFace, quality: Quality) -> int:
    """Count the steps of a face's next search, including those beyond the code."""
    near = face.found or bench.model.components.embedder is not None
    options = with_changes(EmbedOptions(), _options(face, quality))
    parts = bench.model.components
    predicted = parts.feature_encoder(parts.renderer()) is not None
    filled = options.filled(preset_of(quality, near=near, predicted=predicted))
    return (filled.search.steps or 0) + filled.beyond.steps


def going_on(face: OpenFace, quality: Quality) -> dict[str, Any]:
    """Return the options of a search; a face with more than a first code continues from its own."""
    if not face.found or face.photo is None:
        return _options(face, quality)
    start = face.place / "start"
    start.mkdir(exist_ok=True)
    shutil.copyfile(face.argument, start / f"{face.photo.path.stem}.npz")
    return {**_options(face, quality), "start": str(start)}


def _options(face: OpenFace, quality: Quality) -> dict[str, Any]:
    """Return the options without a start; after a balanced search, a better one only takes the additional steps."""
    more = preset_of(quality, near=True).steps - preset_of("balanced", near=True).steps
    return {"quality": quality, "steps": more} if face.balanced and more > 0 else {"quality": quality}


def improve(
    bench: Workbench, session: Session, face: OpenFace, quality: Quality, tell: Callable[[Step], None]
) -> InvertedPhoto | None:
    """Search for a closer code, and give it to the face; if stopped, the best one so far, unless its own is closer.

    Args:
        bench: Workbench of all sessions.
        session: Session of the face.
        face: Face in a photo.
        quality: Quality preset of the search.
        tell: Called after each step.

    Returns:
        The result; None if it was stopped.

    Raises:
        UserError: The face has no photo, or the search fails; the face then keeps its code.
    """
    photo = face.photo
    if photo is None:
        raise UserError(NO_FACE)
    with suppress(Stopped), session.work() as stopped, bench.turns.long():
        return _Search(bench, session, face, photo, stopped, tell).run(quality)
    return None
