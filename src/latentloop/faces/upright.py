"""Detection of faces in any orientation, in photos whose metadata do not say how they were held.

The detector was trained on upright faces. In other photos it finds none, or wrong landmarks: in an upside-down face it
takes the chin for the forehead.
"""

import math

import torch
from torch import Tensor

from latentloop.faces.alignment import crop_quad, ffhq_quad
from latentloop.faces.config import ADVANTAGE, CERTAIN, LEAST_TURNED, LOOKED_AT, SUREST, TILTED
from latentloop.faces.detection import FaceDetector, Faces, can_show_faces


def find_faces(photo: Tensor, detector: FaceDetector) -> Faces:
    """Find the faces of a photo (1, 3, H, W) in [-1, 1] in any orientation; coordinates are in the photo's pixels.

    Rotations by 90, 180 and 270 degrees are tried only if the largest face is tilted or its probability is not high.
    """
    given = detector.detect(photo)
    if len(given) and given.scores[0] >= CERTAIN and _tilt(given.landmarks[0]) <= TILTED:
        return given
    if not can_show_faces(photo):
        return given
    best, trust = given, _trust(photo, given, detector) + ADVANTAGE
    for turns in (1, 2, 3):
        turned = _turned_back(detector.detect(torch.rot90(photo, turns, (2, 3))), photo, turns)
        if len(turned) and turned.scores[0] >= LEAST_TURNED and (found := _trust(photo, turned, detector)) > trust:
            best, trust = turned, found
    return best


def looked_at_again(photo: Tensor, landmarks: Tensor, detector: FaceDetector) -> Tensor:
    """Find the landmarks of a tilted face again in its aligned image, where the face is upright.

    Args:
        photo: Photo, (1, 3, H, W) in [-1, 1].
        landmarks: Landmarks found in the photo, (5, 2).
        detector: Detector to find them with.

    Returns:
        Landmarks in the photo, (5, 2); the given ones if the face is not found again, or is close to a multiple of 90
        degrees.
    """
    quarter = math.pi / 2
    # The tilt's distance to the nearest multiple of 90 degrees.
    if abs((_tilt(landmarks) + quarter / 2) % quarter - quarter / 2) <= TILTED / 2:
        return landmarks
    quad = ffhq_quad(landmarks)
    again = detector.detect(crop_quad(photo, quad, LOOKED_AT))
    if not len(again):
        return landmarks
    top_left, bottom_left, _, top_right = quad.to(landmarks)
    across, down = ((again.landmarks[0] + 0.5) / LOOKED_AT).split(1, dim=1)
    found: Tensor = top_left + across * (top_right - top_left) + down * (bottom_left - top_left)
    return found


def _tilt(landmarks: Tensor) -> float:
    """Angle between the eyes' axis and the photo's rows, from 0 to pi."""
    x, y = (landmarks[1] - landmarks[0]).tolist()
    return abs(math.atan2(y, x))


def _trust(photo: Tensor, faces: Faces, detector: FaceDetector) -> float:
    """Confidence in the largest face: its log-odds in the photo plus those in its aligned image."""
    if not len(faces):
        return -math.inf
    again = detector.detect(crop_quad(photo, ffhq_quad(faces.landmarks[0]), LOOKED_AT))
    return _log_odds(faces.scores[0]) + _log_odds(again.scores[0]) if len(again) else -math.inf


def _log_odds(score: Tensor) -> float:
    return float(score.clamp(max=SUREST).logit())


def _turned_back(faces: Faces, photo: Tensor, turns: int) -> Faces:
    """Faces of a photo that `torch.rot90` has rotated, in the pixels of the original photo."""
    corners = faces.boxes.unflatten(1, (2, 2))
    places = _places_before(torch.cat([corners, faces.landmarks], dim=1), photo, turns)
    boxes = torch.cat([places[:, :2].amin(dim=1), places[:, :2].amax(dim=1)], dim=1)
    return Faces(boxes, places[:, 2:], faces.scores)


def _places_before(places: Tensor, photo: Tensor, turns: int) -> Tensor:
    """Points (x, y) of a rotated photo, (F, P, 2), in the pixels of the original photo."""
    (height, width), (x, y) = photo.shape[-2:], places.unbind(dim=-1)
    # rot90 turns counterclockwise, so one turn moves the right border to the top.
    if turns == 1:
        x, y = width - 1 - y, x
    elif turns == 2:
        x, y = width - 1 - x, height - 1 - y
    else:
        x, y = y, height - 1 - x
    return torch.stack([x, y], dim=-1)
