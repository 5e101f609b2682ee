"""Editing, mixing, morphing and expression transfer in one call each, from files to files."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path

from latentloop.errors import UserError
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.edit_job import EditJob, check_videos, is_video
from latentloop.photo_editing.editor import Editor, make_editor
from latentloop.photo_editing.job_options import MixOptions, MorphOptions, TransferOptions
from latentloop.photo_editing.listener import Listener
from latentloop.photo_editing.mix_job import mix_pictures
from latentloop.photo_editing.morph_job import morph_pictures
from latentloop.photo_editing.options import EditOptions, RenderOptions
from latentloop.photo_editing.setup import SubjectFinder, find_subjects
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.photo_editing.subjects import expand_arguments, unique_paths
from latentloop.photo_editing.transfer_job import transfer_expression
from latentloop.photo_editing.video import EditedVideo
from latentloop.photo_editing.video_job import VideoJob
from latentloop.video.files import pyav

Names = Sequence[str | PathLike[str]]
"""Photos, code files, folders, globs, and "seed:7" for a random face."""


def edit_files(
    pictures: Names,
    strengths: Mapping[str, float],
    out: Path,
    *,
    options: EditOptions = EditOptions(),
    subjects: SubjectOptions = SubjectOptions(),
    render: RenderOptions = RenderOptions(),
    listener: Listener = Listener(),
    on_video: Callable[[EditedVideo], None] = lambda _: None,
) -> bool:
    """Edit photos, codes, random faces and videos into a folder; returns whether all succeeded.

    Args:
        pictures: Photos, codes, random faces and videos to edit.
        strengths: Strength of each direction, by its name.
        out: Folder for the results.
        options: Further settings of the edit.
        subjects: Settings of finding the photos' codes.
        render: Settings of drawing and pasting.
        listener: Callbacks for the progress.
        on_video: Called with each edited video.

    Raises:
        UserError: A direction or an option cannot be used, or nothing is named.
    """
    if options.video:
        pyav()
    named = _expanded(pictures)
    check_videos(named, options)
    finder, editor = _tools(subjects, render, listener)
    job = EditJob(strengths, options, finder, editor, EditFolder(out, named))
    complete = job.run([one for one in named if not is_video(one)])
    for one in named:
        if is_video(one):
            try:
                with listener.stages() as progress:
                    edited = VideoJob(job).run(Path(one), progress)
            except UserError as error:
                listener.complain(error)
                complete = False
            else:
                on_video(edited)
    return complete


def mix_files(
    pictures: Names,
    styles: Names,
    out: Path,
    *,
    options: MixOptions = MixOptions(),
    subjects: SubjectOptions = SubjectOptions(),
    render: RenderOptions = RenderOptions(),
    listener: Listener = Listener(),
) -> bool:
    """Draw each face with the styles of each other face into a folder; returns whether all succeeded.

    Args:
        pictures: Faces that are drawn.
        styles: Faces that provide the styles.
        out: Folder for the results.
        options: Settings of style mixing.
        subjects: Settings of finding the photos' codes.
        render: Settings of drawing and pasting.
        listener: Callbacks for the progress.

    Raises:
        UserError: The layers are invalid, or a picture of `styles` cannot be used.
    """
    named, others = _expanded(pictures), _expanded(styles)
    finder, editor = _tools(subjects, render, listener)
    return mix_pictures(named, others, options, finder, editor, EditFolder(out, [*named, *others]))


def transfer_files(
    pictures: Names,
    pair: tuple[str, str],
    out: Path,
    *,
    options: TransferOptions = TransferOptions(),
    subjects: SubjectOptions = SubjectOptions(),
    render: RenderOptions = RenderOptions(),
    listener: Listener = Listener(),
) -> bool:
    """Give faces the difference in expression between two pictures of another person; returns whether all succeeded.

    Args:
        pictures: Faces that get the expression.
        pair: The other person without and with the expression.
        out: Folder for the results.
        options: Settings of the transfer.
        subjects: Settings of finding the photos' codes.
        render: Settings of drawing and pasting.
        listener: Callbacks for the progress.

    Raises:
        UserError: The layers are invalid, or the pair cannot be used.
    """
    named = _expanded(pictures)
    finder, editor = _tools(subjects, render, listener)
    return transfer_expression(named, pair, options, finder, editor, EditFolder(out, [*named, *pair]))


def morph_files(
    pictures: Names,
    out: Path,
    *,
    options: MorphOptions = MorphOptions(),
    subjects: SubjectOptions = SubjectOptions(),
    listener: Listener = Listener(),
) -> Path:
    """Turn each face into the next one; returns the path of the animation.

    Args:
        pictures: Two or more faces, in order; repeated names are kept.
        out: A .gif or .mp4 file, or a folder for the frames.
        options: Settings of the morph.
        subjects: Settings of finding the photos' codes.
        listener: Callbacks for the progress.

    Raises:
        UserError: Fewer than two faces are named, one cannot be used, or the animation cannot be written.
    """
    named = expand_arguments([fspath(picture) for picture in pictures])
    return morph_pictures(named, out, options, find_subjects(subjects, listener))


def _expanded(pictures: Names) -> list[str]:
    return unique_paths(expand_arguments([fspath(picture) for picture in pictures]))


def _tools(subjects: SubjectOptions, render: RenderOptions, listener: Listener) -> tuple[SubjectFinder, Editor]:
    finder = find_subjects(subjects, listener)
    return finder, make_editor(render, finder.components.renderer)
