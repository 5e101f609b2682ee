"""FFHQ's face alignment (Karras et al., arXiv:1812.04948, appendix A; after arXiv:1710.10196, appendix C).

A quad is the square in a photo that becomes the aligned image. It is given by its corners top left, bottom left, bottom
right and top right as (x, y) in the photo's pixels, where (0, 0) is the centre of the first pixel.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.faces.config import DENSE, SUPERSAMPLING
from latentloop.faces.similarity import sample_at
from latentloop.images import resize


def ffhq_quad(landmarks: Tensor) -> Tensor:
    """Compute FFHQ's quad of a face from its landmarks.

    Args:
        landmarks: Left and right eye, nose, left and right mouth corner, (x, y) in pixels, (5, 2). Left is the
            picture's left.

    Returns:
        Corners top left, bottom left, bottom right and top right, (4, 2), float64.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks.double()
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    between_eyes, eyes_to_mouth = right_eye - left_eye, mouth - eyes
    # x points from the quad's centre to the middle of its right side: along the eyes and across the line to the mouth,
    # half as long as the larger of 4 eye distances and 3.6 distances from eyes to mouth.
    x = between_eyes - _rotated(eyes_to_mouth)
    x = x / x.norm() * torch.maximum(2.0 * between_eyes.norm(), 1.8 * eyes_to_mouth.norm())
    y = _rotated(x)
    centre = eyes + 0.1 * eyes_to_mouth
    return torch.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def crop_quad(photo: Tensor, quad: Tensor, size: int) -> Tensor:
    """Crop a quad out of a photo as FFHQ does, to (1, 3, size, size).

    Outside the photo, the crop shows the photo's mirror image, which is blurred and faded to the median colour with the
    distance. Shrinking uses PyTorch's antialiased filters where FFHQ uses Lanczos.

    Args:
        photo: Photo, (1, 3, H, W) in [-1, 1].
        quad: Corners top left, bottom left, bottom right and top right, (4, 2); they may lie outside the photo.
        size: Side of the crop, in pixels.
    """
    quad = quad.to(photo.device, torch.float64)
    # As in FFHQ, a large photo is shrunk by an integer factor first, to no less than twice the output's scale.
    shrink = int(_side(quad) / size / 2)
    if shrink > 1:
        height, width = (round(n / shrink) for n in photo.shape[-2:])
        quad = quad / shrink
        photo = resize(photo, height, width)
    photo, quad = _crop_and_pad(photo, quad)
    fine = size * min(SUPERSAMPLING, math.ceil(DENSE * _side(quad) / size))
    # Centres of the supersampled pixels, as fractions of the quad's sides.
    axis = (torch.arange(fine, device=photo.device, dtype=photo.dtype) + 0.5) / fine
    top_left, bottom_left, _, top_right = quad.to(photo.dtype)
    positions = top_left + axis[None, :, None] * (top_right - top_left) + axis[:, None, None] * (bottom_left - top_left)
    # Bilinear supersamples, then an antialiased shrink; bicubic filters overshoot, hence the clamp.
    return F.interpolate(sample_at(photo, positions), (size, size), mode="bicubic", antialias=True).clamp(-1, 1)


def _rotated(vector: Tensor) -> Tensor:
    """A vector (x, y) rotated by 90 degrees, so that one to the right points down."""
    return torch.stack([-vector[1], vector[0]])


def _side(quad: Tensor) -> float:
    return float((quad[3] - quad[0]).norm())


def _crop_and_pad(photo: Tensor, quad: Tensor) -> tuple[Tensor, Tensor]:
    """The part of the photo around the quad, padded if necessary, and the quad in its pixels."""
    height, width = photo.shape[-2:]
    side = _side(quad)
    border = max(round(0.1 * side), 3)
    low, high = quad.amin(dim=0).floor().long() - border, quad.amax(dim=0).ceil().long() + border
    left, top, right, bottom = low[0].item(), low[1].item(), high[0].item(), high[1].item()
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    photo, quad = photo[:, :, y0:y1, x0:x1], quad - quad.new_tensor([x0, y0])
    outside = [x0 - left, y0 - top, right - x1, bottom - y1]
    # The constants 0.1, 3, 4, 0.3 and 0.02 are FFHQ's.
    if max(outside) <= border - 4:
        return photo, quad
    pads = [int(max(n, round(0.3 * side))) for n in outside]
    return _faded(_mirrored(photo, pads), pads, blur=0.02 * side), quad + quad.new_tensor(pads[:2])


def _mirrored(photo: Tensor, pads: list[int]) -> Tensor:
    left, top, right, bottom = pads
    rows = _mirror_indices(photo.shape[-2], top, bottom, photo.device)
    columns = _mirror_indices(photo.shape[-1], left, right, photo.device)
    return photo[:, :, rows][:, :, :, columns]


def _mirror_indices(length: int, before: int, after: int, device: torch.device) -> Tensor:
    # A mirror that does not repeat the outermost pixel has the period 2 (length - 1); it may take several reflections.
    period = max(2 * (length - 1), 1)
    index = torch.arange(-before, length + after, device=device).remainder(period)
    return torch.minimum(index, period - index)


def _faded(photo: Tensor, pads: list[int], blur: float) -> Tensor:
    """The photo with its padding blurred and faded to the median colour, increasingly with distance from the photo."""
    left, top, right, bottom = pads
    height, width = photo.shape[-2:]
    y = torch.arange(height, device=photo.device, dtype=photo.dtype)[:, None]
    x = torch.arange(width, device=photo.device, dtype=photo.dtype)[None, :]
    # 1 at the outer edge of the padding, 0 where the photo begins, negative inside it.
    distance_x = 1 - torch.minimum(x / left, (width - 1 - x) / right)
    distance_y = 1 - torch.minimum(y / top, (height - 1 - y) / bottom)
    distance = torch.maximum(distance_x, distance_y)
    photo = photo.lerp(_blurred(photo, blur), (3 * distance + 1).clamp(0, 1))
    median = photo.flatten(2).median(dim=2).values[:, :, None, None]
    return photo.lerp(median, distance.clamp(0, 1))


def _blurred(photo: Tensor, sigma: float) -> Tensor:
    radius = round(4 * sigma)  # beyond 4 sigma a Gaussian is negligible
    offsets = torch.arange(-radius, radius + 1, device=photo.device, dtype=photo.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    wide = _mirrored(photo, [radius] * 4)
    return F.conv2d(F.conv2d(wide, kernel, groups=3), kernel.mT, groups=3)
