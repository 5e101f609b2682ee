import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentloop.errors import UserError
from latentloop.generators.protocol import Generator
from latentloop.latents.code_file import Code, load_code
from latentloop.latents.foreign_files import read_latents
from latentloop.latents.numpy_archive import ALWAYS, read_arrays


def archive(compression: int, array: np.ndarray, padding: bytes = b"") -> bytes:
    entry, file = io.BytesIO(), io.BytesIO()
    np.save(entry, array)
    with zipfile.ZipFile(file, "w", compression) as writing:
        writing.writestr("a.npy", entry.getvalue() + padding)
    return file.getvalue()


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.str_("é"), np.zeros(0)]
)
def test_arrays_come_back_as_numpy_reads_them(array: np.ndarray) -> None:
    content = archive(zipfile.ZIP_DEFLATED, array)
    expected = np.load(io.BytesIO(content))["a"]
    found = read_arrays(content, ["a"], max_bytes=1000)["a"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (archive(zipfile.ZIP_DEFLATED, np.zeros(ALWAYS // 4, "f4")), "in a file of few"),
        (archive(zipfile.ZIP_LZMA, np.zeros(8)), "compressed as NumPy does not"),
        (archive(zipfile.ZIP_STORED, np.zeros(200)), "too large"),
        (archive(zipfile.ZIP_STORED, np.zeros(8), b"more"), "another length"),
    ],
)
def test_arrays_that_claim_too_much_are_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_arrays(content, ["a"], max_bytes=1000)


def test_a_small_file_of_a_huge_array_is_no_latent(tmp_path: Path, toy: Generator) -> None:
    np.savez_compressed(tmp_path / "w.npz", w=np.zeros((ALWAYS // 4 // toy.w_dim + 1, toy.w_dim), "f4"))
    with pytest.raises(UserError, match="in a file of few"):
        read_latents(tmp_path / "w.npz", toy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fingerprint", np.zeros((2, 2))),
        ("generator", np.int64(3)),
        ("steps", np.int64(-1)),
        ("steps", np.float64(1)),
        ("original_size", np.array([-5, 32])),
        ("original_size", np.array([1 << 60, 32])),
        ("losses", np.zeros((3, 3))),
        ("w_plus", np.zeros((4, 8), "c8")),
        ("details", np.zeros(3)),
    ],
)
def test_code_files_with_values_of_other_types_are_refused(tmp_path: Path, field: str, value: np.ndarray) -> None:
    values: dict[str, Any] = {
        "version": 1,
        "w_plus": np.zeros((4, 8)),
        "space": "w",
        "generator": "g",
        "fingerprint": "f",
    }
    values |= {"quad": np.zeros((4, 2)), "original_size": [8, 8], "losses": [0.5, 0.4], "steps": 1, "details": "{}"}
    np.savez(tmp_path / "good.npz", **values)
    assert isinstance(load_code(tmp_path / "good.npz"), Code)
    np.savez(tmp_path / "bad.npz", **values | {field: value})
    with pytest.raises(UserError, match=rf"bad\.npz: not a code file of latentloop, or damaged .*{field}"):
        load_code(tmp_path / "bad.npz")


@pytest.mark.parametrize("entry", [b"no array", b"\x93NUMPY\x01\x00\x0a\x00{'descr': (", b"x\n\x1b" * 3000])
def test_a_damaged_entry_is_told_in_one_short_line(tmp_path: Path, entry: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "code.npz", "w") as writing:
        writing.writestr("version.npy", entry)
    with pytest.raises(UserError, match="not a code file") as caught:
        load_code(tmp_path / "code.npz")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
