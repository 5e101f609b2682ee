"""Errors as the command line says them."""

from latentloop.errors import UserError


def with_options(error: UserError) -> str:
    """An error's message, and the options for the arguments that it names."""
    options = ", ".join(f"--{name.replace('_', '-')}" for name in error.arguments)
    return f"{error}; see {options}" if options else str(error)
