"""Identity similarity of two faces, in NumPy, as in `latentloop.metrics.identity`."""

import numpy as np

from latentloop.defaults import WORKING_SIZE
from latentloop.faces.config import CROP_COLUMNS, CROP_ROWS, INPUT_SIZE
from latentloop.runtime.area import AreaTable
from latentloop.runtime.arrays import Floats, resample
from latentloop.runtime.networks import Networks


def likeness(image: Floats, target: Floats, networks: Networks) -> float | None:
    """Compute the cosine similarity of face embeddings of two FFHQ-aligned images; 1 for the same face.

    Args:
        image: Image, (1, 3, S, S) in [-1, 1].
        target: Image to compare with, of the same shape and range.
        networks: Networks of a bundle; the result is None if they lack face recognition.
    """
    if networks.embed_identity is None:
        return None
    one, other = networks.embed_identity(np.concatenate([_cropped(image), _cropped(target)])).astype(np.float64)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _cropped(image: Floats) -> Floats:
    face = resample(image, WORKING_SIZE)[:, :, CROP_ROWS, CROP_COLUMNS]
    return AreaTable.of_image(face).resized(INPUT_SIZE, INPUT_SIZE)
