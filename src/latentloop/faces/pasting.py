"""Pasting an aligned face back into its photo, the inverse of `crop_quad`."""

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.extras import load_extra
from latentloop.faces.config import ALIKE, DENSITY, FACE_WIDTH, NEIGHBOURS, Blend
from latentloop.images import from_uint8, to_uint8

SMALLEST_CLONE = 16
"""Smallest side of a region for Poisson blending, in pixels: OpenCV shrinks the region by three on each side."""


@dataclass(frozen=True)
class FaceMask:
    """Blending weights of a face within its quad: 1 in the middle, 0 at the quad's border."""

    shape: Literal["face", "square"] = "face"
    """Shape of the mask. face: an ellipse around face, hair and chin of an aligned face. square: the whole quad."""
    feather: float = 0.15
    """Width of the transition from 0 to 1, as a share of the quad's side, 0 to 0.5; 0 is a hard edge."""

    def __post_init__(self) -> None:
        if not 0 <= self.feather <= 0.5:
            raise ValueError(f"feather must be from 0 to 0.5, got {self.feather}")

    def at(self, fractions: Tensor) -> Tensor:
        """Compute the weights, (R, C) from 0 to 1, at points of the quad.

        Args:
            fractions: (x, y) as fractions of the quad's sides, (R, C, 2).
        """
        offset = (fractions - 0.5).abs()
        if self.shape == "face":
            distance: Tensor = (offset / offset.new_tensor([FACE_WIDTH, 1])).norm(dim=-1)
        else:
            distance = offset.amax(dim=-1)
        way = ((0.5 - distance) / max(self.feather, 1e-9)).clamp(0, 1)
        return way * way * (3 - 2 * way)  # smoothstep: no visible edge at either end of the transition


@dataclass(frozen=True)
class _Window:
    """A rectangle of pixels of a photo around a quad."""

    rows: slice
    columns: slice

    def of(self, photo: Tensor) -> Tensor:
        return photo[:, :, self.rows, self.columns]

    def part(self, rows: slice, columns: slice) -> "_Window":
        top, left = self.rows.start, self.columns.start
        return _Window(slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop))


def paste_back(
    photo: Tensor,
    face: Tensor,
    quad: Tensor,
    *,
    cut_out: Tensor | None = None,
    where: Tensor | None = None,
    mask: FaceMask = FaceMask(),
    blend: Blend = "feather",
) -> Tensor:
    """Paste an aligned face into a photo, (1, 3, H, W); outside the quad the photo stays identical to the bit.

    Args:
        photo: Photo, (1, 3, H, W) in [-1, 1].
        face: Aligned image of any size, (1, 3, S, S); clamped to [-1, 1].
        quad: Position of the face, (4, 2), see `latentloop.faces.alignment`; it may reach outside the photo.
        cut_out: Crop that `crop_quad` made there, (1, 3, S, S). Where the face still resembles it, the photo's finer
            detail, such as grain, is kept; an unchanged face returns the photo. None keeps no detail.
        where: Additional weights from 0 to 1 in the aligned frame, (1, 1, M, M), such as those of `changed`, which
            multiply the mask's; None for 1 everywhere.
        mask: Blending weights within the quad.
        blend: "feather" fades into the photo along the mask. "poisson" first shifts the colours to the photo's along
            the edge of the mask, keeping the differences between neighbouring pixels (Perez et al., "Poisson image
            editing", SIGGRAPH 2003), in 8 bits per channel.

    Raises:
        UserError: `blend` is "poisson" and OpenCV is not installed.
    """
    quad, pasted = quad.to(photo.device, torch.float64), photo.clone()
    window = _window(quad, *photo.shape[-2:])
    fractions = _fractions(quad, window, photo.dtype)
    if not fractions.numel():
        return pasted
    weight = mask.at(fractions) * (1 if where is None else _at(where.to(photo), fractions)[0, 0].clamp(0, 1))
    if blend == "feather":  # Poisson blending also needs the pixels around the region
        rows, columns = _shown_part(weight)
        window, weight, fractions = window.part(rows, columns), weight[rows, columns], fractions[rows, columns]
    if not fractions.numel():
        return pasted
    shown = window.of(photo)
    drawn = _drawn(shown, face, cut_out, fractions, _side(quad))
    if blend == "poisson":
        drawn = _cloned(drawn, shown, weight > 0)
    window.of(pasted)[:] = torch.where(weight > 0, shown.lerp(drawn, weight), shown)
    return pasted


def _drawn(shown: Tensor, face: Tensor, cut_out: Tensor | None, fractions: Tensor, side: float) -> Tensor:
    """The face resampled to the photo's pixels, with the photo's finer detail if its crop is given."""
    drawn = _sampled(face.to(shown), fractions, side)
    if cut_out is None:
        return drawn
    return _with_detail(drawn, _sampled(cut_out.to(shown), fractions, side), shown)


