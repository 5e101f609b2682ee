"""Interface of the store for each photo's best code in a training run."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from latentloop.cache import CachedCode


class BestCodes(Protocol):
    """Interface of a store of each photo's best code; the codes of a step count once the step is accepted."""

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """Return the best known code of each photo; None if there is none."""
        ...

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Propose the codes (N, num_ws, w_dim) of a step, with losses (N,)."""
        ...

    def accept(self) -> None:
        """Keep the proposed codes that are better than the known ones."""
        ...

    def discard(self) -> None:
        """Forget the proposed codes: their step failed."""
        ...

    def commit(self) -> None:
        """Make all accepted codes permanent, after the run was saved."""
        ...

    def state(self) -> Mapping[str, Tensor]:
        """Return the accepted codes that are not permanent yet."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore the codes that `state` returned."""
        ...


class NoCache:
    """A store that keeps nothing: in each step the iterator's latest code teaches."""

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """Return None for each photo: no code is known."""
        return [None] * len(photos)

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Do nothing: there is no store."""

    def accept(self) -> None:
        """Do nothing: there is no store."""

    def discard(self) -> None:
        """Do nothing: there is no store."""

    def commit(self) -> None:
        """Do nothing: there is no store."""

    def state(self) -> Mapping[str, Tensor]:
        """Return an empty state: there is no store."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Do nothing: there is no store."""
