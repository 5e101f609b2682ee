"""Editing the face in a video, frame by frame, with what is found of each frame smoothed in time."""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from latentloop.encoders import Encoder
from latentloop.errors import UserError
from latentloop.evaluation.measure import RESOLUTION
from latentloop.faces import FaceDetector, changed, crop_quad, ffhq_quad, paste_back
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.files import replacing
from latentloop.generators import Generator
from latentloop.images import read_image, resample, resize, write_png
from latentloop.inversion import LatentIterator
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.edits import Edits
from latentloop.photo_editing.flicker import Flicker, measure_flicker
from latentloop.photo_editing.smoothing import interpolate_frames, smooth_codes, smooth_quads
from latentloop.photo_editing.video_work import VideoWork
from latentloop.video import Video, write_video

DETECTED_AT = 640
"""Pixels of the longer side of what the face is looked for in."""
BATCH = 8
"""Frames for the network at a time."""
KEY = 50
"""Frames from one key frame to the next, at most."""
FLICKER = "flicker"
"""What the file beside an edited video tells."""
Progress = Callable[[str, int, int], None]  # what is done, frames done, of how many


@dataclass(frozen=True)
class Smoothing:
    """How much is smoothed in time: standard deviations of Gaussians, in frames; 0 for not at all."""

    middle: float = 1.0
    """Where the face is."""
    axis: float = 3.0
    """Its size and angle: as in STIT (Tzaban et al., arXiv:2201.08361), more than its place."""
    codes: float = 2.0
    """What the network says of it."""


@dataclass(frozen=True)
class Track:
    """The face of a video, one of each frame."""

    quads: Tensor
    """Where it is, (F, 4, 2), smoothed."""
    raw: Tensor
    """Its codes, of each frame alone, (F, num_ws, w_dim)."""
    codes: Tensor
    """The same, smoothed."""
    missing: int
    """Frames in which no face was found."""


