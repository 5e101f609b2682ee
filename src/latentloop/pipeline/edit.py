"""Edited codes into pictures: drawn, pasted back into the photo, saved."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.codes import Code, save_code
from latentloop.errors import UserError
from latentloop.evaluation.labelled import labelled_grid
from latentloop.faces import Blend, FaceMask, changed, paste_back
from latentloop.generators import Generator
from latentloop.images import read_image, resample, write_png
from latentloop.pipeline.subjects import Subject

TILE = 256
"""Pixels of the images in a strip."""
SMALL = 256
"""Pixels at which faces are drawn to see where they changed."""
SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of an edit, in a strip."""


@dataclass(frozen=True)
class Editor:
    """Draws codes, and puts the faces back where they are from."""

    renderer: Generator
    """Of the codes' latent space."""
    mask: FaceMask = FaceMask()
    only_changed: bool = True
    """Paste what an edit changed, rather than all that the mask shows."""
    blend: Blend = "feather"

    @torch.inference_mode()
    def faces(self, w_plus: Tensor, *, size: int | None = None) -> list[Tensor]:
        """Draw codes (F, num_ws, w_dim); images (1, 3, S, S) in [-1, 1], on the CPU.

        Args:
            w_plus: The codes.
            size: S; None for what the renderer draws.
        """
        return [self._draw(one[None], size or self.renderer.resolution).clamp(-1, 1).cpu() for one in w_plus]

    def _draw(self, w_plus: Tensor, size: int) -> Tensor:
        if self.renderer.resolution % size:
            return resample(self.renderer.synthesis(w_plus), size)
        return self.renderer.synthesis(w_plus, resolution=size)

    def into_photo(self, subject: Subject, faces: Sequence[Tensor]) -> Tensor:
        """A subject's photo with its faces, edited, (1, 3, S, S); the first of them if there is no photo."""
        if subject.origin is None:
            return faces[0]
        picture = subject.origin.image
        cut_out = map(read_image, subject.aligned) if subject.aligned else repeat(None)
        where = self._changed(subject, faces) if self.only_changed else repeat(None)
        for face, quad, cut, weights in zip(faces, subject.origin.quads, cut_out, where, strict=False):
            picture = paste_back(picture, face, quad, cut_out=cut, where=weights, mask=self.mask, blend=self.blend)
        return picture

    def _changed(self, subject: Subject, faces: Sequence[Tensor]) -> Iterable[Tensor]:
        """Where each face changed."""
        before = self.faces(subject.w_plus, size=min(SMALL, faces[0].shape[-1]))
        return [changed(old, new) for old, new in zip(before, faces, strict=True)]


def strip(
    editor: Editor, subject: Subject, change: Callable[[Tensor, float], Tensor], label: Callable[[float], str]
) -> Tensor:
    """A subject's faces, a row each, from the opposite of an edit to all of it; one image (1, 3, H, W).

    Args:
        editor: Draws them.
        subject: Whose.
        change: The edit of codes (F, num_ws, w_dim), and the share of it.
        label: What to write above a share.
    """
    columns = [label(share) for share in SHARES]
    drawn = [editor.faces(change(subject.w_plus, share), size=TILE) for share in SHARES]
    rows = [list(row) for row in zip(*drawn, strict=True)]
    if subject.aligned:
        columns = ["photo", *columns]
        rows = [[read_image(photo), *row] for photo, row in zip(subject.aligned, rows, strict=True)]
    return labelled_grid(rows, columns, tile=TILE)


@dataclass(frozen=True)
class EditFolder:
    """Results by name: NAME.png (the picture), NAME.npz (its code), faces/NAME.png (of a photo, the face alone)."""

    path: Path
    sources: Sequence[str] = ()
    """Files that no result may take the place of."""

    def picture(self, name: str) -> Path:
        """The picture of a name."""
        return self.path / f"{name}.png"

    def video(self, name: str) -> Path:
        """A video of it."""
        return self.path / f"{name}.mp4"

    def save(self, name: str, subject: Subject, edited: "Edited") -> Path:
        """Write a result; returns the picture's path.

        Raises:
            UserError: It cannot be written, or would take the place of a source.
        """
        several = len(edited.faces) > 1
        owns = [f"{name}-face{i + 1}" if several else name for i in range(len(edited.faces))]
        self._check([self.picture(name), *(self._code(own) for own in owns)])
        for i, (own, face) in enumerate(zip(owns, edited.faces, strict=True)):
            if subject.origin:
                write_png(self.path / "faces" / f"{own}.png", face)
            save_code(self._code(own), edited.code(subject, i))
        write_png(self.picture(name), edited.picture)
        return self.picture(name)

    def save_strip(self, name: str, image: Tensor) -> Path:
        """Write a strip (1, 3, H, W); returns its path."""
        return self.save_picture(f"strips/{name}", image)

    def save_picture(self, name: str, image: Tensor) -> Path:
        """Write a picture (1, 3, H, W) about the results; returns its path."""
        self._check([self.picture(name)])
        write_png(self.picture(name), image)
        return self.picture(name)

    def _code(self, name: str) -> Path:
        return self.path / f"{name}.npz"

    def _check(self, paths: Sequence[Path]) -> None:
        sources = {Path(source).resolve() for source in self.sources}
        for path in paths:
            if path.resolve() in sources:
                raise UserError(f"the result would overwrite {path}; choose another folder with --out")


@dataclass(frozen=True)
class Edited:
    """What became of a subject."""

    w_plus: Tensor
    """(F, num_ws, w_dim)."""
    faces: Sequence[Tensor]
    """(1, 3, S, S) each."""
    picture: Tensor
    """(1, 3, H, W)."""
    generator: Generator
    """Whose codes they are."""
    details: Mapping[str, Any]
    """What was done; JSON."""

    def code(self, subject: Subject, i: int) -> Code:
        """The code file of the i-th face."""
        origin, size = subject.origin, self.faces[i].shape[-1]
        low, high = -0.5, size - 0.5
        square = torch.tensor([[low, low], [low, high], [high, high], [high, low]], dtype=torch.float64)
        return Code(
            w_plus=self.w_plus[i].cpu(),
            space="w+",
            generator=self.generator.name,
            fingerprint=self.generator.fingerprint,
            quad=origin.quads[i] if origin else square,
            original_size=(origin.image.shape[-1], origin.image.shape[-2]) if origin else (size, size),
            losses=torch.zeros(0),
            steps=0,
            details={"edit": dict(self.details)},
        )


def edited(
    editor: Editor, subject: Subject, w_plus: Tensor, generator: Generator, details: Mapping[str, Any]
) -> Edited:
    """Draw the new codes (F, num_ws, w_dim) of a subject's faces, and put them back into its photo."""
    faces = editor.faces(w_plus)
    return Edited(w_plus, faces, editor.into_photo(subject, faces), generator, details)
