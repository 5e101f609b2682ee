"""The workbench: the generator of the studio with all that draws edits of its codes, for all sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.editing import Direction, shipped_directions
from latentloop.generators.registry import draws_faces
from latentloop.latents import mean_code
from latentloop.model import Model
from latentloop.photo_editing.applied_directions import AppliedDirections, record_edit, restricted
from latentloop.photo_editing.editor import Editor, make_editor
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.refined_subjects import with_refinements
from latentloop.photo_editing.rendered_edit import RenderedEdit, render_edit
from latentloop.photo_editing.subjects import Subject, subjects_of
from latentloop.studio.history import EditState
from latentloop.studio.session import OpenFace, Session
from latentloop.studio.turns import Turns

RESTRICTED = 200
"""Most directions without what is kept that a session remembers; there are thousands of combinations."""


@dataclass(frozen=True)
class Workbench:
    """A generator with all that edits photos, and the turns in which sessions use the processor."""

    model: Model
    max_pixels: int = MAX_PIXELS
    """Photos of more pixels are refused."""
    turns: Turns = field(default_factory=Turns)

    @cached_property
    def editor(self) -> Editor:
        """Draws at full size, as `latentloop edit` does."""
        return make_editor(RenderOptions(), self.model.components.renderer)

    @cached_property
    def previewer(self) -> Editor:
        """Draws at 256 pixels, where a generator of the same latent space does."""
        parts = self.model.components
        size = parts.quick.resolution
        return Editor(parts.generator if size == parts.generator.resolution else parts.renderer(size))

    @cached_property
    def bundled(self) -> Mapping[str, Direction]:
        """Directions that ship for the generator, by name."""
        return shipped_directions(self.model.components.generator)

    @property
    def for_faces(self) -> bool:
        """Return whether the generator draws faces, which are then looked for in photos."""
        return draws_faces(self.model.components.generator)

    def warm_up(self) -> None:
        """Load what the first photo needs, and draw once, so that no user waits for that."""
        parts = self.model.components
        code = mean_code(parts.generator)
        self.previewer.faces(code)
        self.editor.faces(code)
        _ = self.bundled, parts.detector if self.for_faces else None
        _ = parts.encoder if parts.embedder else None

    def applied(self, session: Session, state: EditState) -> AppliedDirections:
        """Look up the directions of an edit; one that was removed since changes nothing.

        Raises:
            UserError: Nothing is left of a direction, with what is kept.
        """
        own = {name: one.direction for name, one in session.directions.items()}
        known, keep = {**own, **self.bundled}, tuple(name for name in state.keep if name in self.bundled)
        strengths = [(name, strength) for name, strength in state.strengths.items() if name in known]
        if len(session.restricted) > RESTRICTED:
            session.restricted.clear()
        for name, _ in strengths:
            if (name, keep) not in session.restricted:
                kept = [self.bundled[one] for one in keep]
                session.restricted[name, keep] = restricted(known[name], kept)
        return AppliedDirections([(session.restricted[name, keep], strength) for name, strength in strengths])

    def preview(self, session: Session, face: OpenFace, state: EditState) -> Tensor:
        """Draw an edit of a face small, (1, 3, S, S) in [-1, 1].

        Raises:
            UserError: The edit cannot be used.
        """
        w_plus, subject = self.applied(session, state).apply(face.w_plus), face.subject
        size = self.previewer.renderer.resolution
        (drawn,) = self.previewer.faces(w_plus, subject.drawn_by if subject else (), size=size)
        return drawn

    def subject(self, face: OpenFace) -> Subject:
        """Read a face as `latentloop edit` does, with its photo if there is one; once for each code.

        Raises:
            UserError: It is no longer there.
        """
        known, codes = face.subject, face.codes
        if known is None:
            known = self.read(face.argument, face.photo.path if face.photo else None)
            if face.codes == codes:  # no better code was found meanwhile
                face.subject = known
        return known

    def read(self, argument: str, photo: Path | None) -> Subject:
        """Read the face that a code file or a seed names.

        Args:
            argument: A code file, or "seed:" and a number.
            photo: The photo that its face goes back into.

        Raises:
            UserError: It cannot be used, or is the code of another photo or generator.
        """
        parts = self.model.components
        found, *_ = subjects_of(argument, parts.generator, photos=photo, max_pixels=self.max_pixels)
        return with_refinements(found, parts)

    def picture(self, session: Session, face: OpenFace, state: EditState) -> RenderedEdit:
        """Draw an edit at full size, and put it back into the photo: to the bit what `latentloop edit` gives.

        Raises:
            UserError: The edit cannot be used.
        """
        subject = self._newest(face)
        w_plus = self.applied(session, state).apply(subject.w_plus)
        details = record_edit(state.strengths, keep=state.keep, layers=None)
        generator, before = self.model.components.generator, self._before(face, subject)
        return render_edit(self.editor, subject, w_plus, generator, details, before=before)

    def original(self, face: OpenFace) -> Tensor:
        """Give what a face's edits are compared with: its photo, or the face without an edit, (1, 3, H, W)."""
        subject = self._newest(face)
        if subject.origin:
            return subject.origin.image
        faces = self._before(face, subject) or self.editor.faces(subject.w_plus, subject.drawn_by)
        return faces[0]

    def _newest(self, face: OpenFace) -> Subject:
        """The face with its newest code, nearer than the file's while a better one is looked for."""
        return replace(self.subject(face), w_plus=face.w_plus)

    def _before(self, face: OpenFace, subject: Subject) -> list[Tensor] | None:
        """The face without an edit, drawn once for each code."""
        known = face.before
        if known is None or known[0] is not subject.w_plus:
            alone = subject.origin is None
            faces = self.editor.faces(subject.w_plus, subject.drawn_by) if alone else self.editor.before(subject)
            face.before = known = (subject.w_plus, faces)
        return known[1]
