"""Edited codes into pictures: drawn, pasted back into the photo, saved."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import Blend, FaceMask, changed, full_image_quad, paste_back
from latentloop.files import refuse_overwriting
from latentloop.generators import Generator
from latentloop.images import colour_profile, read_image, resample, write_png
from latentloop.latents.code_file import Code, load_code, save_code
from latentloop.photo_editing.subjects import EDIT, Subject
from latentloop.pictures.labelled import labelled_grid

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
        """A photo (1, 3, H, W) with its edited faces (1, 3, S, S) in it; the first of them if there is no photo."""
        if subject.origin is None:
            return faces[0]
        picture = subject.origin.image
        cut_out = map(read_image, subject.aligned) if subject.aligned else repeat(None)
        # What an edited code draws is no longer what the photo shows.
        part = self.only_changed and not subject.edited
        where = self._changed(subject, faces) if part else repeat(None)
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
    """Results by name: NAME.png (the picture), NAME.npz (its code), faces/NAME.png (of a photo, the face alone).

    No result takes the place of a file that is none of ours, or of another result of the same run.
    """

    path: Path
    sources: Sequence[str] = ()
    """Files that results are made of."""
    _taken: set[str] = field(default_factory=set)  # names, for file systems that take Anna.png for anna.png

    def picture(self, name: str) -> Path:
        """The picture of a name."""
        return self.path / f"{name}.png"

    def video(self, name: str) -> Path:
        """A video of it."""
        return self.path / f"{name}.mp4"

    def save(self, name: str, subject: Subject, edited: "Edited") -> Path:
        """Write a result; returns the picture's path.

        Raises:
            UserError: It cannot be written, or would take the place of another file.
        """
        several = len(edited.faces) > 1
        owns = [f"{name}-face{i + 1}" if several else name for i in range(len(edited.faces))]
        self._claim(name, owns, [subject.origin.path] if subject.origin else [])
        for i, (own, face) in enumerate(zip(owns, edited.faces, strict=True)):
            save_code(self._code(own), edited.code(subject, i))
            if subject.origin:
                write_png(self._face(own), face)
        profile = colour_profile(subject.origin.path) if subject.origin else None
        write_png(self.picture(name), edited.picture, profile=profile)
        return self.picture(name)

    def save_strip(self, name: str, image: Tensor) -> Path:
        """Write a strip (1, 3, H, W) of a result; returns its path."""
        write_png(self.picture(f"strips/{name}"), image)
        return self.picture(f"strips/{name}")

    def _code(self, name: str) -> Path:
        return self.path / f"{name}.npz"

    def _face(self, name: str) -> Path:
        return self.path / "faces" / f"{name}.png"

    def _claim(self, name: str, owns: Sequence[str], more: Sequence[Path]) -> None:
        """See that a result may be written, with all that may come with it."""
        names = {one.casefold() for one in (name, *owns)}
        if names & self._taken:
            raise UserError(f"two results would be called {name}; choose another --out for one of them")
        self._taken.update(names)
        each = [path for own in owns for path in (self._code(own), self._face(own))]
        paths = [self.picture(name), *each, self.picture(f"strips/{name}"), self.video(name)]
        ours = all(self._is_ours(own) for own in owns)
        for path in paths:
            refuse_overwriting(path, [*map(Path, self.sources), *more], ours=ours)

    def _is_ours(self, name: str) -> bool:
        try:
            return EDIT in load_code(self._code(name)).details
        except UserError:
            return False


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
        """The code file of the i-th face: where it lies in which photo is kept, if it is known."""
        w_plus, told = self.w_plus[i].cpu(), {EDIT: dict(self.details)}
        if subject.codes:
            source = subject.codes[i]
            told |= {"photo": source.details["photo"]} if "photo" in source.details else {}
            return replace(source, w_plus=w_plus, space="w+", losses=torch.zeros(0), steps=0, details=told)
        size = self.faces[i].shape[-1]
        return Code(
            w_plus=w_plus,
            space="w+",
            generator=self.generator.name,
            fingerprint=self.generator.fingerprint,
            quad=full_image_quad(size),
            original_size=(size, size),
            losses=torch.zeros(0),
            steps=0,
            details=told,
        )


def edited(
    editor: Editor, subject: Subject, w_plus: Tensor, generator: Generator, details: Mapping[str, Any]
) -> Edited:
    """Draw the new codes (F, num_ws, w_dim) of a subject's faces, and put them back into its photo."""
    faces = editor.faces(w_plus)
    return Edited(w_plus, faces, editor.into_photo(subject, faces), generator, details)
