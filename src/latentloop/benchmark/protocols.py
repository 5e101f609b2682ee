"""How reconstructions are measured: protocols by name, whose figures must not be mixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from latentloop.evaluation.measure import RESOLUTION, rows_of
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.features.vgg import load_lpips_vgg, vgg16_path
from latentloop.images import from_uint8, resample
from latentloop.metrics import identity_similarity, ms_ssim, mse, psnr, ssim

ProtocolName = Literal["psp", "strict"]
Figures = dict[str, float]


class EvaluationProtocol(Protocol):
    """Measures reconstructions."""

    @property
    def name(self) -> ProtocolName:
        """By which users know it."""
        ...

    @property
    def about(self) -> str:
        """What it does, in a sentence."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Its figures' names."""
        ...

    def measure(self, image: Tensor, target: Tensor) -> list[Figures]:
        """Figures of each reconstruction (N, 3, S, S) of a target (N, 3, T, T), both in [-1, 1] and of full size."""
        ...


@dataclass(frozen=True)
class PspProtocol:
    """As pSp, e4e, ReStyle and HyperStyle measure: images as 8-bit pictures, brought to 256 pixels by Pillow.

    Reconstructions lose what lies between two grey levels (they are cut off, not rounded), as in the projects' scripts.
    Their ID is by CurricularFace, this one by MobileFaceNet: it does not compare with theirs.
    """

    lpips: Lpips
    face_embedder: MobileFaceNet
    name: ProtocolName = "psp"
    columns: tuple[str, ...] = ("mse", "lpips_alex", "id")
    about: str = "8-bit pictures at 256 pixels by Pillow's bilinear filter, MSE on [-1, 1], LPIPS-alex 0.1"

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[Figures]:
        """As `EvaluationProtocol.measure`."""
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
    """Nothing is rounded: floats at 256 pixels by area averages, PSNR of the peak to peak that images have."""

    lpips: Mapping[str, Lpips]
    """By the classifier's name."""
    face_embedder: MobileFaceNet
    name: ProtocolName = "strict"
    about: str = "floats at 256 pixels by area averages, PSNR by 4/MSE, LPIPS 0.1, ID by MobileFaceNet on pSp's crop"

    @property
    def columns(self) -> tuple[str, ...]:
        """Its figures' names."""
        return ("mse", "psnr", "ssim", "ms_ssim", *(f"lpips_{net}" for net in self.lpips), "id")

    @torch.inference_mode()
    def measure(self, image: Tensor, target: Tensor) -> list[Figures]:
        """As `EvaluationProtocol.measure`."""
        image, target = resample(image, RESOLUTION).clamp(-1, 1), resample(target, RESOLUTION)
        figures = {
            "mse": mse(image, target),
            "psnr": psnr(image, target),
            "ssim": ssim(image, target),
            "ms_ssim": ms_ssim(image, target),
        }
        figures |= {f"lpips_{net}": lpips(image, target) for net, lpips in self.lpips.items()}
        return rows_of(figures | {"id": identity_similarity(image, target, self.face_embedder)})


def load_protocol(name: ProtocolName) -> EvaluationProtocol:
    """A protocol with its networks, on the CPU: figures are alike for all devices.

    LPIPS-vgg is among those of "strict" once `latentloop fetch vgg16` has been run. FID is in none: the libraries that
    compute it need torchvision.
    """
    alex, faces = load_lpips("alex"), load_mobilefacenet()
    if name == "psp":
        return PspProtocol(alex, faces)
    vgg = {"vgg": load_lpips_vgg()} if vgg16_path().is_file() else {}
    return StrictProtocol({"alex": alex, "squeeze": load_lpips("squeeze"), **vgg}, faces)


def as_picture(image: Tensor, *, cut: bool) -> Tensor:
    """Images (N, 3, S, S) in [-1, 1] as they are once saved in 8 bits and resized by Pillow, (N, 3, 256, 256).

    Args:
        image: What is saved.
        cut: Cut off what lies between two grey levels, as the projects' scripts do with what they draw; else round.
    """
    levels = (image.clamp(-1, 1) + 1) * 127.5
    pixels = (levels if cut else levels.round()).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    size = (RESOLUTION, RESOLUTION)
    pictures = [Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in pixels]
    return torch.cat([from_uint8(np.array(picture)) for picture in pictures])
