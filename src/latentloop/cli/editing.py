"""Progress and messages of the editing commands; imported only when one runs, because it imports PyTorch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latentloop.cli.complaints import complain
from latentloop.cli.console import StageProgress, say, track
from latentloop.cli.embed_progress import EmbedProgress
from latentloop.embedding import EmbedRun
from latentloop.photo_editing import Listener
from latentloop.photo_editing.video import EditedVideo


def console_listener() -> Listener:
    """Create a listener that prints results, errors and progress."""
    return Listener(complain=complain, warn=complain, watch=_watch, result=say, track=track, stages=_stages)


def say_video(edited: EditedVideo) -> None:
    """Print a finished video's path, face size, frames without a face, and flicker."""
    flicker = ", ".join(
        f"{name} {one.jitter:.2f} (code jitter) {one.lpips:.4f} (LPIPS from frame to frame)"
        for name, one in edited.flicker.items()
    )
    say(f"{edited.path}: faces of {edited.size} pixels; {edited.missing} frames without one; flicker: {flicker}")


def _watch(run: EmbedRun) -> EmbedProgress:
    return EmbedProgress(len(run.photos), run.steps)


@contextmanager
def _stages() -> Iterator[Callable[[str, int, int], None]]:
    with StageProgress() as progress:
        yield progress.show
