"""Files of a session: pictures, codes, strips, and short videos of an edit."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from torch import Tensor

from latentloop.editing import layer_weights, mix, morph, parse_layers
from latentloop.errors import UserError
from latentloop.images import write_png
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.edit_job import EditJob
from latentloop.photo_editing.editor import Editor, strength_strip
from latentloop.photo_editing.frames import FRAME_COUNT, FRAME_RATE, animate_edit, write_frames
from latentloop.photo_editing.listener import Listener
from latentloop.photo_editing.options import EditOptions
from latentloop.photo_editing.setup import SubjectFinder
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.photo_editing.subjects import Subject
from latentloop.studio.history import EditState
from latentloop.studio.session import OpenFace, Session, Stopped
from latentloop.studio.workbench import Workbench

AnimationKind = Literal["mp4", "gif"]
"""Format of an animation."""
OnFrame = Callable[[int, int], None]
"""Called with the number of finished frames, and of all frames."""


def edited_files(bench: Workbench, session: Session, face: OpenFace, state: EditState) -> list[Path]:
    """Write the files of an edit as `latentloop edit` does: the picture, the face alone, the edited code.

    The unedited code, from which the command makes the others, comes last. Without an edit there are only the
    reconstruction and this code.

    Raises:
        UserError: A file cannot be written.
    """
    subject = bench.subject(face)
    if not state.strengths:
        return _unedited(bench, face, subject)
    folder = face.place / "edited"
    (picture,) = _job(bench, session, state, EditFolder(folder)).results(subject)
    alone = folder / "faces" / picture.name
    if alone.is_file():  # downloads end up in one folder: the face needs another name than the picture
        alone = Path(shutil.copyfile(alone, picture.with_name(f"{picture.stem}-face.png")))
    files = [picture, alone, picture.with_suffix(".npz"), Path(face.argument)]
    return [file for file in files if file.is_file()]


def _unedited(bench: Workbench, face: OpenFace, subject: Subject) -> list[Path]:
    path = face.place / "edited" / f"{subject.name}-reconstruction.png"
    (image,) = bench.editor.faces(subject.w_plus, subject.drawn_by)
    write_png(path, image)
    code = Path(face.argument)
    return [path, code] if code.is_file() else [path]


def strip(bench: Workbench, session: Session, face: OpenFace, state: EditState) -> Tensor:
    """Draw a face from the opposite of an edit to the full edit, as one image (1, 3, H, W).

    Raises:
        UserError: No slider was moved.
    """
    subject, applied = bench.newest(face), bench.applied(session, _some(state))
    return strength_strip(bench.editor, subject, applied.apply, applied.label)


def video(
    bench: Workbench, session: Session, face: OpenFace, state: EditState, kind: AnimationKind, on_frame: OnFrame
) -> Path:
    """Render an animation from unedited to edited and back: an MP4 of the photo, or a GIF of the face.

    Raises:
        UserError: No slider was moved, or PyAV is missing for an MP4.
        Stopped: The user ended it.
    """
    subject, applied = bench.newest(face), bench.applied(session, _some(state))
    if kind == "gif":  # GIFs have 256 colours and compress poorly: only the small face
        subject = replace(subject, origin=None)
    editor = bench.editor if kind == "mp4" else bench.previewer
    frames = animate_edit(editor, subject, applied.apply)
    return _film(bench, session, face.place / f"{subject.name}-edit.{kind}", frames, FRAME_COUNT, on_frame)


def mixed(bench: Workbench, subject: Tensor, styles: Tensor, layers: str, strength: float) -> Tensor:
    """Draw a face with some styles of another, (1, 3, S, S) in [-1, 1].

    Args:
        bench: Workbench of all sessions.
        subject: Code of the face, (1, num_ws, w_dim).
        styles: Code that provides the styles, (1, num_ws, w_dim).
        layers: Layers that take them, as `parse_layers` reads them.
        strength: Interpolation towards them, 0 to 1.

    Raises:
        UserError: The layers are invalid.
    """
    chosen = parse_layers(layers, bench.model.components.generator.num_ws)
    (face,) = bench.editor.faces(mix(subject, styles, chosen, strength=strength))
    return face


def between(bench: Workbench, codes: Tensor, way: float) -> Tensor:
    """Draw a face interpolated between codes, (1, 3, S, S) in [-1, 1].

    Args:
        bench: Workbench of all sessions.
        codes: Two or more codes, (K, num_ws, w_dim).
        way: Position, from 0 for the first to 1 for the last.
    """
    place = min(max(way, 0.0), 1.0) * (len(codes) - 1)
    i = min(int(place), len(codes) - 2)
    (face,) = bench.previewer.faces(codes[i : i + 1].lerp(codes[i + 1 : i + 2], place - i))
    return face


def morph_video(bench: Workbench, session: Session, codes: Tensor, kind: AnimationKind, on_frame: OnFrame) -> Path:
    """Render an animation that turns each face into the next and the last into the first; returns its path.

    Args:
        bench: Workbench of all sessions.
        session: Session whose folder gets the file.
        codes: Two or more codes, (K, num_ws, w_dim).
        kind: Format of the animation.
        on_frame: Called with the progress.

    Raises:
        UserError: PyAV is missing for an MP4.
        Stopped: The user ended it.
    """
    weights = layer_weights("all", bench.model.components.generator.num_ws)
    steps = morph(codes, FRAME_RATE, weights=weights, ease=True, loop=True)
    editor = Editor(bench.previewer.renderer)
    frames = (editor.faces(w_plus[None])[0] for w_plus in steps)
    return _film(bench, session, session.new_place() / f"morph.{kind}", frames, len(steps), on_frame)


def _job(bench: Workbench, session: Session, state: EditState, folder: EditFolder) -> EditJob:
    own = {name: one.argument for name, one in session.directions.items()}
    strengths = {own.get(name, name): strength for name, strength in state.strengths.items()}
    finder = SubjectFinder(SubjectOptions(), bench.model.components, Listener())
    return EditJob(strengths, EditOptions(keep=state.keep), finder, bench.editor, folder)


def _some(state: EditState) -> EditState:
    if not state.strengths:
        raise UserError("move a slider first")
    return state


def _film(
    bench: Workbench, session: Session, path: Path, frames: Iterable[Tensor], count: int, on_frame: OnFrame
) -> Path:
    """Write an animation frame by frame; quick requests go first before each."""
    with session.work() as stopped, bench.turns.long():

        def each() -> Iterator[Tensor]:
            for i, frame in enumerate(frames):
                if stopped.is_set():
                    raise Stopped
                on_frame(i + 1, count)
                yield frame
                bench.turns.give_way(stopped)

        return write_frames(path, each(), rate=FRAME_RATE, comment="")
