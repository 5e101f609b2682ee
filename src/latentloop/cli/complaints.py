"""Error messages on stderr: one line each, with the options that help."""

import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from latentloop.errors import Notice, UserError, printable

offered: ContextVar[frozenset[str] | None] = ContextVar("options of the running command", default=None)
"""Options that error messages may name; None permits all, as before a command is parsed."""


running: ContextVar[str] = ContextVar("name of the running program", default="latentloop")
"""Name of the running program, with which messages begin."""


def complain(problem: UserError | str) -> None:
    """Print an error or a notice as one line on stderr."""
    text = with_options(problem) if isinstance(problem, UserError) else problem
    print(printable(f"{running.get()}: {text}"), file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def complaining_of_notices() -> Iterator[None]:
    """Print each `Notice` within the block as one line on stderr, without the place in the code."""
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, *place: Any, **more: Any) -> None:  # noqa: ANN401 - of `warnings.showwarning`
            if isinstance(message, Notice):
                complain(str(message))
            else:
                shown(message, *place, **more)

        warnings.showwarning = show
        yield


def with_options(error: UserError) -> str:
    """Format an error's message, with those options of the running command that set the arguments it names."""
    known = offered.get()
    flags = [flag for argument in error.arguments for flag in (option_name(argument), option_name(f"no_{argument}"))]
    options = list(map(option_name, error.arguments)) if known is None else [flag for flag in flags if flag in known]
    return f"{error}; see {', '.join(options)}" if options else str(error)


def option_name(field: str) -> str:
    """Format the option of a field, such as --max-pixels for max_pixels."""
    return f"--{field.replace('_', '-')}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the known word most similar to an unknown one, as the end of a message; empty if none is similar."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""
