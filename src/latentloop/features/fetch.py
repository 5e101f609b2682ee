"""Downloads of weights that are too large to ship, on request only."""

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
"""Progress callback of a download: called with the file's name, the bytes received so far, and its size in bytes."""

CHUNK = 1 << 18
"""Bytes between two calls of `OnChunk`."""
TIMEOUT = 30.0
"""Seconds without a byte after which a download fails."""


@dataclass(frozen=True)
class Source:
    """A file on the web, of a known size."""

    url: str
    """Address of the file, with https."""
    size: int  # bytes
    """Size of the file, in bytes."""
    argument: str
    """Argument of `fetch_vgg16` that takes a copy of the file in place of a download."""

    @property
    def name(self) -> str:
        """Name of the file, without the address."""
        return self.url.rpartition("/")[2]


VGG16 = Source("https://download.pytorch.org/models/vgg16-397923af.pth", 553_433_881, "vgg16")
"""VGG16's weights, trained on ImageNet by torchvision."""
LINEAR = Source(
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
    7_289,
    "linear",
)
"""Linear layers of LPIPS 0.1 on VGG16."""


def fetch_vgg16(vgg16: Path | None, linear: Path | None, *, on_chunk: OnChunk) -> Path:
    """Download and convert the weights that `load_vgg16` reads, and return their file; the downloads are deleted.

    Args:
        vgg16: torchvision's vgg16-397923af.pth; None to download it.
        linear: The linear layers of LPIPS 0.1, vgg.pth; None to download them.
        on_chunk: Called as the downloads proceed.

    Raises:
        UserError: A download fails; a file is missing or another one; the folder cannot be written to.
    """
    target = vgg16_path()
    with _temporary(target.parent) as folder:
        # The small one first: who has no connection learns it, and who named the wrong large file, too.
        linear = linear or download(LINEAR, folder, on_chunk)
        vgg16 = vgg16 or download(VGG16, folder, on_chunk)
        make_vgg16_file(vgg16, linear, target)
    return target


def download(source: Source, folder: Path, on_chunk: OnChunk) -> Path:
    """Download a file into a folder, under the name of its source, and return its path.

    Raises:
        UserError: The server cannot be reached, or sends something else.
        OSError: The file cannot be written.
    """
    path, done = folder / source.name, 0
    with path.open("wb") as file, closing(_chunks(source)) as chunks:
        for chunk in chunks:
            done += file.write(chunk)
            on_chunk(source.name, done, source.size)
    return path


def https_only() -> OpenerDirector:
    """Build a URL opener that follows https addresses only, wherever a server may redirect to."""
    opener = OpenerDirector()
    redirects = (HTTPRedirectHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler)
    for handler in (ProxyHandler, HTTPSHandler, UnknownHandler, *redirects):
        opener.add_handler(handler())
    return opener


def _chunks(source: Source) -> Generator[bytes, None, None]:
    """The bytes of a source, as many as it should have."""
    left = source.size
    try:
        with https_only().open(source.url, timeout=TIMEOUT) as answer:
            while left >= 0 and (chunk := answer.read(CHUNK)):
                left -= len(chunk)
                yield chunk
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):  # which is an open answer, too
            error.close()
        raise _failure(source, in_one_line(error).removeprefix("<urlopen error ").removesuffix(">")) from error
    if left:
        raise _failure(source, f"{source.size - left:,} bytes came, not {source.size:,}")


def _failure(source: Source, reason: str) -> UserError:
    message = f"{source.url}: not downloaded, {reason}; try again, or get it elsewhere and name your copy"
    return UserError(message, arguments=source.argument)


@contextmanager
def _temporary(parent: Path) -> Iterator[Path]:
    """A folder within another one, which is made if it is missing, until the block ends, however it does."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".fetch-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise UserError(f"{parent}: cannot write here: {error.strerror or error}") from error
