"""How far apart the faces in two images are."""

import torch

from latentloop.faces import fixed_crop
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.losses.image import ImageLoss


def identity_loss(*, device: torch.device | str = "cpu") -> ImageLoss:
    """1 - the cosine similarity of MobileFaceNet's embeddings of pSp's fixed crop (arXiv:2008.00951), from 0 to 2.

    Of images and targets (N, 3, S, S) in [-1, 1], FFHQ-aligned; (N,). It is blind to all but who is in the picture.

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    embed = load_mobilefacenet(device=device)

    def loss(image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 1 - torch.cosine_similarity(embed(fixed_crop(image)), embed(fixed_crop(target)))

    return loss