@dataclass(frozen=True)
class VideoEditor:
    """Finds the codes of a video's face, and draws it anew."""

    generator: Generator
    encoder: Encoder
    detector: FaceDetector
    editor: Editor
    smoothing: Smoothing = Smoothing()
    iterator: LatentIterator | None = None
    """Comes closer to the face in one of `KEY` frames, and all frames get the difference; None leaves that out."""

    def track(self, video: Video, work: VideoWork, progress: Progress) -> Track:
        """Find the face's place and code in each frame.

        Raises:
            UserError: No frame has a face, or the video is damaged.
        """
        quads = self._quads(video, work, progress)
        if not quads.isfinite().any():
            raise UserError(f"{video.path}: no face found in any frame; is it large and upright?")
        smooth = smooth_quads(list(quads), self.smoothing.middle, axis_sigma=self.smoothing.axis)
        raw = self._codes(video, work, smooth, progress)
        codes = smooth_codes(raw, self.smoothing.codes)
        corrections = self._corrections(video, work, smooth, codes, progress)
        missing = int((~quads.isfinite().all(dim=(1, 2))).sum())
        return Track(smooth, raw + corrections, codes + corrections, missing)

    def _quads(self, video: Video, work: VideoWork, progress: Progress) -> Tensor:
        """Where the face is in each frame, as found, (F, 4, 2); NaN where it is not."""

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            last = next((quad for quad in reversed(found) if quad.isfinite().all()), None)
            for frame in islice(video.frames(), len(found), None):
                quad = find_quad(frame, self.detector, near=last)
                last = last if quad is None else quad
                yield torch.full((4, 2), math.nan, dtype=torch.float64) if quad is None else quad

        return torch.stack(work.collect("quads", {}, missing, lambda n: progress("faces found", n, video.frame_count)))

    def _codes(self, video: Video, work: VideoWork, quads: Tensor, progress: Progress) -> Tensor:
        """What the network says of each frame, (F, num_ws, w_dim)."""

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            frames = islice(zip(video.frames(), quads, strict=False), len(found), None)
            while batch := list(islice(frames, BATCH)):
                yield from self._encoded(torch.cat([crop_quad(frame, quad, RESOLUTION) for frame, quad in batch]))

        settings = {"middle": self.smoothing.middle, "axis": self.smoothing.axis}
        found = work.collect("codes", settings, missing, lambda n: progress("codes found", n, len(quads)))
        return torch.stack(found)

    def _corrections(self, video: Video, work: VideoWork, quads: Tensor, codes: Tensor, progress: Progress) -> Tensor:
        """What leads from each frame's code to one that is closer to the face, (F, num_ws, w_dim).

        It is found for key frames and interpolated: what the network misses of a face, it misses in all frames.
        """
        iterator = self.iterator
        if iterator is None:
            return torch.zeros_like(codes)
        keys = torch.linspace(0, len(codes) - 1, 1 + -(-len(codes) // KEY)).round().long().unique()

        def missing(found: Sequence[Tensor]) -> Iterator[Tensor]:
            wanted = keys[len(found) :].tolist()
            for i, frame in enumerate(video.frames() if wanted else ()):
                if i in wanted:
                    target = crop_quad(frame, quads[i], RESOLUTION).to(self.generator.latent_avg)
                    start = codes[i : i + 1].to(target)
                    yield (iterator.refine(target, start).w_plus - start)[0].cpu()

        settings = {"smoothing": asdict(self.smoothing), **asdict(iterator.config)}
        count = len(keys)
        found = work.collect("corrections", settings, missing, lambda n: progress("key frames", n, count), every=1)
        return interpolate_frames(torch.stack(found), keys[: len(found)], len(codes))

    @torch.no_grad()
    def _encoded(self, faces: Tensor) -> Tensor:
        faces = faces.to(self.generator.latent_avg)
        return self.encoder(resample(faces, self.encoder.resolution)).cpu()

    def draw(self, track: Track, edits: Edits, folder: Path, size: int, progress: Progress) -> None:
        """Draw the edited faces of all frames into a folder, and where they changed if only that is pasted.

        Those that are there stay.
        """
        before, after = (codes.to(self.generator.latent_avg) for codes in (track.codes, edits.apply(track.codes)))
        for i in range(len(before)):
            face, where = _face(folder, i), _where(folder, i)
            if not face.is_file():
                (new,) = self.editor.faces(after[i : i + 1], size=size)
                if self.editor.only_changed:
                    (old,) = self.editor.faces(before[i : i + 1], size=size)
                    write_png(where, 2 * changed(old, new).expand(-1, 3, -1, -1) - 1)
                write_png(face, new)
            progress("faces drawn", i + 1, len(before))

    def frames(self, video: Video, track: Track, folder: Path, progress: Progress) -> Iterator[Tensor]:
        """The video's frames (1, 3, H, W) with the faces of a folder in them."""
        editor = self.editor
        for i, (frame, quad) in enumerate(zip(video.frames(), track.quads, strict=False)):
            where = (read_image(_where(folder, i))[:, :1] + 1) / 2 if editor.only_changed else None
            face = read_image(_face(folder, i))
            yield paste_back(frame, face, quad, where=where, mask=editor.mask, blend=editor.blend)
            progress("frames written", i + 1, len(track.quads))

    def flicker(self, track: Track, change: Callable[[Tensor], Tensor], lpips: Lpips) -> dict[str, Flicker]:
        """How much the edited face flickers, with its codes as found and smoothed."""
        codes = {"unsmoothed": track.raw, "smoothed": track.codes}
        return {name: measure_flicker(change(found), self._small, lpips) for name, found in codes.items()}

    def _small(self, codes: Tensor) -> Tensor:
        return torch.cat(self.editor.faces(codes.to(self.generator.latent_avg), size=RESOLUTION))


@dataclass(frozen=True)
class EditedVideo:
    """What became of a video."""

    path: Path
    flicker: Mapping[str, Flicker]
    """With the codes as found, and smoothed."""
    missing: int
    """Frames in which no face was found; where it is there, is taken from the frames around them."""
    size: int
    """Pixels that the faces were drawn with."""


def edit_video(
    video_editor: VideoEditor, video: Video, out: Path, work: VideoWork, edits: Edits, progress: Progress
) -> EditedVideo:
    """Edit the face in a video into a file NAME.mp4 with its sound, and NAME.json beside it.

    A stopped run goes on where it was, but for the last part, which writes the file.

    Args:
        video_editor: Finds codes and draws.
        video: What is edited.
        out: The folder.
        work: What is kept of the video.
        edits: What changes.
        progress: Is told what is done.

    Raises:
        UserError: No face, a damaged video, or the file cannot be written.
    """
    track = video_editor.track(video, work, progress)
    size = size_for(track.quads, video_editor.editor.renderer.resolution)
    editor = video_editor.editor
    settings = {"size": size, "renderer": editor.renderer.name, "only_changed": editor.only_changed}
    faces = work.faces_of(edits.apply(track.codes), settings)
    video_editor.draw(track, edits, faces, size, progress)
    path = out / f"{video.path.stem}.mp4"
    flicker = video_editor.flicker(track, edits.apply, load_lpips("alex"))
    told = {FLICKER: {name: asdict(one) for name, one in flicker.items()}}
    with replacing(path.with_suffix(".json")) as part:  # first: it says that the video is ours
        part.write_text(json.dumps({**told, "frames_without_a_face": track.missing, "size": size}, indent=2))
    write_video(path, video_editor.frames(video, track, faces, progress), video.rate, audio_from=video.path)
    shutil.rmtree(faces)
    return EditedVideo(path, flicker, track.missing, size)


def is_edited_video(out: Path, name: str) -> bool:
    """Whether a video NAME.mp4 in a folder is one that `edit_video` wrote, or was about to."""
    try:
        return FLICKER in json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def size_for(quads: Tensor, largest: int) -> int:
    """Pixels to draw the faces of quads (F, 4, 2) with: enough for them, from 256 to `largest`, doubled at a time."""
    side = float((quads[:, 3] - quads[:, 0]).norm(dim=1).median())
    size = min(RESOLUTION, largest)
    while size < side and size * 2 <= largest:
        size *= 2
    return size


def find_quad(frame: Tensor, detector: FaceDetector, *, near: Tensor | None) -> Tensor | None:
    """Where the face is in a frame (1, 3, H, W): (4, 2), or None if there is none.

    Args:
        frame: The whole frame.
        detector: Looks at it made smaller.
        near: Where it was before, (4, 2): of several faces, the nearest. None takes the largest.
    """
    height, width = frame.shape[-2:]
    scale = min(1.0, DETECTED_AT / max(height, width))
    small = resize(frame, round(height * scale), round(width * scale)) if scale < 1 else frame
    faces = detector.detect(small)
    if not len(faces):
        return None
    factors = torch.tensor([width / small.shape[-1], height / small.shape[-2]], dtype=torch.float64)
    quads = [ffhq_quad((landmarks.double() + 0.5) * factors - 0.5) for landmarks in faces.landmarks]
    if near is None:
        return quads[0]
    return min(quads, key=lambda quad: float((quad.mean(dim=0) - near.mean(dim=0)).norm()))


def _face(folder: Path, i: int) -> Path:
    return folder / f"{i:06d}.png"


def _where(folder: Path, i: int) -> Path:
    """Where a face changed."""
    return folder / f"{i:06d}-where.png"
