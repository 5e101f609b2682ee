"""Face crops for recognition networks of the ArcFace family."""

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.faces.config import CROP_COLUMNS as COLUMNS
from latentloop.faces.config import CROP_ROWS as ROWS
from latentloop.faces.config import INPUT_SIZE as INPUT_SIZE
from latentloop.faces.similarity import sample_similarity
from latentloop.images import resample

# Landmarks in the 112-pixel crops on which ArcFace is trained, (x, y): eyes, nose, mouth corners (arXiv:1801.07698).
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))


def fixed_crop(image: Tensor) -> Tensor:
    """Crop FFHQ-aligned images (N, 3, S, S) for face recognition as pSp (arXiv:2008.00951), to (N, 3, 112, 112)."""
    face = resample(image, 256)[:, :, ROWS, COLUMNS]
    if torch.onnx.is_in_onnx_export():  # the export of adaptive pooling would store an index table of all pixels
        means = _means(face.shape[-1], INPUT_SIZE).to(face)
        return means @ face @ means.T
    return F.adaptive_avg_pool2d(face, INPUT_SIZE)


def _means(before: int, after: int) -> Tensor:
    """Matrix (after, before) of adaptive average pooling along one axis."""
    at, places = torch.arange(after)[:, None], torch.arange(before)
    inside = (places >= at * before // after) & (places < -(-(at + 1) * before // after))
    return inside / inside.sum(dim=1, keepdim=True)


def landmark_crop(image: Tensor, landmarks: Tensor) -> Tensor:
    """Crop images so that their landmarks lie as in ArcFace's training crops (arXiv:1801.07698).

    Args:
        image: Images, (N, 3, S, S).
        landmarks: Left and right eye, nose, left and right mouth corner, (x, y) in pixels, (N, 5, 2).

    Returns:
        Crops, (N, 3, 112, 112).
    """
    # Sampled from 256 pixels, close to the crop's own scale: bilinear samples of a larger image would alias.
    landmarks = (landmarks + 0.5) * (256 / image.shape[-1]) - 0.5
    template, pairs = landmarks.new_tensor(TEMPLATE), zip(resample(image, 256), landmarks, strict=True)
    return torch.cat([sample_similarity(x[None], template, points, INPUT_SIZE) for x, points in pairs])
