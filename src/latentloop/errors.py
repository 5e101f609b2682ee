"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Something about a file or an input is wrong; the message says what, and what to do about it."""
