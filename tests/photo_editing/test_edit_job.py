from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentloop.photo_editing.edit_job import is_video
from latentloop.video import read_video


def write(path: Path, count: int, file_format: str) -> None:
    first, *others = (Image.fromarray(np.full((48, 64, 3), 20 * i, np.uint8)) for i in range(count))
    more = {"save_all": True, "append_images": others, "duration": 40} if others else {}
    first.save(path, file_format, **more)


@pytest.mark.parametrize(("name", "file_format"), [("a.gif", "GIF"), ("a.GIF", "GIF"), ("a.png", "PNG")])
def test_an_animated_picture_is_a_video(tmp_path: Path, name: str, file_format: str) -> None:
    write(tmp_path / name, 5, file_format)
    assert is_video(str(tmp_path / name))
    video = read_video(tmp_path / name)
    assert [round(float(frame.mean()) * 127.5 + 127.5) for frame in video.frames()] == [0, 20, 40, 60, 80]


@pytest.mark.parametrize(("name", "file_format"), [("a.gif", "GIF"), ("a.png", "PNG"), ("a.jpg", "JPEG")])
def test_a_still_picture_is_none(tmp_path: Path, name: str, file_format: str) -> None:
    write(tmp_path / name, 1, file_format)
    assert not is_video(str(tmp_path / name))


def test_endings_of_videos_count_and_broken_pictures_are_none(tmp_path: Path) -> None:
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    assert [is_video(str(tmp_path / name)) for name in ("a.MP4", "broken.gif", "missing.gif")] == [True, False, False]
