from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageSequence
from scipy.ndimage import gaussian_filter
from torch import Tensor

from clips import pictures
from latentloop.errors import UserError
from latentloop.images import from_uint8
from latentloop.video import write_gif

Array = npt.NDArray[Any]


def tensors(count: int) -> list[Tensor]:
    return [from_uint8(picture) for picture in pictures(count)]


def frames(path: Path) -> list[Array]:
    with Image.open(path) as image:
        return [np.asarray(frame.convert("RGB")).astype(float) for frame in ImageSequence.Iterator(image)]


def durations(path: Path) -> list[int]:
    with Image.open(path) as image:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]


def test_frames_are_shown_in_order_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "moving.gif"
    write_gif(path, tensors(12), 25)
    with Image.open(path) as image:
        assert (image.format, image.size, image.info["loop"]) == ("GIF", (64, 48), 0)
    assert len(frames(path)) == 12
    for shown, expected in zip(frames(path), pictures(12), strict=True):
        # Dithering is seen from a distance: grain, but no tint.
        assert np.abs(shown - expected).mean() < 5
        assert np.abs(gaussian_filter(shown - expected, [2, 2, 0])).mean() < 1.5
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [(25, [40] * 6), (30, [30, 40, 30, 30, 40, 30]), (7.5, [130, 140, 130, 130, 140, 130]), (100, [10] * 6)],
)
def test_durations_add_up_in_hundredths_of_a_second(tmp_path: Path, fps: float, expected: list[int]) -> None:
    write_gif(tmp_path / "moving.gif", tensors(6), fps)
    assert durations(tmp_path / "moving.gif") == expected


def test_all_frames_share_256_colours(tmp_path: Path) -> None:
    randomness = torch.Generator().manual_seed(0)
    colourful = [(torch.rand(1, 3, 1, 1, generator=randomness) * image).clamp(-1, 1) for image in tensors(20)]
    write_gif(tmp_path / "moving.gif", colourful, 25)
    colours = np.unique(np.concatenate(frames(tmp_path / "moving.gif")).reshape(-1, 3), axis=0)
    assert 100 < len(colours) <= 256


def test_a_gif_of_one_image_is_a_picture(tmp_path: Path) -> None:
    write_gif(tmp_path / "still.gif", tensors(1), 25)
    assert len(frames(tmp_path / "still.gif")) == 1


def test_a_still_image_lasts_as_long_as_its_frames(tmp_path: Path) -> None:
    write_gif(tmp_path / "still.gif", [*tensors(2), tensors(2)[1], tensors(2)[1]], 10)
    assert sum(durations(tmp_path / "still.gif")) == 400


@pytest.mark.parametrize(("count", "fps"), [(0, 25), (2, 0), (2, 101), (2, float("nan"))])
def test_bad_arguments_are_refused(tmp_path: Path, count: int, fps: float) -> None:
    with pytest.raises(ValueError, match="a GIF needs at least one image and at most 100 per second, got"):
        write_gif(tmp_path / "moving.gif", tensors(count), fps)
    assert not list(tmp_path.iterdir())


def test_images_of_several_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images must be of one size"):
        write_gif(tmp_path / "moving.gif", [torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9)], 10)


def test_a_file_that_cannot_be_written_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"moving\.gif: cannot write here"):
        write_gif("/proc/moving.gif", tensors(2), 10)
