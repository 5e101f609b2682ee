"""Requests of pages: whose session they are of, what was uploaded, and errors as sentences."""

import html
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import gradio as gr

from latentloop.errors import UserError
from latentloop.studio.session import Session, Sessions
from latentloop.studio.workbench import Workbench

P = ParamSpec("P")
T = TypeVar("T")

FAILED = "That did not work"
Updates = dict[Any, Any]
"""New values by component."""


class Events(Protocol):
    """Answers to what users do in a part of the page."""

    @property
    def bench(self) -> Workbench:
        """The workbench, whose turns they take."""
        ...


EventsT = TypeVar("EventsT", bound=Events)


def in_turn(handler: Callable[Concatenate[EventsT, P], T]) -> Callable[Concatenate[EventsT, P], T]:
    """Let events be answered by the thread of the quick requests."""

    @wraps(handler)
    def answer(events: EventsT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return events.bench.turns.quick(lambda: handler(events, *args, **kwargs))

    return answer


@contextmanager
def on_the_page() -> Iterator[None]:
    """Show an error as a sentence on the page, rather than end in a traceback."""
    try:
        yield
    except UserError as error:
        # The page takes the text for HTML, and names in a file may hold anything.
        raise gr.Error(html.escape(str(error), quote=False), title=FAILED, print_exception=False) from error
    except MemoryError as error:
        raise gr.Error("there is not enough memory for this", title=FAILED, print_exception=False) from error
    except OSError as error:  # the disk is full, or the page was closed, with which its files went
        raise gr.Error(f"a file cannot be used: {error.strerror}", title=FAILED, print_exception=False) from error


def session_of(sessions: Sessions, request: gr.Request) -> Session:
    """Find the session of the page that a request comes from."""
    with on_the_page():
        return sessions.get(str(request.session_hash))


def uploaded(sessions: Sessions, session: Session, payload: object) -> tuple[Path, str]:
    """Find an uploaded file, which must lie where uploads go, whatever a request names.

    Args:
        sessions: Their files lie beside the uploads.
        session: The session that it is deleted with.
        payload: What the page says of the file: its path here, and its name there.

    Returns:
        The file, and the name that it had on the user's machine.

    Raises:
        UserError: It is no uploaded file.
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
