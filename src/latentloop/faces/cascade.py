"""Constants of MTCNN's cascade (Zhang et al., arXiv:1604.02878), shared with the detector without PyTorch."""

WINDOW, STRIDE = 12, 2
"""Side and spacing of the windows that the proposal network scores, in pixels."""
PYRAMID_STEP = 0.709
"""Scale of each level of the image pyramid relative to the one before."""
THRESHOLDS = (0.6, 0.7, 0.7)
"""Lowest face probability that passes the proposal, refinement and output networks."""
SMALLEST_FACE, SMALLEST_FACE_FRACTION = 20.0, 0.03
"""Smallest face to look for, in pixels and as a share of the photo's shorter side; the larger one applies."""
LONGEST = 100
"""Largest aspect ratio of a photo. Longer ones show no faces, and take much memory."""
INPUT_SCALE = 127.5 / 128
"""Factor from [-1, 1] to the range that the networks were trained on."""


def can_show(height: int, width: int) -> bool:
    """Return whether a photo is large enough to show a face, and its aspect ratio is usual."""
    shorter, longer = sorted((height, width))
    return shorter >= WINDOW and longer <= LONGEST * shorter


def pyramid_scales(height: int, width: int) -> list[float]:
    """Compute the scales at which faces from the smallest size to the whole photo fill the window."""
    shorter = min(height, width)
    scale = WINDOW / max(SMALLEST_FACE, SMALLEST_FACE_FRACTION * shorter)
    scales = [scale]
    while shorter * scales[-1] * PYRAMID_STEP >= WINDOW:
        scales.append(scales[-1] * PYRAMID_STEP)
    return scales if shorter * scale >= WINDOW else [WINDOW / shorter]
