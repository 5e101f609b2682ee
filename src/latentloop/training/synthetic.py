"""Generated images of random codes, to learn from beside photos."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from latentloop.devices import onto
from latentloop.generators import Generator
from latentloop.training.codes import sample_training_codes
from latentloop.training.learner import randomness_of

AT_ONCE, AT_ONCE_ON_DEVICE = 8, 64
"""Number of images drawn together, on a CPU and on an accelerator."""
POOL = 64
"""Number of batches in a pool of images that are used more than once."""


class Drawn(NamedTuple):
    """Random codes and the images drawn from them."""

    w_plus: Tensor
    """Codes of N images, (N, num_ws, w_dim)."""
    images: Tensor
    """Images of the codes, (N, 3, R, R)."""


@dataclass
class Synthetic:
    """Draws a pool of images at a time, and reuses each image in several differently shuffled batches.

    The images of a step follow from the seed and the step's number alone. Of several processes, each draws its share.
    """

    generator: Generator
    resolution: int
    """Side of the images, R, in pixels."""
    batch: int
    """Images per step, over all processes; may be 0."""
    repeats: int
    """Number of batches that use each image."""
    seed: int
    share: slice = field(default_factory=lambda: slice(None))
    """Part of a batch's images that this process takes."""
    _number: int | None = field(default=None, init=False)
    _pool: Drawn = field(init=False, repr=False)

    def of_step(self, step: int) -> Drawn:
        """Return the codes and images to learn from in a step."""
        batches = POOL if self.repeats > 1 else 1
        number, within = divmod(step, batches * self.repeats)
        if number != self._number:
            self._number, self._pool = number, self._draw(batches, randomness_of(self.seed, number))
        repeat, place = divmod(within, batches)
        # A permutation of the pool's batches for each position in a batch, new for each repeat: an image stays in the
        # position, and so in the process, that drew it, but meets other images.
        rows = torch.rand(batches, self.batch, generator=randomness_of(self.seed, step - place)).argsort(dim=0)
        own = torch.arange(self.batch)[self.share]
        chosen = (rows[place, own] if repeat else torch.full_like(own, place)) * len(own) + torch.arange(len(own))
        chosen = onto(chosen, self._pool.images.device)
        return Drawn(self._pool.w_plus[chosen], self._pool.images[chosen])

    @torch.no_grad()
    def _draw(self, batches: int, randomness: torch.Generator) -> Drawn:
        # All processes sample the codes of the whole pool, which is cheap, and draw only their share.
        codes = sample_training_codes(self.generator, batches * self.batch, randomness=randomness)
        codes = codes.unflatten(0, (batches, self.batch))[:, self.share].flatten(0, 1)
        size, at_once = self.resolution, AT_ONCE if codes.device.type == "cpu" else AT_ONCE_ON_DEVICE
        # In parts, to bound the memory of the generator's features.
        images = [self.generator.synthesis(part, resolution=size) for part in codes.split(at_once) if len(part)]
        return Drawn(codes, torch.cat(images) if images else codes.new_empty(0, 3, size, size))
