"""What can go wrong: `UserError` is meant for the person at the keyboard."""

MAX_LENGTH = 300
"""Characters of a message that are repeated within another one."""


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
