"""What can go wrong: `UserError` is meant for the person at the keyboard."""


class UserError(Exception):
    """Something about a file or an input is wrong; the message says what, and what to do about it."""


class NotFiniteError(ValueError):
    """A number that should be finite is NaN or infinite."""
