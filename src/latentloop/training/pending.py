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
    """A cache in front of a cache: the codes of a step count from `accept` on, and stay here until `commit`.

    A run that was killed goes on from its last checkpoint. It must not meet codes then that it found after it, or it
    would take another course than a run that was never stopped; nor those of a step that failed. Processes that train
    together tell each other what they find, so all have the same codes pending, and the first one writes them.
    """

    def __init__(self, cache: CodeCache | SharedCache, processes: Processes | None = None) -> None:
        self._cache, self._processes = cache, processes or Alone()
        self._found: dict[bytes, _Found] = {}
        self._new: list[tuple[bytes, _Found]] = []

    def __len__(self) -> int:
        return len(self._found)

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """The best code known of each photo, here or in the cache; None where there is none. All processes must ask."""
        stored = self._cache.lookup(photos)
        return [self._better(self._found.get(photo), old) for photo, old in zip(photos, stored, strict=True)]

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Propose codes, as in `CodeCache.update`; `lookup` gives them from `accept` on, nothing is written.

        Raises:
            ValueError: The shapes do not fit.
            NotFiniteError: A loss or code is not finite.
        """
        codes, losses = self._cache.stored(w_plus), loss.tolist()
        if not len(photos) == len(codes) == len(losses):
            raise ValueError(f"{len(photos)} photos, {len(codes)} codes and {len(losses)} losses do not go together")
        if not loss.isfinite().all():
            raise NotFiniteError("a loss is not finite")
        self._new += [(photo, _Found(c.copy(), v, step)) for photo, c, v in zip(photos, codes, losses, strict=True)]

    def accept(self) -> None:
        """Keep the new codes that are better than what was known. All processes must call it."""
        new, self._new = self._new, []
        found = self._processes.collected(new)
        photos = list(dict.fromkeys(photo for photo, _ in found))
        stored = dict(zip(photos, self._cache.lookup(photos), strict=True))
        for photo, one in found:
            known = self._better(self._found.get(photo), stored[photo])
            if known is None or one.loss < known.loss:
                self._found[photo] = one

    def discard(self) -> None:
        """Forget the codes proposed since the last call of `accept`."""
        self._new.clear()

    def commit(self) -> None:
        """Write all to the cache; what is written already is not made worse by writing it again.

        Of several processes the first one writes, and none may look anything up before it has.

        Raises:
            UserError: The cache cannot be written.
        """
        if self._processes.index == 0:
            self._write()
        self._found.clear()

    def state(self) -> dict[str, Tensor]:
        """The pending codes: photos (N, 32), codes (N, num_ws, w_dim), losses (N,) and steps (N,)."""
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
            losses = torch.tensor([self._found[photo].loss for photo in photos], dtype=torch.float64)
            self._cache.update(photos, codes, losses, step=step)

    def _better(self, found: _Found | None, stored: CachedCode | None) -> CachedCode | None:
        if found is None or (stored is not None and stored.loss <= found.loss):
            return stored
        return CachedCode(self._cache.decoded(found.code), found.loss, found.step)
