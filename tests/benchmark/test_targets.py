from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentloop.benchmark.targets import Aligner, find_target
from latentloop.errors import UserError
from latentloop.faces import load_face_detector
from latentloop.images import read_image, resample, write_png

ToyPhotos = Callable[..., list[Path]]


def test_an_aligned_image_is_taken_as_it_is(toy_photos: ToyPhotos) -> None:
    (photo,) = toy_photos(1)
    target = find_target(photo, Aligner(None, 1024, 16)).read()
    assert target.name == "photo-0"
    torch.testing.assert_close(target.face.image, read_image(photo))
    assert target.face.side == 32
    torch.testing.assert_close(target.small, resample(read_image(photo), 16))


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    grey, wide, text = (tmp_path / name for name in ("grey.png", "wide.png", "text.png"))
    write_png(grey, torch.zeros(1, 3, 64, 64))
    write_png(wide, torch.zeros(1, 3, 32, 64))
    text.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"grey\.png: no face found"):
        find_target(grey, Aligner(load_face_detector(), 64, 32)).read()
    with pytest.raises(UserError, match=r"wide\.png: an aligned photo is square"):
        find_target(wide, Aligner(None, 64, 32)).read()
    with pytest.raises(UserError, match=r"text\.png: not an image"):
        find_target(text, Aligner(None, 64, 32)).read()
    with pytest.raises(UserError, match=r"gone\.png: cannot read it: No such file"):
        find_target(tmp_path / "gone.png", Aligner(None, 64, 32))
