"""Running the commands that edit; imported when one of them runs, since it imports PyTorch."""

from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.complaints import complain
from latentloop.cli.console import StageProgress, say, track
from latentloop.cli.embed_progress import EmbedProgress
from latentloop.devices import repeatable_arithmetic
from latentloop.embedding import EmbedRun
from latentloop.errors import UserError
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.edit_job import EditJob, check_videos, is_video
from latentloop.photo_editing.editor import make_editor
from latentloop.photo_editing.mix_job import mix_pictures
from latentloop.photo_editing.morph_job import morph_pictures
from latentloop.photo_editing.setup import Listener, SubjectFinder, find_subjects
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.photo_editing.subjects import expand_arguments, unique_paths
from latentloop.photo_editing.transfer_job import transfer_expression
from latentloop.photo_editing.video_job import VideoJob
from latentloop.video.files import pyav

if TYPE_CHECKING:
    from latentloop.cli.edit import Edit
    from latentloop.cli.mix import Mix
    from latentloop.cli.morph import Morph
    from latentloop.cli.transfer import Transfer


def edit_arguments(command: "Edit") -> int:
    """Edit what a command names; returns 2 if a picture or a video could not be edited."""
    options = command.options
    if options.video:
        pyav()
    named = unique_paths(expand_arguments(command.pictures))
    check_videos(named, options)
    finder = _finder(command.subjects)
    editor = make_editor(command.render, finder.components.renderer)
    job = EditJob(command.strengths, options, finder, editor, EditFolder(command.out, named), track)
    complete = job.run([one for one in named if not is_video(one)], say)
    for one in named:
        if is_video(one):
            complete &= _edit_video(VideoJob(job), Path(one))
    return 0 if complete else 2


def mix_arguments(command: "Mix") -> int:
    """Mix what a command names; returns 2 if a picture could not be made."""
    arguments, styles = (unique_paths(expand_arguments(named)) for named in (command.pictures, command.styles))
    finder = _finder(command.subjects)
    editor = make_editor(command.render, finder.components.renderer)
    folder = EditFolder(command.out, [*arguments, *styles])
    return 0 if mix_pictures(arguments, styles, command.options, finder, editor, folder, say) else 2


def transfer_arguments(command: "Transfer", pair: tuple[str, str]) -> int:
    """Transfer an expression as a command says; returns 2 if a picture could not be made."""
    arguments = unique_paths(expand_arguments(command.pictures))
    finder = _finder(command.subjects)
    editor = make_editor(command.render, finder.components.renderer)
    folder = EditFolder(command.out, [*arguments, *pair])
    return 0 if transfer_expression(arguments, pair, command.options, finder, editor, folder, say) else 2


def morph_arguments(command: "Morph") -> int:
    """Morph what a command names."""
    finder = _finder(command.subjects)
    arguments = expand_arguments(command.pictures)
    say(morph_pictures(arguments, command.out, command.options, finder, track))
    return 0


def _finder(options: SubjectOptions) -> SubjectFinder:
    repeatable_arithmetic()
    return find_subjects(options, Listener(complain, complain, _watch))


def _watch(run: EmbedRun) -> EmbedProgress:
    return EmbedProgress(len(run.photos), run.steps)


def _edit_video(job: VideoJob, path: Path) -> bool:
    try:
        with StageProgress() as progress:
            edited = job.run(path, progress.show)
    except UserError as error:
        complain(error)
        return False
    flicker = ", ".join(
        f"{name} {one.jitter:.2f} (code jitter) {one.lpips:.4f} (LPIPS from frame to frame)"
        for name, one in edited.flicker.items()
    )
    say(f"{edited.path}: faces of {edited.size} pixels; {edited.missing} frames without one; flicker: {flicker}")
    return True
