from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from latentloop.faces import crop_quad, ffhq_quad
from latentloop.images import read_image

Array = npt.NDArray[Any]
FACE = torch.tensor([[40.0, 60.0], [80.0, 60.0], [61.0, 75.0], [45.0, 110.0], [75.0, 110.0]], dtype=torch.float64)
"""Upright: the eyes 40 pixels apart, their middle at (60, 60), the mouth 50 pixels below."""


def square(x: float, y: float, half: float, angle: float = 0) -> Tensor:
    """The quad of a square about (x, y), turned clockwise by an angle in degrees."""
    along = half * torch.tensor([np.cos(np.radians(angle)), np.sin(np.radians(angle))], dtype=torch.float64)
    down = torch.stack([-along[1], along[0]])
    middle = torch.tensor([x, y], dtype=torch.float64)
    return torch.stack([middle - along - down, middle - along + down, middle + along + down, middle + along - down])


def turned(points: Tensor, angle: float) -> Tensor:
    """Points turned clockwise about (0, 0), as one sees them with y pointing down."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return points @ torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)


def smooth(height: int, width: int) -> Tensor:
    """A picture that is linear in x (red), in y (green) and in both (blue), (1, 3, height, width)."""
    x = torch.linspace(-0.9, 0.8, width).expand(height, width)
    y = torch.linspace(-0.7, 0.9, height)[:, None].expand(height, width)
    return torch.stack([x, y, (x + y) / 2])[None]


def test_the_quad_of_an_upright_face_is_upright() -> None:
    # Half a side is the larger of twice the distance of the eyes and 1.8 times that to the mouth: here 90, 80 below.
    torch.testing.assert_close(ffhq_quad(FACE), square(60, 65, 90))
    flat = FACE - torch.tensor([[0.0, 0.0]] * 3 + [[0.0, 30.0]] * 2)  # the mouth 20 pixels below the eyes
    torch.testing.assert_close(ffhq_quad(flat), square(60, 62, 80))


@pytest.mark.parametrize("angle", [-170, -90, -20, 0, 5, 45, 90, 180])
def test_the_quad_turns_with_the_face(angle: float) -> None:
    torch.testing.assert_close(ffhq_quad(turned(FACE, angle)), turned(ffhq_quad(FACE), angle))


def test_the_quad_grows_and_moves_with_the_face() -> None:
    shift = torch.tensor([-30.0, 7.0], dtype=torch.float64)
    torch.testing.assert_close(ffhq_quad(2.5 * FACE + shift), 2.5 * ffhq_quad(FACE) + shift)


def test_the_quad_follows_eyes_and_mouth_half_each_where_they_disagree() -> None:
    eyes_level = FACE.clone()
    eyes_level[3:] = torch.tensor([[15.0, 100.0], [45.0, 100.0]])  # the mouth 40 below and 30 to the left
    # (40, 0) from eye to eye and (40, 30), across the line to the mouth, add up to the direction of (80, 30).
    quad = ffhq_quad(eyes_level)
    torch.testing.assert_close(quad, square(57, 64, 90, angle=np.degrees(np.arctan2(30, 80)).item()))


def test_the_nose_does_not_matter() -> None:
    other = FACE.clone()
    other[2] = 1000
    assert ffhq_quad(other).equal(ffhq_quad(FACE))


def test_the_quad_is_computed_in_float64() -> None:
    assert ffhq_quad(FACE.float()).dtype == torch.float64


def each_colour(image: Array, change: Callable[[Image.Image], Image.Image]) -> Array:
    planes = [Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32)) for plane in image]
    changed: Array = np.stack([np.array(change(plane)) for plane in planes])
    return changed


def padded(image: Array, pads: Array, side: float) -> Array:
    """The image (3, H, W) mirrored past its edges by pads left, top, right and bottom, blurred and faded there."""
    left, top, right, bottom = pads
    image = np.pad(image, ((0, 0), (top, bottom), (left, right)), "reflect")
    y, x = np.ogrid[: image.shape[1], : image.shape[2]]
    inside_x = np.minimum(x / left, x[:, ::-1] / right)  # 1 where the photo begins, 0 at the outer edge
    inside = np.minimum(inside_x, np.minimum(y / top, y[::-1] / bottom))
    blurred = gaussian_filter(image, [0, 0.02 * side, 0.02 * side])
    image = image + (blurred - image) * np.clip(3 * (1 - inside) + 1, 0, 1)
    faded: Array = image + (np.median(image, axis=(1, 2), keepdims=True) - image) * np.clip(1 - inside, 0, 1)
    return faded


def side_of(quad: Array) -> float:
    return float(np.linalg.norm(quad[3] - quad[0]))


def shrunk(image: Array, quad: Array, size: int) -> tuple[Array, Array]:
    factor = int(side_of(quad) // (2 * size))
    if factor < 2:
        return image, quad
    smaller = round(image.shape[2] / factor), round(image.shape[1] / factor)
    return each_colour(image, lambda plane: plane.resize(smaller, Image.Resampling.LANCZOS)), quad / factor


def cut_out(image: Array, quad: Array) -> tuple[Array, Array]:
    """The surroundings of the quad and, where the photo does not show them, padding."""
    side = side_of(quad)
    border = max(round(0.1 * side), 3)
    low, high = np.floor(quad.min(axis=0)).astype(int) - border, np.ceil(quad.max(axis=0)).astype(int) + border
    start, stop = np.maximum(low, 0), np.minimum(high, image.shape[:0:-1])
    image, quad = image[:, start[1] : stop[1], start[0] : stop[0]], quad - start
    missing = np.concatenate([start - low, high - stop])
    if missing.max() <= border - 4:
        return image, quad
    pads = np.maximum(missing, round(0.3 * side))
    return padded(image, pads, side), quad + pads[:2]


def crop_with_pillow(photo: Tensor, quad: Tensor, size: int, fine: int = 1024) -> Tensor:
    """FFHQ's recipe in Pillow, NumPy and SciPy, in floating point; (3, size, size)."""
    image, points = cut_out(*shrunk(photo[0].numpy(), quad.numpy(), size))
    corners = tuple((points + 0.5).flatten().tolist())

    def warped(plane: Image.Image) -> Image.Image:
        fine_plane = plane.transform((fine, fine), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
        return fine_plane.resize((size, size), Image.Resampling.LANCZOS)

    return torch.from_numpy(each_colour(image, warped).clip(-1, 1))


def assert_alike(image: Tensor, expected: Tensor, atol: float) -> None:
    """That images (3, S, S) in [-1, 1] differ by no more than their resampling filters do.

    Filters differ at edges only, and on both sides of them: less than `atol` on average, and hardly at all once the
    difference is blurred. A crop that is off by half a pixel differs by 0.002 to 0.03 even then.
    """
    difference = (image - expected).numpy()
    assert np.abs(difference).mean() < atol
    assert np.abs(gaussian_filter(difference, [0, 2, 2])).mean() < 0.0015


@pytest.mark.parametrize(
    ("quad", "size", "fine"),
    [
        (square(530, 380, 200, 7), 256, 4096),
        (square(530, 380, 270, 2), 256, 1024),
        (square(460, 335, 40, -50), 96, 1024),
    ],
    ids=["as FFHQ", "smaller", "magnified"],
)
def test_a_quad_inside_the_photo_is_cut_out_as_by_pillow(portrait: Path, quad: Tensor, size: int, fine: int) -> None:
    photo = read_image(portrait)
    assert_alike(crop_quad(photo, quad, size)[0], crop_with_pillow(photo, quad, size, fine), atol=0.006)


@pytest.mark.parametrize(
    "quad",
    [square(530, 200, 300, -10), square(900, 900, 250, 30), square(-100, 900, 250, 30), square(512, 512, 511)],
    ids=["above", "below and right", "left and below", "the whole photo"],
)
def test_a_quad_that_reaches_outside_is_padded_as_by_pillow(portrait: Path, quad: Tensor) -> None:
    photo = read_image(portrait)
    assert_alike(crop_quad(photo, quad, 128)[0], crop_with_pillow(photo, quad, 128), atol=0.012)


def test_a_photo_much_smaller_than_the_quad_is_mirrored_again_and_again() -> None:
    photo, quad = smooth(5, 9), square(3, 2, 30, 10)
    assert_alike(crop_quad(photo, quad, 64)[0], crop_with_pillow(photo, quad, 64), atol=0.006)


# Pillow's LANCZOS keeps more of a photo's finest detail than the antialiased bilinear filter that shrinks ours.
@pytest.mark.parametrize(("half", "size"), [(380, 100), (380, 64), (440, 40), (600, 64)])
def test_a_large_quad_is_shrunk_first_as_by_pillow(portrait: Path, half: float, size: int) -> None:
    photo, quad = read_image(portrait), square(520, 510, half, 3)
    assert_alike(crop_quad(photo, quad, size)[0], crop_with_pillow(photo, quad, size), atol=0.02)


@pytest.mark.parametrize(
    ("turns", "corners"), [(0, [0, 1, 2, 3]), (1, [3, 0, 1, 2]), (2, [2, 3, 0, 1]), (3, [1, 2, 3, 0])]
)
def test_corners_are_top_left_bottom_left_bottom_right_top_right(turns: int, corners: list[int]) -> None:
    photo = smooth(96, 100)
    quad = torch.tensor([[19.5, 15.5], [19.5, 79.5], [83.5, 79.5], [83.5, 15.5]], dtype=torch.float64)
    expected = photo[:, :, 16:80, 20:84].rot90(turns, (2, 3))
    # The bicubic filter is cut off at the border; a pixel off would be 0.017.
    torch.testing.assert_close(crop_quad(photo, quad[corners], 64), expected, rtol=0, atol=5e-4)


def test_a_quad_on_the_pixel_grid_is_the_photo_nearly_exactly(portrait: Path) -> None:
    photo = read_image(portrait)
    crop = crop_quad(photo, square(500 - 0.5, 400 - 0.5, 64), 128)
    assert_alike(crop[0], photo[0, :, 336:464, 436:564], atol=0.006)


def test_a_crop_of_one_colour_has_that_colour_even_where_it_is_padded() -> None:
    photo = torch.tensor([-1.0, 0.3, 1.0]).view(1, 3, 1, 1).expand(1, 3, 40, 30)
    crop = crop_quad(photo, square(25, 10, 30, 20), 32)
    torch.testing.assert_close(crop, photo[:, :, :1, :1].expand(1, 3, 32, 32), rtol=0, atol=1e-5)


angles = st.floats(-180, 180)
middles = st.tuples(st.floats(95, 105), st.floats(95, 105))
quick = settings(max_examples=25, derandomize=True, database=None, deadline=None)


def linear_at(x: Tensor, y: Tensor, slopes: Tensor) -> Tensor:
    """A picture whose colours are linear in x and y, at points of any shape (...), (1, 3, ...)."""
    return torch.stack([a * (x - 100) + b * (y - 100) for a, b in slopes])[None].float()


SLOPES = torch.tensor([[0.008, 0.0], [0.0, 0.008], [0.004, -0.004]], dtype=torch.float64)
COLUMNS, ROWS = torch.meshgrid(torch.arange(200.0), torch.arange(200.0), indexing="xy")
PICTURE = linear_at(COLUMNS, ROWS, SLOPES)


@quick
@given(middles, st.floats(16, 60), angles, st.integers(32, 96))
def test_a_crop_shows_the_points_of_its_quad(middle: tuple[float, float], half: float, angle: float, size: int) -> None:
    quad = square(*middle, half, angle)
    # Pixel i of the crop lies (i + 1/2) / size along the quad's side.
    share = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    right, down = quad[3] - quad[0], quad[1] - quad[0]
    points = quad[0] + share[None, :, None] * right + share[:, None, None] * down
    expected = linear_at(points[..., 0], points[..., 1], SLOPES)
    # At the border the filter is cut off and weighs its samples unevenly.
    inner = slice(2, -2)
    crop = crop_quad(PICTURE, quad, size)
    torch.testing.assert_close(crop[..., inner, inner], expected[..., inner, inner], rtol=0, atol=1e-4)


@quick
@given(middles, st.floats(30, 60), angles)
def test_the_inverse_quad_takes_a_crop_back(middle: tuple[float, float], half: float, angle: float) -> None:
    quad, size = square(*middle, half, angle), 128
    crop = crop_quad(PICTURE, quad, size)
    # The upright square of 32 pixels about the quad's middle, in pixels of the crop.
    upright, side = square(*middle, 16), 2 * half
    axes = torch.stack([quad[3] - quad[0], quad[1] - quad[0]]) / side
    inverse = (upright - quad[0]) @ axes.T * (size / side) - 0.5
    back = crop_quad(crop, inverse, 32)
    torch.testing.assert_close(back, crop_quad(PICTURE, upright, 32), rtol=0, atol=1e-3)


def test_the_photo_is_not_written_to(portrait: Path) -> None:
    photo = read_image(portrait)
    before = photo.clone()
    crop_quad(photo, square(530, 50, 100), 64)
    assert photo.equal(before)
