"""Store of the best code of each photo in a training run."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from latentloop.cache import CachedCode


class BestCodes(Protocol):
    """The best code known of each photo; the codes of a step count once the step is accepted."""

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """The best code known of each photo, None where there is none."""
        ...

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        """Propose the codes (N, num_ws, w_dim) of a step, with losses (N,)."""
        ...

    def accept(self) -> None:
        """Keep those of the proposed codes that are better than what was known."""
        ...

    def discard(self) -> None:
        """Forget the proposed codes: their step failed."""
        ...

    def commit(self) -> None:
        """Make all accepted codes permanent, as the run has just been saved."""
        ...

    def state(self) -> Mapping[str, Tensor]:
        """The accepted codes that are not permanent yet."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore the codes that `state` returned."""
        ...


class NoCache:
    """A store that keeps nothing: the iterator's latest code teaches in each round."""

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        """No code is known of any photo."""
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
