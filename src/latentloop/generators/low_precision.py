"""Image synthesis in low precision, such as bfloat16."""

import copy

import torch
from torch import Tensor, nn

from latentloop.generators.drawn_by import DrawnBy
from latentloop.generators.protocol import Generator
from latentloop.generators.stylegan3 import FourierFeatures


def low_precision(generator: Generator, dtype: torch.dtype) -> Generator:
    """Wrap a generator to draw in a lower precision; codes and images keep their type.

    For float32 the generator itself is returned. Otherwise its weights are cast once, to a copy: casting at every use,
    as torch.autocast does, made synthesis on a CPU slower than float32. The Fourier features of StyleGAN3 stay in
    float32, since bfloat16 would leave 8 bits of a position.

    Args:
        generator: The generator, which stays as it is.
        dtype: Type of weights and features during synthesis.

    Raises:
        TypeError: The generator is not an `nn.Module`.
    """
    if dtype == torch.float32:
        return generator
    if not isinstance(generator, nn.Module):
        raise TypeError(f"{generator.name}: must be an nn.Module to be cast, got {type(generator).__name__}")
    cast = copy.deepcopy(generator).to(dtype)
    for exact, rounded in zip(generator.modules(), cast.modules(), strict=True):
        if isinstance(exact, FourierFeatures):
            rounded.float().load_state_dict(exact.state_dict())

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        image: Tensor = cast.synthesis(w_plus.to(dtype), resolution=resolution)
        return image.to(w_plus.dtype)

    return DrawnBy(generator, draw)
