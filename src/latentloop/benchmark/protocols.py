"""Evaluation protocols: named ways to measure reconstructions, whose metrics are not comparable between protocols."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latentloop.benchmark.options import ProtocolName
from latentloop.evaluation.measure import EVALUATION_SIZE, rows_of
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.features.vgg import load_lpips_vgg, vgg16_path
from latentloop.images import from_uint8, resample
from latentloop.metrics import identity_similarity, ms_ssim, mse, psnr, ssim


class EvaluationProtocol(Protocol):
    """Interface of a way to measure reconstructions."""

    @property
    def name(self) -> ProtocolName:
        """Name by which users choose it."""
        ...

    @property
    def about(self) -> str:
        """One-line description for tables."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the protocol's metrics."""
        ...

    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        """Measure reconstructions (N, 3, S, S) of targets (N, 3, T, T), both in [-1, 1] and of full size."""
        ...


@dataclass(frozen=True)
class PspProtocol:
    """Protocol of pSp, e4e, ReStyle and HyperStyle: 8-bit images, resized to 256 pixels by Pillow.

    Reconstructions are truncated to 8 bits, not rounded, as in these projects' scripts. Their ID uses CurricularFace,
    this one MobileFaceNet; the two are not comparable.
    """

    lpips: Lpips
    face_embedder: MobileFaceNet
    name: ProtocolName = "psp"
    columns: tuple[str, ...] = ("mse", "lpips_alex", "id")
    about: str = "8-bit pictures at 256 pixels by Pillow's bilinear filter, MSE on [-1, 1], LPIPS-alex 0.1"

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        """Measure reconstructions (N, 3, S, S) of targets (N, 3, T, T), both in [-1, 1]; metrics of each image."""
        image, target = as_picture(image, cut=True), as_picture(target, cut=False)
        return rows_of(
            {
                "mse": mse(image, target),
                "lpips_alex": self.lpips(image, target),
                "id": identity_similarity(image, target, self.face_embedder),
            }
        )


@dataclass(frozen=True)
class StrictProtocol:
    """Protocol without rounding: floats at 256 pixels by area averages; PSNR is 10 log10(4 / MSE)."""

    lpips: Mapping[str, Lpips]
    """LPIPS by the classifier's name."""
    face_embedder: MobileFaceNet
    name: ProtocolName = "strict"
    about: str = "floats at 256 pixels by area averages, PSNR by 4/MSE, LPIPS 0.1, ID by MobileFaceNet on pSp's crop"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the protocol's metrics; LPIPS-vgg is included if VGG16 was fetched."""
        return ("mse", "psnr", "ssim", "ms_ssim", *(f"lpips_{net}" for net in self.lpips), "id")

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
        """Measure reconstructions (N, 3, S, S) of targets (N, 3, T, T), both in [-1, 1]; metrics of each image."""
        image, target = resample(image, EVALUATION_SIZE).clamp(-1, 1), resample(target, EVALUATION_SIZE)
        figures = {
            "mse": mse(image, target),
            "psnr": psnr(image, target),
            "ssim": ssim(image, target),
            "ms_ssim": ms_ssim(image, target),
        }
        figures |= {f"lpips_{net}": lpips(image, target) for net, lpips in self.lpips.items()}
        return rows_of(figures | {"id": identity_similarity(image, target, self.face_embedder)})


def load_protocol(name: ProtocolName) -> EvaluationProtocol:
    """Load a protocol with its networks, on the CPU, so that metrics do not depend on the device.

    LPIPS-vgg is among the metrics of "strict" once `latentloop fetch vgg16` has been run. There is no FID: the
    libraries that compute it need torchvision.
    """
    alex, faces = load_lpips("alex"), load_mobilefacenet()
    if name == "psp":
        return PspProtocol(alex, faces)
    vgg = {"vgg": load_lpips_vgg()} if vgg16_path().is_file() else {}
    return StrictProtocol({"alex": alex, "squeeze": load_lpips("squeeze"), **vgg}, faces)


def as_picture(image: Tensor, *, cut: bool) -> Tensor:
    """Save images (N, 3, S, S) in [-1, 1] in 8 bits and resize them with Pillow, (N, 3, 256, 256) in [-1, 1].

    Args:
        image: Images to save.
        cut: Truncate to 8 bits, as the projects' scripts do with reconstructions; otherwise round.
    """
    levels = (image.clamp(-1, 1) + 1) * 127.5
    pixels = (levels if cut else levels.round()).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    size = (EVALUATION_SIZE, EVALUATION_SIZE)
    pictures = [Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in pixels]
    return torch.cat([from_uint8(np.array(picture)) for picture in pictures])
