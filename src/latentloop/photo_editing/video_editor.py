"""Editing of the face in a video, frame by frame, with positions and codes smoothed in time."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.encoders import Encoder, predict
from latentloop.errors import UserError
from latentloop.faces import FaceDetector, changed, crop_quad, ffhq_quad, find_faces, looked_at_again, paste_back
from latentloop.features.lpips import Lpips
from latentloop.generators import Generator
from latentloop.images import read_image, resize, write_png
from latentloop.inversion import LatentIterator
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.flicker import Flicker, measure_flicker
from latentloop.photo_editing.frame_refinements import DrawnBy, FrameRefiner
from latentloop.photo_editing.listener import Progress
from latentloop.photo_editing.smoothing import interpolate_frames, smooth_codes, smooth_quads
from latentloop.photo_editing.video_work import VideoWork
from latentloop.stamps import Stamp
from latentloop.video import Video

DETECTED_AT = 640
"""Longer side of the frames given to the face detector, in pixels."""
BATCH = 8
"""Number of frames that the encoder takes at a time."""
FINDING = {"finding": 2}
"""Version of face detection in frames; earlier work with another version is redone."""
KEY = 50
"""Largest distance between key frames, in frames."""


@dataclass(frozen=True)
class Smoothing:
    """Smoothing in time: standard deviations of Gaussians, in frames; 0 does not smooth."""

    middle: float = 1.0
    """Smoothing of the face's centre."""
    axis: float = 3.0
    """Smoothing of the face's size and angle, stronger than of its centre, as in STIT (Tzaban et al.,
    arXiv:2201.08361)."""
    codes: float = 2.0
    """Smoothing of the codes that the encoder predicts."""


@dataclass(frozen=True)
class Track:
    """Position and code of a video's face in each frame."""

    quads: Tensor
    """Smoothed quads of the face in F frames, (F, 4, 2), in pixels."""
    raw: Tensor
    """Codes without smoothing, (F, num_ws, w_dim)."""
    codes: Tensor
    """Smoothed codes, (F, num_ws, w_dim)."""
    seen: Tensor
    """Mask of the frames in which a face was found, (F,); in the others, position and codes are interpolated."""

    @property
    def missing(self) -> int:
        """Number of frames without a detected face."""
        return int((~self.seen).sum())


