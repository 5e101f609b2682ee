"""The code file in NumPy, without PyTorch; `code_file` lists its arrays."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from latentloop.errors import UserError, in_one_line
from latentloop.files import refuse_no_file
from latentloop.json_files import decode_json
from latentloop.latents.numpy_archive import DAMAGE, floats_in, read_arrays, text_in, whole_in

PLAIN, REFINED = 1, 2
"""Versions of the format, without and with a refinement: readers that know only version 1 would draw the wrong image,
so they must refuse version 2."""
ARRAYS = (
    "version",
    "w_plus",
    "space",
    "generator",
    "fingerprint",
    "quad",
    "original_size",
    "losses",
    "steps",
    "details",
)
"""Names of the arrays of a code file."""
MAX_BYTES = 1 << 24
"""Largest array of a code file, in bytes: the losses of four million steps."""
MAX_SIZE = 1 << 31
"""Largest width or height of a photo, in pixels."""


@dataclass(frozen=True)
class PlainCode:
    """A photo's code and its provenance, as arrays."""

    w_plus: npt.NDArray[np.float32]
    """The code in W+: styles, (num_ws, w_dim)."""
    space: str
    """Space of the code: "w" if all styles are equal, else "w+"."""
    generator: str
    """Name of the generator that the code belongs to."""
    fingerprint: str
    """Fingerprint of the latent space; generators that share it draw the same face from the code."""
    quad: npt.NDArray[np.float64]
    """Corners of the aligned square in the photo, (4, 2): top left, bottom left, bottom right, top right."""
    original_size: tuple[int, int]
    """Width and height of the upright photo, in pixels."""
    losses: npt.NDArray[np.float32]
    """Loss at the start and after each step, (steps + 1,); empty if no step was taken."""
    steps: int
    """Step after which this code was found."""
    details: dict[str, Any] = field(default_factory=dict)
    """Name and checksum of the photo, settings and metrics, as JSON values."""

    @property
    def photo(self) -> dict[str, Any] | None:
        """The details' entry about the photo, with its `file` and `sha256`; None if it is missing or incomplete."""
        photo = self.details.get("photo")
        return photo if isinstance(photo, dict) and {"file", "sha256"} <= photo.keys() else None


def encode_code(code: PlainCode, more: Mapping[str, npt.NDArray[Any]] | None = None) -> bytes:
    """Encode a code as the content of a code file.

    Args:
        code: Code whose arrays have the shapes of `PlainCode`; they are not checked here.
        more: Arrays of a refinement, which make the file one of version 2.

    Raises:
        ValueError: The details are not JSON values.
    """
    file = io.BytesIO()
    arrays: dict[str, Any] = dict(more or {})
    np.savez(
        file,
        version=np.int64(REFINED if more else PLAIN),
        w_plus=code.w_plus.astype(np.float32),
        space=np.str_(code.space),
        generator=np.str_(code.generator),
        fingerprint=np.str_(code.fingerprint),
        quad=code.quad.astype(np.float64),
        original_size=np.array(code.original_size, dtype=np.int64),
        losses=code.losses.astype(np.float32),
        steps=np.int64(code.steps),
        details=np.str_(_as_json(code.details)),
        **arrays,
    )
    return file.getvalue()


def load_plain_code(path: Path | str) -> PlainCode:
    """Read a code file without its refinement; nothing in it is executed.

    Raises:
        UserError: The file is missing, damaged, not a code file or of a later version, or its code is not finite.
    """
    return decode_code(read_code_file(path), path)[0]


def read_code_file(path: Path | str) -> bytes:
    """Read the content of a code file, for `decode_code`.

    Raises:
        UserError: The file is missing or cannot be read.
    """
    refuse_no_file(Path(path), what="a file of codes")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read it: {error.strerror or error}") from error


def decode_code(content: bytes, path: Path | str) -> tuple[PlainCode, int]:
    """Decode the content of a code file without its refinement, and return the format's version with it.

    Args:
        content: Bytes of the file.
        path: The file's path, for error messages.

    Raises:
        UserError: The content is damaged, not a code file or of a later version, or its code is not finite.
    """
    try:
        # The version first: a later one may have other arrays, and deserves its own message.
        arrays = read_arrays(content, ("version",), max_bytes=MAX_BYTES)
        if (version := whole_in(arrays, "version")) not in (PLAIN, REFINED):
            raise UserError(f"{path}: code file of version {version}, this latentloop reads versions 1 and 2")
        code = _code(read_arrays(content, ARRAYS, max_bytes=MAX_BYTES))
    except DAMAGE as error:
        raise damaged(path, error) from error
    if code.quad.shape != (4, 2) or not np.isfinite(code.quad).all():
        raise UserError(f"{path}: quad must be finite, (4, 2), got {code.quad.shape}")
    if code.w_plus.ndim != 2 or not np.isfinite(code.w_plus).all():
        raise UserError(f"{path}: w_plus must be finite, (num_ws, w_dim), got {code.w_plus.shape}")
    return code, version


def damaged(path: Path | str, error: BaseException) -> UserError:
    """Make the error for a file that is damaged or not a code file."""
    return UserError(f"{path}: not a code file of latentloop, or damaged ({in_one_line(error)})")


def is_code_file(file: Path | IO[bytes]) -> bool:
    """Return whether a file has the arrays of a latentloop code file, so that it is not another project's."""
    try:
        with ZipFile(file) as archive:
            return {"fingerprint.npy", "w_plus.npy"} <= set(archive.namelist())
    except DAMAGE:
        return False


def _code(arrays: dict[str, npt.NDArray[Any]]) -> PlainCode:
    sizes = arrays["original_size"]
    if sizes.shape != (2,) or sizes.dtype.kind not in "iu" or not (sizes.min() > 0 and sizes.max() <= MAX_SIZE):
        raise ValueError("original_size must be a width and a height")
    losses, steps = floats_in(arrays, "losses"), whole_in(arrays, "steps")
    if losses.ndim != 1 or steps < 0:
        raise ValueError(f"losses {losses.shape} with steps {steps}")
    details = decode_json(text_in(arrays, "details"))
    if not isinstance(details, dict):
        raise ValueError("details are not a JSON object")
    return PlainCode(
        w_plus=floats_in(arrays, "w_plus").astype(np.float32),
        space=text_in(arrays, "space"),
        generator=text_in(arrays, "generator"),
        fingerprint=text_in(arrays, "fingerprint"),
        quad=floats_in(arrays, "quad").astype(np.float64),
        original_size=(int(sizes[0]), int(sizes[1])),
        losses=losses.astype(np.float32),
        steps=steps,
        details=details,
    )


def _as_json(details: dict[str, Any]) -> str:
    try:
        return json.dumps(details)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"details must be a dict of JSON values: {in_one_line(error)}") from error
