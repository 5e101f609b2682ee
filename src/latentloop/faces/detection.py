"""Face detection with MTCNN's cascade over an image pyramid (Zhang et al., arXiv:1604.02878)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.faces.cascade import INPUT_SCALE, STRIDE, THRESHOLDS, WINDOW, can_show, pyramid_scales
from latentloop.faces.mtcnn import Mtcnn, load_mtcnn
from latentloop.images import check_images


@dataclass(frozen=True)
class Faces:
    """Faces detected in an image, largest first; coordinates are (x, y) in pixels."""

    boxes: Tensor
    """Bounding boxes, (F, 4): left, top, right, bottom."""
    landmarks: Tensor
    """Left and right eye, nose, left and right mouth corner, as seen in the image, (F, 5, 2)."""
    scores: Tensor
    """Face probabilities, (F,)."""

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.scores)


@dataclass(frozen=True)
class FaceDetector:
    """A detector of faces and their five landmarks."""

    networks: Mtcnn
    """The three networks of MTCNN's cascade."""

    @torch.inference_mode()
    def detect(self, image: Tensor) -> Faces:
        """Find the faces in an image (1, 3, H, W) in [-1, 1].

        Raises:
            ValueError: The image has another shape, or there are several.
        """
        check_images(image)
        if len(image) > 1:
            raise ValueError(f"image must be a single image, got {len(image)}")
        if not can_show_faces(image):
            return Faces(image.new_zeros(0, 4), image.new_zeros(0, 5, 2), image.new_zeros(0))
        image = image * INPUT_SCALE
        boxes = self._propose(image)
        boxes = self._refine(image, boxes)
        faces = self._output(image, boxes)
        order = _areas(faces.boxes).argsort(descending=True)
        return Faces(faces.boxes[order], faces.landmarks[order], faces.scores[order])

    def _propose(self, image: Tensor) -> Tensor:
        found = [self._propose_at(image, scale) for scale in pyramid_scales(*image.shape[-2:])]
        boxes, scores, corrections = (torch.cat(parts) for parts in zip(*found, strict=True))
        keep = non_maximum_suppression(boxes, scores, 0.7)
        return _squared(_corrected(boxes[keep], corrections[keep]))

    def _propose_at(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, scores and box corrections at one scale of the pyramid."""
        size = [int(n * scale + 1) for n in image.shape[-2:]]
        scores, corrections = self.networks.propose(F.interpolate(image, size, mode="area"))
        row, column = torch.nonzero(scores[0] >= THRESHOLDS[0], as_tuple=True)
        corner = torch.stack([column, row], dim=1) * STRIDE
        # The offset of 1 and the rounding below are those of the original, which counts pixels from 1.
        boxes = torch.cat([corner + 1, corner + WINDOW], dim=1).div(scale).floor()
        keep = non_maximum_suppression(boxes, scores[0, row, column], 0.5)
        return boxes[keep], scores[0, row, column][keep], corrections[0][:, row, column].T[keep]

    def _refine(self, image: Tensor, boxes: Tensor) -> Tensor:
        scores, corrections = self.networks.refine(_windows(image, boxes, 24))
        passed = scores >= THRESHOLDS[1]
        boxes, scores, corrections = boxes[passed], scores[passed], corrections[passed]
        keep = non_maximum_suppression(boxes, scores, 0.7)
        return _squared(_corrected(boxes[keep], corrections[keep]))

    def _output(self, image: Tensor, boxes: Tensor) -> Faces:
        scores, corrections, landmarks = self.networks.output(_windows(image, boxes, 48))
        passed = scores >= THRESHOLDS[2]
        boxes, scores, corrections = boxes[passed], scores[passed], corrections[passed]
        size = boxes[:, 2:] - boxes[:, :2] + 1
        landmarks = landmarks[passed] * size[:, None] + boxes[:, None, :2] - 1
        boxes = _corrected(boxes, corrections)
        keep = non_maximum_suppression(boxes, scores, 0.7, of_smaller=True)
        return Faces(boxes[keep], landmarks[keep], scores[keep])


def load_face_detector(*, device: torch.device | str = "cpu") -> FaceDetector:
    """Load the face detector with the bundled weights.

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    return FaceDetector(load_mtcnn(device=device))


def can_show_faces(image: Tensor) -> bool:
    """Return whether an image (..., H, W) is large enough to show a face, and its aspect ratio is usual."""
    return can_show(*image.shape[-2:])


def non_maximum_suppression(boxes: Tensor, scores: Tensor, overlap: float, *, of_smaller: bool = False) -> Tensor:
    """Select boxes by non-maximum suppression, as indices (K,), best first.

    Args:
        boxes: Left, top, right, bottom, (B, 4).
        scores: Scores, (B,); higher is better.
        overlap: Intersection over union above which the box with the lower score is dropped.
        of_smaller: Divide the intersection by the smaller box's area instead of the union.
    """
    order = scores.argsort(descending=True, stable=True)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        shared = _shared_areas(boxes[best], boxes[order])  # (remaining boxes,)
        area, areas = _areas(boxes[best][None]), _areas(boxes[order])
        whole = torch.minimum(area, areas) if of_smaller else area + areas - shared
        order = order[shared <= overlap * whole]
    return torch.stack(kept) if kept else order


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2] + 1).prod(dim=1)  # + 1: both ends belong to a box


def _shared_areas(box: Tensor, boxes: Tensor) -> Tensor:
    low, high = torch.maximum(box[:2], boxes[:, :2]), torch.minimum(box[2:], boxes[:, 2:])
    return (high - low + 1).clamp_min(0).prod(dim=1)


def _corrected(boxes: Tensor, corrections: Tensor) -> Tensor:
    """Boxes with each side moved by its correction, a fraction of the box's size."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + corrections * size.repeat(1, 2)


def _squared(boxes: Tensor) -> Tensor:
    """Boxes grown to squares around their centres, on whole pixels."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.amax(dim=1, keepdim=True)
    corner = boxes[:, :2] + 0.5 * (size - side)
    return torch.cat([corner, corner + side], dim=1).trunc()


def _windows(image: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crops of boxes (B, 4) as far as they lie in the image, resized to (B, 3, size, size)."""
    height, width = image.shape[-2:]
    windows = [image.new_zeros(0, 3, size, size)]
    for left, top, right, bottom in boxes.long().tolist():
        x, y = min(max(left - 1, 0), width - 1), min(max(top - 1, 0), height - 1)
        window = image[:, :, y : max(bottom, y + 1), x : max(right, x + 1)]
        windows.append(F.interpolate(window, (size, size), mode="area"))
    return torch.cat(windows)
