"""Where photos lie: files, and members of tar files."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

from latentloop.errors import UserError
from latentloop.images import photo_suffixes


@dataclass(frozen=True)
class PhotoSource:
    """Where a photo's bytes lie."""

    file: Path
    member: str | None = None
    """Its name in a tar file."""
    offset: int = 0
    size: int | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.file}:{self.member}" if self.member else str(self.file)

    @property
    def place(self) -> tuple[Path, str | None]:
        """The same for the same photo, however it was named."""
        return self.file.resolve(), self.member

    def length(self) -> int:
        """Of the photo, in bytes; 0 if it is missing."""
        if self.size is not None:
            return self.size
        return self.file.stat().st_size if self.file.is_file() else 0

    def read(self) -> bytes:
        """The photo's content.

        Raises:
            UserError: It cannot be read.
        """
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise UserError(f"{self.name}: cannot read it: {error.strerror or error}") from error


def photos_in_tar(path: Path) -> list[PhotoSource]:
    """The photos in an uncompressed tar file, such as a shard of WebDataset; found by their headers alone.

    Raises:
        UserError: It is no such file, or holds none.
    """
    known = photo_suffixes()
    try:
        with tarfile.open(path, "r:") as archive:
            photos = [
                PhotoSource(path, member.name, member.offset_data, member.size)
                for member in archive
                if member.isreg() and Path(member.name).suffix.lower() in known
            ]
    except (tarfile.TarError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot read it as an uncompressed tar file: {reason}") from error
    if not photos:
        raise UserError(f"{path}: no photos in this tar file; known endings: {' '.join(sorted(known))}")
    return photos
