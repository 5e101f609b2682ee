"""Workbench: the studio's generator with everything that draws edits of its codes, for all sessions."""

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
"""Largest number of restricted directions that a session caches; there are thousands of combinations."""


@dataclass(frozen=True)
class Workbench:
    """A generator with everything that edits photos, and the turns in which sessions use the processor."""

    model: Model
    max_pixels: int = MAX_PIXELS
    """Largest number of pixels of a photo."""
    turns: Turns = field(default_factory=Turns)

    @cached_property
    def editor(self) -> Editor:
        """Editor that draws at full size, as `latentloop edit` does."""
        return make_editor(RenderOptions(), self.model.components.renderer)

    @cached_property
    def previewer(self) -> Editor:
        """Editor that draws at 256 pixels, if a generator of the same latent space does."""
        parts = self.model.components
        size = parts.quick.resolution
        return Editor(parts.generator if size == parts.generator.resolution else parts.renderer(size))

    @cached_property
    def bundled(self) -> Mapping[str, Direction]:
        """Bundled directions of the generator, by name."""
        return shipped_directions(self.model.components.generator)

    @property
    def for_faces(self) -> bool:
        """True if the generator draws faces, which are then detected in photos."""
        return draws_faces(self.model.components.generator)

    def warm_up(self) -> None:
        """Load the networks that the first photo needs, and draw once, so that no user waits for it."""
        parts = self.model.components
        code = mean_code(parts.generator)
        self.previewer.faces(code)
        self.editor.faces(code)
        _ = self.bundled, parts.detector if self.for_faces else None
        _ = parts.encoder if parts.embedder else None

    def applied(self, session: Session, state: EditState) -> AppliedDirections:
        """Look up the directions of an edit; directions that were removed meanwhile are ignored.

        Raises:
            UserError: Nothing is left of a direction after removing those to keep.
        """
        own = {name: one.direction for name, one in session.directions.items()}
        known, keep = {**own, **self.bundled}, tuple(name for name in state.keep if name in self.bundled)
        strengths = [(known[name], strength) for name, strength in state.strengths.items() if name in known]
        return AppliedDirections([(self._restricted(session, one, keep), strength) for one, strength in strengths])

    def _restricted(self, session: Session, direction: Direction, keep: tuple[str, ...]) -> Direction:
        """Make a direction orthogonal to bundled ones, once; several threads may ask."""
        key = (id(direction), keep)
        known = session.restricted.get(key)
        if known is None:
            if len(session.restricted) > RESTRICTED:
                session.restricted = {}
            # Kept with the direction itself, so that no other one gets its id meanwhile.
            known = direction, restricted(direction, [self.bundled[one] for one in keep])
            session.restricted[key] = known
        return known[1]

    def preview(self, session: Session, face: OpenFace, state: EditState) -> Tensor:
        """Draw an edit of a face at preview size, (1, 3, S, S) in [-1, 1].

        Raises:
            UserError: The edit cannot be used.
        """
        w_plus, subject = self.applied(session, state).apply(face.w_plus), face.subject
        size = self.previewer.renderer.resolution
        (drawn,) = self.previewer.faces(w_plus, subject.drawn_by if subject else (), size=size)
        return drawn

    def subject(self, face: OpenFace) -> Subject:
        """Read a face as `latentloop edit` does, with its photo if there is one; once per code.

        Raises:
            UserError: Its files no longer exist.
        """
        known, codes = face.subject, face.codes
        if known is None:
            known = self.read(face.argument, face.photo.path if face.photo else None)
            if face.codes == codes:  # another thread may have replaced the code meanwhile
                face.subject = known
        return known

    def read(self, argument: str, photo: Path | None) -> Subject:
        """Read the face that a code file or a seed names.

        Args:
            argument: Code file, or "seed:" and a number.
            photo: Photo to paste the face into; None draws it alone.

        Raises:
            UserError: The argument cannot be used, or is the code of another photo or generator.
        """
        parts = self.model.components
        found, *_ = subjects_of(argument, parts.generator, photos=photo, max_pixels=self.max_pixels)
        return with_refinements(found, parts)

    def picture(self, session: Session, face: OpenFace, state: EditState) -> RenderedEdit:
        """Draw an edit at full size, and paste it into the photo: bit-identical to `latentloop edit`.

        Raises:
            UserError: The edit cannot be used.
        """
        subject = self.newest(face)
        w_plus = self.applied(session, state).apply(subject.w_plus)
        details = record_edit(state.strengths, keep=state.keep, layers=None)
        generator, before = self.model.components.generator, self._before(face, subject)
        return render_edit(self.editor, subject, w_plus, generator, details, before=before)

    def original(self, face: OpenFace) -> Tensor:
        """Return the picture that edits are compared with: the photo, or the unedited face, (1, 3, H, W)."""
        subject = self.newest(face)
        if subject.origin:
            return subject.origin.image
        faces = self._before(face, subject) or self.editor.faces(subject.w_plus, subject.drawn_by)
        return faces[0]

    def newest(self, face: OpenFace) -> Subject:
        """Read a face as `subject` does, with its newest code: during a search it is closer than the file's."""
        return replace(self.subject(face), w_plus=face.w_plus)

    def _before(self, face: OpenFace, subject: Subject) -> list[Tensor] | None:
        """Draw the unedited face, once per code."""
        known = face.before
        if known is None or known[0] is not subject.w_plus:
            alone = subject.origin is None
            faces = self.editor.faces(subject.w_plus, subject.drawn_by) if alone else self.editor.before(subject)
            face.before = known = (subject.w_plus, faces)
        return known[1]
