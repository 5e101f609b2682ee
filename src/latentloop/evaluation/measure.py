"""Metrics of a reconstruction at 256 pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.images import resample
from latentloop.metrics import identity_similarity, mse, psnr, ssim

EVALUATION_SIZE = 256
"""Side at which reconstructions are measured, in pixels."""
METRICS = ("mse", "psnr", "ssim", "lpips_alex", "id")
"""Names of the metrics, in the order of tables."""


@dataclass(frozen=True)
class Evaluator:
    """Metrics of reconstructions of FFHQ-aligned photos, at 256 pixels and clamped to [-1, 1]."""

    lpips: Lpips
    """LPIPS network on AlexNet."""
    face_embedder: MobileFaceNet
    """Face-recognition network for the identity similarity."""

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        """Compute the metrics of each reconstruction at 256 pixels.

        These are `mse` on [-1, 1], `psnr` in dB, `ssim`, `lpips_alex`, and `id`, the cosine similarity of MobileFaceNet
        embeddings of pSp's fixed crop.

        Args:
            image: Reconstructions, (N, 3, S, S) in [-1, 1], of any size S.
            target: Photos, of the same shape and range.

        Returns:
            Metrics of each image by name.
        """
        image, target = resample(image, EVALUATION_SIZE).clamp(-1, 1), resample(target, EVALUATION_SIZE)
        figures = {
            "mse": mse(image, target),
            "psnr": psnr(image, target),
            "ssim": ssim(image, target),
            "lpips_alex": self.lpips(image, target),
            "id": identity_similarity(image, target, self.face_embedder),
        }
        return rows_of(figures)


def rows_of(figures: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """Convert columns of values, (N,) by name, to one dict of named values per image."""
    columns = (values.tolist() for values in figures.values())
    return [dict(zip(figures, row, strict=True)) for row in zip(*columns, strict=True)]


def load_evaluator(*, device: torch.device | str = "cpu") -> Evaluator:
    """Load the evaluator with the bundled networks.

    Raises:
        UserError: A weights file of the package is missing or damaged.
    """
    return Evaluator(load_lpips("alex", device=device), load_mobilefacenet(device=device))
