"""Reading checkpoints of other projects: format detection, safe parsing, and finding the generator."""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

from latentloop.checkpoints.finding import find_generator
from latentloop.checkpoints.network_pickles import Network, read_pickle
from latentloop.checkpoints.pickle_machine import RefusedError
from latentloop.checkpoints.torch_files import is_torch_file, read_torch_file
from latentloop.defaults import Which
from latentloop.errors import UserError, in_one_line, unreadable

PROTOCOL = b"\x80"
"""First byte of pickles from protocol 2 on."""
DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    OSError,
    EOFError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RuntimeError,
    TokenError,
    struct.error,
    zlib.error,
    BadZipFile,
)
"""Errors that reading a damaged file is known to raise."""
# The tests marked `fuzz` read thousands of damaged files to see that there are no others.

NO_WEIGHTS = (
    (rb"version https://git-lfs", "a Git LFS pointer: the weights are not here yet; get them with: git lfs pull"),
    (
        rb"(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|body|script)",
        "a web page, not weights: the download failed, open the address in a browser",
    ),
    (rb"\s*<\?xml", "an XML file, not weights: an error message of the server, or an OpenVINO model"),
    (rb"\x89HDF", "an HDF5 file of Keras or TensorFlow, which is not supported"),
    (rb"\x1f\x8b|7z|Rar!|BZh", "a compressed archive; unpack it first"),
    (rb"\x93NUMPY|PK\x03\x04.{26}[^/]*\.npy", "a NumPy file: codes, not a generator"),
)
"""Files that are often found in place of weights: a regular expression of their beginning, and a description."""
BEGINNING = 200
"""Number of bytes in which such a beginning is searched."""


def read_checkpoint(path: Path, *, which: Which = "g_ema") -> Network:
    """Read the generator in another project's file; nothing in the file is executed.

    Args:
        path: A pickle of NVIDIA's projects, of any protocol, or a file of `torch.save`.
        which: Which of the file's generators to read.

    Raises:
        UserError: The file is of another kind, damaged, has no such generator, or asks for more than data.
    """
    with reading(path):
        refuse_other_files(path)
        # By the first bytes, never by the suffix: projects use .pt, .pth, .pkl and .ckpt for either format.
        content = read_torch_file(path) if is_torch_file(path) else _read_pickle(path)
        return find_generator(content, which, size=path.stat().st_size)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of reading another project's file into one-line `UserError`s that begin with its path.

    Raises:
        UserError: The file asks for more than data, is damaged, or is of another kind.
    """
    try:
        yield
    except RefusedError as error:
        raise UserError(f"{path}: refused, it asks for {in_one_line(error)}; a checkpoint needs only data") from error
    except UserError as error:
        raise error.within(path) from error
    except DAMAGE as error:
        reason = unreadable(error) or f"damaged, truncated or not a checkpoint ({in_one_line(error)})"
        raise UserError(f"{path}: {reason}") from error


def refuse_other_files(path: Path) -> None:
    """Raise a UserError for files that are often found in place of weights, such as web pages and Git LFS pointers.

    Raises:
        UserError: The file is empty, or one of these.
    """
    with path.open("rb") as file:
        beginning = file.read(BEGINNING)
    if not beginning:
        raise UserError("an empty file")
    for pattern, what in NO_WEIGHTS:
        if re.match(pattern, beginning, re.DOTALL | re.IGNORECASE):
            raise UserError(what)


def _read_pickle(path: Path) -> object:
    with path.open("rb") as file:
        marked = file.read(1) == PROTOCOL
        file.seek(0)
        try:
            return read_pickle(file)
        except DAMAGE as error:
            if marked:
                raise
            # Pickles of protocols 0 and 1 begin with no marker, so the file may be anything.
            what = "not a checkpoint of a known format: neither safetensors, nor a pickle, nor a file of torch.save"
            raise UserError(what) from error
