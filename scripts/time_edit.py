"""Time an edit of a photo from file to file, and of a video, after everything has been loaded; then the command alone.

python scripts/time_edit.py
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
import tyro

from latentloop import keep_freed_memory, load_face_detector, load_generator
from latentloop.defaults import GENERATOR
from latentloop.editing import find_direction
from latentloop.encoders import load_encoder
from latentloop.faces import align_faces, crop_quad
from latentloop.generators import load_renderer
from latentloop.images import read_image, resample, write_png
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.subjects import Origin, Subject
from latentloop.photo_editing.video import edit_video
from latentloop.photo_editing.video_editor import VideoEditor
from latentloop.photo_editing.video_work import VideoWork
from latentloop.video import read_video, write_video
from measuring.readers import spread


@dataclass(frozen=True)
class Time:
    """Time one pass, an edit, drawing at 1024, pasting back and writing, for each photo; a clip at 256; the command."""

    photos: Path = Path("examples/photos")
    """Photos of one face each."""
    frames: int = 50
    """Frames of the clip, in which a camera moves over the first photo."""
    commands: int = 3
    """Runs of `latentloop edit`, each on another photo."""
    json: Path | None = None
    """File for the figures, in seconds."""

    def run(self) -> None:
        """Measure and print."""
        with tempfile.TemporaryDirectory() as folder:
            warm = self.time_photos(Path(folder))
            rate = self.time_video(Path(folder))
            cold = self.time_commands(Path(folder))
        if self.json:
            figures = {"warm": spread(warm), "cold": spread(cold), "frames_per_second": round(rate, 3)}
            self.json.write_text(json.dumps(figures))

    def time_photos(self, folder: Path) -> list[float]:
        """Time an edit of each photo; returns the seconds."""
        generator, detector = load_generator(GENERATOR), load_face_detector()
        encoder, editor = load_encoder("base-ffhq", generator), Editor(generator)
        edits = AppliedDirections([(find_direction("smile", generator), 1.0)])

        @torch.inference_mode()
        def edit(photo: Path) -> None:
            image = read_image(photo)
            face = align_faces(image, detector, generator.resolution)[0]
            aligned = folder / "aligned.png"
            write_png(aligned, face.image)
            w_plus = encoder(resample(face.image, encoder.resolution))
            subject = Subject(photo.stem, w_plus, Origin(photo, image, face.quad[None]), (aligned,))
            faces = editor.faces(edits.apply(w_plus))
            write_png(folder / "face.png", faces[0])
            write_png(folder / "photo.png", editor.into_photo(subject, faces))

        photos = sorted(self.photos.glob("*.jpg"))
        edit(photos[0])
        seconds = [clock(partial(edit, photo)) for photo in photos]
        print("a photo:", ", ".join(f"{x:.2f}" for x in seconds), f"s; median {statistics.median(seconds):.2f} s")
        return seconds

    def time_commands(self, folder: Path) -> list[float]:
        """Time the command `latentloop edit` on photos, in one pass, each in its own process; returns the seconds."""
        seconds = []
        for photo in sorted(self.photos.glob("*.jpg"))[: self.commands]:
            command = [sys.executable, "-m", "latentloop", "edit", str(photo), "--set", "smile=1", "--steps", "0"]
            command += ["--codes", str(folder / "codes"), "--out", str(folder / "edited")]
            seconds.append(clock(partial(subprocess.run, command, check=True, capture_output=True)))
        print("the command:", ", ".join(f"{x:.2f}" for x in seconds), "s")
        return seconds

    def time_video(self, folder: Path) -> float:
        """Time an edit of a clip, in one pass, with faces of 256 pixels; returns the frames per second."""
        generator = load_generator(GENERATOR)
        renderer = load_renderer(generator, 256)
        editor = VideoEditor(generator, load_encoder("base-ffhq", generator), load_face_detector(), Editor(renderer))
        photo = read_image(min(self.photos.glob("*.jpg")))
        clip = folder / "clip.mp4"
        frames = [crop_quad(photo, square(200 - i, 30, 640), 480) for i in range(self.frames)]
        write_video(clip, frames, Fraction(25))
        video, edits = read_video(clip), AppliedDirections([(find_direction("smile", generator), 1.0)])
        work = VideoWork(folder / "work", {})
        seconds = clock(lambda: edit_video(editor, video, EditFolder(folder / "out"), work, edits, lambda *_: None))
        print(f"a video of {self.frames} frames: {self.frames / seconds:.2f} frames/s")
        return self.frames / seconds


def square(left: float, top: float, side: float) -> torch.Tensor:
    """Make an upright quad, (4, 2)."""
    corners = [[left, top], [left, top + side], [left + side, top + side], [left + side, top]]
    return torch.tensor(corners, dtype=torch.float64)


def clock(work: Callable[[], object]) -> float:
    """Count the seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    keep_freed_memory()
    tyro.cli(Time).run()
