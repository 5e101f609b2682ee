"""Measures of editability: how close a code's styles are to those of random codes, and to each other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.generators.affine import Affine, affines
from latentloop.generators.protocol import Generator
from latentloop.generators.sampling import random_inputs
from latentloop.latents.sampling import broadcast

SAMPLES = 10_000
"""Random codes from which the anchors are computed; LSAP's 100,000 change a code's value by .001 at most."""
BATCH = 1000
"""Number of codes that are mapped at a time."""


@dataclass(frozen=True)
class AnchoredStyle:
    """One style vector of a generator, with its mean direction over random codes."""

    layer: int
    """Index of the style in the code that it is mapped from."""
    affine: Affine
    """Affine map from the style in W to the style vector, (C,)."""
    anchor: Tensor
    """Mean of unit-length style vectors over random codes, (C,); its own length is below 1."""


@dataclass(frozen=True)
class StyleAlignment:
    """LSAP's alignment of a code's style vectors with those of random codes (Cao et al., arXiv:2209.12746)."""

    styles: Sequence[AnchoredStyle]
    """Style vectors of the generator, with their anchors."""
    w_std: float
    """Standard deviation of W: the root of the mean variance of its numbers."""

    def __call__(self, w_plus: Tensor) -> Tensor:
        """Compute the alignment of codes, (N,): the mean over style vectors of their projection on the anchor.

        The vectors are scaled to unit length. Higher is closer to random codes; the maximum is the mean of the anchors'
        lengths. It is differentiable, and LSAP adds it to a loss with a negative weight.

        Args:
            w_plus: Codes, (N, num_ws, w_dim), on the generator's device.
        """
        cosines = [F.normalize(one.affine(w_plus[:, one.layer]), dim=1) @ one.anchor for one in self.styles]
        return torch.stack(cosines).mean(dim=0)


def layer_spread(w_plus: Tensor, *, w_std: float) -> Tensor:
    """Compute the spread of a code's styles over its layers, (N,): 0 in W, about 1 for independent random styles.

    It is the mean over layers and numbers of the squared distance to the layers' mean, in units of W's variance; e4e
    (arXiv:2102.02766) keeps codes near W with a penalty of this kind.

    Args:
        w_plus: Codes, (N, num_ws, w_dim).
        w_std: Standard deviation of W, see `StyleAlignment`.
    """
    return (w_plus - w_plus.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2)) / w_std**2


@torch.no_grad()
def w_std_of(generator: Generator, *, samples: int = BATCH, seed: int = 0) -> float:
    """Estimate the standard deviation of W, the root of the mean variance of its numbers, to about 1 %.

    Args:
        generator: Generator whose mapping network is used.
        samples: Number of random codes.
        seed: Random seed of z.
    """
    codes = torch.cat(list(_random_codes(generator, samples, seed)))
    return math.sqrt(codes.var(dim=0).mean())


@torch.no_grad()  # not inference_mode: its tensors cannot take part in the gradient with respect to codes
def style_alignment(generator: Generator, *, samples: int = SAMPLES, seed: int = 0) -> StyleAlignment:
    """Compute the anchors of a generator from random, untruncated codes; 10,000 take a few seconds.

    For a generator that does not expose its affine maps, the styles in W themselves are compared.

    Args:
        generator: Generator of the codes.
        samples: Number of random codes.
        seed: Random seed of z.
    """
    maps = affines(generator) or _styles_of_w(generator)
    layers = [(layer, affine) for layer, of_style in enumerate(maps) for affine in of_style]
    sums = [torch.zeros_like(affine.bias) for _, affine in layers]
    # float64, since a variance as a difference of two means loses digits.
    mean, square = (torch.zeros(generator.num_ws, generator.w_dim, dtype=torch.float64) for _ in range(2))
    for w_plus in _random_codes(generator, samples, seed):
        for total, (layer, affine) in zip(sums, layers, strict=True):
            total += F.normalize(affine(w_plus[:, layer]), dim=1).sum(dim=0) / samples
        mean += w_plus.sum(dim=0).cpu() / samples
        square += w_plus.square().sum(dim=0).cpu() / samples
    styles = [AnchoredStyle(layer, affine, total) for total, (layer, affine) in zip(sums, layers, strict=True)]
    return StyleAlignment(styles, math.sqrt((square - mean.square()).mean()))


def _random_codes(generator: Generator, count: int, seed: int) -> Iterator[Tensor]:
    randomness = torch.Generator().manual_seed(seed)
    for first in range(0, count, BATCH):
        inputs = random_inputs(generator, min(BATCH, count - first), randomness)  # (B, z_dim), and labels if it has any
        yield broadcast(generator.mapping(*inputs), generator.num_ws)


def _styles_of_w(generator: Generator) -> list[list[Affine]]:
    average = generator.latent_avg
    # The identity map: the style vector is the style in W.
    itself = Affine(torch.eye(generator.w_dim).to(average), average.new_zeros(generator.w_dim))
    return [[itself] for _ in range(generator.num_ws)]
