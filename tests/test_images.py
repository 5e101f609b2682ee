import io
import os
import random
import struct
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, features
from torch import Tensor

from clips import animation_claiming
from latentloop import pixels
from latentloop.errors import UserError
from latentloop.images import (
    Pixels,
    decode_image,
    from_pillow,
    from_uint8,
    read_image,
    resample,
    resize,
    to_uint8,
    write_png,
)

Array = npt.NDArray[Any]
Save = Callable[..., Path]
HEIGHT, WIDTH = 6, 9
LEVEL = 2 / 255
"""One step of 8 bits in [-1, 1]."""
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def colours(height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Pixels that are all different, (height, width, 3)."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def in_range(pixels: Array, *, white: int = 255) -> Tensor:
    """What pixels (H, W, 3) or (H, W) must be read as, (1, 3, H, W)."""
    rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
    return torch.from_numpy(rgb.astype(np.float64) / white * 2 - 1).permute(2, 0, 1)[None].float()


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def encoded(image: Image.Image, suffix: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, Image.registered_extensions()[f".{suffix}"], **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with no more than a few bytes of pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(image: Image.Image | Array | bytes, suffix: str = "png", **options: object) -> Path:
        path = tmp_path / f"image.{suffix}"
        if not isinstance(image, bytes):
            image = image if isinstance(image, Image.Image) else Image.fromarray(image)
            image = encoded(image, suffix, **options)
        path.write_bytes(image)
        return path

    return save


@pytest.mark.parametrize("kind", [Path, str])
def test_a_file_is_read_as_float_rgb_from_minus_one_to_one(save: Save, kind: type[Path] | type[str]) -> None:
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 51]]], dtype=np.uint8)
    image = read_image(kind(save(pixels)))
    assert image.dtype == torch.float32
    expected = torch.tensor([[-1.0, 1.0, 1.0], [-1.0, 1.0, -1.0], [-1.0, 1.0, -0.6]])[None, :, None, :]
    torch.testing.assert_close(image, expected)


# How a camera stores an upright picture whose EXIF orientation is the key.
STORED: dict[int, Callable[[Array], Array]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_comes_upright_whatever_its_orientation(save: Save, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(np.ascontiguousarray(STORED[orientation](colours())), suffix, exif=exif)
    torch.testing.assert_close(read_image(path), in_range(colours()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("background", [None, (10, 120, 250)])
def test_transparent_pixels_show_the_background(
    save: Save, channels: int, background: tuple[int, int, int] | None
) -> None:
    pixels, alpha = colours()[..., :channels], np.linspace(0, 255, HEIGHT * WIDTH).round().reshape(HEIGHT, WIDTH, 1)
    path = save(np.concatenate([pixels, alpha.astype(np.uint8)], axis=2))
    behind = np.array(background or (255, 255, 255))
    expected = in_range((alpha * pixels + (255 - alpha) * behind) / 255)
    image = read_image(path, background=background) if background else read_image(path)
    torch.testing.assert_close(image, expected, rtol=0, atol=LEVEL)


def test_grey_is_read_as_three_equal_colours(save: Save) -> None:
    grey = colours()[..., 0]
    torch.testing.assert_close(read_image(save(grey)), in_range(grey))


def palette_image(pixels: Array) -> Image.Image:
    """Pixels of four colours by their numbers."""
    image = Image.fromarray(pixels)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    return image


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_palette_is_looked_up(save: Save, suffix: str) -> None:
    numbers = colours()[..., 0] % 4
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]])
    torch.testing.assert_close(read_image(save(palette_image(numbers), suffix)), in_range(palette[numbers]))


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_the_transparent_colour_of_a_palette_shows_the_background(save: Save, suffix: str) -> None:
    numbers = colours()[..., 0] % 4
    path = save(palette_image(numbers), suffix, transparency=1)
    palette = np.array([[255, 0, 0], [40, 50, 60], [0, 0, 255], [9, 8, 7]])
    torch.testing.assert_close(read_image(path, background=(40, 50, 60)), in_range(palette[numbers]))


@pytest.mark.parametrize(("suffix", "levels"), [("tiff", 1), ("jpg", 3)])
def test_inks_are_taken_from_white(save: Save, suffix: str, levels: int) -> None:
    cyan, magenta, yellow, black = 20, 100, 200, 50
    path = save(Image.new("CMYK", (16, 16), (cyan, magenta, yellow, black)), suffix)
    rgb = [(255 - ink) * (255 - black) / 255 for ink in (cyan, magenta, yellow)]
    expected = in_range(np.full((16, 16, 3), rgb))
    torch.testing.assert_close(read_image(path), expected, rtol=0, atol=levels * LEVEL)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_are_scaled_not_cut_off(save: Save, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 256).round().reshape(16, 16).astype(np.uint16)
    torch.testing.assert_close(read_image(save(ramp, suffix)), in_range(ramp, white=65535), rtol=0, atol=LEVEL / 2)


def test_big_endian_16_bits_are_read_alike(save: Save) -> None:
    ramp = np.linspace(0, 65535, 12).round().reshape(3, 4).astype(">u2")
    path = save(Image.frombytes("I;16B", (4, 3), ramp.tobytes()), "tiff")
    torch.testing.assert_close(read_image(path), in_range(ramp, white=65535), rtol=0, atol=LEVEL / 2)


@pytest.mark.parametrize(("suffix", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {})])
def test_an_animation_is_its_first_frame(save: Save, suffix: str, options: dict[str, object]) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    path = save(frames[0], suffix, save_all=True, append_images=frames[1:], **options)
    torch.testing.assert_close(read_image(path), in_range(np.full((HEIGHT, WIDTH, 3), (255, 0, 0))))


