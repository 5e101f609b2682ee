"""Sessions: the state of each open page, separate from all others, in a folder that is deleted with it."""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from latentloop.editing import Direction
from latentloop.errors import UserError
from latentloop.faces import AlignedFace
from latentloop.photo_editing.subjects import Subject
from latentloop.studio.history import EditState, History

NO_FACE = "choose a photo first, or a random face"
"""Error message if no face is open."""


class Stopped(Exception):  # noqa: N818 - no error
    """Raised when the user ends the work, or opens or closes what it is done on."""


@dataclass(frozen=True)
class OpenPhoto:
    """A photo with the faces found in it."""

    path: Path
    """Copy of the photo in the session's folder, under its original name."""
    size: tuple[int, int]
    """Width and height, in pixels."""
    faces: tuple[AlignedFace, ...]
    """Faces that are large enough, the largest first."""
    aligned: bool
    """True if the whole photo is the face: nothing was detected."""


@dataclass
class OpenFace:
    """A face with its code and its edits; after a switch to another face it is not updated any more."""

    place: Path
    """Folder of its files."""
    argument: str
    """Argument of `latentloop edit` for the face: its code file, or a seed."""
    w_plus: Tensor
    """Code of the face, (1, num_ws, w_dim); during a search, the best one so far."""
    photo: OpenPhoto | None = None
    """Photo of the face; None for a face without one."""
    number: int = 0
    """Number of the face in the photo, from 0."""
    found: bool = False
    """True if the code is better than a first pass: searches continue from it."""
    balanced: bool = False
    """True if a search of balanced quality found the code."""
    history: History = field(default_factory=History)
    shown: EditState = EditState()
    """Current values of the sliders."""
    subject: Subject | None = None
    """The face as `latentloop edit` reads it; None until it is needed."""
    before: tuple[Tensor, list[Tensor] | None] | None = None
    """A code with its result of `Editor.before`, or with its drawn face if there is no photo."""
    codes: int = 0
    """Number of codes that searches have given it."""

    def take(self, argument: str, w_plus: Tensor, *, balanced: bool = False) -> None:
        """Replace the code by one that a search found.

        Args:
            argument: File of the code.
            w_plus: Code, (1, num_ws, w_dim).
            balanced: The search was of balanced quality, or better.
        """
        self.codes += 1
        self.argument, self.w_plus, self.found, self.balanced = argument, w_plus, True, balanced
        self.subject = None


@dataclass(frozen=True)
class OwnDirection:
    """A direction that the user added."""

    argument: str
    """Name of the direction in edits, FILE:NAME."""
    direction: Direction


class Session:
    """State of an open page: the edited face, faces for mixing, and the user's own directions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Folder of its files, deleted with the session."""
        self.uploads: set[Path] = set()
        """Uploaded files, in Gradio's folder."""
        self.face: OpenFace | None = None
        """Face that is edited."""
        self.directions: dict[str, OwnDirection] = {}
        """The user's own directions, by their names on the page."""
        self.tray: dict[str, Tensor] = {}
        """Codes of the faces for mixing, (1, num_ws, w_dim), by name."""
        self.restricted: dict[tuple[int, tuple[str, ...]], tuple[Direction, Direction]] = {}
        """Directions, also made orthogonal to those to keep, by their identities and the names of those to keep."""
        self._stop: threading.Event | None = None
        self._closed = False

    @property
    def opened(self) -> OpenFace:
        """Face that is edited.

        Raises:
            UserError: No face is open.
        """
        if self.face is None:
            raise UserError(NO_FACE)
        return self.face

    def new_place(self) -> Path:
        """Create a folder for the files of a newly opened face."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def begin(self, face: OpenFace | None) -> None:
        """Switch to another face; the files of the old one are deleted, directions are kept."""
        self.stop()
        old, self.face = self.face, face
        if old and (face is None or face.place != old.place):
            shutil.rmtree(old.place, ignore_errors=True)

    def use(self, directions: Mapping[str, OwnDirection]) -> None:
        """Replace the user's own directions; the edit loses those that are gone, also from its history."""
        gone = {name for name, one in self.directions.items() if directions.get(name) is not one}
        self.directions = dict(directions)
        if face := self.face:
            face.shown = face.shown.without(gone)
            face.history.forget(gone)

    @contextmanager
    def work(self) -> Iterator[threading.Event]:
        """Start work, stopping earlier work; yields the event that is set when it must end.

        Raises:
            Stopped: The work failed after its end was asked for: opening another face deletes the files of this one.
        """
        self.stop()
        self._stop = event = threading.Event()
        if self._closed:
            event.set()
        try:
            yield event
        except (UserError, OSError) as error:
            if event.is_set():
                raise Stopped from error
            raise
        finally:
            event.set()
            if self._closed:  # files written after the session was closed
                shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Stop the current work, if any, after its current step."""
        if self._stop:
            self._stop.set()

    def close(self) -> None:
        """Stop, forget everything, and delete all files."""
        self._closed = True
        self.begin(None)
        self.tray.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Sessions:
    """Sessions of all open pages, by Gradio's key for each."""

    PREFIX: ClassVar[str] = "session-"
    """Prefix of the names of session folders."""
    MOST: ClassVar[int] = 50
    """Largest number of open pages; beyond it the least recently used one is closed."""
    root: Path
    """Folder of the sessions' folders."""
    _open: dict[str, Session] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> Session:
        """Return the session of a page; the first call opens it.

        Raises:
            UserError: The page was closed.
        """
        with self._lock:
            if key in self._closed:
                raise UserError("this page was closed; load it again")
            session = self._open.pop(key, None) or self._new()
            self._open[key] = session  # dicts keep insertion order: now the most recently used
            oldest = next(iter(self._open)) if len(self._open) > self.MOST else None
        if oldest:
            self.close(oldest)
        return session

    def _new(self) -> Session:
        # Gradio serves files to anyone who knows their paths: this one cannot be guessed.
        folder = self.root / f"{self.PREFIX}{secrets.token_urlsafe(24)}"
        folder.mkdir(mode=0o700)
        return Session(folder)

    def close(self, key: str) -> None:
        """End the session of a closed page, if it has one, and delete its files."""
        with self._lock:
            session = self._open.pop(key, None)
            self._closed.add(key)
            others = {path for one in self._open.values() for path in one.uploads}
        if session:
            session.close()
            for path in session.uploads - others:  # Gradio stores a file once if two pages upload it
                path.unlink(missing_ok=True)

    def close_all(self) -> None:
        """End all sessions when the server ends."""
        with self._lock:
            keys = list(self._open)
        for key in keys:
            self.close(key)

    def __len__(self) -> int:
        return len(self._open)
