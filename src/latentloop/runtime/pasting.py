"""Pasting an aligned face back into its photo, in NumPy; as `latentloop.faces.pasting` without Poisson blending.

Photos are pixels here: only the part that changes is converted to floating-point numbers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from latentloop.faces.config import ALIKE, DENSITY, FACE_WIDTH, NEIGHBOURS
from latentloop.pixels import Pixels
from latentloop.runtime.alignment import side_of
from latentloop.runtime.arrays import Doubles, Floats, resize
from latentloop.runtime.change import local_mean
from latentloop.runtime.cubic import bicubic_at

Shape = Literal["face", "square"]
"""face: an ellipse around face, hair and chin of an aligned face; square: all that the quad shows."""
FEATHER = 0.15
"""Width of the transition from 0 to 1, as a share of the quad's side."""


@dataclass(frozen=True)
class _Window:
    """Pixels of a photo about a quad, and where in the quad they lie."""

    rows: slice
    columns: slice
    fractions: Floats  # (R, C, 2), (x, y) as fractions of the quad's sides


def paste_back(
    photo: Pixels, face: Floats, quad: Doubles, cut_out: Floats, *, where: Floats | None = None, shape: Shape = "face"
) -> Pixels:
    """Paste an aligned face into a photo, (H, W, 3); outside the quad the photo stays as it is.

    Args:
        photo: Pixels (H, W, 3) in 0..255; it is not changed.
        face: Aligned image of any size, (1, 3, S, S) in [-1, 1].
        quad: Where it belongs, (4, 2); it may reach outside the photo.
        cut_out: What `crop_quad` cropped there, (1, 3, T, T). Where the face still resembles it, the photo's finer
            detail, such as grain, is kept.
        where: Further weights from 0 to 1 in the aligned frame, (M, M), such as `changed` gives; None for 1.
        shape: Part of the quad that is pasted.
    """
    pasted, window = photo.copy(), _window(quad, *photo.shape[:2])
    weight = _mask(window.fractions, shape)
    if where is not None:
        weight[weight > 0] *= bicubic_at(where[None], window.fractions[weight > 0])[:, 0].clip(0, 1)
    if not weight.any():
        return pasted
    window, weight = _shown(window, weight)
    shown = pasted[window.rows, window.columns].astype(np.float32) / np.float32(127.5) - 1
    drawn = _with_detail(_samples(face, cut_out, window, weight, side_of(quad)), shown)
    blended = shown + weight[..., None] * (drawn - shown)
    levels = ((blended + 1) * np.float32(127.5)).round().clip(0, 255).astype(np.uint8)
    seen = weight > 0
    pasted[window.rows, window.columns][seen] = levels[seen]
    return pasted


def _mask(fractions: Floats, shape: Shape) -> Floats:
    """Blending weights at points of the quad, (R, C): 1 in the middle, 0 at its border."""
    offset = np.abs(fractions - np.float32(0.5))
    if shape == "face":
        distance = np.hypot(offset[..., 0] / np.float32(FACE_WIDTH), offset[..., 1])
    else:
        distance = offset.max(axis=-1)
    way = ((np.float32(0.5) - distance) / np.float32(FEATHER)).clip(0, 1)
    weight: Floats = way * way * (3 - 2 * way)
    return weight


def _window(quad: Doubles, height: int, width: int) -> _Window:
    """The pixels whose centres may lie in the quad."""
    left, top = (max(int(n), 0) for n in np.ceil(quad.min(axis=0)))
    right, bottom = (int(n) for n in np.floor(quad.max(axis=0)))
    rows, columns = slice(top, max(min(bottom + 1, height), top)), slice(left, max(min(right + 1, width), left))
    top_left, bottom_left, _, top_right = quad
    x = np.arange(columns.start, columns.stop) - top_left[0]
    y = np.arange(rows.start, rows.stop)[:, None] - top_left[1]
    axes = [axis / (axis**2).sum() for axis in (top_right - top_left, bottom_left - top_left)]
    along = [(x * axis[0]).astype(np.float32) + (y * axis[1]).astype(np.float32) for axis in axes]
    return _Window(rows, columns, np.stack(along, axis=-1))


def _shown(window: _Window, weight: Floats) -> tuple[_Window, Floats]:
    """The part of a window with all weights that are not 0, and the neighbours that these look at."""
    reach, parts = NEIGHBOURS // 2, []
    for axis in (1, 0):
        found = np.flatnonzero((weight > 0).any(axis=axis))
        parts.append(slice(max(int(found[0]) - reach, 0), min(int(found[-1]) + 1 + reach, weight.shape[1 - axis])))
    rows, columns = parts
    top, left = window.rows.start, window.columns.start
    part = _Window(
        slice(top + rows.start, top + rows.stop),
        slice(left + columns.start, left + columns.stop),
        window.fractions[rows, columns],
    )
    return part, weight[rows, columns]


def _samples(
    face: Floats, cut_out: Floats, window: _Window, weight: Floats, side: float
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Places (R, C) that count, and face and cut-out there, (P, 6); neighbours of weights that are not 0 count."""
    size = max(round(DENSITY * side), 1)
    images = [_shrunk(one, size)[0] for one in (face, cut_out)]
    needed = local_mean((weight > 0).astype(np.float32), NEIGHBOURS) > 0
    places = window.fractions[needed]
    if images[0].shape == images[1].shape:
        return needed, bicubic_at(np.concatenate(images), places).clip(-1, 1)
    return needed, np.concatenate([bicubic_at(one, places) for one in images], axis=1).clip(-1, 1)


def _shrunk(image: Floats, size: int) -> Floats:
    return resize(image, size, size, bicubic=True) if size < image.shape[-1] else image


def _with_detail(samples: tuple[npt.NDArray[np.bool_], Floats], photo: Floats) -> Floats:
    """A face (R, C, 3) with what a photo has more than what was cut out of it, where the two are alike."""
    needed, values = samples
    face, cut_out = np.zeros_like(photo), np.zeros_like(photo)
    face[needed], cut_out[needed] = values[:, :3], values[:, 3:]
    near = local_mean(np.abs(face - cut_out).mean(axis=-1), NEIGHBOURS)
    kept = np.exp(-((near / np.float32(ALIKE)) ** 2))[..., None]
    kept_detail: Floats = (face + kept * (photo - cut_out)).clip(-1, 1)
    return kept_detail
