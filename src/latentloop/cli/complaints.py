"""Error messages of the command line: one line on stderr that names the options that help."""

import difflib
import sys
from collections.abc import Iterable

from latentloop.errors import UserError


def complain(problem: UserError | str) -> None:
    """Print what is wrong, or worth a notice, as one line on stderr."""
    text = with_options(problem) if isinstance(problem, UserError) else problem
    print(f"latentloop: {text}", file=sys.stderr, flush=True)  # noqa: T201


def with_options(error: UserError) -> str:
    """Format an error's message with the options for the arguments that it names."""
    options = ", ".join(map(option_name, error.arguments))
    return f"{error}; see {options}" if options else str(error)


def option_name(field: str) -> str:
    """Name the option of a field, such as --max-pixels for max_pixels."""
    return f"--{field.replace('_', '-')}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word most similar to an unknown one, as the end of a message; empty if none is similar."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""
