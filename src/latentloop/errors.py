"""What can go wrong: `UserError` is meant for the person at the keyboard."""

MAX_LENGTH = 300
"""Characters of a message that are repeated within another one."""
MAX_VALUE = 40
"""The same, of a value."""


class UserError(Exception):
    """Something about a file or an input is wrong; the message says what, and what to do about it."""


class NotFiniteError(ValueError):
    """A number that should be finite is NaN or infinite."""


def in_one_line(error: BaseException) -> str:
    """What an error says, in one line that can be printed, even if it repeats what a strange file says."""
    if isinstance(error, KeyError) and error.args:
        return f"{in_one_line(Exception(error.args[0]))} is missing"
    said = " ".join(str(error).split())[:MAX_LENGTH] or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in said)


def shown(value: object) -> str:
    """A value from a file, for a message: short text and numbers as they are, of most else the type.

    A list that contains another one twice, that one another twice, and so on, would take forever to write out.
    """
    if isinstance(value, str | bytes):
        return repr(value[:MAX_VALUE])
    if value is None or isinstance(value, bool | int | float):
        return repr(value)[:MAX_VALUE]
    if isinstance(value, list | tuple) and len(value) < MAX_VALUE and all(isinstance(v, int | float) for v in value):
        return repr(value)
    return f"a {type(value).__name__}"
