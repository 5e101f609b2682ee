"""Identity similarity: does a face-recognition network take two faces for one person?"""

from collections.abc import Callable

import torch
from torch import Tensor

from latentloop.faces import fixed_crop, landmark_crop
from latentloop.images import check_alike

FaceEmbedder = Callable[[Tensor], Tensor]  # (N, 3, 112, 112) in [-1, 1] -> (N, features)


def identity_similarity(image: Tensor, target: Tensor, embed: FaceEmbedder, landmarks: Tensor | None = None) -> Tensor:
    """Compute the cosine similarity of the faces in two FFHQ-aligned images; (N,), 1 for the same face.

    Args:
        image: Images (N, 3, S, S) in [-1, 1].
        target: The images to compare with, alike.
        embed: Face-recognition network.
        landmarks: The target's five landmarks in its pixels, (N, 5, 2): crop both images as ArcFace does. None for
            the fixed crop of pSp.

    Raises:
        ValueError: The images are of other shapes or types.
    """
    check_alike(image, target)
    crops = [fixed_crop(x) if landmarks is None else landmark_crop(x, landmarks) for x in (image, target)]
    return torch.cosine_similarity(embed(crops[0]), embed(crops[1]))
