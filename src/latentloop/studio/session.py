"""Sessions: what each open page holds, apart from all others, in a folder that goes with it."""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
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


@dataclass(frozen=True)
class OpenPhoto:
    """A photo with the faces that were found in it."""

    path: Path
    """Its file in the session's folder, under the name that the user gave it."""
    size: tuple[int, int]
    """Width and height, in pixels."""
    faces: tuple[AlignedFace, ...]
    """Its faces that are large enough, the largest first."""
    aligned: bool
    """The whole photo is the face: nothing was detected."""


@dataclass
class OpenFace:
    """A face that is edited, with its code and its edits. What another photo takes the place of is left as it is."""

    place: Path
    """Folder of its files."""
    argument: str
    """What names the face to `latentloop edit`: its code file, or a seed."""
    w_plus: Tensor
    """Its code, (1, num_ws, w_dim): the newest one while better ones are looked for."""
    photo: OpenPhoto | None = None
    """The photo; None for a face without one."""
    number: int = 0
    """Number of the face in the photo, from 0."""
    found: bool = False
    """The code is more than a first look: searches go on from it."""
    balanced: bool = False
    """A search of balanced quality has found it."""
    history: History = field(default_factory=History)
    shown: EditState = EditState()
    """What the sliders say at this moment."""
    subject: Subject | None = None
    """The face as `latentloop edit` reads it, once it was needed."""
    before: tuple[Tensor, list[Tensor] | None] | None = None
    """A code, and what `Editor.before` gave for it, or the face that it draws where there is no photo."""
    codes: int = 0
    """Number of codes that it has taken."""

    def take(self, argument: str, w_plus: Tensor, *, balanced: bool = False) -> None:
        """Go on to another code of the face, as a search found it.

        Args:
            argument: Its file.
            w_plus: The code, (1, num_ws, w_dim).
            balanced: The search was of balanced quality, or better.
        """
        self.codes += 1
        self.argument, self.w_plus, self.found, self.balanced = argument, w_plus, True, balanced
        self.subject = None


@dataclass(frozen=True)
class OwnDirection:
    """A direction of the user's own."""

    argument: str
    """How edits name it, FILE:NAME."""
    direction: Direction


class Session:
    """An open page: the face that is edited, faces for mixing, and directions of the user's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Folder of its files, which is deleted with the session."""
        self.uploads: set[Path] = set()
        """Files that came from the page, as Gradio keeps them."""
        self.face: OpenFace | None = None
        """The face that is edited."""
        self.directions: dict[str, OwnDirection] = {}
        """Directions beside the bundled ones, by their names on the page."""
        self.tray: dict[str, Tensor] = {}
        """Codes of the faces for mixing, (1, num_ws, w_dim), by name."""
        self.restricted: dict[tuple[str, tuple[str, ...]], Direction] = {}
        """Directions without what changes attributes to keep, by their names and those to keep."""
        self._stop: threading.Event | None = None
        self._closed = False

    @property
    def opened(self) -> OpenFace:
        """The face that is edited.

        Raises:
            UserError: There is none yet.
        """
        if self.face is None:
            raise UserError(NO_FACE)
        return self.face

    def new_place(self) -> Path:
        """Make a folder for the files of something that is opened."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def begin(self, face: OpenFace | None) -> None:
        """Put another face in the place of the one that is edited; the files of that go, directions stay."""
        self.stop()
        old, self.face = self.face, face
        if old and (face is None or face.place != old.place):
            shutil.rmtree(old.place, ignore_errors=True)

    @contextmanager
    def work(self) -> Iterator[threading.Event]:
        """Begin work that `stop` ends; earlier work is stopped. Gives the event that is set when it has to end."""
        self.stop()
        self._stop = event = threading.Event()
        if self._closed:
            event.set()
        try:
            yield event
        finally:
            event.set()
            if self._closed:  # what was written after that
                shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """End the work that goes on, if there is any, after the step that it is at."""
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
    """The sessions of all open pages, by the key that Gradio gives each."""

    PREFIX: ClassVar[str] = "session-"
    MOST: ClassVar[int] = 50
    """Pages that may be open; the one that was used least recently is closed for another."""
    root: Path
    """Folder of the sessions' folders."""
    _open: dict[str, Session] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> Session:
        """Find the session of a page; its first call opens it.

        Raises:
            UserError: The page was closed.
        """
        with self._lock:
            if key in self._closed:
                raise UserError("this page was closed; load it again")
            session = self._open.pop(key, None) or self._new()
            self._open[key] = session  # the last in the order of use
            oldest = next(iter(self._open)) if len(self._open) > self.MOST else None
        if oldest:
            self.close(oldest)
        return session

    def _new(self) -> Session:
        # Gradio gives a file to whoever knows its path: nobody guesses this one.
        folder = self.root / f"{self.PREFIX}{secrets.token_urlsafe(24)}"
        folder.mkdir(mode=0o700)
        return Session(folder)

    def close(self, key: str) -> None:
        """End the session of a page that was closed, if it has one, and delete its files."""
        with self._lock:
            session = self._open.pop(key, None)
            self._closed.add(key)
            others = {path for one in self._open.values() for path in one.uploads}
        if session:
            session.close()
            for path in session.uploads - others:  # the same file in two pages lies in one place
                path.unlink(missing_ok=True)

    def close_all(self) -> None:
        """End all sessions, with the server."""
        with self._lock:
            keys = list(self._open)
        for key in keys:
            self.close(key)

    def __len__(self) -> int:
        return len(self._open)
