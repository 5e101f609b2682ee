"""Drawing through torch.compile."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from latentloop.generators.protocol import Generator


class CompiledGenerator:
    """A generator whose drawing is compiled on its first use; unless `always`, only where gradients are wanted.

    Where there is no compiler or it fails, it draws as before and says why, once.
    """

    def __init__(self, generator: Generator, on_failure: Callable[[str], None], *, always: bool = False) -> None:
        self.generator = generator
        self.name, self.fingerprint = generator.name, generator.fingerprint
        self.resolution, self.num_ws = generator.resolution, generator.num_ws
        self.z_dim, self.w_dim, self.latent_avg = generator.z_dim, generator.w_dim, generator.latent_avg
        self.mapping = generator.mapping
        self._on_failure, self._always = on_failure, always
        self._compiled: Any = torch.compile(generator.synthesis, dynamic=False)
        self._worked = False

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R); see `Generator.synthesis`."""
        # Without gradients it would be compiled once more, for a single image at the end.
        if self._compiled and (self._always or torch.is_grad_enabled()):
            try:
                image: Tensor = self._compiled(w_plus, resolution=resolution)
            except RuntimeError as error:
                if self._worked:
                    raise
                self._compiled = None
                self._on_failure(str(error).strip().splitlines()[0])
            else:
                self._worked = True
                return image
        return self.generator.synthesis(w_plus, resolution=resolution)
