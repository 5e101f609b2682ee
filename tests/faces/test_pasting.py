import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import Blend, align_faces, crop_quad, load_face_detector, pasting
from latentloop.faces.pasting import FaceMask, paste_back
from latentloop.images import read_image, to_uint8

Array = npt.NDArray[Any]
PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
WHOLE = FaceMask(shape="square", feather=0)
PORTRAIT_QUAD = torch.tensor([[257.0, 74.0], [255.0, 622.0], [803.0, 624.0], [805.0, 76.0]], dtype=torch.float64)


def square(x: float, y: float, half: float, angle: float = 0) -> Tensor:
    """The quad of a square about (x, y), turned clockwise by an angle in degrees."""
    along = half * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    down = np.array([-along[1], along[0]])
    corners = [np.array([x, y]) + i * along + j * down for i, j in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    return torch.from_numpy(np.stack(corners))


QUADS = {
    "rotated": square(150.3, 99.6, 70, 25),
    "upside down": square(140, 100, 60.2, 180),
    "over two edges": square(20, 190, 80, -40),
    "beyond all edges": square(140, 100, 260, 10),
}


def waves(height: int, width: int, period: float) -> Tensor:
    """A picture of gentle waves, another direction in each colour, (1, 3, height, width)."""
    y, x = np.mgrid[:height, :width].astype(np.float32) * 2 * np.pi / period
    return torch.from_numpy(np.stack([np.sin(x), np.sin(y), np.sin((x + y) / 2)]) * 0.8)[None]


def noise(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def within(quad: Tensor, height: int, width: int) -> Array:
    """Which pixels' centres lie in a quad: on the inner side of each of its edges, (height, width)."""
    y, x = np.mgrid[:height, :width]
    corners = quad.numpy()
    inside = np.ones((height, width), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) <= 1e-9
    return inside


def pasted_with_pillow(photo: Tensor, face: Tensor, quad: Tensor) -> Array:
    height, width = photo.shape[-2:]
    (x0, y0), bottom_left, _, top_right = quad.numpy() + 0.5
    linear = np.linalg.inv(np.stack([top_right - (x0, y0), bottom_left - (x0, y0)], axis=1)) * face.shape[-1]
    a, b, d, e = linear.flatten().tolist()
    matrix = (a, b, -a * x0 - b * y0, d, e, -d * x0 - e * y0)
    planes = [
        Image.fromarray(plane).transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        for plane in face[0].numpy()
    ]
    return np.where(within(quad, height, width), np.stack([np.array(plane) for plane in planes]), photo[0].numpy())


# Waves so long that filters hardly differ; half a pixel off would still be off by 0.01 to 0.03 on average.
@pytest.mark.parametrize("quad", QUADS.values(), ids=QUADS)
@pytest.mark.parametrize("size", [64, 160, 1024])
def test_a_face_is_put_where_pillow_puts_it(quad: Tensor, size: int) -> None:
    photo, side = noise(200, 280), float((quad[3] - quad[0]).norm())
    face = waves(size, size, max(50 / side * size, 20))
    difference = np.abs(paste_back(photo, face, quad, mask=WHOLE)[0].numpy() - pasted_with_pillow(photo, face, quad))
    assert difference.mean() < 0.005
    # Pillow leaves out what lies less than half a pixel of the face from its edge.
    assert np.quantile(difference, 0.98) < 0.02


def test_detail_finer_than_the_photos_pixels_is_averaged() -> None:
    photo, stripes = torch.zeros(1, 3, 200, 280), torch.ones(1, 3, 1024, 1024)
    stripes[..., ::2] = -1
    assert paste_back(photo, stripes, QUADS["rotated"], mask=WHOLE)[:, :, 60:140, 110:190].abs().max() < 0.05


@pytest.mark.parametrize("blend", ["feather", "poisson"])
@pytest.mark.parametrize("mask", [FaceMask(), FaceMask(shape="square"), WHOLE])
@pytest.mark.parametrize("quad", QUADS.values(), ids=QUADS)
def test_outside_the_quad_nothing_changes_at_all(quad: Tensor, mask: FaceMask, blend: Blend) -> None:
    if blend == "poisson":
        pytest.importorskip("cv2")
    photo, kept = noise(200, 280), ~within(quad, 200, 280)
    pasted = paste_back(photo, 1.3 * noise(96, 96), quad, mask=mask, blend=blend)
    assert photo.equal(noise(200, 280))
    assert pasted[:, :, kept].equal(photo[:, :, kept])
    np.testing.assert_array_equal(to_uint8(pasted[0])[kept], to_uint8(photo[0])[kept])
    assert not pasted.equal(photo)
    assert pasted.abs().max() <= 1


@pytest.mark.parametrize("quad", [PORTRAIT_QUAD, square(520, 360, 280, 33), square(900, 100, 300, -20)])
def test_a_crop_comes_back_nearly_as_it_was(portrait: Path, quad: Tensor) -> None:
    photo = read_image(portrait)
    inside = within(quad, 1024, 1024)
    difference = (paste_back(photo, crop_quad(photo, quad, 1024), quad, mask=WHOLE) - photo)[0].numpy()
    assert np.abs(difference[:, inside]).mean() * 127.5 < 2  # levels
    # Off by half a pixel, it would differ by 0.7 levels and more even where blurred.
    assert np.abs(gaussian_filter(difference, [0, 2, 2]))[:, inside].mean() * 127.5 < 0.4


def test_an_unedited_crop_gives_the_photo_back() -> None:
    for path in sorted(PHOTOS.glob("*.jpg")):
        photo = read_image(path)
        face = align_faces(photo, load_face_detector(), 256)[0]
        without = paste_back(photo, face.image, face.quad, mask=WHOLE)
        pasted = paste_back(photo, face.image, face.quad, cut_out=face.image, mask=WHOLE)
        inside = within(face.quad, *photo.shape[-2:])
        assert np.abs((without - photo)[0].numpy()[:, inside]).mean() * 127.5 > 1
        np.testing.assert_array_equal(to_uint8(pasted[0]), to_uint8(photo[0]))


def test_an_edited_part_gets_no_detail_of_the_photo(portrait: Path) -> None:
    photo = read_image(portrait)
    cut_out = crop_quad(photo, PORTRAIT_QUAD, 512)
    edited = cut_out.clone()
    edited[:, :, 200:400, 200:400] = 0.9
    pasted = paste_back(photo, edited, PORTRAIT_QUAD, cut_out=cut_out, mask=WHOLE)
    plain = paste_back(photo, edited, PORTRAIT_QUAD, mask=WHOLE)
    middle = slice(320, 420), slice(500, 620)
    torch.testing.assert_close(pasted[:, :, *middle], plain[:, :, *middle], atol=0.005, rtol=0)
    torch.testing.assert_close(pasted[:, :, 100:150, 300:400], photo[:, :, 100:150, 300:400])


@pytest.mark.parametrize("quad", QUADS.values(), ids=QUADS)
@pytest.mark.parametrize(("shown", "share"), [(slice(0, 0), 0), (slice(50, 60), 0.1), (slice(0, 128), 1)])
def test_a_part_is_pasted_to_the_bit_as_the_whole_and_no_more_is_computed(
    quad: Tensor, shown: slice, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, face, cut_out = noise(220, 300), noise(96, 96), waves(96, 96, 40)
    where, sampled = torch.zeros(1, 1, 128, 128), list[int]()
    where[:, :, shown, shown] = 0.7
    sample = pasting._sampled

    def counted(face: Tensor, fractions: Tensor, side: float) -> Tensor:
        sampled.append(fractions[..., 0].numel())
        return sample(face, fractions, side)

    monkeypatch.setattr(pasting, "_sampled", counted)
    part = paste_back(photo, face, quad, cut_out=cut_out, where=where, mask=WHOLE)
    few = sum(sampled)
    monkeypatch.setattr(pasting, "_shown_part", lambda weight: tuple(slice(0, n) for n in weight.shape))
    assert torch.equal(part, paste_back(photo, face, quad, cut_out=cut_out, where=where, mask=WHOLE))
    assert few <= share * (sum(sampled) - few)


@pytest.mark.parametrize("quad", [PORTRAIT_QUAD, square(519, 361, 280, 33), square(500, 40, 200, 5)])
@pytest.mark.parametrize("mask", [FaceMask(), WHOLE])
def test_poisson_blending_shifts_nothing(portrait: Path, quad: Tensor, mask: FaceMask) -> None:
    pytest.importorskip("cv2")
    photo = read_image(portrait)
    inside = within(quad, 1024, 1024)
    difference = (paste_back(photo, crop_quad(photo, quad, 1024), quad, mask=mask, blend="poisson") - photo)[0].numpy()
    assert np.abs(difference[:, inside]).mean() * 127.5 < 3


def test_poisson_blending_takes_off_a_tint() -> None:
    pytest.importorskip("cv2")
    photo, quad = 0.6 * waves(200, 280, 60), QUADS["rotated"]
    tint = torch.tensor([0.2, -0.1, 0.3])[:, None, None]
    pasted = paste_back(photo, crop_quad(photo, quad, 200) + tint, quad, blend="poisson")
    # A constant has no gradient: what is left of it is rounding to 8 bits.
    assert (pasted - photo).abs().mean() * 127.5 < 0.5
    assert (pasted - photo).abs().max() * 127.5 < 4


@pytest.mark.parametrize("half", [0.2, 1, 5, 9])
@pytest.mark.parametrize("x", [50, 0, 99])
@pytest.mark.parametrize("blend", ["feather", "poisson"])
def test_a_tiny_face_is_pasted_too(half: float, x: int, blend: Blend) -> None:
    if blend == "poisson":
        pytest.importorskip("cv2")
    pasted = paste_back(noise(100, 100), noise(64, 64), square(x, 50, half, 20), blend=blend)
    assert not pasted.equal(noise(100, 100))


@pytest.mark.parametrize("quad", [square(-60, 50, 40), square(50, 170, 60, 3), square(400, 50, 40)])
def test_a_quad_outside_the_photo_changes_nothing(quad: Tensor) -> None:
    photo = noise(100, 100)
    pasted = paste_back(photo, noise(64, 64), quad)
    assert pasted.equal(photo)
    assert pasted is not photo


def test_poisson_blending_without_opencv_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r"needs OpenCV: pip install opencv-python-headless"):
        paste_back(noise(100, 100), noise(64, 64), square(50, 50, 30), blend="poisson")


@pytest.mark.parametrize("shape", ["face", "square"])
def test_a_mask_falls_smoothly_from_the_middle_to_the_border(shape: Literal["face", "square"]) -> None:
    axis = torch.linspace(0, 1, 201, dtype=torch.float64)
    weight = FaceMask(shape=shape).at(torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1))
    assert weight[100, 100] == 1
    assert torch.cat([weight[0], weight[-1], weight[:, 0], weight[:, -1]]).eq(0).all()
    assert weight.diff(dim=0)[:100].ge(0).all()
    assert weight.diff(dim=1)[:, 100:].le(0).all()
    # The steepest a smooth step over 0.15 of the side may be, 1.5 times the mean slope.
    assert weight.diff(dim=0).abs().max() < 1.51 / (200 * 0.15)


def test_the_square_mask_is_a_smooth_step_from_its_border() -> None:
    fractions = torch.tensor([[[0.05, 0.5], [0.5, 0.9], [0.8, 0.8], [0.3, 0.75], [-0.1, 0.5]]], dtype=torch.float64)
    weight = FaceMask(shape="square", feather=0.2).at(fractions)
    # 3 t^2 - 2 t^3 at a quarter and a half of the way.
    torch.testing.assert_close(weight, torch.tensor([[0.15625, 0.5, 1.0, 1.0, 0.0]], dtype=torch.float64))


def test_the_face_mask_shows_face_and_chin_and_little_background() -> None:
    middle_of_face, chin, forehead, corner = [0.5, 0.6], [0.5, 0.88], [0.5, 0.2], [0.12, 0.12]
    weight = FaceMask().at(torch.tensor([[middle_of_face, chin, forehead, corner]]))[0]
    assert weight[0] == 1
    assert weight[1] > 0.8
    assert weight[2] > 0.9
    assert weight[3] == 0


@pytest.mark.parametrize("feather", [-0.1, 0.6, float("nan")])
def test_a_feather_is_a_share_of_half_the_side(feather: float) -> None:
    with pytest.raises(ValueError, match=r"feather must be from 0 to 0\.5, got"):
        FaceMask(feather=feather)
