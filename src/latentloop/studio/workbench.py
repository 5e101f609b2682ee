"""The workbench: the generator of the studio with all that draws edits of its codes, for all sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.editing import Direction, shipped_directions
from latentloop.errors import UserError
from latentloop.generators.registry import draws_faces
from latentloop.latents import mean_code
from latentloop.model import Model
from latentloop.photo_editing.applied_directions import AppliedDirections, record_edit, resolve_directions
from latentloop.photo_editing.editor import Editor, make_editor
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.refined_subjects import with_refinements
from latentloop.photo_editing.rendered_edit import RenderedEdit, render_edit
from latentloop.photo_editing.subjects import Subject, subjects_of
from latentloop.studio.history import EditState
from latentloop.studio.session import Session
from latentloop.studio.turns import Turns

NO_FACE = "choose a photo first, or a random face"


@dataclass(frozen=True)
class Workbench:
    """A generator with all that edits photos, and the turns in which sessions use the processor."""

    model: Model
    max_pixels: int = MAX_PIXELS
    """Photos of more pixels are refused."""
    turns: Turns = field(default_factory=Turns)
    _directions: dict[tuple[str, tuple[str, ...]], Direction] = field(default_factory=dict)

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
        """Look up the directions of an edit; each is read once.

        Raises:
            UserError: There is no such direction, or nothing is left of one.
        """
        name_of = session.directions
        keep = tuple(name_of.get(name, name) for name in state.keep)
        edits = [
            (self._direction(name_of.get(name, name), keep), strength) for name, strength in state.strengths.items()
        ]
        return AppliedDirections(edits)

    def _direction(self, name: str, keep: tuple[str, ...]) -> Direction:
        if (name, keep) not in self._directions:
            generator = self.model.components.generator
            with self.model.components.reads:
                ((found, _),) = resolve_directions([(name, 1.0)], generator, keep=keep).edits
            self._directions[name, keep] = found
        return self._directions[name, keep]

    def preview(self, session: Session, state: EditState) -> Tensor:
        """Draw an edit of a session's face small, (1, 3, S, S) in [-1, 1].

        Raises:
            UserError: There is no face, or an edit cannot be used.
        """
        if session.w_plus is None:
            raise UserError(NO_FACE)
        w_plus = self.applied(session, state).apply(session.w_plus)
        drawn_by = session.subject.drawn_by if session.subject else ()
        (face,) = self.previewer.faces(w_plus, drawn_by, size=self.previewer.renderer.resolution)
        return face

    def subject(self, session: Session) -> Subject:
        """Read a session's face as `latentloop edit` does, with its photo if there is one; once for each code.

        Raises:
            UserError: There is no face.
        """
        if session.argument is None:
            raise UserError(NO_FACE)
        if session.subject is None:
            session.subject = self.read(session.argument, session.photo.path if session.photo else None)
        return session.subject

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

    def picture(self, session: Session, state: EditState) -> RenderedEdit:
        """Draw an edit at full size, and put it back into the photo: to the bit what `latentloop edit` gives.

        Raises:
            UserError: There is no face, or an edit cannot be used.
        """
        subject = self._newest(session)
        w_plus = self.applied(session, state).apply(subject.w_plus)
        details = record_edit(state.strengths, keep=state.keep, layers=None)
        generator, before = self.model.components.generator, self._before(session, subject)
        return render_edit(self.editor, subject, w_plus, generator, details, before=before)

    def original(self, session: Session) -> Tensor:
        """Give what a session's edits are compared with: the photo, or the face without an edit, (1, 3, H, W)."""
        subject = self._newest(session)
        if subject.origin:
            return subject.origin.image
        faces = self._before(session, subject) or self.editor.faces(subject.w_plus, subject.drawn_by)
        return faces[0]

    def _newest(self, session: Session) -> Subject:
        """The session's face with its newest code, nearer than the file's while a better one is looked for."""
        subject = self.subject(session)
        return subject if session.w_plus is None else replace(subject, w_plus=session.w_plus)

    def _before(self, session: Session, subject: Subject) -> list[Tensor] | None:
        """The face without an edit, drawn once for each code."""
        known = session.before
        if known is None or known[0] is not subject.w_plus:
            alone = subject.origin is None
            faces = self.editor.faces(subject.w_plus, subject.drawn_by) if alone else self.editor.before(subject)
            session.before = known = (subject.w_plus, faces)
        return known[1]
