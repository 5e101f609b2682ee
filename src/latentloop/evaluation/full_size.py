"""Metrics of a reconstruction at its full size: what is not seen at 256 pixels."""

import torch
from torch import Tensor

from latentloop.evaluation.measure import EVALUATION_SIZE
from latentloop.features.lpips import Lpips
from latentloop.metrics import periodic_pattern

FULL_SIZE_METRICS = ("lpips_full", "pattern", "pattern_photo")
"""Names of the metrics, in the order of tables."""
MIDDLE = 0.5
"""Share of the image's side that LPIPS sees: the face from forehead to chin, as FFHQ aligns it."""
ENLARGED = 1.25
"""Enlargement of the photo beyond which LPIPS is left out: a blurred photo would blame a sharp reconstruction."""


@torch.inference_mode()
def measure_full_size(
    image: Tensor, photo: Tensor, lpips: Lpips, *, side: float, pattern_photo: float | None = None
) -> dict[str, float]:
    """Compute the metrics of a reconstruction at its full size, as far as the photo has the pixels.

    - `lpips_full`: LPIPS of the middle crop, half of the side (512 of 1024 pixels), at its own pixels. Left out where
      the aligned photo is smaller, or was enlarged to its size by more than `ENLARGED`.
    - `pattern`: `periodic_pattern` of the reconstruction.
    - `pattern_photo`: that of the aligned photo, to compare it with. Left out where the photo is smaller.

    Args:
        image: Reconstruction, (1, 3, S, S), about [-1, 1]; there are no metrics unless S is above 256.
        photo: Aligned photo, (1, 3, T, T) in [-1, 1].
        lpips: LPIPS network.
        side: Pixels of the original photo along a side of the aligned one.
        pattern_photo: The photo's pattern, if it was measured before.

    Returns:
        The metrics by name; those that were left out are missing.
    """
    size = image.shape[-1]
    if size <= EVALUATION_SIZE:
        return {}
    image, figures = image.clamp(-1, 1), {}
    same_size = photo.shape == image.shape
    if same_size and side * ENLARGED >= size:
        figures["lpips_full"] = lpips(_middle(image), _middle(photo)).item()
    figures["pattern"] = periodic_pattern(image).item()
    if same_size:
        figures["pattern_photo"] = periodic_pattern(photo).item() if pattern_photo is None else pattern_photo
    return figures


def _middle(image: Tensor) -> Tensor:
    side = round(MIDDLE * image.shape[-1])
    margin = (image.shape[-1] - side) // 2
    return image[:, :, margin : margin + side, margin : margin + side]
