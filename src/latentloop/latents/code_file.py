"""The code file: a photo's code and its provenance, in a `.npz` that loads without pickle.

| array | type | meaning |
|---|---|---|
| `version` | int | 1 |
| `w_plus` | float32 (num_ws, w_dim) | the code |
| `space` | text | `w` (all rows alike) or `w+` |
| `generator` | text | name of the generator it was found with |
| `fingerprint` | text | of its latent space; generators that share it draw this code alike |
| `quad` | float64 (4, 2) | the aligned square in the photo, (x, y) in pixels: top left, bottom left, bottom right ... |
| `original_size` | int64 (2,) | width and height of the upright photo |
| `losses` | float32 (steps + 1,) | loss at the start and after each step; empty if no step was taken |
| `steps` | int | step after which this code was reached |
| `details` | text | JSON: the photo's name and checksum, settings, metrics; free to grow |
"""

import io
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.generators.protocol import Generator

VERSION = 1
"""Version of the code file's format."""
# What NumPy, zipfile and the conversions below are known to raise on damaged files.
DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,
    MemoryError,
    BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Code:
    """A photo's code and its provenance. Tensors are on the CPU."""

    w_plus: Tensor
    """The code in W+: styles, (num_ws, w_dim)."""
    space: str
    """Space of the code: "w" if all styles are alike, else "w+"."""
    generator: str
    """Name of the generator that the code belongs to."""
    fingerprint: str
    """Fingerprint of the latent space; generators that share it draw the same face from the code."""
    quad: Tensor
    """Corners of the aligned square in the photo, (4, 2), float64: top left, bottom left, bottom right, top right."""
    original_size: tuple[int, int]
    """Width and height of the upright photo, in pixels."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1,); empty if no step was taken."""
    steps: int
    """Step after which this code was reached."""
    details: dict[str, Any] = field(default_factory=dict)
    """Name and checksum of the photo, settings and metrics, as JSON values."""


def save_code(path: Path | str, code: Code) -> None:
    """Write a code file; it appears whole or not at all.

    Raises:
        UserError: The file cannot be written.
    """
    with replacing(Path(path)) as part, part.open("wb") as file:
        np.savez(
            file,
            version=np.int64(VERSION),
            w_plus=code.w_plus.float().numpy(),
            space=np.str_(code.space),
            generator=np.str_(code.generator),
            fingerprint=np.str_(code.fingerprint),
            quad=code.quad.double().numpy(),
            original_size=np.array(code.original_size, dtype=np.int64),
            losses=code.losses.float().numpy(),
            steps=np.int64(code.steps),
            details=np.str_(json.dumps(code.details)),
        )


def load_code(path: Path | str) -> Code:
    """Read a code file. Nothing in it is ever executed.

    Raises:
        UserError: The file is missing, no code file, of a later version, or damaged, or its code is not finite.
    """
    return parse_code(read_code_file(path), path)


def read_code_file(path: Path | str) -> bytes:
    """Read the content of a code file, for `parse_code`.

    Raises:
        UserError: The file is missing or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except OSError as error:
        raise UserError(f"{path}: not a code file of latentloop, or damaged ({error})") from error


def parse_code(content: bytes, path: Path | str) -> Code:
    """Decode the content of a code file. Nothing in it is ever executed.

    Args:
        content: Bytes of the file.
        path: The file's path, for error messages.

    Raises:
        UserError: The content is no code file, of a later version, or damaged, or its code is not finite.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            version = int(arrays["version"])
            if version != VERSION:
                raise UserError(f"{path}: code file of version {version}, this latentloop reads version {VERSION}")
            width, height = arrays["original_size"].tolist()
            details = json.loads(str(arrays["details"]))
            if not isinstance(details, dict):
                raise ValueError("details are not a JSON object")
            code = Code(
                w_plus=torch.from_numpy(arrays["w_plus"].astype(np.float32)),
                space=str(arrays["space"]),
                generator=str(arrays["generator"]),
                fingerprint=str(arrays["fingerprint"]),
                quad=torch.from_numpy(arrays["quad"].astype(np.float64)),
                original_size=(width, height),
                losses=torch.from_numpy(arrays["losses"].astype(np.float32)),
                steps=int(arrays["steps"]),
                details=details,
            )
    except DAMAGE as error:
        # NumPy's own words would advise to allow pickle.
        reason = "no arrays that load without pickle" if "pickle" in str(error) else error
        raise UserError(f"{path}: not a code file of latentloop, or damaged ({reason})") from error
    if tuple(code.quad.shape) != (4, 2) or not code.quad.isfinite().all():
        raise UserError(f"{path}: quad must be finite, (4, 2), got {tuple(code.quad.shape)}")
    if code.w_plus.ndim != 2 or not code.w_plus.isfinite().all():
        raise UserError(f"{path}: w_plus must be finite, (num_ws, w_dim), got {tuple(code.w_plus.shape)}")
    return code


def is_code_file(file: Path | IO[bytes]) -> bool:
    """Return whether a file looks like one of our code files, whole or damaged, rather than another project's."""
    try:
        with ZipFile(file) as archive:
            return {"fingerprint.npy", "w_plus.npy"} <= set(archive.namelist())
    except DAMAGE:
        return False


def start_from(path: Path, generator: Generator) -> Tensor:
    """Read the code in a file as a starting point for a generator, (1, num_ws, w_dim).

    Raises:
        UserError: As for `load_code`, or the code belongs to another generator.
    """
    return as_start(load_code(path), generator, path)


def as_start(code: Code, generator: Generator, path: Path | str) -> Tensor:
    """Check that a code fits a generator, and convert it to a starting point, (1, num_ws, w_dim), on its device.

    Args:
        code: The code.
        generator: Generator that is to draw it.
        path: The code's file, for error messages.

    Raises:
        UserError: The code belongs to another generator.
    """
    if code.fingerprint != generator.fingerprint:
        raise UserError(
            f"{path}: made for {code.generator} (latent space {code.fingerprint}), "
            f"not for {generator.name} ({generator.fingerprint})"
        )
    expected = (generator.num_ws, generator.w_dim)
    if tuple(code.w_plus.shape) != expected:
        raise UserError(f"{path}: w_plus is {tuple(code.w_plus.shape)}, {generator.name} takes {expected}")
    return code.w_plus[None].to(generator.latent_avg)
