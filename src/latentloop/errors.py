"""Errors of the package; `UserError` is for mistakes in input that the user can mend."""

import errno
from collections.abc import Sequence

MAX_LENGTH = 300
"""Longest part of another error's message that a message quotes, in characters."""
MAX_MESSAGE = 1000
"""Longest message of a `UserError`, in characters."""
MAX_VALUE = 40
"""Longest part of a value that a message quotes, in characters."""

REFUSED_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "out of memory",
    "Cannot allocate memory",
    "_STATUS_ALLOC_FAILED",  # of cuBLAS and cuDNN
    "could not create a primitive",  # oneDNN's convolutions give no other reason
    "could not create a memory",
    "could not execute a primitive",
    "can't start new thread",
)
"""Phrases in error messages of PyTorch and Python that mean out of memory; on a CPU there is no exception for it."""


class UserError(Exception):
    """An error in a file or an input, whose message says what is wrong and what to do about it.

    Args:
        message: One line; unprintable characters, which file names may have, are escaped.
        arguments: Names of the job's arguments that could help, such as "max_pixels"; the command line appends the
            corresponding options to the message.
    """

    def __init__(self, message: str, *, arguments: str | Sequence[str] = ()) -> None:
        super().__init__(printable(message)[:MAX_MESSAGE])
        self.arguments = (arguments,) if isinstance(arguments, str) else tuple(arguments)

    def within(self, what: object) -> "UserError":
        """Return the error with its subject, such as a file's path, before the message; `arguments` are kept."""
        return UserError(f"{what}: {in_one_line(self)}", arguments=self.arguments)


class Notice(UserWarning):
    """A warning for the user in one line; the command line prints it like its own messages."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message)[:MAX_MESSAGE])


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on any device."""
    if isinstance(error, RuntimeError | OSError):
        return any(words in str(error) for words in REFUSED_MEMORY)
    return isinstance(error, MemoryError)


def printable(text: str, *, kept: str = "") -> str:
    """Escape characters that a terminal would interpret or could not show, and replace line breaks by spaces.

    Args:
        text: Any text, such as the name of a file.
        kept: Characters to keep, such as a line break.
    """
    if text.isprintable():
        return text
    return "".join(one if one in kept or one.isprintable() else " " if one.isspace() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class NotFiniteError(ValueError):
    """The error for numbers that must be finite and are NaN or infinite."""


def in_one_line(error: BaseException) -> str:
    """Format an error's message as one short printable line, even if it quotes binary content."""
    if isinstance(error, KeyError) and error.args:
        return f"{in_one_line(Exception(error.args[0]))} is missing"
    message = " ".join(str(error).split())[:MAX_LENGTH] or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in message)


def unreadable(error: BaseException) -> str | None:
    """Return why the operating system does not let a file be read; None for errors in the file's content.

    A damaged file may make its reader seek before the beginning, which is an `OSError`, too (EINVAL).
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return f"cannot read it: {error.strerror or in_one_line(error)}"
    return None


def shown(value: object) -> str:
    """Format a value from a file for a message: short text and numbers as they are, other values by their type.

    Nested lists are not written out: a small file can nest shared lists so that their length doubles at each level.
    """
    if isinstance(value, str | bytes):
        return repr(value[:MAX_VALUE])
    if value is None or isinstance(value, bool | int | float):
        return repr(value)[:MAX_VALUE]
    if isinstance(value, list | tuple) and len(value) < MAX_VALUE and all(isinstance(v, int | float) for v in value):
        return repr(value)
    return f"a {type(value).__name__}"
