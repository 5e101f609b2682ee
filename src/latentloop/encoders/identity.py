"""The identity encoder: features of who is in the picture, from a face-recognition network."""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.faces import fixed_crop
from latentloop.features.mobilefacenet import load_mobilefacenet

Crop = Callable[[Tensor], Tensor]
"""Images (N, 3, R, R) in [-1, 1], FFHQ-aligned -> what a face-recognition network takes, (N, 3, S, S)."""


class IdentityEncoder(nn.Module):
    """A face-recognition network with the crop that it needs."""

    def __init__(self, network: nn.Module, crop: Crop, *, features: int, frozen: bool = True) -> None:
        """Wrap a network.

        Args:
            network: Maps crops to embeddings, (N, features).
            crop: Crops an aligned image for the network.
            features: Length of an embedding.
            frozen: Whether the network is kept as it is; it then gets no gradients and stays out of checkpoints.
        """
        super().__init__()
        self.network, self.crop, self.features, self.frozen = network.requires_grad_(not frozen), crop, features, frozen

    def forward(self, image: Tensor) -> Tensor:
        """Embed images (N, 3, R, R) in [-1, 1]; (N, features), its numbers about 1 in size."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            embedding = self.network(self.crop(image))
        return F.normalize(embedding, dim=1) * math.sqrt(self.features)

    def train(self, mode: bool = True) -> "IdentityEncoder":
        """Set training mode, except for a frozen network, which stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self


def load_identity_encoder(*, frozen: bool = True, device: torch.device | str = "cpu") -> IdentityEncoder:
    """Load MobileFaceNet (Chen et al., arXiv:1804.07573) on the fixed crop of pSp (arXiv:2008.00951).

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    network = load_mobilefacenet(device=device)
    # What learns must not share its weights with what measures it.
    return IdentityEncoder(network if frozen else copy.deepcopy(network), fixed_crop, features=128, frozen=frozen)
