"""The part of `latentloop edit` that edits videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.subjects import EMBEDDED, Drawn, Found

if TYPE_CHECKING:
    from latentloop.generators import Generator
    from latentloop.photo_editing.applied_directions import AppliedDirections
    from latentloop.photo_editing.edit_folder import EditFolder
    from latentloop.photo_editing.video_editor import VideoEditor

ENDINGS = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"})


@dataclass(frozen=True)
class VideoEdits:
    """Edits videos into a folder."""

    folder: "EditFolder"
    found: Found
    drawn: Drawn
    smooth: float
    """How much codes are smoothed in time, in frames."""
    suffix: str
    """Name of the edit."""

    def attempt(self, path: Path, generator: "Generator", edits: "AppliedDirections") -> int:
        """Edit a video, and say how it went; returns 2 if it cannot be."""
        from latentloop.cli.complaints import with_options
        from latentloop.cli.console import say
        from latentloop.errors import UserError

        try:
            self._edit(path, generator, edits)
        except UserError as error:
            say(f"latentloop: {with_options(error)}", error=True)
            return 2
        return 0

    def _edit(self, path: Path, generator: "Generator", edits: "AppliedDirections") -> None:
        from latentloop.cli.console import StageProgress, say
        from latentloop.files import sha256_of
        from latentloop.generators.registry import weights_checksum
        from latentloop.photo_editing.video import edit_video
        from latentloop.photo_editing.video_work import VideoWork
        from latentloop.video import read_video

        video = read_video(path)
        self._check(path)
        editor, network = self._editor(generator)
        told = {
            "sha256": sha256_of(path),
            "generator": weights_checksum(self.found.generator),
            "network": network,
            "device": str(generator.latent_avg.device),
            "precision": self.found.precision,
        }
        work = VideoWork(self.folder.path / EMBEDDED / path.stem, told)
        with StageProgress() as progress:
            edited = edit_video(
                editor, video, self.folder, work, edits, progress.show, name=f"{path.stem}-{self.suffix}"
            )
        flicker = ", ".join(
            f"{name} {one.jitter:.2f} (code jitter) {one.lpips:.4f} (LPIPS from frame to frame)"
            for name, one in edited.flicker.items()
        )
        say(f"{edited.path}: faces of {edited.size} pixels; {edited.missing} frames without one; flicker: {flicker}")

    def _check(self, path: Path) -> None:
        """See that the options are ones of videos."""
        from latentloop.errors import UserError

        if self.found.face != "largest" or self.found.aligned or self.found.photos:
            raise UserError(f"{path}: videos take none of --face, --aligned and --photos")

    def _editor(self, generator: "Generator") -> "tuple[VideoEditor, str]":
        """What edits, and the checksum of its network."""
        from latentloop.encoders import load_encoder
        from latentloop.encoders.embedder_file import embedder_weights, shipped_embedder
        from latentloop.errors import UserError
        from latentloop.faces import load_face_detector
        from latentloop.files import sha256_of
        from latentloop.photo_editing.video_editor import Smoothing, VideoEditor

        network = self.found.embedder or shipped_embedder(generator)
        if network is None:
            raise UserError(f"videos take a network, and none ships for {generator.name}; see --embedder")
        encoder, weights = load_encoder(network, generator), embedder_weights(network)
        video_editor = VideoEditor(
            generator,
            encoder,
            load_face_detector(),
            self.drawn.editor(generator),
            Smoothing(codes=self.smooth),
            self.found.iterator(generator),
        )
        return video_editor, weights.sha256 or sha256_of(weights.path)
