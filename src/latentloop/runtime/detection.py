"""Face detection with MTCNN's cascade over an image pyramid (Zhang et al., arXiv:1604.02878), in NumPy.

The steps are those of `latentloop.faces.detection`, with networks that take and return NumPy arrays.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latentloop.faces.cascade import INPUT_SCALE, STRIDE, THRESHOLDS, WINDOW, can_show, pyramid_scales
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import Floats
from latentloop.runtime.networks import Networks

SCALE = np.float32(INPUT_SCALE)
"""Factor from [-1, 1] to the range of the networks' inputs."""


@dataclass(frozen=True)
class Faces:
    """Faces detected in an image, largest first; coordinates are (x, y) in pixels."""

    boxes: Floats
    """Bounding boxes, (F, 4): left, top, right, bottom."""
    landmarks: Floats
    """Left and right eye, nose, left and right mouth corner, as seen in the image, (F, 5, 2)."""
    scores: Floats
    """Face probabilities, (F,)."""

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.scores)


def detect(picture: AreaTable, networks: Networks) -> Faces:
    """Find the faces in an image, given by its summed-area table, with the networks of MTCNN."""
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
    """Boxes, scores and box corrections at one scale of the pyramid."""
    size = [int(n * scale + 1) for n in (picture.height, picture.width)]
    scores, corrections = networks.propose(picture.resized(*size) * SCALE)
    row, column = np.nonzero(scores[0] >= THRESHOLDS[0])
    corner = np.stack([column, row], axis=1) * STRIDE
    # The offset of 1 and the rounding are those of the original, which counts pixels from 1.
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
    """Select boxes by non-maximum suppression, as indices (K,), best first.

    Args:
        boxes: Left, top, right, bottom, (B, 4).
        scores: Scores, (B,); higher is better.
        overlap: Intersection over union above which the box with the lower score is dropped.
        of_smaller: Divide the intersection by the smaller box's area instead of the union.
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
    areas: Floats = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)  # + 1: both ends belong to a box
    return areas


def _corrected(boxes: Floats, corrections: Floats) -> Floats:
    """Boxes with each side moved by its correction, a fraction of the box's size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    moved: Floats = boxes + corrections * np.tile(size, 2)
    return moved


def _squared(boxes: Floats) -> Floats:
    """Boxes grown to squares around their centres, on whole pixels."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + np.float32(0.5) * (size - side)
    squares: Floats = np.trunc(np.concatenate([corner, corner + side], axis=1))
    return squares


def _windows(picture: AreaTable, boxes: Floats, size: int) -> Floats:
    """Crops of boxes (B, 4) as far as they lie in the image, resized to (B, 3, size, size)."""
    left, top, right, bottom = boxes.astype(np.int64).T
    x, y = (left - 1).clip(0, picture.width - 1), (top - 1).clip(0, picture.height - 1)
    right, bottom = (
        np.maximum(right, x + 1).clip(None, picture.width),
        np.maximum(bottom, y + 1).clip(None, picture.height),
    )
    return picture.parts(np.stack([x, y, right, bottom], axis=1), size, size) * SCALE
