import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents import broadcast
from latentloop.photo_editing.direction_samples import Samples, draw_scorable, read_samples, read_scores

NAMES = ("image-00000.png", "image-00001.png", "image-00002.png")


def drawn(generator: Generator, folder: Path) -> Samples:
    assert [path.name for path in draw_scorable(generator, folder, 3, seed=4)] == [
        *NAMES,
        "codes.safetensors",
        "scores.csv",
    ]
    return read_samples(folder, generator)


def test_the_codes_are_those_of_the_pictures(float_toy: Generator, tmp_path: Path) -> None:
    samples = drawn(float_toy, tmp_path / "faces")
    assert samples.names == NAMES
    assert samples.w.shape == (3, 8)
    images = float_toy.synthesis(broadcast(samples.w, 4)).clamp(-1, 1)
    for name, image in zip(NAMES, images, strict=True):
        found = read_image(tmp_path / "faces" / name)[0]
        torch.testing.assert_close(found, image, rtol=0, atol=1 / 255 + 1e-6)
    assert (tmp_path / "faces" / "scores.csv").read_text() == "\n".join(["image", *NAMES, ""])
    assert torch.equal(drawn(float_toy, tmp_path / "again").w, samples.w)


def test_scores_are_never_overwritten(float_toy: Generator, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("image,smile\n")
    with pytest.raises(UserError, match="has samples already; name another folder") as caught:
        list(draw_scorable(float_toy, tmp_path, 1, seed=0))
    assert caught.value.arguments == ("out",)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("metadata", "w", "message"),
    [
        (None, torch.ones(3, 8), r"not a file of samples \(kind: none\)"),
        ("samples [", torch.ones(3, 8), "its settings are damaged"),
        ({}, torch.ones(3, 8), "images is missing"),
        ({"images": NAMES}, torch.ones(3, 8), "fingerprint is missing"),
        ({"images": [1, 2, 3], "fingerprint": "0123456789abcdef"}, torch.ones(3, 8), "names of pictures must be texts"),
        ({"images": NAMES, "fingerprint": "0123456789abcdef"}, torch.ones(2, 8), r"3 pictures and styles \(2, 8\)"),
        ({"images": NAMES, "fingerprint": "0123456789abcdef"}, torch.ones(3, 8) / 0, "not finite"),
        ({"images": NAMES, "fingerprint": "0123456789abcdef"}, torch.ones(3, 9), "of None, whose codes are not those"),
        (
            {"images": NAMES, "fingerprint": "f", "generator": "cats"},
            torch.ones(3, 8),
            "of 'cats', whose codes are not",
        ),
    ],
)
def test_other_samples_are_refused(
    float_toy: Generator, tmp_path: Path, metadata: object, w: torch.Tensor, message: str
) -> None:
    text = f"samples {json.dumps(metadata)}" if isinstance(metadata, dict) else metadata
    save_file({"w": w}, tmp_path / "codes.safetensors", None if text is None else {"latentloop": str(text)})
    with pytest.raises(UserError, match=message) as caught:
        read_samples(tmp_path, float_toy)
    assert str(caught.value).startswith(str(tmp_path / "codes.safetensors"))
    assert "\n" not in str(caught.value)


def test_missing_samples_are_told_with_what_makes_them(float_toy: Generator, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file; latentloop directions samples makes one"):
        read_samples(tmp_path, float_toy)


def test_scores_are_told_to_pictures_by_name(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(f"smile,image,age\n1.5,some/where/{NAMES[2]},x\n,{NAMES[0]},y\n", encoding="utf-8-sig")
    none, missing, score = read_scores(path, "smile", NAMES).tolist()
    assert math.isnan(none)
    assert math.isnan(missing)
    assert score == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        (b"", "has no column image; its columns: none"),
        (b"image,age\n", "has no column smile; its columns: image, age"),
        (b"picture,smile\n", "has no column image; its columns: picture, smile"),
        (b"image,smile\nother.png,1\n", "line 2: 'other.png' is not one of the samples"),
        (
            b"image,smile\nimage-00000.png,1\nimage-00000.png,1\n",
            "line 3: 'image-00000.png' is not one of .*listed twice",
        ),
        (b"image,smile\nimage-00000.png,yes\n", "line 2: 'yes' is not a number; leave cells without a score empty"),
        (b"image,smile\n\xff\n", "not a CSV table"),
        (b"image,smile\nimage-00000.png\n", None),
    ],
)
def test_what_is_no_score_is_told_with_its_line(tmp_path: Path, text: bytes | None, message: str | None) -> None:
    path = tmp_path / "scores.csv"
    if text is not None:
        path.write_bytes(text)
    if message is None:
        assert read_scores(path, "smile", NAMES).isnan().all()
        return
    with pytest.raises(UserError, match=message) as caught:
        read_scores(path, "smile", NAMES)
    assert "\n" not in str(caught.value)


def test_a_run_that_was_killed_before_its_last_file_is_done_again(float_toy: Generator, tmp_path: Path) -> None:
    drawn(float_toy, tmp_path)
    (tmp_path / "scores.csv").unlink()
    assert len(list(draw_scorable(float_toy, tmp_path, 3, seed=4))) == 5
    (tmp_path / "scores.csv").unlink()
    with pytest.raises(UserError, match="has samples already"):
        list(draw_scorable(float_toy, tmp_path, 3, seed=5))
