"""Options of `latentloop export`."""

from dataclasses import dataclass
from typing import Literal, get_args

from latentloop.defaults import GENERATOR, Which

PartName = Literal["generator", "mapping", "embedder", "faces", "identity", "lpips"]
"""What can be exported: the generator's two networks, the embedding network (with its second look, where it has one),
the three networks of the face detector, the identity encoder MobileFaceNet, and LPIPS on AlexNet."""
PARTS: tuple[PartName, ...] = get_args(PartName)


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and how weights are stored."""

    generator: str = GENERATOR
    """A bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    which: Which = "g_ema"
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    embedder: str | None = None
    """Embedding network: one that we ship, a file of latentloop train, or a checkpoint of pSp, e4e or ReStyle; by
    default the one that we ship for the generator."""
    half: bool = False
    """Store weights in float16: half the size, for images that differ by about a thousandth; the weights that we ship
    lose nothing. The arithmetic stays in float32."""
    share: bool = False
    """Keep all weights in one file, weights.safetensors, to which the graphs refer: what two graphs have in common,
    such as the two looks of a network, is stored once. By default each .onnx file is complete."""
