"""Generators that take noise maps."""

from latentloop.generators import stylegan1, stylegan2
from latentloop.generators.protocol import Generator


def noisy_synthesis(generator: Generator) -> stylegan1.Synthesis | stylegan2.Synthesis | None:
    """Give the synthesis network of a generator with noise maps, each (N or 1, 1, H, W); None if it takes none."""
    if isinstance(generator, stylegan1.StyleGAN1 | stylegan2.StyleGAN2):
        return generator.synthesis
    return None
