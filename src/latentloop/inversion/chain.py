"""A chain of iterators, such as one on a quick generator followed by one on a better generator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.inversion.iterator import Inversion, LatentIterator, OnCode, OnStep


@dataclass(frozen=True)
class IteratorChain:
    """Iterators that run one after another, each from the best code of the one before.

    Most steps can then run on a quick generator, and the last ones on the generator that draws the result.
    """

    iterators: Sequence[LatentIterator]
    """Iterators in order, at least one; their generators share a latent space."""

    @property
    def steps(self) -> int:
        """Total number of steps of all iterators."""
        return sum(iterator.config.steps for iterator in self.iterators)

    def refine(
        self, target: Tensor, start: Tensor, on_step: OnStep | None = None, on_code: OnCode | None = None
    ) -> Inversion:
        """Refine codes as `LatentIterator.refine` does, with steps and losses counted through all iterators.

        Iterators with 0 steps are skipped. Losses of different generators are not comparable, so each iterator returns
        its own best code, which may be the one that it started from.
        """
        first, *rest = [one for one in self.iterators if one.config.steps] or self.iterators[-1:]
        result, done = first.refine(target, start, on_step, on_code), first.config.steps
        for iterator in rest:
            later = iterator.refine(target, result.w_plus, counting_from(done, on_step), on_code)
            result = replace(
                later,
                # Without the later iterator's loss at its start: that code has a place in the curve already.
                losses=torch.cat([result.losses, later.losses[1:]]),
                steps=torch.where(later.steps > 0, done + later.steps, result.steps),
            )
            done += iterator.config.steps
        return result


def counting_from(done: int, on_step: OnStep | None) -> OnStep | None:
    """Wrap a callback for a later iterator: steps continue from `done`, and the call at its start is dropped."""
    if on_step is None:
        return None
    return lambda step, loss: on_step(done + step, loss) if step else None
