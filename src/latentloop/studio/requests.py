"""Requests of pages: their sessions, uploads, and errors as sentences."""

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import gradio as gr

from latentloop.errors import NotFiniteError, UserError, in_one_line, is_out_of_memory
from latentloop.studio.session import Session, Sessions
from latentloop.studio.workbench import Workbench

P = ParamSpec("P")
T = TypeVar("T")

FAILED = "That did not work"
"""Title of error messages on the page."""
NO_MEMORY = (
    "there is not enough memory for this: close other programs, or start the studio with a smaller "
    "--generator or on another --device"
)
"""Error message if memory runs out, on whatever device."""
EXPLAINED = (UserError, NotFiniteError, MemoryError, RuntimeError, OSError)
"""Kinds of errors among which `explained` finds those that are no fault of the program."""
Updates = dict[Any, Any]
"""New values by component."""


class Events(Protocol):
    """Interface of the event handlers of a part of the page."""

    @property
    def bench(self) -> Workbench:
        """Workbench whose turns they take."""
        ...


EventsT = TypeVar("EventsT", bound=Events)


def in_turn(handler: Callable[Concatenate[EventsT, P], T]) -> Callable[Concatenate[EventsT, P], T]:
    """Run an event handler in the thread of quick requests."""

    @wraps(handler)
    def answer(events: EventsT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return events.bench.turns.quick(lambda: handler(events, *args, **kwargs))

    return answer


@contextmanager
def on_the_page() -> Iterator[None]:
    """Show an error as a sentence on the page, without a traceback."""
    try:
        yield
    except EXPLAINED as error:
        # The page treats the text as HTML, and a file may contain any names.
        raise gr.Error(html.escape(explained(error), quote=False), title=FAILED, print_exception=False) from error


def explained(error: Exception) -> str:
    """Say in a sentence what is wrong, and what to do about it.

    Args:
        error: One of `EXPLAINED`; a fault of the program is raised again.
    """
    if is_out_of_memory(error):
        return NO_MEMORY
    if isinstance(error, NotFiniteError):
        return f"{error}; find the code with latentloop embed and a smaller --lr, and open it here"
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):  # the disk is full, or the page was closed, which deletes its files
        return f"a file cannot be used: {error.strerror or in_one_line(error)}"
    raise error


def session_of(sessions: Sessions, request: gr.Request) -> Session:
    """Find the session of the page that a request comes from."""
    with on_the_page():
        return sessions.get(str(request.session_hash))


def uploaded(sessions: Sessions, session: Session, payload: object) -> tuple[Path, str]:
    """Find an uploaded file, which must be in the upload folder, whatever the request names.

    Args:
        sessions: Sessions whose folder contains the uploads.
        session: Session that the file is deleted with.
        payload: The page's description of the file: its path here, and its original name.

    Returns:
        The file, and its name on the user's machine.

    Raises:
        UserError: The payload is not an uploaded file.
    """
    if isinstance(payload, str):
        payload = {"path": payload}
    root = sessions.root.resolve()
    if isinstance(payload, Mapping) and isinstance(payload.get("path"), str):
        path = Path(payload["path"]).resolve()
        inside = path.is_relative_to(root) and path.is_file()
        if inside and not path.relative_to(root).parts[0].startswith(Sessions.PREFIX):
            session.uploads.add(path)
            return path, str(payload.get("orig_name") or path.name)
    raise UserError("the file did not arrive; try again")
