"""Editing with the toy generator: directions, a photo with its code, names and pictures of results."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latentloop.editing import Direction
from latentloop.editing.direction_file import save_directions
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import to_uint8, write_png
from latentloop.latents import sample_codes
from latentloop.latents.code_file import Code, save_code
from latentloop.photo_editing.edit_name import edit_suffix

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
MakeCode = Callable[..., Code]
QUICK = ["--device", "cpu", "--precision", "float32", "--steps", "2"]


@pytest.fixture
def directions(tmp_path: Path) -> Path:
    """A file with two directions of the toy generator."""
    vectors = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    told = {"num_ws": 4, "fingerprint": "0123456789abcdef", "generator": "toy-32"}
    smile = Direction("smile", vectors[0], (1, 2), **told)  # type: ignore[arg-type]
    age = Direction("age", vectors[1], (0, 1, 2, 3), **told)  # type: ignore[arg-type]
    save_directions(tmp_path / "d.safetensors", [smile, age])
    return tmp_path / "d.safetensors"


@pytest.fixture
def photo_with_code(tmp_path: Path, make_code: MakeCode) -> tuple[Path, Path]:
    """A photo, and the code file of a face in it."""
    photo, code = tmp_path / "photos" / "anna.png", tmp_path / "anna.npz"
    noise = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    write_png(photo, 2 * noise - 1)
    quad = torch.tensor([[19.5, 9.5], [19.5, 41.5], [51.5, 41.5], [51.5, 9.5]], dtype=torch.float64)
    told = {"photo": {"file": "anna.png", "sha256": sha256_of(photo), "faces": None}}
    save_code(code, make_code(quad=quad, original_size=(80, 60), details=told))
    return photo, code


def named(name: str, directions: Path, *, keep: Sequence[str] = (), layers: str | None = None, **edits: float) -> str:
    """Name of the result of an edit along directions of a file."""
    strengths = [(f"{directions}:{direction}", strength) for direction, strength in edits.items()]
    return f"{name}-{edit_suffix(strengths, keep=keep, layers=layers)}"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int16)


def drawn(generator: Generator, w_plus: torch.Tensor) -> np.ndarray:
    return to_uint8(generator.synthesis(w_plus)[0]).astype(np.int16)


def sample(generator: Generator, seed: int) -> torch.Tensor:
    return sample_codes(generator, 1, randomness=torch.Generator().manual_seed(seed), truncation_psi=0.7)
