"""Iterators one after another."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.inversion.iterator import Inversion, LatentIterator, OnStep


@dataclass(frozen=True)
class IteratorChain:
    """Refines a code with one iterator after another, each from the best code of the one before.

    So most steps can be taken on a quick generator, and the last ones on the one that draws the result. The
    generators share their latent space.
    """

    iterators: Sequence[LatentIterator]

    @property
    def steps(self) -> int:
        """Steps of all together."""
        return sum(iterator.config.steps for iterator in self.iterators)

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """As `LatentIterator.refine`, with the steps of all counted on and their losses in a row.

        Losses of different generators are not compared: of each iterator after the first the best code is taken, which
        may be the one that it started from.
        """
        found = self.iterators[0].refine(target, start, on_step)
        for iterator in self.iterators[1:]:
            done = len(found.losses) - 1
            later = iterator.refine(target, found.w_plus, _counting_from(done, on_step))
            found = Inversion(
                w_plus=later.w_plus,
                loss=later.loss,
                losses=torch.cat([found.losses, later.losses[1:]]),
                steps=torch.where(later.steps > 0, done + later.steps, found.steps),
                image=later.image,
            )
        return found


def _counting_from(done: int, on_step: OnStep | None) -> OnStep | None:
    if on_step is None:
        return None
    return lambda step, loss: on_step(done + step, loss) if step else None