@dataclass(frozen=True)
class VideoEditor:
    """Finds the codes of a video's face, and draws the edited face into its frames."""

    generator: Generator
    """Generator that is inverted."""
    encoder: Encoder
    """Encoder that predicts the code of each frame's face."""
    detector: FaceDetector
    """Detector of the face in each frame."""
    editor: Editor
    """Editor that draws the edited faces."""
    smoothing: Smoothing = Smoothing()
    iterator: LatentIterator | None = None
    """Iterator that refines the codes of key frames, with its changes interpolated in between; None skips it."""
    refined_by: Stamp = field(default_factory=dict)
    """Settings that refined codes depend on, besides the iterator's."""
    refiner: FrameRefiner | None = None
    """Refiner of frames beyond their codes; None draws the codes alone."""

    def track(self, video: Video, work: VideoWork, progress: Progress) -> Track:
        """Find the face's quad and code in each frame.

        Raises:
            UserError: No frame has a face, or the video is damaged.
        """
        quads = self._quads(video, work, progress)
        if not quads.isfinite().any():
            raise UserError(f"{video.path}: no face found in any frame; is it large enough, and seen from the front?")
        smooth = smooth_quads(list(quads), self.smoothing.middle, axis_sigma=self.smoothing.axis)
        seen = quads.isfinite().all(dim=(1, 2))
        raw = interpolate_frames(self._codes(video, work, smooth, progress)[seen], seen.nonzero()[:, 0], len(seen))
        codes = smooth_codes(raw, self.smoothing.codes)
        corrections = self._corrections(video, work, smooth, codes, seen, progress)
        return Track(smooth, raw + corrections, codes + corrections, seen)

    def _quads(self, video: Video, work: VideoWork, progress: Progress) -> Tensor:
        """Detect quads, (F, 4, 2); NaN in frames without a face."""

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            last = next((quad for quad in reversed(found) if quad.isfinite().all()), None)
            for frame in islice(video.frames(), len(found), None):
                quad = find_quad(frame, self.detector, near=last)
                last = last if quad is None else quad
                yield torch.full((4, 2), math.nan, dtype=torch.float64) if quad is None else quad

        return torch.stack(
            work.collect("quads", FINDING, missing, lambda n: progress("faces found", n, video.frame_count))
        )

    def _codes(self, video: Video, work: VideoWork, quads: Tensor, progress: Progress) -> Tensor:
        """Predict codes with the encoder, (F, num_ws, w_dim)."""

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            frames = islice(zip(video.frames(), quads, strict=False), len(found), None)
            while batch := list(islice(frames, BATCH)):
                yield from self._encoded(torch.cat([crop_quad(frame, quad, WORKING_SIZE) for frame, quad in batch]))

        settings = {**FINDING, "middle": self.smoothing.middle, "axis": self.smoothing.axis}
        found = work.collect("codes", settings, missing, lambda n: progress("codes found", n, len(quads)))
        return torch.stack(found)

    def _corrections(
        self, video: Video, work: VideoWork, quads: Tensor, codes: Tensor, seen: Tensor, progress: Progress
    ) -> Tensor:
        """Compute differences from predicted to refined codes, (F, num_ws, w_dim).

        They are found in key frames and interpolated: the encoder's error on a face is nearly the same in all frames.
        """
        iterator = self.iterator
        if iterator is None:
            return torch.zeros_like(codes)
        faces = seen.nonzero()[:, 0]
        size = min(WORKING_SIZE, self.generator.resolution)
        # Evenly spaced, with the first and the last face among them.
        keys = faces[torch.linspace(0, len(faces) - 1, 1 + -(-len(faces) // KEY)).round().long().unique()]

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            wanted = keys[len(found) :].tolist()
            for i, frame in enumerate(video.frames() if wanted else ()):
                if i in wanted:
                    target = crop_quad(frame, quads[i], size).to(self.generator.latent_avg)
                    start = codes[i : i + 1].to(target)
                    yield (iterator.refine(target, start).w_plus - start)[0].cpu()

        settings = {**FINDING, "smoothing": asdict(self.smoothing), **asdict(iterator.config), **self.refined_by}
        count = len(keys)
        found = work.collect("corrections", settings, missing, lambda n: progress("key frames", n, count), every=1)
        return interpolate_frames(torch.stack(found), keys[: len(found)], len(codes))

    def _encoded(self, faces: Tensor) -> Tensor:
        return predict(self.encoder, faces.to(self.generator.latent_avg)).cpu()

    def drawn_by(self, video: Video, track: Track, work: VideoWork, progress: Progress) -> DrawnBy:
        """Refine each frame beyond its code, if requested; returns the refined generators by frame.

        Raises:
            UserError: A foreign folder is in the way.
        """
        if self.refiner is None:
            return lambda _: None
        folder = work.refinements_of(track.codes, self.refiner.stamp)
        return self.refiner.refine(video, track.quads, track.codes, track.seen, folder, progress).drawn_by

    def draw(
        self,
        track: Track,
        edits: AppliedDirections,
        folder: Path,
        size: int,
        progress: Progress,
        drawn_by: DrawnBy,
    ) -> None:
        """Draw the edited faces of all frames that show a face and are not in the folder yet.

        Args:
            track: Position and codes of the face.
            edits: Changes of the codes.
            folder: Folder for a PNG of each frame's face, and one of its changed region, if only that is pasted.
            size: Size of the faces in pixels.
            progress: Called with the stage, the number of finished frames and of all frames.
            drawn_by: Returns the refined generator of a frame; None for the editor's.
        """
        before, after = (codes.to(self.generator.latent_avg) for codes in (track.codes, edits.apply(track.codes)))
        for i in range(len(before)):
            face, where = _face(folder, i), _where(folder, i)
            # A run that was killed while it deleted its faces may have left one without the other.
            drawn = face.is_file() and (where.is_file() or not self.editor.only_changed)
            if track.seen[i] and not drawn:
                by = [drawn_by(i)]
                (new,) = self.editor.faces(after[i : i + 1], by, size=size)
                if self.editor.only_changed:
                    (old,) = self.editor.faces(before[i : i + 1], by, size=size)
                    write_png(where, 2 * changed(old, new).expand(-1, 3, -1, -1) - 1)
                write_png(face, new)
            progress("faces drawn", i + 1, len(before))

    def frames(self, video: Video, track: Track, folder: Path, progress: Progress) -> Iterator[Tensor]:
        """Yield the video's frames, (1, 3, H, W) in [-1, 1], with the faces that `draw` wrote pasted in.

        Frames without a face are unchanged.
        """
        for i, (frame, quad) in enumerate(zip(video.frames(), track.quads, strict=False)):
            yield self._pasted(frame, quad, folder, i) if track.seen[i] else frame
            progress("frames written", i + 1, len(track.quads))

    def _pasted(self, frame: Tensor, quad: Tensor, folder: Path, i: int) -> Tensor:
        editor, face = self.editor, read_image(_face(folder, i))
        where = (read_image(_where(folder, i))[:, :1] + 1) / 2 if editor.only_changed else None
        return paste_back(frame, face, quad, where=where, mask=editor.mask, blend=editor.blend)

    def flicker(
        self, track: Track, change: Callable[[Tensor], Tensor], lpips: Lpips, drawn_by: DrawnBy
    ) -> dict[str, Flicker]:
        """Measure the flicker of the edited face with "unsmoothed" and with "smoothed" codes."""
        codes = {"unsmoothed": change(track.raw), "smoothed": change(track.codes)}

        def drawn(found: Tensor, i: int) -> Tensor:
            w_plus = found[i : i + 1].to(self.generator.latent_avg)
            return self.editor.faces(w_plus, [drawn_by(i)], size=WORKING_SIZE)[0]

        return {name: measure_flicker(found, partial(drawn, found), lpips) for name, found in codes.items()}


def size_for(quads: Tensor, largest: int) -> int:
    """Choose the size for drawing the faces of quads (F, 4, 2): 256 pixels, doubled until it is enough."""
    side = float((quads[:, 3] - quads[:, 0]).norm(dim=1).median())
    size = min(WORKING_SIZE, largest)
    while size < side and size * 2 <= largest:
        size *= 2
    return size


def find_quad(frame: Tensor, detector: FaceDetector, *, near: Tensor | None) -> Tensor | None:
    """Find the quad of the face in a frame, (4, 2) float64; None if there is no face.

    Args:
        frame: Whole frame, (1, 3, H, W) in [-1, 1].
        detector: Face detector, which gets the frame scaled down.
        near: Quad in the frame before, (4, 2); of several faces the nearest to it is chosen. None chooses the largest.
    """
    height, width = frame.shape[-2:]
    scale = min(1.0, DETECTED_AT / max(height, width))
    small = resize(frame, round(height * scale), round(width * scale)) if scale < 1 else frame
    # Found in the small frame; landmarks are then scaled to the frame, counting from pixel centres.
    faces = find_faces(small, detector)
    if not len(faces):
        return None
    factors = torch.tensor([width / small.shape[-1], height / small.shape[-2]], dtype=torch.float64)
    places = [(landmarks.double() + 0.5) * factors - 0.5 for landmarks in faces.landmarks]
    chosen = 0 if near is None else min(range(len(faces)), key=lambda i: _distance(places[i], near))
    return ffhq_quad((looked_at_again(small, faces.landmarks[chosen], detector).double() + 0.5) * factors - 0.5)


def _distance(landmarks: Tensor, quad: Tensor) -> float:
    return float((ffhq_quad(landmarks).mean(dim=0) - quad.mean(dim=0)).norm())


def _face(folder: Path, i: int) -> Path:
    return folder / f"{i:06d}.png"


def _where(folder: Path, i: int) -> Path:
    return folder / f"{i:06d}-where.png"
