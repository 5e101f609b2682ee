"""Our refiners beyond W+ in a benchmark, with the defaults of `latentloop embed`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from latentloop.embedding.beyond import beyond_refiner, refining_loss
from latentloop.generators import Generator, refined
from latentloop.inversion import BeyondConfig, BeyondRefiner, Inversion, LatentIterator
from latentloop.inversion.beyond_config import Refine
from latentloop.inversion.chain import counting_from
from latentloop.inversion.iterator import OnStep
from latentloop.losses import iterator_loss
from latentloop.losses.config import LossConfig

OurRefiner = Callable[[Refine, int], BeyondRefiner]
"""Function from the kind of refinement and a number of steps to our refiner beyond W+."""


@dataclass(frozen=True)
class IteratedAndRefined:
    """Our iterator, followed by a refiner beyond W+ that starts from its codes."""

    iterator: LatentIterator
    beyond: BeyondRefiner

    def refine(self, target: Tensor, start: Tensor, on_step: OnStep | None = None) -> Inversion:
        """Refine codes of targets (N, 3, R, R) in [-1, 1], and the generators that draw them, as `Refiner.refine`."""
        found = self.iterator.refine(target, start, on_step)
        done = self.iterator.config.steps
        later = self.beyond.refine(target, found.w_plus, counting_from(done, on_step) if done else on_step)
        generators = tuple(refined(self.beyond.generator, one) for one in later.refinements)

        @torch.no_grad()
        def draw() -> Tensor:
            pairs = zip(generators, found.w_plus.split(1), strict=True)
            return torch.cat([one.synthesis(w, resolution=target.shape[-1]) for one, w in pairs])

        losses = torch.cat([found.losses, later.losses])
        return replace(found, loss=later.losses.amin(dim=0), losses=losses, draw=draw, generators=generators)


def our_refiner(generator: Generator) -> OurRefiner:
    """Return a function that creates refiners with the defaults of `latentloop embed`, except for the number of steps.

    They compare images at the targets' size.

    Args:
        generator: Generator that is refined, a module in float32.
    """

    def made(refine: Refine, steps: int) -> BeyondRefiner:
        loss = iterator_loss(refining_loss(LossConfig()), device=generator.device)
        return beyond_refiner(BeyondConfig(refine, steps), loss, generator)

    return made