@pytest.mark.parametrize("suffix", ["jpg", "webp", pytest.param("avif", marks=needs_avif)])
def test_a_lossy_file_is_read_nearly_as_it_was(save: Save, suffix: str) -> None:
    pixels = np.full((16, 16, 3), (200, 120, 60), dtype=np.uint8)
    path = save(pixels, suffix, quality=95)
    torch.testing.assert_close(read_image(path), in_range(pixels), rtol=0, atol=4 * LEVEL)


REFUSED = {
    "not an image": (b"Dear diary, today I drew a face.", "not an image that this Pillow can read; save it as JPEG or"),
    "no pixels": (b"P6 0 5 255\n", "not an image that this Pillow can read"),
    "empty": (b"", "the file is empty"),
    "truncated JPEG": (encoded(Image.fromarray(colours(64, 64)), "jpg")[:-300], r"damaged or truncated image \(.+\)"),
    "truncated PNG": (encoded(Image.fromarray(colours(64, 64)), "png")[:-300], r"damaged or truncated image \(.+\)"),
    "floating point": (
        encoded(Image.fromarray(np.zeros((4, 4), np.float32)), "tiff"),
        "its floating-point pixels have no fixed range; save it with 8 or 16 bits",
    ),
    "bomb": (png_header(60000, 60000), "more than 100,000,000 pixels"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_file_is_refused_with_its_reason(save: Save, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"image\.bin: {message}"):
        read_image(save(content, "bin"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.png: no such file"):
        read_image(tmp_path / "absent.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a folder, not an image"):
        read_image(tmp_path)


def test_more_pixels_than_the_limit_are_refused(save: Save) -> None:
    path = save(colours(2, 5))
    assert read_image(path, max_pixels=10).shape == (1, 3, 2, 5)
    with pytest.raises(UserError, match="more than 9 pixels") as error:
        read_image(path, max_pixels=9)
    assert error.value.arguments == ("max_pixels",)


@pytest.mark.parametrize(("width", "height"), [(20_000_000, 1), (24, 1_703_968)])
def test_sides_that_no_photo_has_are_refused_before_they_are_decoded(save: Save, width: int, height: int) -> None:
    with pytest.raises(
        UserError, match=rf"image.png: {width:,} x {height:,} pixels; up to 65,535 along a side are read"
    ):
        read_image(save(png_header(width, height)))


def test_an_animation_whose_first_frame_is_a_corner_claims_no_size(save: Save) -> None:
    message = "damaged: a picture of 9,000 x 9,000 pixels, but its first frame has 32 x 24 pixels"
    with pytest.raises(UserError, match=message):
        read_image(save(animation_claiming(9_000, 9_000)))


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0\0\1\0\1\0" + bytes(40)])
def test_formats_that_are_not_for_photos_are_not_even_opened(save: Save, content: bytes) -> None:
    with pytest.raises(UserError, match="not an image that this Pillow can read"):
        read_image(save(content, "jpg"))


def corrupted(content: bytes, randomness: random.Random) -> bytes:
    """The file with a few bytes changed, half of the time in its first hundred."""
    damaged = bytearray(content)
    reach = randomness.choice([min(100, len(damaged)), len(damaged)])
    for _ in range(randomness.choice([1, 2, 8])):
        damaged[randomness.randrange(reach)] = randomness.choice([0, 255, randomness.randrange(256)])
    return bytes(damaged)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tiff", pytest.param("avif", marks=needs_avif)])
def test_a_corrupted_file_is_read_or_refused_but_never_crashes(save: Save, suffix: str) -> None:
    content, randomness = encoded(Image.fromarray(colours(24, 32)), suffix), random.Random(0)  # noqa: S311 - no secret
    refused = 0
    for _ in range(150):
        try:
            image = read_image(save(corrupted(content, randomness), "bin"), max_pixels=100_000)
        except UserError:
            refused += 1
        else:
            assert image.abs().max() <= 1
    assert refused > 10


def test_pillows_own_pixel_limit_is_lifted_and_put_back(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(save(colours())).shape == (1, 3, HEIGHT, WIDTH)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_pillows_own_pixel_limit_is_put_back_after_a_refusal(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError):
        read_image(save(b"no image"))
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_written_image_is_read_back_exactly(tmp_path: Path) -> None:
    pixels = np.arange(256 * 3, dtype=np.int64).reshape(16, 16, 3).astype(np.uint8)
    path = tmp_path / "image.png"
    write_png(path, in_range(pixels))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pixels)
    torch.testing.assert_close(read_image(path), in_range(pixels))


@pytest.mark.parametrize("shape", [(3, 2, 5), (1, 3, 2, 5)])
def test_an_image_is_written_with_or_without_its_batch_axis(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "new folder" / "image.png"
    write_png(path, noise(*shape))
    torch.testing.assert_close(read_image(path), noise(1, 3, 2, 5), rtol=0, atol=LEVEL)


def test_values_are_clamped_and_rounded_to_the_nearest_level() -> None:
    image = torch.tensor([-7.0, -1.0, 0.3, 0.304, 1.0, 1.2]).expand(3, 1, 6)
    np.testing.assert_array_equal(to_uint8(image)[0, :, 1], [0, 0, 166, 166, 255, 255])


def test_every_level_survives_the_way_to_float_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(to_uint8(from_uint8(pixels)[0]), pixels)


def test_a_write_that_fails_leaves_the_old_file(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(b"the old file")

    def fail_half_way(part: Path, content: bytes) -> None:
        with part.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail_half_way)
    with pytest.raises(UserError, match=r"image\.png: cannot write here: No space left on device"):
        write_png(path, noise(3, 4, 4))
    assert path.read_bytes() == b"the old file"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("height", "width"), [(10, 20), (5, 7), (1, 1), (37, 53), (36, 54), (74, 106), (80, 20)])
def test_resize_is_pillows_antialiased_bilinear_filter(height: int, width: int) -> None:
    image = noise(2, 3, 37, 53)
    planes = [Image.fromarray(plane.numpy()) for plane in image.flatten(0, 1)]
    resized = [np.array(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    expected = torch.from_numpy(np.stack(resized)).unflatten(0, (2, 3))
    torch.testing.assert_close(resize(image, height, width), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_resample_averages_blocks_where_the_resolution_divides(factor: int) -> None:
    image = noise(2, 3, 24, 24).double()
    resolution = 24 // factor
    blocks = image.numpy().reshape(2, 3, resolution, factor, resolution, factor)
    expected = torch.from_numpy(blocks.mean(axis=(3, 5)))
    torch.testing.assert_close(resample(image, resolution), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("resolution", [7, 23, 25, 48])
def test_resample_is_resize_where_the_resolution_does_not_divide(resolution: int) -> None:
    image = noise(1, 3, 24, 24)
    planes = [Image.fromarray(plane.numpy()) for plane in image[0]]
    resized = [np.array(plane.resize((resolution, resolution), Image.Resampling.BILINEAR)) for plane in planes]
    torch.testing.assert_close(resample(image, resolution)[0], torch.from_numpy(np.stack(resized)), rtol=0, atol=1e-5)


def test_threads_with_one_limit_decode_side_by_side_and_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads meet within the decoder; one with another limit gets its own, afterwards."""
    meeting, limits, converted = threading.Barrier(2, timeout=60), list[int | None](), pixels._rgb

    def meet(name: str, image: Image.Image, background: tuple[int, ...]) -> Pixels:
        limits.append(Image.MAX_IMAGE_PIXELS)
        if name != "other":
            meeting.wait()
        return converted(name, image, background)

    monkeypatch.setattr(pixels, "_rgb", meet)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    file = io.BytesIO()
    Image.fromarray(colours()).save(file, "png")
    with ThreadPoolExecutor(3) as threads:
        wanted = [("one", 1000), ("two", 1000), ("other", 2000)]
        for made in [threads.submit(decode_image, file.getvalue(), name, max_pixels=most) for name, most in wanted]:
            made.result()
    assert sorted(limit or 0 for limit in limits) == [1000, 1000, 2000]
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_whole_numbers_are_not_written(tmp_path: Path, dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="floating-point"):
        write_png(tmp_path / "image.png", torch.zeros(3, 2, 2, dtype=dtype))
    assert not (tmp_path / "image.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_named_as_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png: a pipe or a device, which can be read only once; save it as"):
        read_image(tmp_path / "pipe.png")


def test_a_folder_that_cannot_be_read_is_told_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="a folder, not an image"):
        read_image(tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="this folder cannot be read"):
        read_image(tmp_path)


def test_a_file_in_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UserError, match=r"a\.png: cannot read it: Permission denied"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_grey_of_16_bits_takes_little_memory_beyond_its_pixels(mode: str) -> None:
    levels = np.arange(65_536, dtype=np.uint16).reshape(1024, 64)
    image = Image.fromarray(levels if mode == "I;16" else levels.astype(np.int32))
    tracemalloc.start()
    found = from_pillow(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (to_uint8(found[0]) == (levels / 257).round().astype(np.uint8)[..., None]).all()
    assert peak < 12 * levels.size
