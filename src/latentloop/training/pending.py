"""Best codes of a training run since its last checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.cache import CachedCode, CodeCache
from latentloop.errors import NotFiniteError
from latentloop.training.processes import Alone, Processes
from latentloop.training.shared_cache import SharedCache


class _Found(NamedTuple):
    code: npt.NDArray[np.floating[Any]]  # (num_ws, w_dim), as the cache stores it
    loss: float
    step: int


class PendingCodes:
    """A transaction in front of a cache: codes count from `accept` on, and are written by `commit`.

    A killed run resumes from its last checkpoint. It must not find codes there that were computed later, or its course
    would differ from that of an uninterrupted run; nor codes of a failed step. Processes that train together exchange
    their codes, so all have the same codes pending, and the first one writes them.
    """

    def __init__(self, cache: CodeCache | SharedCache, processes: Processes | None = None) -> None:
        self._cache, self._processes = cache, processes or Alone()
        self._found: dict[bytes, _Found] = {}
        self._new: list[tuple[bytes, _Found]] = []

    def __len__(self) -> int:
        return len(self._found)

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """Return the best code of each photo, pending or cached; None if there is none.

        Collective: all processes must call it.
        """
        stored = self._cache.lookup(photos)
        return [self._better(self._found.get(photo), old) for photo, old in zip(photos, stored, strict=True)]

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Propose codes, as in `CodeCache.update`; `lookup` returns them after `accept`, nothing is written.

        Raises:
            ValueError: The shapes do not match.
            NotFiniteError: A loss or code is not finite.
        """
        codes, losses = self._cache.stored(w_plus), loss.tolist()
        if not len(photos) == len(codes) == len(losses):
            raise ValueError(f"numbers must agree, got {len(photos)} photos, {len(codes)} codes, {len(losses)} losses")
        if not loss.isfinite().all():
            raise NotFiniteError("a loss is not finite")
        # Copied: a view of a row would keep the whole batch in memory.
        self._new += [(photo, _Found(c.copy(), v, step)) for photo, c, v in zip(photos, codes, losses, strict=True)]

    def accept(self) -> None:
        """Keep the proposed codes that are better than the known ones. Collective: all processes must call it."""
        new, self._new = self._new, []
        # In the order of processes, with ties to the first: all processes reach the same decisions.
        found = self._processes.collected(new)
        photos = list(dict.fromkeys(photo for photo, _ in found))
        stored = dict(zip(photos, self._cache.lookup(photos), strict=True))
        for photo, one in found:
            known = self._better(self._found.get(photo), stored[photo])
            if known is None or one.loss < known.loss:
                self._found[photo] = one

    def discard(self) -> None:
        """Forget the codes proposed since the last `accept`."""
        self._new.clear()

    def commit(self) -> None:
        """Write all pending codes to the cache; writing them twice is harmless.

        Only the first process writes, and no process may look anything up before it has.

        Raises:
            UserError: The cache cannot be written.
        """
        # All processes hold the same pending codes; one of them writes, and all forget them.
        if self._processes.index == 0:
            self._write()
        self._found.clear()

    def state(self) -> dict[str, Tensor]:
        """Return the pending codes: photos (N, 32), codes (N, num_ws, w_dim), losses (N,) and steps (N,)."""
        found = list(self._found.values())
        shape = (self._cache.space.num_ws, self._cache.space.w_dim)
        codes = np.stack([one.code for one in found]) if found else np.zeros((0, *shape), self._cache.dtype)
        return {
            "photos": torch.tensor([list(photo) for photo in self._found], dtype=torch.uint8),
            "codes": torch.from_numpy(codes),
            "losses": torch.tensor([one.loss for one in found], dtype=torch.float64),
            "steps": torch.tensor([one.step for one in found], dtype=torch.int64),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore the codes that `state` returned."""
        photos = [bytes(photo) for photo in state["photos"].tolist()]
        rest = zip(state["codes"].numpy(), state["losses"].tolist(), state["steps"].tolist(), strict=True)
        self._found = {photo: _Found(*one) for photo, one in zip(photos, rest, strict=True)}

    def _write(self) -> None:
        by_step: dict[int, list[bytes]] = {}
        for photo, found in self._found.items():
            by_step.setdefault(found.step, []).append(photo)
        for step, photos in by_step.items():
            codes = torch.from_numpy(np.stack([self._found[photo].code for photo in photos]))
            # float64 throughout: the cached loss must equal the pending one exactly, or a resumed run would differ.
            losses = torch.tensor([self._found[photo].loss for photo in photos], dtype=torch.float64)
            self._cache.update(photos, codes, losses, step=step)

    def _better(self, found: _Found | None, stored: CachedCode | None) -> CachedCode | None:
        # On a tie the cached code wins, as it does in the cache itself.
        if found is None or (stored is not None and stored.loss <= found.loss):
            return stored
        return CachedCode(self._cache.decoded(found.code), found.loss, found.step)
