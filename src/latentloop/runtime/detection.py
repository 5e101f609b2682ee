"""Face detection by MTCNN's cascade over an image pyramid (Zhang et al., arXiv:1604.02878).

The steps are those of `latentloop.faces.detection`, around networks that take and give NumPy arrays.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latentloop.faces.cascade import INPUT_SCALE, STRIDE, THRESHOLDS, WINDOW, can_show, pyramid_scales
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import Floats
from latentloop.runtime.networks import Networks

SCALE = np.float32(INPUT_SCALE)


@dataclass(frozen=True)
class Faces:
    """Faces detected in a picture, the largest first; coordinates are (x, y) in pixels."""

    boxes: Floats
    """Bounding boxes, (F, 4): left, top, right, bottom."""
    landmarks: Floats
    """Left and right eye, nose, left and right mouth corner, as seen in the picture, (F, 5, 2)."""
    scores: Floats
    """Face probabilities, (F,)."""

    def __len__(self) -> int:
        """Count the faces."""
        return len(self.scores)


def detect(picture: AreaTable, networks: Networks) -> Faces:
    """Find the faces of a picture."""
    if not can_show(picture.height, picture.width):
        return Faces(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))
    faces = _output(picture, _refine(picture, _propose(picture, networks), networks), networks)
    order = np.argsort(-_areas(faces.boxes), kind="stable")
    return Faces(faces.boxes[order], faces.landmarks[order], faces.scores[order])


def _propose(picture: AreaTable, networks: Networks) -> Floats:
    found = [_propose_at(picture, scale, networks) for scale in pyramid_scales(picture.height, picture.width)]
    boxes, scores, corrections = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = non_maximum_suppression(boxes, scores, 0.7)
    return _squared(_corrected(boxes[keep], corrections[keep]))


def _propose_at(picture: AreaTable, scale: float, networks: Networks) -> tuple[Floats, Floats, Floats]:
    """Boxes, scores and corrections at one scale of the pyramid."""
    size = [int(n * scale + 1) for n in (picture.height, picture.width)]
    scores, corrections = networks.propose(picture.resized(*size) * SCALE)
    row, column = np.nonzero(scores[0] >= THRESHOLDS[0])
    corner = np.stack([column, row], axis=1) * STRIDE
    boxes = np.floor(np.concatenate([corner + 1, corner + WINDOW], axis=1).astype(np.float32) / np.float32(scale))
    found = scores[0, row, column]
    keep = non_maximum_suppression(boxes, found, 0.5)
    return boxes[keep], found[keep], corrections[0][:, row, column].T[keep]


def _refine(picture: AreaTable, boxes: Floats, networks: Networks) -> Floats:
    if not len(boxes):
        return boxes
    scores, corrections = networks.refine(_windows(picture, boxes, 24))
    passed = scores >= THRESHOLDS[1]
    boxes, scores, corrections = boxes[passed], scores[passed], corrections[passed]
    keep = non_maximum_suppression(boxes, scores, 0.7)
    return _squared(_corrected(boxes[keep], corrections[keep]))


def _output(picture: AreaTable, boxes: Floats, networks: Networks) -> Faces:
    if not len(boxes):
        return Faces(boxes, np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32))
    scores, corrections, landmarks = networks.output(_windows(picture, boxes, 48))
    passed = scores >= THRESHOLDS[2]
    boxes, scores, corrections = boxes[passed], scores[passed], corrections[passed]
    size = boxes[:, 2:] - boxes[:, :2] + 1
    landmarks = landmarks[passed] * size[:, None] + boxes[:, None, :2] - 1
    boxes = _corrected(boxes, corrections)
    keep = non_maximum_suppression(boxes, scores, 0.7, of_smaller=True)
    return Faces(boxes[keep], landmarks[keep], scores[keep])


def non_maximum_suppression(
    boxes: Floats, scores: Floats, overlap: float, *, of_smaller: bool = False
) -> npt.NDArray[np.int64]:
    """Select the boxes that no better box overlaps too much, best first, as indices (K,).

    Args:
        boxes: Left, top, right, bottom, (B, 4).
        scores: Scores, (B,); higher is better.
        overlap: Intersection over union above which the worse of two boxes is dropped.
        of_smaller: Divide the intersection by the smaller box's area, not by the union.
    """
    order = np.argsort(-scores, kind="stable")
    areas, kept = _areas(boxes), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[order, :2]), np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (high - low + 1).clip(0).prod(axis=1)
        whole = np.minimum(areas[best], areas[order]) if of_smaller else areas[best] + areas[order] - shared
        order = order[shared <= np.float32(overlap) * whole]
    return np.array(kept, dtype=np.int64)


def _areas(boxes: Floats) -> Floats:
    areas: Floats = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    return areas


def _corrected(boxes: Floats, corrections: Floats) -> Floats:
    """Move each side by its correction, a fraction of the box's size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Floats = boxes + corrections * np.tile(size, 2)
    return moved


def _squared(boxes: Floats) -> Floats:
    """Grow each box to a square about its centre, on whole pixels."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + np.float32(0.5) * (size - side)
    squares: Floats = np.trunc(np.concatenate([corner, corner + side], axis=1))
    return squares


def _windows(picture: AreaTable, boxes: Floats, size: int) -> Floats:
    """Resize the part of each box (B, 4) that lies in the picture, to (B, 3, size, size)."""
    left, top, right, bottom = boxes.astype(np.int64).T
    x, y = (left - 1).clip(0, picture.width - 1), (top - 1).clip(0, picture.height - 1)
    right, bottom = (
        np.maximum(right, x + 1).clip(None, picture.width),
        np.maximum(bottom, y + 1).clip(None, picture.height),
    )
    return picture.parts(np.stack([x, y, right, bottom], axis=1), size, size) * SCALE
