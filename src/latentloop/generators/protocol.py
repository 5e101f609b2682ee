"""The protocol of a generator, on which the rest of the package relies."""

from typing import Protocol

import torch
from torch import Tensor


class Generator(Protocol):
    """A frozen StyleGAN with mapping and synthesis network."""

    name: str
    """Short name for messages and files: a bundled generator's name, or the file's without its suffix."""
    fingerprint: str
    """Fingerprint of the latent space: generators that share it draw the same subject from the same code."""
    resolution: int
    """Side of the image, in pixels."""
    num_ws: int
    """Number of styles: 2 * log2(resolution) - 2 in StyleGAN1 and 2, 16 in StyleGAN3 and MobileStyleGAN at 1024."""
    z_dim: int
    """Length of z, the mapping network's random input."""
    c_dim: int
    """Number of classes; 0 for an unconditional generator."""
    w_dim: int
    """Length of a style vector."""
    latent_avg: Tensor
    """Mean of w over z ~ N(0, I), (w_dim,); (num_ws, w_dim) if `mapping` returns one style per layer."""

    @property
    def device(self) -> torch.device:
        """Device of the weights; codes must be on it, and images are."""
        ...

    def mapping(self, z: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Map z, (N, z_dim), to w, (N, w_dim), or (N, num_ws, w_dim) in networks with one style per layer.

        Args:
            z: Latents drawn from N(0, I).
            labels: One-hot classes, (N, c_dim); required by a conditional generator, None otherwise.
        """
        ...

    def synthesis(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1], unclamped.

        Args:
            w_plus: Styles in W+, one for each layer, coarsest first.
            resolution: R; None for the generator's own. A lower one must divide it, and gives the area average of the
                full image, or the architecture's own cheaper image of that size if it has one.
        """
        ...


def check_generator(generator: object) -> None:
    """Raise a ValueError unless `generator` is a generator, for example if it is a generator's name."""
    if not all(hasattr(generator, name) for name in ("synthesis", "num_ws")):
        raise ValueError(f"generator must be a generator, as load_generator returns it, got {generator!r:.100}")
