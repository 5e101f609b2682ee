"""A file wrapper that limits reads to the file's size, against damaged or malicious lengths."""

from typing import BinaryIO


class BoundedFile:
    """A file that refuses to read past its end, before memory is allocated for the read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self._end = file.seek(0, 2)
        file.seek(start)

    def tell(self) -> int:
        """Return the position in the file, in bytes."""
        return self._file.tell()

    def left(self) -> int:
        """Return the number of bytes from the position to the end."""
        return self._end - self._file.tell()

    def read(self, count: int) -> bytes:
        """Read exactly `count` bytes from the position on.

        Raises:
            ValueError: Fewer bytes are left.
        """
        if not 0 <= count <= self.left():  # a pickle may claim strings of gigabytes in a few bytes
            raise ValueError("truncated")
        return self._file.read(count)

    def readline(self) -> bytes:
        """Read up to and including the next newline."""
        return self._file.readline()
