"""Interface of a generator, on which the rest of the package relies."""

from typing import Protocol

import torch
from torch import Tensor


class Generator(Protocol):
    """A frozen StyleGAN, as the rest of the package sees it."""

    name: str
    """Short name, for messages and files: that of a shipped generator, or of the file without its ending."""
    fingerprint: str
    """Fingerprint of the latent space: generators that share it draw the same subject from the same code."""
    resolution: int
    """Pixels of a side of the image."""
    num_ws: int
    """Style inputs: 2 * log2(resolution) - 2 in StyleGAN1 and 2, 16 in StyleGAN3 and MobileStyleGAN at 1024."""
    z_dim: int
    """Length of z, the mapping network's random input."""
    c_dim: int
    """Number of classes; 0 for a generator without."""
    w_dim: int
    """Length of a style vector."""
    latent_avg: Tensor
    """Mean of w over z ~ N(0, I), (w_dim,); (num_ws, w_dim) where `mapping` gives a style for each layer."""

    @property
    def device(self) -> torch.device:
        """Device of the weights: where codes have to lie and images appear."""
        ...

    def mapping(self, z: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Map (N, z_dim) in Z to (N, w_dim) in W, or to a style for each layer, (N, num_ws, w_dim), where it has those.

        Args:
            z: Standard normal numbers.
            labels: Classes, one-hot, (N, c_dim); wanted if there are any.
        """
        ...

    def synthesis(self, w_plus: Tensor, /, *, resolution: int | None = None) -> Tensor:
        """Draw styles (N, num_ws, w_dim) as RGB (N, 3, R, R), about [-1, 1], unclamped.

        Args:
            w_plus: Styles in W+.
            resolution: R; None for the generator's own. A coarser one is the area average of the full image, or
                the architecture's own cheaper image of that size where it has one. Needs to divide the full size.
        """
        ...


def check_generator(generator: object) -> None:
    """Raise a ValueError unless something is a generator, to tell it from its name."""
    if not all(hasattr(generator, name) for name in ("synthesis", "num_ws")):
        raise ValueError(f"generator must be a generator, as load_generator gives, got {generator!r:.100}")
