"""Small networks of every architecture, with random weights."""

from collections.abc import Callable

import torch

from latentloop.generators import (
    MobileStyleGAN,
    StyleGAN1,
    StyleGAN2,
    StyleGAN3,
    mobilestylegan,
    stylegan1,
    stylegan2,
    stylegan3,
)

Network = MobileStyleGAN | StyleGAN1 | StyleGAN2 | StyleGAN3
MAPPING, CHANNELS = (8, 8, 8), (8, 6, 5, 4)

NETWORKS: dict[str, Callable[[], Network]] = {
    "mobilestylegan": lambda: MobileStyleGAN(
        mobilestylegan.Shape(w_dim=8, num_ws=8, channels=(8, 8, 4)), name="mobile", fingerprint="m"
    ),
    "stylegan1": lambda: StyleGAN1(stylegan1.Shape(MAPPING, CHANNELS), name="one", fingerprint="1"),
    "stylegan2": lambda: StyleGAN2(stylegan2.Shape(MAPPING, CHANNELS), name="two", fingerprint="2"),
    "stylegan2 without skips": lambda: StyleGAN2(
        stylegan2.Shape(MAPPING, CHANNELS, skip=False), name="two", fingerprint="2"
    ),
    "stylegan3": lambda: StyleGAN3(
        stylegan3.Shape(MAPPING, channels=(8, 8, 6, 5, 4, 4), resolution=32), name="three", fingerprint="3"
    ),
}
"""All draw 32 pixels."""


def random_network(kind: str, *, double: bool = True) -> Network:
    """Build one of `NETWORKS`, in float64 unless it is to be float32, frozen."""
    network = NETWORKS[kind]().requires_grad_(False)
    randomness = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if not name.endswith(("transform", "freqs", "input_gain")):
            tensor.copy_(0.5 * torch.randn(tensor.shape, generator=randomness))
    return network.double() if double else network


def random_codes(network: Network, count: int = 2) -> torch.Tensor:
    """Draw codes (count, num_ws, w_dim) for a network."""
    randomness = torch.Generator().manual_seed(1)
    return torch.randn(count, network.num_ws, network.w_dim, generator=randomness).to(network.latent_avg)


def random_images(network: Network) -> torch.Tensor:
    """Draw two images of random pixels of a network's size, (2, 3, R, R) in [-1, 1]."""
    randomness = torch.Generator().manual_seed(2)
    return torch.rand(2, 3, network.resolution, network.resolution, generator=randomness) * 2 - 1
