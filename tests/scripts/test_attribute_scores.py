from collections.abc import Callable
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[np.float64]


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("attribute_scores")


def face(script: ModuleType) -> Array:
    """A flat face that looks at the camera, with its eyes 100 pixels apart."""
    points = np.full((468, 3), 50.0)
    corners = dict(zip((*script.LEFT, *script.RIGHT), (-70, -30, 30, 70), strict=True))
    for corner, x in corners.items():
        points[corner] = x, 0, 0
    for pairs, x in zip(script.LIDS.values(), (-50, 50), strict=True):
        for upper, lower in pairs:
            points[upper], points[lower] = (x, -6, 0), (x, 6, 0)
    for corner, x in zip(script.CORNERS, (-40, 40), strict=True):
        points[corner] = x, 100, 0
    for edge, x in zip(script.CHEEKS, (-110, 110), strict=True):
        points[edge] = x, 40, 0
    for end, y in zip(script.HEIGHT, (-90, 190), strict=True):
        points[end] = 0, y, 0
    for lip, y in zip(script.LIPS, (105, 125), strict=True):
        points[lip] = 0, y, 0
    return points


def turned(points: Array, axis: int, degrees: float) -> Array:
    """Points rotated about x (0) or y (1)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = {0: [[1, 0, 0], [0, c, -s], [0, s, c]], 1: [[c, 0, -s], [0, 1, 0], [s, 0, c]]}[axis]
    rotated: Array = points @ np.array(rotation).T
    return rotated


def test_lengths_are_in_distances_of_the_eyes(script: ModuleType) -> None:
    found = script.lengths(face(script))
    mouth = {"mouth_width": 0.8, "mouth_open": 0.2, "mouth_corners": 0.15}
    rest = {"face_width": 2.2, "face_height": 2.8, "eyes_open": 0.3, "yaw": 0, "pitch": 0}
    assert found == pytest.approx({**mouth, **rest})
    assert script.lengths(3 * face(script)) == pytest.approx(found)


def test_angles_are_those_that_the_head_was_turned_by(script: ModuleType) -> None:
    points = face(script)
    nose = np.array([0, 50, -60])  # towards the camera
    assert turned(nose, 1, 20)[0] > 0  # to the picture's right
    assert script.lengths(turned(points, 1, 20))["yaw"] == pytest.approx(20)
    chin = np.array([0, 160, 0])
    assert turned(chin, 0, -15)[2] < 0  # nearer to the camera than the brow: looks up
    assert script.lengths(turned(points, 0, -15))["pitch"] == pytest.approx(15)


def test_the_rims_of_glasses_are_seen_where_they_are(script: ModuleType) -> None:
    points = face(script) + 200
    for lid, x in zip(script.LOWER_LIDS, (150, 250), strict=True):
        points[lid] = x, 206, 200
    plain = np.full((400, 400), 90.0)
    framed, elsewhere = plain.copy(), plain.copy()
    framed[240:244] = 10
    elsewhere[:, ::4] = elsewhere[:200] = elsewhere[260:] = 10
    assert script.rim_edges(plain, points) == script.rim_edges(elsewhere, points) == 0
    assert script.rim_edges(framed, points) == pytest.approx(2 * 80 / 37)  # down and up again in 37 rows
