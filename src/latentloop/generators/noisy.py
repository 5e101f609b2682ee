"""Access to the synthesis networks that take noise maps."""

from latentloop.generators import stylegan1, stylegan2
from latentloop.generators.protocol import Generator


def noisy_synthesis(generator: Generator) -> stylegan1.Synthesis | stylegan2.Synthesis | None:
    """Return the synthesis network of a generator that takes noise maps (N or 1, 1, H, W); None for other kinds."""
    if isinstance(generator, stylegan1.StyleGAN1 | stylegan2.StyleGAN2):
        return generator.synthesis
    return None
