from pathlib import Path

import pytest
import torch

from clips import pictures, write_clip
from latentloop.images import png_comment, read_image, write_png
from latentloop.photo_editing.signatures import is_signed, signature_of


def test_name_and_source_make_a_signature() -> None:
    signatures = [signature_of("a", "b"), signature_of("b", "a"), signature_of("a", ""), signature_of("ab", "")]
    assert len(set(signatures)) == 4
    assert signature_of("a", "b") == signatures[0]


def test_a_comment_changes_no_pixel(tmp_path: Path) -> None:
    image = torch.rand(1, 3, 8, 8) * 2 - 1
    write_png(tmp_path / "with.png", image, comment="a comment")
    write_png(tmp_path / "without.png", image)
    assert png_comment(tmp_path / "with.png") == "a comment"
    assert png_comment(tmp_path / "without.png") is None
    assert torch.equal(read_image(tmp_path / "with.png"), read_image(tmp_path / "without.png"))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"[" * 100_000, b'{"signature": 3}', b"{}", b"\xff", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04"]
)
@pytest.mark.parametrize("ending", [".png", ".mp4", ".npz", ".json"])
def test_strangers_are_not_signed(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"file{ending}"
    assert not is_signed(path, "signature")
    path.write_bytes(content)
    assert not is_signed(path, "signature")
    path.unlink()
    path.mkdir()
    assert not is_signed(path, "signature")


def test_a_video_of_someone_else_is_not_signed(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", pictures(2))
    assert not is_signed(tmp_path / "clip.mp4", "signature")
