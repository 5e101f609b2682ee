"""Download, on request only, of weights that are too large to bundle."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    UnknownHandler,
)

from latentloop.errors import UserError, in_one_line
from latentloop.features.vgg import make_vgg16_file, vgg16_path

OnChunk = Callable[[str, int, int], None]
"""Progress callback of a download, with the file's name, the bytes received so far and its size in bytes."""

CHUNK = 1 << 18
"""Bytes between two calls of `OnChunk`."""
TIMEOUT = 30.0
"""Seconds without a byte after which a download fails."""


@dataclass(frozen=True)
class Source:
    """A file on the web with a known size."""

    url: str
    """Address of the file, with https."""
    size: int  # bytes
    """Size of the file, in bytes."""
    argument: str
    """Argument of `fetch_vgg16` by which a user can pass a copy of the file."""

    @property
    def name(self) -> str:
        """Name of the file, without the address."""
        return self.url.rpartition("/")[2]


VGG16 = Source("https://download.pytorch.org/models/vgg16-397923af.pth", 553_433_881, "vgg16")
"""VGG16 weights, trained on ImageNet by torchvision."""
LINEAR = Source(
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
    7_289,
    "linear",
)
"""Linear layers of LPIPS 0.1 on VGG16."""


def fetch_vgg16(vgg16: Path | None, linear: Path | None, *, on_chunk: OnChunk) -> Path:
    """Download and convert the weights that `load_vgg16` reads, and return the path of the converted file.

    The downloads themselves are deleted.

    Args:
        vgg16: A copy of torchvision's vgg16-397923af.pth; None to download it.
        linear: A copy of the linear layers of LPIPS 0.1, vgg.pth; None to download them.
        on_chunk: Called as the downloads proceed.

    Raises:
        UserError: A download fails, a given file is missing or a different one, or the folder cannot be written.
    """
    target = vgg16_path()
    with _temporary(target.parent) as folder:
        # The small file first, so that a missing connection shows at once.
        linear = linear or download(LINEAR, folder, on_chunk)
        vgg16 = vgg16 or download(VGG16, folder, on_chunk)
        make_vgg16_file(vgg16, linear, target)
    return target


def download(source: Source, folder: Path, on_chunk: OnChunk) -> Path:
    """Download a file into a folder, under its own name, and return the path.

    Raises:
        UserError: The server cannot be reached, or sends a file of another size.
        OSError: The file cannot be written.
    """
    path, done = folder / source.name, 0
    with path.open("wb") as file, closing(_chunks(source)) as chunks:
        for chunk in chunks:
            done += file.write(chunk)
            on_chunk(source.name, done, source.size)
    return path


def https_only() -> OpenerDirector:
    """Build a URL opener that follows https addresses only, including redirects."""
    opener = OpenerDirector()
    redirects = (HTTPRedirectHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler)
    for handler in (ProxyHandler, HTTPSHandler, UnknownHandler, *redirects):
        opener.add_handler(handler())
    return opener


def _chunks(source: Source) -> Generator[bytes, None, None]:
    """The bytes of a source, whose number is checked."""
    left = source.size
    try:
        with https_only().open(source.url, timeout=TIMEOUT) as answer:
            while left >= 0 and (chunk := answer.read(CHUNK)):
                left -= len(chunk)
                yield chunk
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):  # an HTTPError is an open response, too
            error.close()
        raise _failure(source, in_one_line(error).removeprefix("<urlopen error ").removesuffix(">")) from error
    if left:
        raise _failure(source, f"{source.size - left:,} bytes received, {source.size:,} expected")


def _failure(source: Source, reason: str) -> UserError:
    message = f"{source.url}: not downloaded, {reason}; try again, or get it elsewhere and name your copy"
    return UserError(message, arguments=source.argument)


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A temporary folder within `parent`, which is created if missing; deleted when the block ends."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".fetch-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise UserError(f"{parent}: cannot write here: {error.strerror or error}") from error
