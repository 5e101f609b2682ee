"""Detection of faces in any orientation, in NumPy, as in `latentloop.faces.upright`, which explains the method."""

import math

import numpy as np

from latentloop.faces.cascade import can_show
from latentloop.faces.config import ADVANTAGE, CERTAIN, LEAST_TURNED, LOOKED_AT, SUREST, TILTED
from latentloop.pixels import Pixels
from latentloop.runtime.alignment import crop_quad, ffhq_quad
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import Floats
from latentloop.runtime.detection import Faces, detect
from latentloop.runtime.networks import Networks


def find_faces(photo: Pixels, networks: Networks) -> Faces:
    """Find the faces of a photo (H, W, 3) in any orientation; coordinates are in the photo's pixels.

    Rotations by 90, 180 and 270 degrees are tried only if the largest face is tilted or its probability is not high.
    """
    given = detect(AreaTable.of_pixels(photo), networks)
    if len(given) and given.scores[0] >= CERTAIN and _tilt(given.landmarks[0]) <= TILTED:
        return given
    if not can_show(*photo.shape[:2]):
        return given
    best, trust = given, _trust(photo, given, networks) + ADVANTAGE
    for turns in (1, 2, 3):
        turned = _turned_back(detect(AreaTable.of_pixels(np.rot90(photo, turns)), networks), photo, turns)
        if len(turned) and turned.scores[0] >= LEAST_TURNED and (found := _trust(photo, turned, networks)) > trust:
            best, trust = turned, found
    return best


def looked_at_again(photo: Pixels, landmarks: Floats, networks: Networks) -> Floats:
    """Find the landmarks of a tilted face again in its aligned image, where the face is upright.

    Args:
        photo: Pixels (H, W, 3).
        landmarks: Landmarks found in the photo, (5, 2).
        networks: Networks of the face detector.

    Returns:
        Landmarks in the photo, (5, 2); the given ones if the face is not found again, or is close to a multiple of 90
        degrees.
    """
    quarter = math.pi / 2
    if abs((_tilt(landmarks) + quarter / 2) % quarter - quarter / 2) <= TILTED / 2:  # to the nearest multiple
        return landmarks
    quad = ffhq_quad(landmarks)
    again = detect(AreaTable.of_image(crop_quad(photo, quad, LOOKED_AT)), networks)
    if not len(again):
        return landmarks
    top_left, bottom_left, _, top_right = quad.astype(np.float32)
    # Landmarks as fractions of the aligned image, (5, 1) each; + 0.5 because 0 is the centre of the first pixel.
    across, down = np.split((again.landmarks[0] + np.float32(0.5)) / LOOKED_AT, 2, axis=1)
    found: Floats = top_left + across * (top_right - top_left) + down * (bottom_left - top_left)
    return found


def _tilt(landmarks: Floats) -> float:
    """Angle between the eyes' axis and the photo's rows, from 0 to pi."""
    x, y = (landmarks[1] - landmarks[0]).tolist()
    return abs(math.atan2(y, x))


def _trust(photo: Pixels, faces: Faces, networks: Networks) -> float:
    """Confidence in the largest face: its log-odds in the photo plus those in its aligned image."""
    if not len(faces):
        return -math.inf
    face = crop_quad(photo, ffhq_quad(faces.landmarks[0]), LOOKED_AT)
    again = detect(AreaTable.of_image(face), networks)
    return _log_odds(faces.scores[0]) + _log_odds(again.scores[0]) if len(again) else -math.inf


def _log_odds(score: np.float32) -> float:
    p = min(float(score), SUREST)  # a score of 1 would be infinite
    return math.log(p / (1 - p))


def _turned_back(faces: Faces, photo: Pixels, turns: int) -> Faces:
    """Faces of a photo that `np.rot90` has rotated, in the pixels of the original photo."""
    corners = faces.boxes.reshape(-1, 2, 2)
    places = _places_before(np.concatenate([corners, faces.landmarks], axis=1), photo, turns)
    boxes = np.concatenate([places[:, :2].min(axis=1), places[:, :2].max(axis=1)], axis=1)
    return Faces(boxes, places[:, 2:], faces.scores)


def _places_before(places: Floats, photo: Pixels, turns: int) -> Floats:
    """Points (x, y) of a rotated photo, (F, P, 2), in the pixels of the original photo."""
    (height, width), (x, y) = photo.shape[:2], (places[..., 0], places[..., 1])
    # np.rot90 turns counterclockwise, so one turn moves the right border to the top.
    if turns == 1:
        x, y = width - 1 - y, x
    elif turns == 2:
        x, y = width - 1 - x, height - 1 - y
    else:
        x, y = y, height - 1 - x
    return np.stack([x, y], axis=-1)
