"""Metrics of a reconstruction at full size, for defects that do not show at 256 pixels."""

import torch
from torch import Tensor

from latentloop.evaluation.measure import EVALUATION_SIZE
from latentloop.features.lpips import Lpips
from latentloop.metrics import periodic_pattern

FULL_SIZE_METRICS = ("lpips_full", "pattern", "pattern_photo")
"""Names of the metrics, in the order of tables."""
MIDDLE = 0.5
"""Side of the central crop that LPIPS compares, as a share of the image's: forehead to chin in FFHQ's alignment."""
ENLARGED = 1.25
"""Largest enlargement of the photo for which LPIPS is computed: against a blurred photo, sharp results look worse."""


@torch.inference_mode()
def measure_full_size(
    image: Tensor, photo: Tensor, lpips: Lpips, *, side: float, pattern_photo: float | None = None
) -> dict[str, float]:
    """Compute metrics of a reconstruction at full size, as far as the photo has enough pixels.

    - `lpips_full`: LPIPS of the central crop of half the side (512 of 1024 pixels) at full resolution. Left out if the
      aligned photo is smaller, or was enlarged by more than `ENLARGED`.
    - `pattern`: `periodic_pattern` of the reconstruction.
    - `pattern_photo`: `periodic_pattern` of the aligned photo, for comparison. Left out if the photo is smaller.

    Args:
        image: Reconstruction, (1, 3, S, S), about [-1, 1]; there are no metrics unless S is above 256.
        photo: Aligned photo, (1, 3, T, T) in [-1, 1].
        lpips: LPIPS network.
        side: Side of the face's square in the original photo, in pixels.
        pattern_photo: The photo's `periodic_pattern`, if it is known already.

    Returns:
        Metrics by name, without those that were left out.
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
