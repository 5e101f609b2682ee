"""Measure faces by the 468 landmarks of MediaPipe's face mesh, which shares nothing with our generators or directions.

    python -m pip install "mediapipe==0.10.14" pillow    # in an environment of its own; the wheel has the network
    python attribute_scores.py PICTURES landmarks.csv

writes a row for each PNG of a folder; cells are empty where no face is found. Angles are in degrees, positive to
the picture's right and up, lengths in distances between the centres of the eyes, edges in grey values a pixel.
"""

import csv
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.float64]
LEFT, RIGHT = (33, 133), (362, 263)
"""Landmarks at the corners of the eyes, by their side in the picture."""
LIDS = {LEFT: ((160, 144), (159, 145), (158, 153)), RIGHT: ((387, 373), (386, 374), (385, 380))}
"""Landmarks on the upper and the lower lid, in pairs, of each eye."""
CORNERS, LIPS, CHEEKS, HEIGHT = (61, 291), (13, 14), (234, 454), (10, 152)
LOWER_LIDS = 145, 374
RIM = (-0.25, 0.25), (0.08, 0.45)
"""Region of the lower rim of glasses around the middle of a lower lid: x and y, in distances between the eyes."""
MARGIN = 1 / 8
"""Share of the picture that is mirrored around it: the mesh wants some space around a face."""


def lengths(points: Array) -> dict[str, float]:
    """Score landmarks (468, 3); x to the right, y down, z away from the camera, in pixels."""
    eyes = [points[list(eye)].mean(0) for eye in (LEFT, RIGHT)]
    unit = float(np.linalg.norm((eyes[1] - eyes[0])[:2]))
    across, down = eyes[1] - eyes[0], points[list(CORNERS)].mean(0) - (eyes[0] + eyes[1]) / 2

    def apart(pair: tuple[int, int]) -> float:
        return float(np.linalg.norm((points[pair[0]] - points[pair[1]])[:2])) / unit

    lids = [np.mean([apart(pair) for pair in pairs]) / apart(eye) for eye, pairs in LIDS.items()]
    return {
        "yaw": float(np.degrees(np.arctan2(across[2], across[0]))),
        "pitch": float(np.degrees(np.arctan2(-down[2], down[1]))),
        "eyes_open": float(np.mean(lids)),
        "mouth_width": apart(CORNERS),
        "mouth_open": apart(LIPS),
        "mouth_corners": float(points[list(LIPS), 1].mean() - points[list(CORNERS), 1].mean()) / unit,
        "face_width": apart(CHEEKS),
        "face_height": apart(HEIGHT),
    }


def rim_edges(grey: Array, points: Array) -> float:
    """Measure the horizontal edges under the eyes, where glasses have rims: the mean step between rows, in greys."""
    unit = np.linalg.norm((points[list(RIGHT)].mean(0) - points[list(LEFT)].mean(0))[:2])
    steps, under = np.abs(np.gradient(grey, axis=0)), []
    for lid in LOWER_LIDS:
        (left, right), (top, bottom) = ([round(points[lid, axis] + unit * by) for by in RIM[axis]] for axis in (0, 1))
        under.append(steps[max(top, 0) : bottom, max(left, 0) : right].mean())
    return float(np.mean(under))


def scores(path: Path, mesh: Any) -> dict[str, float]:  # noqa: ANN401 - MediaPipe is not installed where types are checked
    """Score a picture; no scores if no face is found."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    margin = round(MARGIN * len(picture))
    picture = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    faces = mesh.process(picture).multi_face_landmarks
    if not faces:
        return {}
    points = np.array([[mark.x, mark.y, mark.z] for mark in faces[0].landmark]) * picture.shape[1]
    return {**lengths(points), "rim_edges": rim_edges(picture.mean(-1), points)}


def main(folder: Path, out: Path) -> None:
    """Score the pictures of a folder."""
    mesh = import_module("mediapipe.python.solutions.face_mesh").FaceMesh(
        static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.2
    )
    rows = [{"file": path.name, **scores(path, mesh)} for path in sorted(folder.glob("*.png"))]
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, max(rows, key=len))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
