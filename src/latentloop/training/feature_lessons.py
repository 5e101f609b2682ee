"""Training of a feature encoder: parts of photos, what their one-pass codes draw there, and the loss of the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from latentloop.encoders import Encoder
from latentloop.generators import Midway, MobileStyleGAN
from latentloop.generators.midway import level_of
from latentloop.images import resample
from latentloop.inversion.feature_encoder import FeatureEncoder, Sight
from latentloop.losses import ImageLoss

BORDER = 2
"""Positions of features, at the edge of a part, whose pixels the loss leaves out: there the layers lack neighbours."""


class Study(NamedTuple):
    """A photo with its one-pass code, and what the generator makes of that."""

    photo: Tensor
    """Photo, (1, 3, R, R) in [-1, 1], with R of the encoder's resolution."""
    w_plus: Tensor
    """Code, (1, num_ws, w_dim)."""
    drawn: Tensor
    """Image of the code, of the photo's shape."""
    features: Tensor
    """The generator's features at the seam, (1, C, H, W)."""
    sight: Sight
    """Conditions of the code for the encoder."""


class Part(NamedTuple):
    """A part of a photo."""

    images: tuple[Tensor, Tensor, Tensor]
    """The part of the photo, of its code's image, and of the generator's features."""
    corner: tuple[int, int]
    """First row and column, in positions of the features."""


@dataclass(frozen=True)
class FeatureLessons:
    """Losses of changed features, on parts of photos: the layers after the seam see only their surroundings.

    A part of a quarter of the area costs a quarter of the time, and other photos teach more than the rest of one.
    """

    generator: MobileStyleGAN
    """Frozen generator whose features are changed."""
    encode: Encoder
    """Embedding network that finds the codes."""
    loss: ImageLoss
    """Loss of images of `side` times `config.pixels` pixels, less the border."""
    side: int = 32
    """Side of a part, in positions of the features; a power of two."""
    lambda_small: float = 0.01
    """Weight of the mean square of the change, in standard deviations of each channel."""

    @torch.no_grad()
    def study(self, photo: Tensor, encoder: FeatureEncoder) -> Study:
        """Find the code of a photo (1, 3, R, R), and draw it."""
        config, synthesis = encoder.config, self.generator.synthesis
        w_plus = self.encode(resample(photo, self.encode.resolution))
        midway = synthesis.begin(w_plus, config.seam)
        drawn = synthesis.finish(midway, w_plus, resolution=config.resolution)
        return Study(photo, w_plus, drawn, midway.features, encoder.sight(synthesis, w_plus, midway.features))

    def loss_of(self, encoder: FeatureEncoder, studies: Sequence[Study], random: Random, *, again: bool) -> Tensor:
        """Compute the mean loss of a random part of each photo after the encoder's change.

        Args:
            encoder: Encoder that learns.
            studies: Photos with their codes.
            random: Chooses the parts.
            again: The encoder looks a second time, at what its first change draws; only that look is learned from.
        """
        parts = [self._part(study, encoder, random) for study in studies]
        photo, drawn, own = (torch.cat(tensors) for tensors in zip(*(part.images for part in parts), strict=True))
        corners, w_plus = [part.corner for part in parts], torch.cat([study.w_plus for study in studies])
        sight = Sight(*(torch.cat(tensors) for tensors in zip(*(one.sight for one in studies), strict=True)))
        features, before = own, torch.zeros_like(own)
        if again:
            with torch.no_grad():
                before = encoder(photo, drawn, own, sight)
                features = own + sight.spread * before
                drawn = self.draw(features, w_plus, corners, encoder)
        change = before + encoder(photo, drawn, features, sight)
        image = self.draw(own + sight.spread * change, w_plus, corners, encoder)
        edge = BORDER * encoder.config.pixels
        inside = (..., slice(edge, -edge), slice(edge, -edge))
        small = self.lambda_small * change.square().mean(dim=(1, 2, 3))
        return torch.mean(self.loss(image[inside], photo[inside]) + small)

    def _part(self, study: Study, encoder: FeatureEncoder, random: Random) -> Part:
        config = encoder.config
        corner = random.randint(0, config.seam - self.side), random.randint(0, config.seam - self.side)
        rows, columns = (slice(place, place + self.side) for place in corner)
        high, wide = (slice(one.start * config.pixels, one.stop * config.pixels) for one in (rows, columns))
        images = study.photo[..., high, wide], study.drawn[..., high, wide], study.features[..., rows, columns]
        return Part(images, corner)

    def draw(
        self, features: Tensor, w_plus: Tensor, corners: Sequence[tuple[int, int]], encoder: FeatureEncoder
    ) -> Tensor:
        """Draw parts of features, (N, C, side, side), that lie at `corners` (first row and column)."""
        seam, size = encoder.config.seam, self.side * encoder.config.pixels
        finish = _Finish(self.generator)
        images: list[Tensor] = [
            functional_call(finish, self._noise(corner, seam), (Midway(seam, x), w, size))
            for x, w, corner in zip(features.split(1), w_plus.split(1), corners, strict=True)
        ]
        return torch.cat(images)

    def _noise(self, corner: tuple[int, int], seam: int) -> dict[str, Tensor]:
        """The noise maps of the layers after the seam, cut to the part of the features at `corner`."""
        maps = {}
        for i in range(level_of(seam), len(self.generator.synthesis.blocks)):
            times = (8 << i) // seam
            rows, columns = (slice(times * place, times * (place + self.side)) for place in corner)
            for conv in ("conv1", "conv2"):
                name = f"synthesis.blocks.{i}.{conv}.noise"
                maps[f"generator.{name}"] = self.generator.get_parameter(name)[rows, columns]
        return maps


class _Finish(torch.nn.Module):
    """`Synthesis.finish` as a module's call, whose parameters can be replaced."""

    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, midway: Midway, w_plus: Tensor, size: int) -> Tensor:
        """Draw features at a seam, to images of `size` pixels."""
        image: Tensor = self.generator.synthesis.finish(midway, w_plus, resolution=size)
        return image
