"""Sessions: what each open page holds, apart from all others, in a folder that goes with it."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from latentloop.faces import AlignedFace
from latentloop.photo_editing.subjects import Subject
from latentloop.studio.history import EditState, History


@dataclass(frozen=True)
class OpenPhoto:
    """A photo with the faces that were found in it."""

    path: Path
    """Its file in the session's folder, under the name that the user gave it."""
    image: Tensor
    """The photo, (1, 3, H, W) in [-1, 1]."""
    faces: tuple[AlignedFace, ...]
    """Its faces that are large enough, the largest first."""
    aligned: bool
    """The whole photo is the face: nothing was detected."""


class Session:
    """An open page: the photo, the face that is edited, its edits, and directions of the user's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Folder of its files, which is deleted with the session."""
        self.uploads: set[Path] = set()
        """Files that came from the page, as Gradio keeps them."""
        self.photo: OpenPhoto | None = None
        """The photo that is open; None for a face without one."""
        self.face = 0
        """Number of the face that is edited, from 0."""
        self.argument: str | None = None
        """What names the face to `latentloop edit`: its code file, or a seed. None before there is a face."""
        self.w_plus: Tensor | None = None
        """Code of the face, (1, num_ws, w_dim): the newest one while better ones are looked for."""
        self.searched = False
        """A search of balanced quality has found the code."""
        self.subject: Subject | None = None
        """The face as `latentloop edit` reads it, once it is needed."""
        self.before: tuple[Tensor, list[Tensor] | None] | None = None
        """A code, and what `Editor.before` gave for it, or the face that it draws where there is no photo."""
        self.history = History()
        self.shown = EditState()
        """What the sliders say at this moment."""
        self.directions: dict[str, str] = {}
        """Directions beside the bundled ones: how edits name them, FILE:NAME, by the names on the page."""
        self.tray: dict[str, Tensor] = {}
        """Codes of the faces for mixing, (1, num_ws, w_dim), by name."""
        self._stop: threading.Event | None = None

    def take(self, argument: str, w_plus: Tensor) -> None:
        """Go on to a code, as it lies in a file or comes of a seed.

        Args:
            argument: What names it to `latentloop edit`.
            w_plus: The code, (1, num_ws, w_dim).
        """
        self.argument, self.w_plus, self.subject, self.searched = argument, w_plus, None, False

    def begin(self, photo: OpenPhoto | None) -> None:
        """Put another photo in the place of what is open, or none; its edits go, directions stay."""
        self.stop()
        self.photo, self.face, self.argument, self.w_plus, self.subject = photo, 0, None, None, None
        self.searched, self.before = False, None
        self.history, self.shown = History(), EditState()

    @contextmanager
    def work(self) -> Iterator[threading.Event]:
        """Begin work that `stop` ends; earlier work is stopped. Gives the event that is set when it has to end."""
        self.stop()
        self._stop = event = threading.Event()
        try:
            yield event
        finally:
            event.set()

    def stop(self) -> None:
        """End the work that goes on, if there is any, after the step that it is at."""
        if self._stop:
            self._stop.set()

    @property
    def working(self) -> bool:
        """Return whether work goes on."""
        return self._stop is not None and not self._stop.is_set()

    def close(self) -> None:
        """Stop, forget everything, and delete all files."""
        self.begin(None)
        self.tray.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Sessions:
    """The sessions of all open pages, by the key that Gradio gives each."""

    PREFIX: ClassVar[str] = "session-"
    root: Path
    """Folder of the sessions' folders."""
    _open: dict[str, Session] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> Session:
        """Find the session of a page; its first call opens it."""
        with self._lock:
            if key not in self._open:
                self._open[key] = Session(Path(tempfile.mkdtemp(prefix=self.PREFIX, dir=self.root)))
            return self._open[key]

    def close(self, key: str) -> None:
        """End the session of a page that was closed, if it has one, and delete its files."""
        with self._lock:
            session = self._open.pop(key, None)
            others = {path for one in self._open.values() for path in one.uploads}
        if session:
            session.close()
            for path in session.uploads - others:  # the same file in two pages lies in one place
                path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._open)
