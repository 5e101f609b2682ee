"""Sources of photos: plain files, and members of tar files."""

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentloop.errors import UserError
from latentloop.files import refuse_no_file
from latentloop.pixels import photo_suffixes

Place = tuple[Path, str | None]
"""Key of a photo: its file's resolved path, and its name within a tar file."""


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """A photo in a plain file or in a tar file, which is not read yet."""

    file: Path
    """File of the photo, or the tar file that contains it."""
    member: str | None = None
    """Name within the tar file; None for a plain file."""
    offset: int = 0
    """Position of the photo in the file, in bytes."""
    size: int | None = None
    """Size of the photo in bytes; None for the whole file."""

    @property
    def name(self) -> str:
        """Name for messages: the path, or "TAR:MEMBER"."""
        return f"{self.file}:{self.member}" if self.member else str(self.file)

    def length(self) -> int:
        """Return the size of the photo in bytes; 0 if its file is missing."""
        if self.size is not None:
            return self.size
        return self.file.stat().st_size if self.file.is_file() else 0

    def read(self) -> bytes:
        """Read the photo's bytes from its file.

        Raises:
            UserError: The file cannot be read.
        """
        refuse_no_file(self.file, what="a photo")
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise UserError(f"{self.name}: cannot read it: {error.strerror or error}") from error


def places_of(sources: Iterable[PhotoSource]) -> list[Place]:
    """Return the key of each photo, which is the same for all spellings of its path; each file is resolved once."""
    resolved: dict[Path, Path] = {}
    return [((resolved.get(one.file) or _resolve(one.file, resolved)), one.member) for one in sources]


def _resolve(file: Path, known: dict[Path, Path]) -> Path:
    known[file] = file.resolve()
    return known[file]


def photos_in_tar(path: Path) -> list[PhotoSource]:
    """List the photos in an uncompressed tar file, such as a shard of WebDataset; only its headers are read.

    Raises:
        UserError: The file is not an uncompressed tar file, is truncated or damaged, or contains no photo.
    """
    known, photos = photo_suffixes(), list[PhotoSource]()
    refuse_no_file(path, what="a tar file")
    try:
        with tarfile.open(path, "r:") as archive:
            for member in _members(archive):
                if member.isreg() and Path(member.name).suffix.lower() in known:
                    photos.append(_in_tar(path, member))
    except (tarfile.TarError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot read it as an uncompressed tar file: {reason}") from error
    if not photos:
        raise UserError(f"{path}: no photos in this tar file; known endings: {' '.join(sorted(known))}")
    return photos


def _in_tar(path: Path, member: tarfile.TarInfo) -> PhotoSource:
    if member.issparse():
        raise UserError(
            f"{path}:{member.name}: sparse members are not supported; pack the file without tar's sparse option"
        )
    return PhotoSource(path, member.name, member.offset_data, member.size)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a tar file, without keeping them in memory, and with an error at a damaged header.

    By itself tarfile keeps all members, and silently stops at a damaged header.
    """
    while member := archive.next():
        yield member
        archive.members.clear()  # type: ignore[attr-defined]
    archive.fileobj.seek(archive.offset)
    if any(archive.fileobj.read(tarfile.BLOCKSIZE)):  # an intact archive ends with blocks of zeros
        raise tarfile.ReadError(f"damaged at byte {archive.offset}")
