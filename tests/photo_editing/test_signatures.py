from fractions import Fraction
from pathlib import Path
from typing import Literal

import pytest
import torch

from clips import pictures, write_clip
from latentloop.image_info import png_comment
from latentloop.images import read_image, write_png
from latentloop.photo_editing.signatures import checksum_of, short_key, signature_in, signature_of
from latentloop.stamps import key_of
from latentloop.video import write_gif, write_video


def test_a_stamp_makes_a_signature() -> None:
    stamps = [{"name": "a", "source": "b"}, {"name": "b", "source": "a"}, {"name": "a", "source": ""}]
    signatures = [*map(signature_of, stamps), signature_of(stamps[0], "morph")]
    assert len(set(signatures)) == 4
    assert signature_of({"source": "b", "name": "a"}) == signatures[0]
    assert signatures[0] == f"latentloop edit {key_of(stamps[0])}"
    assert short_key(signatures[0]) == key_of(stamps[0])[:6]


def test_a_checksum_is_of_values_and_their_order() -> None:
    codes = torch.arange(6.0).reshape(2, 3)
    assert checksum_of(codes.T) == checksum_of(codes.T.contiguous()) != checksum_of(codes)
    assert checksum_of(codes.clone().requires_grad_()) == checksum_of(codes)


@pytest.mark.parametrize("kind", ["edit", "morph"])
def test_a_signature_is_of_one_kind(tmp_path: Path, kind: Literal["edit", "morph"]) -> None:
    signature = signature_of({"name": "a"}, kind)
    write_png(tmp_path / "one.png", torch.zeros(1, 3, 8, 8), comment=signature)
    write_gif(tmp_path / "ONE.GIF", [torch.zeros(1, 3, 8, 8)] * 2, 10, comment=signature)
    write_video(tmp_path / "one.mp4", [torch.zeros(1, 3, 8, 8)], Fraction(10), comment=signature)
    for name in ("one.png", "ONE.GIF", "one.mp4"):
        assert signature_in(tmp_path / name, kind) == signature
        assert signature_in(tmp_path / name, "edit" if kind == "morph" else "morph") is None


def test_comments_of_others_are_no_signatures(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", torch.zeros(1, 3, 8, 8), comment="taken in Rome")
    write_gif(tmp_path / "one.gif", [torch.zeros(1, 3, 8, 8)], 10, comment="taken in Rome")
    (tmp_path / "one.txt").write_text(signature_of({}))
    assert [signature_in(tmp_path / name) for name in ("one.png", "one.gif", "one.txt", "x" * 300)] == [None] * 4


def test_a_comment_changes_no_pixel(tmp_path: Path) -> None:
    image = torch.rand(1, 3, 8, 8) * 2 - 1
    write_png(tmp_path / "with.png", image, comment="a comment")
    write_png(tmp_path / "without.png", image)
    assert png_comment(tmp_path / "with.png") == "a comment"
    assert png_comment(tmp_path / "without.png") is None
    assert torch.equal(read_image(tmp_path / "with.png"), read_image(tmp_path / "without.png"))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"[" * 100_000, b'{"signature": 3}', b"{}", b"\xff", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"GIF89a"],
)
@pytest.mark.parametrize("ending", [".png", ".gif", ".mp4", ".npz", ".json"])
def test_strangers_are_not_signed(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"file{ending}"
    assert signature_in(path) is None
    path.write_bytes(content)
    assert signature_in(path) is None
    path.unlink()
    path.mkdir()
    assert signature_in(path) is None


def test_a_video_of_someone_else_is_not_signed(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", pictures(2))
    assert signature_in(tmp_path / "clip.mp4") is None
