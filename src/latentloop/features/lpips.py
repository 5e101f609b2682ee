"""LPIPS, version 0.1, a perceptual distance of images (Zhang et al., arXiv:1801.03924)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.images import check_alike
from latentloop.weights import read_weights, shipped, with_weights

LpipsNet = Literal["alex", "squeeze"]
"""Bundled backbones of LPIPS; `latentloop.features.vgg` has LPIPS on VGG16."""
FILES = {
    "alex": shipped("lpips-alex.safetensors", "a53cbca74822aa9028d3afadb506366edf5f1d5806262a77ff1a524ae4640078"),
    "squeeze": shipped("lpips-squeeze.safetensors", "601d261c3a92c904644d684d9f228b993d4243bcd024fdbb5bb5cf42fa549744"),
}
"""Bundled weights of each backbone with its linear layers."""
SMALLEST = 32
"""Side of the smallest image for which every layer of the backbones has an output, in pixels."""
# Mean and standard deviation of ImageNet's colours for images in [-1, 1], as in LPIPS 0.1 (version 0.0 lacks them).
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
VGG_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of convolutions of each block of VGG16."""


class Fire(nn.Module):
    """SqueezeNet's fire module: a 1x1 convolution to few channels, then 1x1 and 3x3 ones side by side."""

    def __init__(self, in_channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2 * expanded, H, W)."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


def alex_stages() -> list[nn.Module]:
    """Build AlexNet's convolutions as stages, one for each layer that LPIPS compares."""
    return [
        nn.Sequential(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    ]


def squeeze_stages() -> list[nn.Module]:
    """Build SqueezeNet 1.1 (arXiv:1602.07360) as stages, one for each layer that LPIPS compares."""
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return [
        nn.Sequential(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()),
        nn.Sequential(pool, Fire(64, 16, 64), Fire(128, 16, 64)),
        nn.Sequential(pool, Fire(128, 32, 128), Fire(256, 32, 128)),
        nn.Sequential(pool, Fire(256, 48, 192)),
        nn.Sequential(Fire(384, 48, 192)),
        nn.Sequential(Fire(384, 64, 256)),
        nn.Sequential(Fire(512, 64, 256)),
    ]


def vgg_stages() -> list[nn.Module]:
    """Build VGG16's convolutions (arXiv:1409.1556) as stages, one for each block with the pooling before it."""
    stages: list[nn.Module] = []
    in_channels = 3
    for channels, convs in VGG_BLOCKS:
        layers: list[nn.Module] = [nn.MaxPool2d(2)] if stages else []
        for _ in range(convs):
            layers += [nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU()]
            in_channels = channels
        stages.append(nn.Sequential(*layers))
    return stages


STAGES: dict[str, tuple[Callable[[], list[nn.Module]], Sequence[int]]] = {
    "alex": (alex_stages, (64, 192, 384, 256, 256)),
    "squeeze": (squeeze_stages, (64, 128, 256, 384, 384, 512, 512)),
    "vgg": (vgg_stages, tuple(channels for channels, _ in VGG_BLOCKS)),
}
"""Function that builds each backbone's stages, and the channels of their outputs."""


class Lpips(nn.Module):
    """The LPIPS distance: how far two images are apart in the features of a classifier; lower is more similar."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: LpipsNet | Literal["vgg"]) -> None:
        super().__init__()
        stages, channels = STAGES[net]
        self.stages = nn.ModuleList(stages())
        self.linear = nn.ParameterList(torch.zeros(c) for c in channels)
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("std", torch.ones(3, 1, 1))

    def features(self, image: Tensor) -> Iterator[Tensor]:
        """Yield the feature maps of images (N, 3, H, W) in [-1, 1], each (N, C, h, w) with unit length over channels.

        Images with a side below `SMALLEST` are enlarged first.
        """
        if (side := min(image.shape[-2:])) < SMALLEST:
            image = F.interpolate(image, scale_factor=math.ceil(SMALLEST / side), mode="bilinear")
        x = ((image - self.mean) / self.std).to(next(self.stages.parameters()).dtype)
        for stage in self.stages:
            x = stage(x)
            seen = x.to(image.dtype)
            # The constant is inside the root, so that the gradient stays finite at pixels where all features are 0.
            yield seen * (seen.square().sum(dim=1, keepdim=True) + 1e-20).rsqrt()

    def coordinates(self, image: Tensor) -> Iterator[Tensor]:
        """Yield maps of images (N, 3, H, W) whose squared differences to a target's maps add up to the distance."""
        for seen, weight in zip(self.features(image), self.linear, strict=True):
            yield seen * (weight.view(-1, 1, 1) / seen[0, 0].numel()).sqrt()

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Compute the distance of each image to its target, both (N, 3, H, W) in [-1, 1]; (N,).

        Raises:
            ValueError: The images are of other shapes or types.
        """
        check_alike(image, target)
        return self._distance(self.features(image), self.features(target))

    def toward(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function that computes the distance of images to fixed targets, both (N, 3, H, W) in [-1, 1]."""
        with torch.no_grad():
            seen = list(self.features(target))
        return lambda image: self._distance(self.features(image), seen)

    def maps_toward(self, target: Tensor) -> Callable[[Tensor], list[Tensor]]:
        """Return a function from images to maps (N, 1, h, w) of each layer, whose means add up to the distance."""
        with torch.no_grad():
            seen = list(self.features(target))

        def maps(image: Tensor) -> list[Tensor]:
            pairs = zip(self.features(image), seen, self.linear, strict=True)
            return [((a - b).square() * weight.view(-1, 1, 1)).sum(dim=1, keepdim=True) for a, b, weight in pairs]

        return maps

    def _distance(self, image: Iterable[Tensor], target: Iterable[Tensor]) -> Tensor:
        pairs = zip(image, target, self.linear, strict=True)
        # Squared differences, averaged over positions, weighted by channel and summed: one value per layer, (N,).
        layers = [((a - b).square().mean(dim=(2, 3)) * weight).sum(dim=1) for a, b, weight in pairs]
        return torch.stack(layers).sum(dim=0)


def load_lpips(
    net: LpipsNet = "alex", *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Lpips:
    """Load frozen LPIPS with the official weights.

    Args:
        net: Backbone, "alex" or "squeeze".
        device: Device of the weights.
        dtype: Precision of the backbone; distances are computed in the images' type.

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    with torch.device("meta"):
        module = Lpips(net)
    statistics = {"mean": torch.tensor(MEAN).view(3, 1, 1), "std": torch.tensor(STD).view(3, 1, 1)}
    tensors = {**read_weights(FILES[net]).tensors, **statistics}
    module = with_weights(module, tensors).to(device)
    module.stages.to(dtype)
    return module
