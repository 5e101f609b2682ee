"""What PyTorch makes of photos, and how close the page has to come to it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import latentloop as ll
from latentloop.faces import AlignedFace
from latentloop.generators import Generator
from latentloop.images import to_uint8
from web.site_browser import Pixels

MEAN, NEARLY_ALL, MOST = 0.5, 4.0, 15.0
"""Levels of 255 by which a picture may differ from PyTorch's: on average, at 999 of 1000 places, and anywhere. The
page's networks have fewer bits; with all of them no place differs by more than 1."""


@dataclass(frozen=True)
class Reference:
    """What PyTorch makes of a photo."""

    photo: Tensor
    face: AlignedFace
    w_plus: Tensor

    @property
    def code(self) -> Tensor:
        return self.w_plus[0]

    @property
    def size(self) -> tuple[int, int]:
        return self.photo.shape[-1], self.photo.shape[-2]


@torch.inference_mode()
def reference_of(photo: Tensor, generator: Generator, *, face: str = "largest") -> Reference:
    (found,) = ll.align_faces(photo, ll.load_face_detector(), 256, face=face)
    return Reference(photo, found, ll.load_embedder("base-ffhq", generator)(found.image))


@torch.inference_mode()
def drawn(generator: Generator, w_plus: Tensor) -> Tensor:
    image: Tensor = generator.synthesis(w_plus).clamp(-1, 1)
    return image


def pixels(image: Tensor) -> Pixels:
    return to_uint8(image[0]).astype(np.float64)


def assert_alike(ours: Pixels, theirs: Pixels) -> None:
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs)
    assert difference.mean() <= MEAN
    assert np.percentile(difference, 99.9) <= NEARLY_ALL
    assert difference.max() <= MOST
