"""A generator with its synthesis replaced."""

from typing import Any, Protocol

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator


class Draw(Protocol):
    """A function that draws codes, as `Generator.synthesis` does."""

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
        # Only what is declared: whatever else a generator can do may depend on how it draws.
        if name in DrawnBy.__annotations__:
            return getattr(self.generator, name)
        raise AttributeError(name)

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to W with the other generator's network."""
        return self.generator.mapping(z, labels)

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R) with the function."""
        return self._draw(w_plus, resolution=resolution)
