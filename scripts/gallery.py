"""Make the pictures of docs/gallery.md from the sample photos.

python scripts/gallery.py

The codes of the photos are found once, into --work; run it again and the pictures are drawn from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import torch
import tyro
from PIL import Image
from torch import Tensor

from latentloop import keep_freed_memory, load_generator
from latentloop.cli import main
from latentloop.editing import morph
from latentloop.editing.direction_file import shipped_directions
from latentloop.faces import crop_quad
from latentloop.generators import Generator
from latentloop.images import read_image, resample, resize, to_uint8
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.subjects import subjects_of
from latentloop.pictures.labelled import labelled_grid
from latentloop.video import read_video, write_video

TILE = 144
STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
PHOTOS = ("female-1", "female-16", "female-76", "female-79", "male-23", "male-81")


@dataclass(frozen=True)
class Gallery:
    """Draw the pictures."""

    photos: Path = Path("examples/photos")
    """The sample photos."""
    work: Path = Path("out/gallery")
    """Folder for codes and whatever else the commands write."""
    out: Path = Path("docs/images")
    """Folder for the pictures."""
    only: tuple[str, ...] = ()
    """Pictures to draw, if not all: smile, directions, morph, mix, transfer, found, video."""
    quality: int = 76
    """Quality of the JPEGs."""
    generator: Generator = field(default_factory=load_generator, init=False)

    def run(self) -> None:
        """Draw and save."""
        self.command("embed", self.photos, "--steps", 50, "--out", self.work / "codes")
        pictures: dict[str, Callable[[], Tensor]] = {
            "smile": self.smile,
            "directions": self.directions,
            "morph": self.morph,
            "mix": self.mix,
            "transfer": self.transfer,
            "found": self.found,
            "video": self.video,
        }
        for name in self.only or pictures:
            image = pictures[name]()
            path = self.out / f"gallery-{name}.jpg"
            Image.fromarray(to_uint8(image[0])).save(path, quality=self.quality, optimize=True)
            print(path, f"{path.stat().st_size // 1000} kB")

    def smile(self) -> Tensor:
        """Show photos, and what an edit makes of them, pasted back."""
        folder = self.work / "smile"
        codes = [self.code(name) for name in PHOTOS]
        self.command("edit", *codes, "--photos", self.photos, "--set", "smile=1.5", "age=1.5", "--out", folder)
        rows = [
            [resample(read_image(self.photos / f"{name}.jpg"), TILE) for name in PHOTOS],
            [resample(read_image(folder / f"{name}-smile1.5-age1.5.png"), TILE) for name in PHOTOS],
        ]
        return labelled_grid(rows, [""] * len(PHOTOS), ["photo", "smile 1.5, age 1.5"], tile=TILE)

    def directions(self) -> Tensor:
        """Show every bundled direction on one photo."""
        w_plus = self.w_plus("female-76")
        rows, names = [], []
        for name, direction in shipped_directions(self.generator).items():
            edits = AppliedDirections([(direction, 1.0)])
            rows.append([self.face(edits.apply(w_plus, strength)) for strength in STRENGTHS])
            names.append(name)
        return labelled_grid(rows, [f"{strength:+g}" for strength in STRENGTHS], names, tile=88)

    def morph(self) -> Tensor:
        """Show a morph through three photos."""
        codes = torch.cat([self.w_plus(name) for name in ("female-1", "male-23", "female-79")])
        between = morph(codes, 3)
        return labelled_grid([[self.face(one[None]) for one in between]], [""] * len(between), tile=TILE)

    def mix(self) -> Tensor:
        """Show two photos with the coarse, the middle and the fine styles of others."""
        tables = []
        for layers in ("coarse", "middle", "fine"):
            folder = self.work / f"mix-{layers}"
            pair = [self.code("female-1"), self.code("male-81")]
            styles = [self.code("female-16"), self.code("male-23")]
            self.command("mix", *pair, "--styles", *styles, "--layers", layers, "--out", folder)
            tables.append(labelled_grid([[square(read_image(folder / "strips" / "mix.png"))]], [layers], tile=3 * TILE))
        return torch.cat(tables, dim=3)

    def transfer(self) -> Tensor:
        """Show the expression of a person, whom edits made look sad and laugh, on three others."""
        pair = {"sad": "smile=-1.5", "laughing": "smile=1.5"}
        for name, edit in pair.items():
            self.command(
                "edit", self.code("female-76"), "--photos", self.photos, "--set", edit, "--out", self.work / name
            )
        neutral, expressive = (
            self.work / name / f"female-76-{edit.replace('=', '')}.png" for name, edit in pair.items()
        )
        folder, names = self.work / "transfer", ("female-1", "female-79", "male-81")
        codes = [self.code(name) for name in names]
        self.command("transfer", *codes, "--neutral", neutral, "--expressive", expressive, "--out", folder)
        given = [read_image(path)[:, :, :700, 150:850] for path in (neutral, expressive)]
        rows = [[self.face(self.w_plus(name)), self.face(self.w_plus(folder / f"{name}.npz"))] for name in names]
        flat = [*given, *(face for row in rows for face in row)]
        return labelled_grid([flat], ["neutral", "expressive", *["before", "after"] * len(names)], tile=TILE)

    def found(self) -> Tensor:
        """Show directions that SeFa finds."""
        path = self.work / "sefa.safetensors"
        self.command("directions", "find", "--method", "sefa", "--count", 5, "--out", path, "--sheet")
        sheet = read_image(path.with_suffix(".png"))
        height, width = sheet.shape[-2:]
        return resize(sheet, height * 560 // width, 560)

    def video(self) -> Tensor:
        """Show a clip in which a camera pans over a photo, and the same clip edited."""
        clip = self.work / "clip.mp4"
        photo, count = read_image(self.photos / "female-79.jpg"), 60
        frames = (pan(photo, i / count) for i in range(count))
        write_video(clip, frames, Fraction(25))
        self.command("edit", clip, "--set", "smile=1.5", "--steps", 50, "--out", self.work / "video")
        clips = [list(read_video(path).frames()) for path in (clip, self.work / "video" / "clip-smile1.5.mp4")]
        rows = [[square(frames[i]) for i in (0, 15, 30, 45, 59)] for frames in clips]
        return labelled_grid(rows, [f"frame {i}" for i in (0, 15, 30, 45, 59)], ["clip", "edited"], tile=TILE)

    @cached_property
    def editor(self) -> Editor:
        """Editor that draws the tiles."""
        return Editor(self.generator)

    def face(self, w_plus: Tensor) -> Tensor:
        """Draw a code (1, num_ws, w_dim)."""
        return self.editor.faces(w_plus, size=256)[0]

    def code(self, name: str) -> Path:
        """Path of a photo's code."""
        return self.work / "codes" / f"{name}.npz"

    def w_plus(self, name: str | Path) -> Tensor:
        """Read the code of a photo or of a file, (1, num_ws, w_dim)."""
        path = name if isinstance(name, Path) else self.code(name)
        return subjects_of(str(path), self.generator)[0].w_plus

    def command(self, *arguments: object) -> None:
        """Run one of our commands."""
        print("latentloop", *arguments)
        if main([str(argument) for argument in arguments]):
            raise SystemExit(f"failed: latentloop {arguments[0]}")


def pan(photo: Tensor, share: float) -> Tensor:
    """Cut a frame of 360 pixels out of a photo (1, 3, H, W), as a camera sees it that moves and comes closer."""
    width = 700 - 120 * share
    left, top = 150 + 60 * share, 30 + 30 * share
    corners = [[left, top], [left, top + width], [left + width, top + width], [left + width, top]]
    return crop_quad(photo, torch.tensor(corners, dtype=torch.float64), 360)


def square(image: Tensor) -> Tensor:
    """Pad an image (1, 3, H, W) with white to a square."""
    height, width = image.shape[-2:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return torch.nn.functional.pad(image, (left, side - width - left, top, side - height - top), value=1.0)


if __name__ == "__main__":
    keep_freed_memory()
    tyro.cli(Gallery).run()
