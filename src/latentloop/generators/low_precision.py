"""Image synthesis in low precision, such as bfloat16."""

import copy

import torch
from torch import Tensor, nn

from latentloop.generators.drawn_by import DrawnBy
from latentloop.generators.protocol import Generator
from latentloop.generators.stylegan3 import FourierFeatures


def low_precision(generator: Generator, dtype: torch.dtype) -> Generator:
    """Make a generator draw with weights and features of a narrower type; codes and images keep theirs.

    In float32 it is the generator itself. Otherwise its weights are copied in that type once: casting them whenever
    they are used, as torch.autocast does, made drawing slower than in float32 on a CPU. The Fourier features of
    StyleGAN3 keep float32: of a position in bfloat16, eight bits would be left.

    Raises:
        TypeError: The generator is no module, so that nobody knows what to cast.
    """
    if dtype == torch.float32:
        return generator
    if not isinstance(generator, nn.Module):
        raise TypeError(f"{generator.name}: only a generator that is a module can be cast")
    cast = copy.deepcopy(generator).to(dtype)
    for exact, rounded in zip(generator.modules(), cast.modules(), strict=True):
        if isinstance(exact, FourierFeatures):
            rounded.float().load_state_dict(exact.state_dict())

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        image: Tensor = cast.synthesis(w_plus.to(dtype), resolution=resolution)
        return image.to(w_plus.dtype)

    return DrawnBy(generator, draw)
