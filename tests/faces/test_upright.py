"""Faces that lie on their side or upside down."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.faces import FaceDetector, Faces, align_faces, find_faces, load_face_detector
from latentloop.images import read_image, resample


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return load_face_detector()


@pytest.fixture(params=["female-1.jpg", "female-16.jpg", "male-81.jpg"])
def photo(request: pytest.FixtureRequest, portrait: Path) -> Tensor:
    return resample(read_image(portrait.with_name(request.param)), 256)


def turned(photo: Tensor, degrees: float) -> Tensor:
    """Turned about its middle, with black corners, by bilinear sampling."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    about = 1.3 * torch.tensor([[[cos, -sin, 0], [sin, cos, 0]]])
    return F.grid_sample(photo, F.affine_grid(about, list(photo.shape), align_corners=False), align_corners=False)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_has_the_faces_of_the_upright_one(detector: FaceDetector, photo: Tensor, turns: int) -> None:
    upright = photo[:, :, :, :240]  # so that no side can be taken for another
    expected, width, height = detector.detect(upright).landmarks, 240, 256
    for _ in range(turns):  # a quarter to the left: what was at the right edge is on top
        x, y = expected.unbind(dim=-1)
        expected, width, height = torch.stack([y, width - 1 - x], dim=-1), height, width
    found = find_faces(torch.rot90(upright, turns, (2, 3)), detector)
    torch.testing.assert_close(found.landmarks, expected, rtol=0, atol=1e-3)
    left, top, right, bottom = found.boxes[0].tolist()
    x, y = found.landmarks[0].unbind(dim=-1)
    assert left < x.min() < x.max() < right
    assert top < y.min() < y.max() < bottom


@pytest.mark.parametrize("degrees", [35, 90, 150, 180, 210, 300])
def test_faces_are_aligned_upright_whichever_way_the_photo_is_turned(
    detector: FaceDetector, photo: Tensor, degrees: float
) -> None:
    (aligned,) = align_faces(turned(photo, degrees), detector, 64)
    (expected,) = align_faces(turned(photo, 0), detector, 64)
    distance = (aligned.image - expected.image).square().mean()
    upside_down = (aligned.image.flip(2) - expected.image).square().mean()
    assert distance < 0.5 * upside_down
    direction = aligned.quad[3] - aligned.quad[0]
    angle = math.degrees(math.atan2(-direction[1], direction[0]))
    assert abs((angle - degrees + 180) % 360 - 180) < 8


@dataclass
class Counting:
    """Counts the photos that a detector looks at."""

    detector: FaceDetector
    sizes: list[tuple[int, ...]] = field(default_factory=list)

    def detect(self, image: Tensor) -> Faces:
        self.sizes.append(tuple(image.shape[-2:]))
        return self.detector.detect(image)


def test_an_upright_photo_is_looked_at_once(detector: FaceDetector, photo: Tensor) -> None:
    counting = Counting(detector)
    align_faces(photo, counting, 64)  # type: ignore[arg-type]
    assert counting.sizes == [(256, 256)]


def test_a_photo_without_a_face_has_none_whichever_way(detector: FaceDetector) -> None:
    noise = torch.rand(1, 3, 96, 120, generator=torch.Generator().manual_seed(0)) * 2 - 1
    counting = Counting(detector)
    assert len(find_faces(noise, counting)) == 0  # type: ignore[arg-type]
    assert counting.sizes == [(96, 120), (120, 96), (96, 120), (120, 96)]


@pytest.mark.parametrize("shape", [(24, 2401), (2401, 24), (11, 40)])
def test_what_can_show_no_face_is_not_copied(
    detector: FaceDetector, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = torch.zeros(1, 3, 1, 1).expand(-1, -1, *shape)
    copied: list[torch.Size] = []
    rot90 = torch.rot90

    def turn(image: Tensor, turns: int, sides: tuple[int, int]) -> Tensor:
        copied.append(image.shape)
        return rot90(image, turns, sides)

    def scale(image: Tensor, factor: float) -> Tensor:
        copied.append(image.shape)
        return torch.mul(image, factor)

    monkeypatch.setattr(torch, "rot90", turn)
    monkeypatch.setattr(Tensor, "__mul__", scale)
    assert len(find_faces(photo, detector)) == 0
    assert copied == []
