"""Editing job of `latentloop edit`: pictures into a folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from latentloop.editing import shipped_directions
from latentloop.errors import UserError
from latentloop.image_info import is_animated
from latentloop.photo_editing.applied_directions import AppliedDirections, record_edit, resolve_directions
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.edit_name import FAR, edit_suffix
from latentloop.photo_editing.editor import Editor, strength_strip
from latentloop.photo_editing.frames import FRAME_COUNT, FRAME_RATE, animate_edit
from latentloop.photo_editing.options import EditOptions
from latentloop.photo_editing.rendered_edit import render_edit
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.subjects import Subject

VIDEOS, ANIMATED = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"}), frozenset({".gif", ".png", ".apng"})
"""Suffixes of videos, and of pictures that may be animated."""


@dataclass(frozen=True)
class EditJob:
    """An edit applied to many pictures."""

    strengths: Mapping[str, float]
    """Strength of each direction, by its name."""
    options: EditOptions
    finder: SubjectFinder
    editor: Editor
    folder: EditFolder

    @cached_property
    def directions(self) -> AppliedDirections:
        """Directions of the edit, made orthogonal to those of the attributes to keep.

        Raises:
            UserError: A direction is unknown, or nothing of it is left.
        """
        options, generator = self.options, self.finder.components.generator
        strengths = list(self.strengths.items())
        with self.finder.components.reads:
            return resolve_directions(strengths, generator, keep=options.keep, layers=options.layers)

    @cached_property
    def suffix(self) -> str:
        """Suffix that the edit adds to the names of its results."""
        options = self.options
        return edit_suffix(list(self.strengths.items()), keep=options.keep, layers=options.layers)

    def run(self, arguments: Sequence[str]) -> bool:
        """Edit the pictures that arguments name; returns whether all succeeded.

        Args:
            arguments: Photos, files with codes, and seeds, as `expand_arguments` returns them.

        Raises:
            UserError: A direction cannot be used.
        """
        _ = self.directions  # computed now, so that a wrong direction fails before any photo is read
        self._warn_if_far()
        return self.finder.for_each(arguments, self.results)

    def _warn_if_far(self) -> None:
        parts = self.finder.components
        with parts.reads:
            bundled = shipped_directions(parts.generator)
        strengths = self.strengths.items()
        far = [f"{name}={strength:g}" for name, strength in strengths if name in bundled and abs(strength) > FAR]
        if far:
            self.finder.listener.warn(f"{', '.join(far)}: faces fall apart beyond strengths of {FAR:g}")

    def results(self, subject: Subject) -> Iterator[Path]:
        """Edit a subject, and yield each of its files once it is written: the picture first.

        Raises:
            UserError: A file is in the way, or cannot be written.
        """
        change, generator = self.directions.apply, self.finder.components.generator
        name = f"{subject.name}-{self.suffix}"
        stamp = {"edit": self.suffix, "weights": self.finder.components.checksum_of(self.editor.renderer)}
        claim = self.folder.claim(name, subject, self.editor, stamp)
        details = record_edit(self.strengths, keep=self.options.keep, layers=self.options.layers)
        edit = render_edit(self.editor, subject, change(subject.w_plus), generator, details)
        yield self.folder.save(claim, subject, edit)
        if self.options.strip:
            image = strength_strip(self.editor, subject, change, self.directions.label)
            yield self.folder.save_strip(claim, image)
        if self.options.video:
            frames = self.finder.listener.track(animate_edit(self.editor, subject, change), FRAME_COUNT, "frames")
            yield self.folder.save_animation(claim, frames, rate=FRAME_RATE)


def is_video(argument: str) -> bool:
    """Tell whether an argument names a video: by its suffix, or an animated GIF or PNG."""
    ending = Path(argument).suffix.lower()
    return ending in VIDEOS or (ending in ANIMATED and is_animated(Path(argument)))


def check_videos(arguments: Sequence[str], options: EditOptions) -> None:
    """Check that the options suit the videos among the arguments.

    Raises:
        UserError: The options request strips or animations, which videos do not have.
    """
    if any(map(is_video, arguments)) and (options.strip or options.video):
        raise UserError(
            "videos have neither strips nor animations; edit them apart from photos", arguments=("strip", "video")
        )
