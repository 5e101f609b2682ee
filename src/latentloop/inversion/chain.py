"""A chain of iterators, such as a quick generator's and then a finer one's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.inversion.iterator import Inversion, LatentIterator, OnCode, OnStep


@dataclass(frozen=True)
class IteratorChain:
    """Refines a code with one iterator after another, each from the best code of the one before.

    So most steps can be taken on a quick generator, and the last ones on the one that draws the result. The
    generators share their latent space.
    """

    iterators: Sequence[LatentIterator]
    """One iterator or more, in order; their generators share a latent space."""

    @property
    def steps(self) -> int:
        """Number of steps of all iterators together."""
        return sum(iterator.config.steps for iterator in self.iterators)

    def refine(
        self, target: Tensor, start: Tensor, on_step: OnStep | None = None, on_code: OnCode | None = None
    ) -> Inversion:
        """Refine codes as `LatentIterator.refine` does; steps are counted on and losses stand in one row.

        Iterators with 0 steps are passed over. Losses of different generators are not compared: of each iterator after
        the first the best code is taken, which may be the one that it started from.
        """
        first, *rest = [one for one in self.iterators if one.config.steps] or self.iterators[-1:]
        result, done = first.refine(target, start, on_step, on_code), first.config.steps
        for iterator in rest:
            later = iterator.refine(target, result.w_plus, counting_from(done, on_step), on_code)
            result = replace(
                later,
                losses=torch.cat([result.losses, later.losses[1:]]),
                steps=torch.where(later.steps > 0, done + later.steps, result.steps),
            )
            done += iterator.config.steps
        return result


def counting_from(done: int, on_step: OnStep | None) -> OnStep | None:
    """Wrap what a later iterator calls: its steps are counted on from those that are done, without its start."""
    if on_step is None:
        return None
    return lambda step, loss: on_step(done + step, loss) if step else None
