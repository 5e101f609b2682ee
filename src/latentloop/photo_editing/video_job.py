"""Editing job of `latentloop edit` for videos."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from latentloop.embedding import Setup, set_up
from latentloop.embedding.beyond import refining_loss
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import FULL_RUN
from latentloop.embedding.starts import NetworkStart
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.folder_lock import sole_use
from latentloop.inversion import Comparison, FeatureRefiner
from latentloop.inversion.beyond_config import REFINE_STEPS, Refine
from latentloop.photo_editing.edit_job import EditJob
from latentloop.photo_editing.frame_refinements import FrameRefiner
from latentloop.photo_editing.listener import Progress
from latentloop.photo_editing.video import EditedVideo, edit_video
from latentloop.photo_editing.video_editor import Smoothing, VideoEditor
from latentloop.photo_editing.video_work import VideoWork
from latentloop.video import read_video

REFINED = frozenset(
    {
        "stepped_on_sha256",
        "metric_sha256",
        "lambda_identity",
        "lambda_near",
        "lambda_align",
        "lambda_spread",
        "lambda_fine",
    }
)
"""Entries of a code's stamp that its corrections depend on, besides the iterator's settings."""
LATER_STEPS, LATER_LR = 3, 0.01
"""Refinement steps of each frame after the first, and their size in standard deviations of a channel."""


@dataclass(frozen=True)
class VideoJob:
    """An edit applied to videos."""

    edit: EditJob

    def run(self, path: Path, progress: Progress) -> EditedVideo:
        """Edit a video; a stopped run resumes where it was.

        Args:
            path: Video file.
            progress: Shows the progress of each stage.

        Raises:
            UserError: The video cannot be used, or an option does not apply to videos.
        """
        finder, options = self.edit.finder, self.edit.finder.options
        video = read_video(path, max_pixels=options.faces.max_pixels)
        if options.faces.face != "largest" or options.faces.aligned or options.photos:
            raise UserError(
                f"{path}: in videos only the largest face is edited", arguments=("face", "aligned", "photos")
            )
        if self._refine == "weights":
            raise UserError(f"{path}: videos can only be refined by features", arguments="refine")
        parts = finder.components
        sha256 = sha256_of(path)
        stamp = {
            "sha256": sha256,
            "generator": parts.generator_sha256,
            "network": parts.embedder_sha256,
            "device": str(parts.device),
            "precision": str(parts.precision),
        }
        if (looks := finder.options.search.looks) > 1:
            stamp["looks"] = str(looks)
        work = VideoWork(options.codes / f"{path.stem}-{sha256[:8]}", stamp)
        name = f"{path.stem}-{self.edit.suffix}"
        with sole_use(work.folder, finder.listener.warn):
            return edit_video(self._editor(), video, self.edit.folder, work, self.edit.directions, progress, name=name)

    def _editor(self) -> VideoEditor:
        parts = self.edit.finder.components
        setup = set_up(self._embedding, parts)
        return VideoEditor(
            parts.generator,
            setup.start.encoder if isinstance(setup.start, NetworkStart) else parts.encoder,
            parts.detector,
            self.edit.editor,
            Smoothing(codes=self.edit.options.smooth),
            setup.iterator if setup.config.steps else None,
            {name: value for name, value in setup.stamp().items() if name in REFINED},
            self._refiner(setup),
        )

    @property
    def _refine(self) -> Refine:
        """Kind of refinement of each frame; it takes longer than everything else, so it must be requested."""
        options = self.edit.finder.options
        return options.refine or ("features" if options.search.quality == "best" else "none")

    @property
    def _embedding(self) -> EmbedOptions:
        """Options of embedding the frames; without refinement, more steps give closer codes."""
        options = self.edit.finder.options.embedding()
        search = options.search
        if self._refine == "none" and search.steps is None and search.quality == "balanced":
            search = replace(search, steps=FULL_RUN)
        return replace(options, search=search)

    def _refiner(self, setup: Setup) -> FrameRefiner | None:
        if self._refine == "none":
            return None
        loss = refining_loss(setup.options.loss)
        comparison = Comparison(setup.components.loss(loss))
        first = FeatureRefiner(self.edit.editor.renderer, comparison, REFINE_STEPS)
        later = replace(first, steps=LATER_STEPS, lr=LATER_LR)
        sizes = {"refine_steps": [first.steps, later.steps], "refine_lr": [first.lr, later.lr]}
        return FrameRefiner(first, later, {"renderer": first.generator.name, **asdict(loss), **sizes})
