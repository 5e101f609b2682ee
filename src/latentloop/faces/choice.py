"""Choosing faces in a photo, and aligning them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces.alignment import crop_quad, ffhq_quad
from latentloop.faces.detection import FaceDetector, Faces
from latentloop.faces.upright import find_faces, looked_at_again
from latentloop.faces.wanted import check_wanted, chosen
from latentloop.images import check_images, check_size, resample


@dataclass(frozen=True)
class DetectedFace:
    """A detected face; coordinates are (x, y) in the photo's pixels."""

    box: Tensor
    """Bounding box: left, top, right and bottom, (4,)."""
    landmarks: Tensor
    """Left and right eye, nose, left and right mouth corner, (5, 2)."""
    score: float
    """Face probability, 0 to 1."""


@dataclass(frozen=True)
class AlignedFace:
    """An aligned face image and its square in the photo."""

    image: Tensor
    """Aligned image, (1, 3, S, S) in [-1, 1]."""
    quad: Tensor
    """Corners of the square in the photo: top left, bottom left, bottom right, top right, (4, 2)."""
    detected: DetectedFace | None = None
    """Detection that the alignment is based on; None for a photo that was already aligned."""

    @property
    def side(self) -> float:
        """Side of the square, in the photo's pixels: the size from which the aligned image was resampled."""
        return float((self.quad[3] - self.quad[0]).norm())


def align_faces(photo: Tensor, detector: FaceDetector, size: int, *, face: str = "largest") -> list[AlignedFace]:
    """Find faces in a photo, in any orientation, and align them as FFHQ does, largest first.

    Args:
        photo: Photo, (1, 3, H, W) in [-1, 1].
        detector: Face detector, see `load_face_detector`.
        size: Side of the aligned images, in pixels.
        face: "largest", "all", or a rank by size such as "2"; "1" is the largest.

    Raises:
        UserError: There is no face, or fewer faces than the rank asked for.
        ValueError: `face`, `size`, the detector or the photo is not of the kind described.
    """
    check_size("size", size)
    check_wanted(face)
    if not callable(getattr(detector, "detect", None)):
        raise ValueError(f"detector must be a FaceDetector from load_face_detector, got {detector!r:.100}")
    faces = find_faces(photo, detector)
    return [_aligned(photo, faces, i, detector, size) for i in chosen(face, len(faces))]


def _aligned(photo: Tensor, faces: Faces, i: int, detector: FaceDetector, size: int) -> AlignedFace:
    landmarks = looked_at_again(photo, faces.landmarks[i], detector)
    quad = ffhq_quad(landmarks)
    detected = DetectedFace(faces.boxes[i].cpu(), landmarks.cpu(), float(faces.scores[i]))
    return AlignedFace(crop_quad(photo, quad, size), quad.cpu(), detected)


def already_aligned(photo: Tensor, size: int) -> AlignedFace:
    """Wrap an already aligned photo as an `AlignedFace`, shrunk to (1, 3, size, size) if it is larger.

    Args:
        photo: Photo, (1, 3, S, S) in [-1, 1].
        size: Largest side of the aligned image, in pixels.

    Raises:
        UserError: The photo is not square.
        ValueError: The photo is not an image (1, 3, S, S), or `size` is below 1.
    """
    check_size("size", size)
    check_images(photo, name="photo")
    height, width = photo.shape[-2:]
    if height != width:
        raise UserError(f"an aligned photo is square, this one is {width} x {height}", arguments="aligned")
    return AlignedFace(resample(photo, min(size, width)), full_image_quad(width))


def full_image_quad(width: int) -> Tensor:
    """Return the quad that covers a whole square image, (4, 2), float64."""
    # Half a pixel beyond the outer pixels' centres.
    low, high = -0.5, width - 0.5  # (0, 0) is the centre of the first pixel
    return torch.tensor([[low, low], [low, high], [high, high], [high, low]], dtype=torch.float64)
