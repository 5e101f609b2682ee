"""MobileFaceNet, a small face-recognition network (Chen et al., arXiv:1804.07573), batch normalisation folded in."""

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.weights import read_weights, shipped, with_weights

FILE = shipped("mobilefacenet.safetensors", "28afe94a451812325c581cde6734329ffd2d5f9c455df27efa9a9c0960339620")
"""Bundled weights of the network."""
# Table 1 of the paper: (expansion, channels, blocks, stride of the first block).
STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
SIZE_ENDS = (0, 5, 12, 15)
"""Numbers of blocks before each halving of the resolution, and in total."""
LAYERS = 1 + len(SIZE_ENDS)
"""Number of layers that `MobileFaceNet.features` yields."""
# Mean and standard deviation of ImageNet's colours for images in [0, 1], with which the network was trained.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Bottleneck(nn.Module):
    """MobileNetV2's inverted residual block: 1x1 expansion, depthwise 3x3, 1x1 projection (arXiv:1801.04381)."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.widen = nn.Conv2d(in_channels, wide, 1)
        self.depthwise = nn.Conv2d(wide, wide, 3, stride=stride, padding=1, groups=wide)
        self.narrow = nn.Conv2d(wide, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y: Tensor = self.narrow(F.relu6(self.depthwise(F.relu6(self.widen(x)))))
        return x + y if self.residual else y


class MobileFaceNet(nn.Module):
    """The MobileFaceNet network, whose embeddings of one person's faces have a high cosine similarity."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(64, 64, 3, padding=1, groups=64)
        self.pointwise = nn.Conv2d(64, 64, 1)
        blocks, before = [], 64
        for expansion, channels, count, stride in STAGES:
            for i in range(count):
                blocks.append(Bottleneck(before, channels, expansion, stride if i == 0 else 1))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.widen = nn.Conv2d(before, 512, 1)
        self.pool = nn.Conv2d(512, 512, 7, groups=512)
        self.embed = nn.Conv2d(512, 128, 1)
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("std", torch.ones(3, 1, 1))

    def forward(self, face: Tensor) -> Tensor:
        """Embed faces, to (N, 128), without normalisation.

        Args:
            face: Crops (N, 3, 112, 112) in [-1, 1], aligned as for ArcFace; see `latentloop.faces.recognition`.
        """
        *_, embedding = self.features(face)
        return embedding.flatten(1)

    def features(self, face: Tensor) -> Iterator[Tensor]:
        """Yield the last map of each resolution, then the embedding; layers that are not consumed are not computed.

        Args:
            face: Crops (N, 3, 112, 112) in [-1, 1], as for `forward`.

        Yields:
            (N, 64, 56, 56), (N, 64, 28, 28), (N, 128, 14, 14), (N, 128, 7, 7) and (N, 128, 1, 1), in the crops' type.
        """
        x = ((0.5 * (face + 1) - self.mean) / self.std).to(self.stem.weight.dtype)
        x = self.pointwise(self.depthwise(F.relu6(self.stem(x))).relu()).relu()
        yield x.to(face.dtype)
        for first, end in pairwise(SIZE_ENDS):
            x = self.blocks[first:end](x)
            yield x.to(face.dtype)
        yield self.embed(self.pool(F.relu6(self.widen(x)))).to(face.dtype)


def load_mobilefacenet(*, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> MobileFaceNet:
    """Load frozen MobileFaceNet with the bundled weights.

    Args:
        device: Device of the weights.
        dtype: Precision of the layers; features are returned in the crops' type.

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    with torch.device("meta"):
        module = MobileFaceNet()
    statistics = {"mean": torch.tensor(MEAN).view(3, 1, 1), "std": torch.tensor(STD).view(3, 1, 1)}
    tensors = {**read_weights(FILE).tensors, **statistics}
    module = with_weights(module, tensors).to(device)
    for layer in module.children():  # mean and std stay in float32
        layer.to(dtype)
    return module
