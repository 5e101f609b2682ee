"""The figures of a reconstruction."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.images import resample
from latentloop.metrics import identity_similarity, mse, psnr, ssim

RESOLUTION = 256
METRICS = ("mse", "psnr", "ssim", "lpips_alex", "id")


@dataclass(frozen=True)
class Evaluator:
    """Measures reconstructions of FFHQ-aligned photos at 256 pixels, clamped to [-1, 1]."""

    lpips: Lpips
    face_embedder: MobileFaceNet

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        """Figures of each reconstruction; both (N, 3, S, S) in [-1, 1], of any size S.

        `mse` on [-1, 1], `psnr` in dB, `ssim`, `lpips_alex`, and `id`: the cosine similarity of MobileFaceNet
        embeddings of pSp's fixed crop.
        """
        image, target = resample(image, RESOLUTION).clamp(-1, 1), resample(target, RESOLUTION)
        figures = {
            "mse": mse(image, target),
            "psnr": psnr(image, target),
            "ssim": ssim(image, target),
            "lpips_alex": self.lpips(image, target),
            "id": identity_similarity(image, target, self.face_embedder),
        }
        return rows_of(figures)


def rows_of(figures: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """Values (N,) by name as a row for each of N images."""
    columns = (values.tolist() for values in figures.values())
    return [dict(zip(figures, row, strict=True)) for row in zip(*columns, strict=True)]


def load_evaluator(*, device: torch.device | str = "cpu") -> Evaluator:
    """Load the evaluator with the shipped networks."""
    return Evaluator(load_lpips("alex", device=device), load_mobilefacenet(device=device))