def opencv() -> ModuleType:
    """Import OpenCV, which the extra "edit" installs.

    Raises:
        UserError: OpenCV is not installed.
    """
    return load_extra("cv2", "blend poisson needs OpenCV", "opencv-python-headless")


def _side(quad: Tensor) -> float:
    return float((quad[3] - quad[0]).norm())


def _window(quad: Tensor, height: int, width: int) -> _Window:
    """The pixels of the photo whose centres may lie in the quad."""
    left, top = quad.amin(dim=0).ceil().long().clamp_min(0).tolist()
    right, bottom = quad.amax(dim=0).floor().long().tolist()
    return _Window(slice(top, max(min(bottom + 1, height), top)), slice(left, max(min(right + 1, width), left)))


def _fractions(quad: Tensor, window: _Window, dtype: torch.dtype) -> Tensor:
    """Centres of a window's pixels as fractions (x, y) of the quad's sides, (R, C, 2)."""
    # Projections on the quad's two perpendicular sides, each divided by the side's squared length.
    top_left, bottom_left, _, top_right = quad
    x = torch.arange(window.columns.start, window.columns.stop).to(quad) - top_left[0]
    y = torch.arange(window.rows.start, window.rows.stop).to(quad)[:, None] - top_left[1]
    axes = [axis / axis.square().sum() for axis in (top_right - top_left, bottom_left - top_left)]
    return torch.stack([(x * axis[0]).to(dtype) + (y * axis[1]).to(dtype) for axis in axes], dim=-1)


def _shown_part(weight: Tensor) -> tuple[slice, slice]:
    """Rows and columns of weights (R, C) that contain all positive ones, and their neighbours of `NEIGHBOURS`."""
    seen = weight > 0
    found = [torch.nonzero(seen.any(dim=axis)).flatten() for axis in (1, 0)]
    if not len(found[0]):
        return slice(0, 0), slice(0, 0)
    reach = NEIGHBOURS // 2
    low, high = ([int(index[i]) for index in found] for i in (0, -1))
    rows, columns = (slice(max(a - reach, 0), b + 1 + reach) for a, b in zip(low, high, strict=True))
    return _within(rows, len(weight)), _within(columns, weight.shape[1])


def _within(part: slice, length: int) -> slice:
    return slice(part.start, min(part.stop, length))


def _sampled(face: Tensor, fractions: Tensor, side: float) -> Tensor:
    """Bicubic samples of a face at points (R, C, 2) of a quad with a side of `side` pixels; (1, 3, R, C)."""
    # A face with far more pixels than its place in the photo is shrunk first, since bicubic samples would alias.
    size = max(round(DENSITY * side), 1)
    if size < face.shape[-1]:
        face = F.interpolate(face, (size, size), mode="bicubic", antialias=True)
    grid = 2 * fractions[None] - 1
    return F.grid_sample(face, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(-1, 1)


def _at(image: Tensor, fractions: Tensor) -> Tensor:
    """Bicubic samples of (1, C, S, S) at points (R, C', 2) of a quad; (1, C, R, C')."""
    grid = (2 * fractions - 1).to(image.dtype)[None]
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _with_detail(face: Tensor, cut_out: Tensor, photo: Tensor) -> Tensor:
    """A face (1, 3, R, C) plus the detail that the crop lost against the photo, where face and crop are alike."""
    change = (face - cut_out).abs().mean(dim=1, keepdim=True)
    near = F.avg_pool2d(change, NEIGHBOURS, stride=1, padding=NEIGHBOURS // 2, count_include_pad=False)
    # photo - cut_out is what the crop's resampling has lost; where the edit changed the face, it would not fit.
    return (face + torch.exp(-(near / ALIKE).square()) * (photo - cut_out)).clamp(-1, 1)


def _cloned(face: Tensor, photo: Tensor, region: Tensor) -> Tensor:
    """A face (1, 3, R, C) shifted to the colours of the photo (1, 3, R, C) around a region (R, C), by Poisson blending.

    OpenCV solves on the region's bounding box, whose edges keep the photo's colours, and takes its centre as position.
    """
    cv2 = opencv()
    # OpenCV ignores the outermost pixels of the images it is given.
    inside = F.pad(region[1:-1, 1:-1], (1, 1, 1, 1))
    rows, columns = (torch.nonzero(inside.any(dim=axis)).flatten().tolist() for axis in (1, 0))
    if min(len(rows), len(columns)) < SMALLEST_CLONE:
        return face
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    middle = columns[0] + width // 2, rows[0] + height // 2
    source, target = (np.ascontiguousarray(to_uint8(image[0])[..., ::-1]) for image in (face, photo))
    cloned = cv2.seamlessClone(source, target, 255 * inside.cpu().numpy().astype(np.uint8), middle, cv2.NORMAL_CLONE)
    return from_uint8(np.ascontiguousarray(cloned[..., ::-1])).to(photo)
