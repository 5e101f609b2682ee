"""Another way to draw with the same generator."""

from typing import Protocol

from torch import Tensor

from latentloop.generators.protocol import Generator


class Draw(Protocol):
    """What `Generator.synthesis` does."""

    def __call__(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R)."""
        ...


class DrawnBy:
    """A generator that is another one in all but that `draw` draws for it."""

    def __init__(self, generator: Generator, draw: Draw) -> None:
        self.generator = generator
        self.name, self.fingerprint = generator.name, generator.fingerprint
        self.resolution, self.num_ws = generator.resolution, generator.num_ws
        self.z_dim, self.w_dim, self.latent_avg = generator.z_dim, generator.w_dim, generator.latent_avg
        self._draw = draw

    def mapping(self, z: Tensor) -> Tensor:
        """Map (N, z_dim) in Z to (N, w_dim) in W."""
        return self.generator.mapping(z)

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R); see `Generator.synthesis`."""
        return self._draw(w_plus, resolution=resolution)
