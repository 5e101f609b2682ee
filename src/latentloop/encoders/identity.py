"""The identity encoder, which embeds a person's identity with a face-recognition network."""

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.faces import fixed_crop
from latentloop.features.mobilefacenet import load_mobilefacenet

Crop = Callable[[Tensor], Tensor]
"""Function from FFHQ-aligned images (N, 3, R, R) in [-1, 1] to a face-recognition network's input, (N, 3, S, S)."""


class IdentityEncoder(nn.Module):
    """A face-recognition network with the crop that it needs."""

    def __init__(self, network: nn.Module, crop: Crop, *, features: int, frozen: bool = True) -> None:
        """Wrap a face-recognition network.

        Args:
            network: Maps crops to embeddings, (N, features).
            crop: Crops an aligned image for the network.
            features: Length of an embedding.
            frozen: Do not train the network; it then gets no gradients and is not stored in checkpoints.
        """
        super().__init__()
        self.network, self.crop, self.features, self.frozen = network.requires_grad_(not frozen), crop, features, frozen

    def forward(self, image: Tensor) -> Tensor:
        """Embed FFHQ-aligned images (N, 3, R, R) in [-1, 1], to (N, features) with a mean square of 1."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            embedding = self.network(self.crop(image))
        # The network is trained for unit length; sqrt(features) brings the numbers to a scale of 1.
        return F.normalize(embedding, dim=1) * math.sqrt(self.features)

    def train(self, mode: bool = True) -> "IdentityEncoder":
        """Set training mode, except in a frozen network, which stays in evaluation mode."""
        # Its batch normalisation would otherwise update running statistics, and make embeddings depend on the batch.
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self


def load_identity_encoder(*, frozen: bool = True, device: torch.device | str = "cpu") -> IdentityEncoder:
    """Load MobileFaceNet (Chen et al., arXiv:1804.07573) with the fixed crop of pSp (arXiv:2008.00951).

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    network = load_mobilefacenet(device=device)
    # load_mobilefacenet may return a shared network: one that is trained must not be the one that measures ID.
    return IdentityEncoder(network if frozen else copy.deepcopy(network), fixed_crop, features=128, frozen=frozen)
