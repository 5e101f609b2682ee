"""What the rest of the package asks of a generator."""

from typing import Protocol

from torch import Tensor


class Generator(Protocol):
    """A frozen StyleGAN, as the rest of the package sees it."""

    name: str
    fingerprint: str
    """Of the latent space: generators that share it draw the same subject from the same code."""
    resolution: int
    num_ws: int
    """Style inputs: 2 * log2(resolution) - 2 in StyleGAN1 and 2, 16 in StyleGAN3 and MobileStyleGAN at 1024."""
    z_dim: int
    c_dim: int
    """Classes; 0 for a generator without."""
    w_dim: int
    latent_avg: Tensor
    """Mean of w over z ~ N(0, I), (w_dim,); (num_ws, w_dim) where `mapping` gives a style for each layer."""

    def mapping(self, z: Tensor, labels: Tensor | None = None, /) -> Tensor:
        """Map (N, z_dim) in Z to (N, w_dim) in W, or to a style for each layer, (N, num_ws, w_dim), where it has those.

        Args:
            z: Standard normal.
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
