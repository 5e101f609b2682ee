"""Identity distance: how far two faces are apart in the layers of a face-recognition network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from latentloop.faces import fixed_crop
from latentloop.features.mobilefacenet import LAYERS, MobileFaceNet
from latentloop.losses.config import IdentityLayers

# "early" excludes the embedding and the blocks before it, so that the embedding (ID) still judges independently.
TAKEN: dict[IdentityLayers, tuple[int, int]] = {"early": (0, 3), "all": (0, LAYERS), "last": (LAYERS - 1, LAYERS)}
"""First compared layer and the one after the last, for each choice of layers."""


@dataclass(frozen=True)
class IdentityDistance:
    """Distance of FFHQ-aligned faces in the features of MobileFaceNet, from 0 (same face) to 2.

    It is 1 - the cosine similarity of feature vectors, averaged over a layer's positions and then over the layers, like
    LPIPS (arXiv:1801.03924) without learned weights. Several layers are used as in the identity loss of the
    Feature-Style Encoder (Yao et al., arXiv:2202.02183).
    """

    network: MobileFaceNet
    """Face-recognition network."""
    layers: IdentityLayers = "early"
    """Layers that are compared."""

    def toward(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function that computes the distance of images to fixed targets, both (N, 3, S, S) in [-1, 1]."""
        with torch.no_grad():
            seen = list(self._features(target))

        def distance(image: Tensor) -> Tensor:
            pairs = zip(self._features(image), seen, strict=True)
            # Half the squared distance of unit vectors is 1 - their cosine.
            return torch.stack([0.5 * (a - b).square().sum(dim=1).mean(dim=(1, 2)) for a, b in pairs]).mean(dim=0)

        return distance

    def _features(self, image: Tensor) -> Iterator[Tensor]:
        """Maps of the layers, (N, C, H, W), with channels scaled to unit length at each position."""
        for x in islice(self.network.features(fixed_crop(image)), *TAKEN[self.layers]):
            # The constant is inside the root, so that the gradient stays finite at positions where all features are 0.
            yield x * (x.square().sum(dim=1, keepdim=True) + 1e-20).rsqrt()
