"""Opening media files with PyAV, with readable error messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from latentloop.errors import UserError, in_one_line
from latentloop.extras import load_extra
from latentloop.files import refuse_no_file

if TYPE_CHECKING:
    from av.container import InputContainer


def pyav() -> ModuleType:
    """Import PyAV, which the extra "edit" installs.

    Raises:
        UserError: PyAV is not installed.
    """
    return load_extra("av", "videos need PyAV", "av")


FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif,apng,image2,png_pipe,jpeg_pipe,webp_pipe,"
    "bmp_pipe,tiff_pipe,mp3,wav,aac,flac"
)
"""FFmpeg's names of the supported formats; playlists are left out, since they refer to other files."""
UNKNOWN = "it uses a feature that FFmpeg does not have"
"""Replacement of FFmpeg's message "not yet implemented, patches welcome"."""


def open_media(path: Path) -> "InputContainer":
    """Open a media file; the caller closes it.

    Raises:
        UserError: PyAV or the file is missing, or FFmpeg cannot read it.
    """
    av = pyav()
    refuse_no_file(path, what="a video")
    try:
        container: InputContainer = av.open(
            str(path.resolve()),  # FFmpeg takes a relative name with a colon for a URL
            metadata_errors="replace",
            options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
        )
    except av.FFmpegError as error:
        raise UserError(f"{path}: not a video that FFmpeg can read ({reason_of(error)})") from error
    return container


def reason_of(error: Exception) -> str:
    """Return why FFmpeg failed, in a few words without its error numbers."""
    reason = getattr(error, "strerror", None) or in_one_line(error)
    return UNKNOWN if "patches welcome" in reason else reason[:1].lower() + reason[1:]


def media_comment(path: Path) -> str | None:
    """Read the comment in a media file; None if there is none, or PyAV is missing or cannot read the file."""
    try:
        with open_media(path) as container:
            return container.metadata.get("comment")
    except UserError:
        return None


@contextmanager
def reporting_damage(path: Path) -> Iterator[None]:
    """Turn errors of FFmpeg while it reads an open file into a `UserError` that names the file.

    Raises:
        UserError: The file is damaged or truncated.
    """
    try:
        yield
    except pyav().FFmpegError as error:
        raise UserError(f"{path}: damaged or truncated video ({reason_of(error)})") from error
