"""Identity similarity (ID): how alike a face-recognition network finds two faces."""

from collections.abc import Callable

import torch
from torch import Tensor

from latentloop.faces import fixed_crop, landmark_crop
from latentloop.images import check_alike

FaceEmbedder = Callable[[Tensor], Tensor]  # (N, 3, 112, 112) in [-1, 1] -> (N, features)


def identity_similarity(image: Tensor, target: Tensor, embed: FaceEmbedder, landmarks: Tensor | None = None) -> Tensor:
    """Compute the cosine similarity of face embeddings of FFHQ-aligned images, (N,) in [-1, 1], 1 for the same face.

    Args:
        image: Images (N, 3, S, S) in [-1, 1].
        target: Images to compare with, of the same shape and range.
        embed: Face-recognition network, from crops (N, 3, 112, 112) to embeddings (N, features).
        landmarks: The target's five landmarks in pixels, (N, 5, 2), by which both images are cropped as in ArcFace
            (arXiv:1801.07698); None for the fixed crop of pSp (arXiv:2008.00951).

    Raises:
        ValueError: The images differ in shape or type.
    """
    check_alike(image, target)
    crops = [fixed_crop(x) if landmarks is None else landmark_crop(x, landmarks) for x in (image, target)]
    return torch.cosine_similarity(embed(crops[0]), embed(crops[1]))
