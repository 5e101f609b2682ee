"""The classifiers whose features the earlier methods compare: VGG16 as published, or AlexNet as a substitute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.baselines.names import FeatureNet
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.features.vgg import load_lpips_vgg, load_vgg16
from latentloop.losses.image import LossToward

FeaturesOf = Callable[[Tensor], Sequence[Tensor]]
"""Function from images (N, 3, H, W) in [-1, 1] to feature maps, each (N, C, h, w)."""

VGG_LAYERS = ("conv1_1", "conv1_2", "conv3_2", "conv4_2")
"""VGG16 layers that Image2StyleGAN compares."""
VGG_LAYER = ("conv3_3",)
"""VGG16 layer that StyleGAN-Encoder compares."""
ALEX_STAGES, ALEX_STAGE = (0, 1, 2, 3), (2,)
"""AlexNet stages that replace these: its first four convolutions, and its third one."""


@dataclass(frozen=True)
class Networks:
    """The feature extractors with which the earlier methods compare images."""

    name: FeatureNet
    """Classifier of the features."""
    layers: FeaturesOf
    """Function to the features that Image2StyleGAN compares."""
    layer: FeaturesOf
    """Function to the features that StyleGAN-Encoder compares."""
    lpips: Lpips
    """LPIPS with the same classifier."""


def load_networks(
    name: FeatureNet, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Networks:
    """Load the frozen networks with which the earlier methods compare images.

    Args:
        name: "vgg16", as published, which must be fetched first, or "alexnet", which is bundled.
        device: Device of the networks.
        dtype: Precision of the networks.

    Raises:
        UserError: The weights are missing or damaged.
    """
    if name == "alexnet":
        lpips = load_lpips("alex", device=device, dtype=dtype)
        return Networks(name, _stages(lpips, ALEX_STAGES), _stages(lpips, ALEX_STAGE), lpips)
    vgg, lpips = load_vgg16(device=device, dtype=dtype), load_lpips_vgg(device=device, dtype=dtype)
    return Networks(
        name,
        lambda image: [seen.to(image.dtype) for seen in vgg.features(image, VGG_LAYERS)],
        lambda image: [seen.to(image.dtype) for seen in vgg.features(image, VGG_LAYER)],
        lpips,
    )


def feature_loss(features_of: FeaturesOf, mask: Tensor | None = None) -> LossToward:
    """Make the loss of feature maps: the mean squared difference of each layer, summed over layers, (N,).

    Args:
        features_of: Function that computes the feature maps.
        mask: Weight of each pixel, (N or 1, 1, H, W), averaged down to the maps' sizes; None for 1 everywhere.
    """

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        with torch.no_grad():
            wanted = features_of(target)

        def loss(image: Tensor) -> Tensor:
            pairs = zip(features_of(image), wanted, strict=True)
            return torch.stack([_difference(seen, want, mask) for seen, want in pairs]).sum(dim=0)

        return loss

    return toward


def _difference(seen: Tensor, wanted: Tensor, mask: Tensor | None) -> Tensor:
    """Mean squared difference of feature maps (N, C, h, w), weighted by the mask, (N,)."""
    difference = (seen - wanted).square()
    if mask is not None:
        difference = difference * F.adaptive_avg_pool2d(mask, (seen.shape[2], seen.shape[3]))  # (N or 1, 1, h, w)
    return difference.mean(dim=(1, 2, 3))


def _stages(lpips: Lpips, wanted: Sequence[int]) -> FeaturesOf:
    """Function to the features of AlexNet's stages, without LPIPS's normalisation."""

    def features(image: Tensor) -> list[Tensor]:
        # ImageNet's statistics; `Lpips.features` would scale the maps to unit length, which these methods do not.
        x = ((image - lpips.mean) / lpips.std).to(next(lpips.stages.parameters()).dtype)
        maps = []
        for i, stage in enumerate(list(lpips.stages)[: max(wanted) + 1]):
            x = stage(x)
            if i in wanted:
                maps.append(x.to(image.dtype))
        return maps

    return features
