"""Options of `latentloop export`; imports no PyTorch."""

from dataclasses import dataclass
from typing import Literal, get_args

from latentloop.defaults import GENERATOR, Which

PartName = Literal["generator", "mapping", "embedder", "faces", "identity", "lpips"]
"""Parts that can be exported: the generator's two networks, the embedding network (with its second look, if it has
one), the three networks of the face detector, the identity encoder MobileFaceNet, and LPIPS on AlexNet."""
PARTS: tuple[PartName, ...] = get_args(PartName)
"""All names of parts, in order."""


@dataclass(frozen=True)
class ExportOptions:
    """Networks to export, and how weights are stored."""

    generator: str = GENERATOR
    """Generator: a bundled one, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it;
    also as hf://OWNER/REPO."""
    which: Which = "g_ema"
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""
    embedder: str | None = None
    """Embedding network: a bundled one, a file of latentloop train, or a checkpoint of pSp, e4e or ReStyle. Default:
    the one bundled for the generator."""
    half: bool = False
    """Store weights in float16: half the size, and pixel values that differ by about a thousandth; bundled weights lose
    nothing. Arithmetic stays in float32."""
    share: bool = False
    """Keep all weights in one file, weights.safetensors, to which the graphs refer: weights that graphs have in common,
    such as the two looks of a network, are stored once. By default each .onnx file is complete."""
