"""The code file: a photo's code and its provenance, in an `.npz` file that loads without pickle.

| array | type | meaning |
|---|---|---|
| `version` | int | 1; 2 if there is a refinement, whose arrays are in `refinement_arrays` |
| `w_plus` | float32 (num_ws, w_dim) | the code |
| `space` | text | `w` (all rows equal) or `w+` |
| `generator` | text | name of the generator it was found with |
| `fingerprint` | text | fingerprint of its latent space; generators that share it draw the same subject |
| `quad` | float64 (4, 2) | the aligned square in the photo, (x, y) in pixels: top left, bottom left, bottom right ... |
| `original_size` | int64 (2,) | width and height of the upright photo |
| `losses` | float32 (steps + 1,) | loss at the start and after each step; empty if no step was taken |
| `steps` | int | step after which this code was reached |
| `details` | text | JSON: the photo's name and checksum, settings, metrics; free to grow |
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.generators.protocol import Generator
from latentloop.generators.refined import Refinement
from latentloop.hub import local_name
from latentloop.latents.numpy_archive import DAMAGE, holds_arrays
from latentloop.latents.plain_code import ARRAYS as ARRAYS
from latentloop.latents.plain_code import MAX_BYTES as MAX_BYTES
from latentloop.latents.plain_code import (
    MAX_SIZE,
    REFINED,
    PlainCode,
    damaged,
    decode_code,
    encode_code,
)
from latentloop.latents.plain_code import is_code_file as is_code_file
from latentloop.latents.plain_code import read_code_file as read_code_file
from latentloop.latents.refinement_arrays import read_refinement, refinement_arrays
from latentloop.options import check_kind, check_path, is_whole


@dataclass(frozen=True)
class Code:
    """A photo's code and its provenance; tensors read from a file are on the CPU."""

    w_plus: Tensor
    """The code in W+: styles, (num_ws, w_dim)."""
    space: str
    """Space of the code: "w" if all styles are equal, else "w+"."""
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
    """Step after which this code was found."""
    details: dict[str, Any] = field(default_factory=dict)
    """Name and checksum of the photo, settings and metrics, as JSON values."""
    refinement: Refinement | None = None
    """Refinement beyond the code, for `generators.refined`; None for none."""

    @property
    def photo_sha256(self) -> str | None:
        """SHA-256 of the photo's file in hexadecimal, from the details; None if they lack it."""
        photo = self.details.get("photo")
        sha256 = photo.get("sha256") if isinstance(photo, dict) else None
        return sha256 if isinstance(sha256, str) else None


def save_code(path: Path | str, code: Code) -> None:
    """Write a code file atomically.

    Raises:
        UserError: The file cannot be written.
        ValueError: `load_code` would not read the code, or a number of its refinement is too large for float16.
    """
    check_path(path)
    with replacing(Path(path)) as part:
        part.write_bytes(code_bytes(code))


def code_bytes(code: Code) -> bytes:
    """Encode a code as the bytes that `save_code` writes.

    Raises:
        ValueError: `load_code` would not read the code.
    """
    _check(code)
    plain = PlainCode(
        w_plus=_array(code.w_plus.float()),
        space=code.space,
        generator=code.generator,
        fingerprint=code.fingerprint,
        quad=_array(code.quad.double()),
        original_size=code.original_size,
        losses=_array(code.losses.float()),
        steps=code.steps,
        details=code.details,
    )
    return encode_code(plain, refinement_arrays(code.refinement) if code.refinement else None)


def load_code(path: Path | str) -> Code:
    """Read a code file; nothing in it is executed.

    Raises:
        UserError: The file is missing, damaged, not a code file or of a later version, or its code is not finite.
        ValueError: `path` is not a path.
    """
    check_path(path)
    path = local_name(path)
    return parse_code(read_code_file(path), path)


def parse_code(content: bytes, path: Path | str) -> Code:
    """Decode the content of a code file; nothing in it is executed.

    Args:
        content: Bytes of the file.
        path: The file's path, for error messages.

    Raises:
        UserError: The content is damaged, not a code file or of a later version, or its code is not finite.
    """
    plain, version = decode_code(content, path)
    try:
        # The arrays of a refinement are read only where the version announces them.
        refinement = read_refinement(content) if version == REFINED else None
    except DAMAGE as error:
        raise damaged(path, error) from error
    return Code(
        w_plus=torch.from_numpy(plain.w_plus),
        space=plain.space,
        generator=plain.generator,
        fingerprint=plain.fingerprint,
        quad=torch.from_numpy(plain.quad),
        original_size=plain.original_size,
        losses=torch.from_numpy(plain.losses),
        steps=plain.steps,
        details=plain.details,
        refinement=refinement,
    )


def _check(code: Code) -> None:
    """Raise a ValueError if a field of a code has the wrong type, shape or range."""
    check_kind("code", code, Code, "a Code")
    shapes = {"w_plus": (None, None), "quad": (4, 2), "losses": (None,)}
    for name, shape in shapes.items():
        tensor = getattr(code, name)
        what = f"floating-point numbers ({', '.join('N' if size is None else str(size) for size in shape)})"
        check_kind(name, tensor, Tensor, f"a tensor of {what}")
        fits = len(shape) == tensor.ndim and all(s in (None, n) for s, n in zip(shape, tensor.shape, strict=True))
        if not fits or not tensor.is_floating_point():
            raise ValueError(f"{name} must be {what}, got {tuple(tensor.shape)} of {tensor.dtype}")
        if name != "losses" and not tensor.isfinite().all():
            raise ValueError(f"{name} must be finite")
    for name in ("generator", "fingerprint"):
        check_kind(name, getattr(code, name), str, "a text")
    if code.space not in ("w", "w+"):
        raise ValueError(f"space must be w or w+, got {code.space!r:.100}")
    check_kind("original_size", code.original_size, (tuple, list), "width and height in pixels")
    size = tuple(code.original_size)
    if len(size) != 2 or not all(is_whole(n) and 0 < n <= MAX_SIZE for n in size):
        raise ValueError(f"original_size must be width and height in pixels, got {size!r:.100}")
    if not is_whole(code.steps) or code.steps < 0:
        raise ValueError(f"steps must be 0 or more, got {code.steps!r:.100}")
    check_kind("details", code.details, dict, "a dict of JSON values")
    check_kind("refinement", code.refinement, (Refinement, NoneType), "a Refinement")


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def is_damaged_code(path: Path) -> bool:
    """Return whether a file looks like a damaged code file of latentloop: unreadable, truncated or empty."""
    try:
        load_code(path)
    except UserError:
        return holds_arrays(path, *ARRAYS[:2], "fingerprint")
    return False


def start_from(path: Path, generator: Generator) -> Tensor:
    """Read a code file as a starting point for a generator, (1, num_ws, w_dim).

    Raises:
        UserError: The file cannot be read, see `load_code`, or its code belongs to another generator.
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
            f"not for {generator.name} (latent space {generator.fingerprint})"
        )
    expected = (generator.num_ws, generator.w_dim)
    if tuple(code.w_plus.shape) != expected:
        raise UserError(f"{path}: w_plus is {tuple(code.w_plus.shape)}, {generator.name} takes {expected}")
    return code.w_plus[None].to(generator.latent_avg)  # device and type of the generator
