"""Code cache for processes that train together, on one machine or on several."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from latentloop.cache import CachedCode, CodeCache, CodeSpace
from latentloop.cache_description import CodeFormat
from latentloop.errors import UserError
from latentloop.training.processes import Processes, failing_together


class SharedCache:
    """A cache whose file only the first process opens; the others ask it.

    SQLite's write-ahead log relies on memory shared between processes, so several machines cannot use it on a network
    folder.
    """

    def __init__(self, open_file: Callable[[], CodeCache], space: CodeSpace, processes: Processes) -> None:
        """Open the file in the first process. Collective: every process must call it.

        Args:
            open_file: Opens the cache.
            space: Latent space and loss of the codes.
            processes: Processes that train together.

        Raises:
            UserError: The file cannot be used.
        """
        self.space, self._processes = space, processes
        with failing_together(processes, UserError):
            self._cache = open_file() if processes.index == 0 else None  # compare with None: an empty cache is falsy
        (name,) = processes.collected([] if self._cache is None else [self._cache.dtype.name])
        self.dtype = np.dtype(name)
        self._format = CodeFormat(space.num_ws, space.w_dim, self.dtype)

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """Look up the best known code of each photo, as `CodeCache.lookup`. Collective: every process must call it."""
        # One query for all processes, whose photos may overlap; each picks its own answers.
        asked = dict.fromkeys(photo for wanted in self._processes.collected([list(photos)]) for photo in wanted)
        with failing_together(self._processes, UserError):
            found = [] if self._cache is None else self._cache.lookup(list(asked))
        answers = dict(zip(asked, self._processes.collected(found), strict=True))
        return [answers[photo] for photo in photos]

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Store codes in the first process, as `CodeCache.update`; the other processes need not call it."""
        if self._cache is not None:
            self._cache.update(photos, w_plus, loss, step=step)

    def stored(self, w_plus: Tensor) -> npt.NDArray[np.floating[Any]]:
        """Convert codes (N, num_ws, w_dim) to the type that the file stores, as `CodeFormat.stored`."""
        return self._format.stored(w_plus)

    def decoded(self, code: npt.NDArray[np.floating[Any]]) -> Tensor:
        """Convert a stored code to (num_ws, w_dim) in float32, as `CodeFormat.decoded`."""
        return self._format.decoded(code)
