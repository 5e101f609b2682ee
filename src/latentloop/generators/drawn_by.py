"""A generator with its synthesis replaced."""

from typing import Any, Protocol

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator


class Draw(Protocol):
    """A function with the signature of `Generator.synthesis`."""

    def __call__(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1]."""
        ...


class DrawnBy:
    """A generator that delegates to another one, with `synthesis` replaced by a function."""

    name: str
    fingerprint: str
    resolution: int
    num_ws: int
    z_dim: int
    c_dim: int
    w_dim: int
    latent_avg: Tensor
    device: torch.device

    def __init__(self, generator: Generator, draw: Draw) -> None:
        self.generator = generator
        self._draw = draw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the types are declared above
        # Declared attributes only: other capabilities of the generator may depend on the synthesis that was replaced.
        if name in DrawnBy.__annotations__:
            return getattr(self.generator, name)
        raise AttributeError(name)

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to W with the wrapped generator's mapping network."""
        return self.generator.mapping(z, labels)

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R) with the replacement."""
        return self._draw(w_plus, resolution=resolution)
