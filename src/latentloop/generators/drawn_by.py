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
        self.z_dim, self.c_dim, self.w_dim = generator.z_dim, generator.c_dim, generator.w_dim
        self.latent_avg = generator.latent_avg
        self._draw = draw

    def mapping(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map (N, z_dim) in Z to W; see `Generator.mapping`."""
        return self.generator.mapping(z, labels)

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R); see `Generator.synthesis`."""
        return self._draw(w_plus, resolution=resolution)
