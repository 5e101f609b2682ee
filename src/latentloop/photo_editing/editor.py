"""Drawing edited codes, and pasting the faces back into their photos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor

from latentloop.faces import Blend, FaceMask, changed, paste_back
from latentloop.faces.pasting import opencv
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.photo_editing.edit_name import SHARES
from latentloop.photo_editing.edit_name import STRIP_TILE as STRIP_TILE
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.subjects import Subject
from latentloop.pictures.labelled import labelled_grid

COMPARED_AT = 256
"""Largest size, in pixels, at which faces are drawn to find where they changed."""


@dataclass(frozen=True)
class Editor:
    """Draws codes, and pastes the faces back into their photos."""

    renderer: Generator
    """Generator of the codes' latent space."""
    mask: FaceMask = FaceMask()
    only_changed: bool = True
    """True pastes only the region that an edit changed; False everything inside the mask."""
    blend: Blend = "feather"
    """Blending of a pasted face at its edges, as in `paste_back`."""

    @torch.inference_mode()
    def faces(
        self, w_plus: Tensor, drawn_by: Sequence[Generator | None] = (), *, size: int | None = None
    ) -> list[Tensor]:
        """Draw codes as images (1, 3, S, S) in [-1, 1], on the CPU.

        Args:
            w_plus: Codes, (F, num_ws, w_dim).
            drawn_by: Refined generator of each code, see `Subject`; None for the renderer.
            size: S; None for the renderer's resolution, or that of a refined generator with fewer pixels.
        """
        generators = [one or self.renderer for one in drawn_by] or [self.renderer] * len(w_plus)
        largest = self.renderer.resolution
        drawn = [
            _drawn(one[None], by, size or min(by.resolution, largest))
            for one, by in zip(w_plus, generators, strict=True)
        ]
        return [image.clamp(-1, 1).cpu() for image in drawn]

    def before(self, subject: Subject) -> list[Tensor] | None:
        """Draw a subject's unedited faces, (1, 3, S, S), if only changed regions are pasted; None otherwise."""
        # The region changed by this edit alone is not enough: the photo does not show the earlier edit.
        if subject.origin is None or not self.only_changed or subject.already_edited:
            return None
        drawn = subject.reconstruction_images
        if drawn and all(one.shape[-1] == self.renderer.resolution for one in drawn):
            return list(drawn)  # 8-bit rounding is far below the threshold of a change
        return self.faces(subject.w_plus, subject.drawn_by, size=min(COMPARED_AT, self.renderer.resolution))

    def into_photo(
        self, subject: Subject, faces: Sequence[Tensor], *, before: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Paste edited faces into their photo, (1, 3, H, W) in [-1, 1]; without a photo, return the first face.

        Args:
            subject: Faces before the edit.
            faces: Edited faces, (1, 3, S, S) each.
            before: Result of `Editor.before` for the subject; None computes it.
        """
        if subject.origin is None:
            return faces[0]
        picture = subject.origin.image
        cut_out = subject.aligned_images or repeat(None)
        before = before or self.before(subject)
        where = [changed(old, new) for old, new in zip(before, faces, strict=True)] if before else repeat(None)
        # Not strict: `repeat` is endless.
        for face, quad, cut, weights in zip(faces, subject.origin.quads, cut_out, where, strict=False):
            picture = paste_back(picture, face, quad, cut_out=cut, where=weights, mask=self.mask, blend=self.blend)
        return picture


def _drawn(w_plus: Tensor, generator: Generator, size: int) -> Tensor:
    if generator.resolution % size:
        return resample(generator.synthesis(w_plus), size)
    return generator.synthesis(w_plus, resolution=size)


def make_editor(options: RenderOptions, load_renderer: Callable[[int | None], Generator]) -> Editor:
    """Create an editor from rendering options.

    Args:
        options: Settings of drawing and pasting.
        load_renderer: Returns a generator of the codes' latent space with a resolution, None for the largest.

    Raises:
        UserError: There is no such generator, or Poisson blending is requested and OpenCV is not installed.
    """
    if options.blend == "poisson":
        opencv()
    mask = FaceMask("square" if options.mask == "square" else "face")
    return Editor(load_renderer(options.resolution), mask, options.mask == "change", options.blend)


def strength_strip(
    editor: Editor, subject: Subject, change: Callable[[Tensor, float], Tensor], label: Callable[[float], str]
) -> Tensor:
    """Draw a subject's faces from the opposite of an edit to the full edit, one row per face; an image (1, 3, H, W).

    Args:
        editor: Editor that draws the faces.
        subject: Faces to edit; if their aligned photos are known, these begin the rows.
        change: Edits codes (F, num_ws, w_dim) by a share of the whole edit.
        label: Returns the column heading of a share.
    """
    columns = [label(share) for share in SHARES]
    drawn = [editor.faces(change(subject.w_plus, share), subject.drawn_by, size=STRIP_TILE) for share in SHARES]
    rows = [list(row) for row in zip(*drawn, strict=True)]
    if subject.aligned_images:
        columns = ["photo", *columns]
        rows = [[photo, *row] for photo, row in zip(subject.aligned_images, rows, strict=True)]
    return labelled_grid(rows, columns, tile=STRIP_TILE)
