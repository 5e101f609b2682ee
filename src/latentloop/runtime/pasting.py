"""Pasting an aligned face back into its photo, in NumPy, as in `latentloop.faces.pasting` without Poisson blending.

Photos are uint8 here; only the part that changes is converted to floating-point numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from latentloop.faces.config import ALIKE, DENSITY, FACE_WIDTH, NEIGHBOURS
from latentloop.pixels import Pixels
from latentloop.runtime.alignment import side_of
from latentloop.runtime.arrays import Doubles, Floats, resize
from latentloop.runtime.change import local_mean
from latentloop.runtime.cubic import Bicubic

Shape = Literal["face", "square"]
"""Shape of the mask. face: an ellipse around face, hair and chin of an aligned face. square: the whole quad."""
FEATHER = 0.15
"""Width of the mask's transition from 0 to 1, as a share of the quad's side."""
BAND = 64
"""Rows that are pasted at a time."""


def paste_back(
    photo: Pixels, face: Floats, quad: Doubles, cut_out: Floats, *, where: Floats | None = None, shape: Shape = "face"
) -> Pixels:
    """Paste an aligned face into a photo, (H, W, 3); outside the quad the photo stays as it is.

    Args:
        photo: Pixels (H, W, 3) in 0..255; not changed in place.
        face: Aligned image of any size, (1, 3, S, S) in [-1, 1].
        quad: Position of the face, (4, 2); it may reach outside the photo.
        cut_out: Crop that `crop_quad` made there, (1, 3, T, T). Where the face still resembles it, the photo's finer
            detail, such as grain, is kept.
        where: Additional weights from 0 to 1 in the aligned frame, (M, M), such as those of `changed`; None for 1.
        shape: Part of the quad to paste.
    """
    pasted, window = photo.copy(), _window(quad, *photo.shape[:2])
    size = max(round(DENSITY * side_of(quad)), 1)
    pasting = _Pasting(
        quad, window, _tables(face, cut_out, size), None if where is None else Bicubic(where[None]), shape
    )
    for top in range(window.rows.start, window.rows.stop, BAND):
        pasting.rows(photo, slice(top, min(top + BAND, window.rows.stop)), pasted)
    return pasted


@dataclass(frozen=True)
class _Window:
    """A rectangle of pixels of a photo around a quad."""

    rows: slice
    columns: slice


@dataclass(frozen=True)
class _Pasting:
    """A face that is pasted some rows at a time, so that intermediate results fit into the processor's cache."""

    quad: Doubles
    window: _Window
    images: Sequence[Bicubic]  # of face and cut-out, each of 3 channels, or one of both
    where: Bicubic | None
    shape: Shape

    def rows(self, photo: Pixels, rows: slice, pasted: Pixels) -> None:
        """Paste the face into some rows of `photo`, and write them to `pasted`."""
        reach = NEIGHBOURS // 2
        seen = slice(max(rows.start - reach, self.window.rows.start), min(rows.stop + reach, self.window.rows.stop))
        fractions, columns = self._fractions(seen, self.window.columns), self.window.columns
        weight = self._weights(fractions)
        found = np.flatnonzero((weight > 0).any(axis=0))
        if not len(found):
            return
        left, right = max(int(found[0]) - reach, 0), min(int(found[-1]) + 1 + reach, weight.shape[1])
        fractions, weight = fractions[:, left:right], weight[:, left:right]
        columns = slice(columns.start + left, columns.start + right)
        shown = photo[seen, columns].astype(np.float32) / np.float32(127.5) - 1
        drawn = self._drawn(shown, fractions, weight)
        levels = ((shown + weight[..., None] * (drawn - shown) + 1) * np.float32(127.5)).round().clip(0, 255)
        inner = slice(rows.start - seen.start, rows.stop - seen.start)
        changes = weight[inner] > 0
        pasted[rows, columns][changes] = levels[inner][changes].astype(np.uint8)

    def _fractions(self, rows: slice, columns: slice) -> Floats:
        """Centres of pixels as fractions (x, y) of the quad's sides, (R, C, 2)."""
        top_left, bottom_left, _, top_right = self.quad
        x = np.arange(columns.start, columns.stop) - top_left[0]
        y = np.arange(rows.start, rows.stop)[:, None] - top_left[1]
        # Projections on the quad's two perpendicular sides, each divided by the side's squared length.
        axes = [axis / (axis**2).sum() for axis in (top_right - top_left, bottom_left - top_left)]
        along = [(x * axis[0]).astype(np.float32) + (y * axis[1]).astype(np.float32) for axis in axes]
        return np.stack(along, axis=-1)

    def _weights(self, fractions: Floats) -> Floats:
        """Blending weights at points of the quad, (R, C): 1 in the middle, 0 at its border."""
        offset = np.abs(fractions - np.float32(0.5))
        if self.shape == "face":
            distance = np.hypot(offset[..., 0] / np.float32(FACE_WIDTH), offset[..., 1])
        else:
            distance = offset.max(axis=-1)
        way = ((np.float32(0.5) - distance) / np.float32(FEATHER)).clip(0, 1)
        weight: Floats = way * way * (3 - 2 * way)  # smoothstep: no visible edge at either end
        if self.where is not None and weight.any():
            inside = weight > 0
            weight[inside] *= self.where.at(fractions[inside])[:, 0].clip(0, 1)
        return weight

    def _drawn(self, shown: Floats, fractions: Floats, weight: Floats) -> Floats:
        """The face in the photo's pixels (R, C, 3), plus the detail that the crop lost, where face and crop are alike.

        Only positions with weights, and their neighbours, are sampled.
        """
        needed = local_mean((weight > 0).astype(np.float32), NEIGHBOURS) > 0
        places = fractions[needed]
        samples = np.concatenate([one.at(places) for one in self.images], axis=1).clip(-1, 1)
        face, cut_out = np.zeros_like(shown), np.zeros_like(shown)
        face[needed], cut_out[needed] = samples[:, :3], samples[:, 3:]
        near = local_mean(np.abs(face - cut_out).mean(axis=-1), NEIGHBOURS)
        alike = np.exp(-((near / np.float32(ALIKE)) ** 2))[..., None]
        # shown - cut_out is what the crop's resampling has lost; where the edit changed the face, it would not fit.
        drawn: Floats = (face + alike * (shown - cut_out)).clip(-1, 1)
        return drawn


def _window(quad: Doubles, height: int, width: int) -> _Window:
    """The pixels of the photo whose centres may lie in the quad."""
    left, top = (max(int(n), 0) for n in np.ceil(quad.min(axis=0)))
    right, bottom = (int(n) for n in np.floor(quad.max(axis=0)))
    rows, columns = slice(top, max(min(bottom + 1, height), top)), slice(left, max(min(right + 1, width), left))
    return _Window(rows, columns)


def _tables(face: Floats, cut_out: Floats, size: int) -> list[Bicubic]:
    """Samplers of face and crop, shrunk to `size` if they are larger; a joint one if both have one size."""
    images = [resize(one, size, size, bicubic=True) if size < one.shape[-1] else one for one in (face, cut_out)]
    if images[0].shape == images[1].shape:
        return [Bicubic(np.concatenate([one[0] for one in images]))]
    return [Bicubic(one[0]) for one in images]
