"""The embedding network of Guan et al. (arXiv:2007.01758), which predicts a photo's code in one pass."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders.attribute import SLOPE, AttributeEncoder, normalisation
from latentloop.encoders.config import EmbedderConfig
from latentloop.encoders.identity import IdentityEncoder, load_identity_encoder
from latentloop.encoders.second_look import Look, SecondLook
from latentloop.encoders.shallow import ClassifierMaps, Tap
from latentloop.encoders.treeconnect import TreeConnect
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.generators import Generator
from latentloop.images import resample

FIRST_OFFSET = 0.1
"""Factor of the head's output, in units of W: the head of a new network has outputs of about 1."""


class FusionBlock(nn.Module):
    """A residual block that fuses identity into attribute features by denormalisation (FaceShifter, arXiv:1912.13457).

    The features are normalised without affine parameters; scale and shift are predicted from the identity embedding.
    Without an identity, scale and shift are learned: a plain residual block.
    """

    def __init__(self, channels: int, identity_features: int | None) -> None:
        super().__init__()
        self.norm = normalisation(channels, affine=identity_features is None)
        self.denormalise = None if identity_features is None else nn.Linear(identity_features, 2 * channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, attributes: Tensor, identity: Tensor | None) -> Tensor:
        """Map features (N, C, H, W) and identity embeddings (N, identity_features) to features (N, C, H, W)."""
        x = self.norm(attributes)
        if self.denormalise is not None:
            scale, shift = self.denormalise(identity)[:, :, None, None].chunk(2, dim=1)
            x = x * (1 + scale) + shift  # around 1: a new linear layer changes little
        out: Tensor = attributes + self.conv(F.leaky_relu(x, SLOPE))
        return out


class Embedder(nn.Module):
    """The embedding network, which predicts codes of images in one pass, for one generator's latent space."""

    latent_avg: Tensor

    def __init__(
        self,
        config: EmbedderConfig,
        *,
        latent_avg: Tensor,
        num_ws: int,
        fingerprint: str,
        identity: IdentityEncoder | None = None,
        classifier: Lpips | None = None,
    ) -> None:
        """Build a freshly initialised network, which predicts roughly the mean latent for every image.

        Args:
            config: Layer sizes. Its `identity` and `maps` are not read here; pass the networks themselves.
            latent_avg: The generator's mean of w, (w_dim,) or (num_ws, w_dim).
            num_ws: The generator's number of style inputs.
            fingerprint: Fingerprint of the generator's latent space.
            identity: Identity encoder that guides the attributes; None for a plain residual network.
            classifier: LPIPS on AlexNet, whose maps are added to the attributes; None for no maps.

        Raises:
            ValueError: Configuration and identity encoder disagree on whether the identity encoder is frozen.
        """
        super().__init__()
        if identity and identity.frozen != config.frozen_identity:
            theirs = identity.frozen
            raise ValueError(f"frozen_identity is {config.frozen_identity}, the identity encoder's frozen is {theirs}")
        self.config, self.fingerprint = config, fingerprint
        self.num_ws, self.w_dim = num_ws, latent_avg.shape[-1]
        self.identity = identity
        self.attributes = AttributeEncoder(config.channels, config.depths)
        channels, identity_features = config.channels[-1], identity.features if identity else None
        self.fusion = nn.ModuleList(FusionBlock(channels, identity_features) for _ in range(config.fusion_blocks))
        self.narrow = nn.Conv2d(channels, config.head_channels, 1)
        widths, taps = [config.channels[stage] for stage in config.shallow], config.tap_channels
        self.maps = ClassifierMaps(classifier, widths) if classifier else None
        self.taps = nn.ModuleList(Tap(width, taps, config.grid) for width in widths if taps)
        features = (config.head_channels + len(self.taps) * taps) * config.grid**2  # inputs of the head, flattened
        self.head = _make_head(config, features, self.num_ws * self.w_dim)
        again = _make_head(config, features, self.num_ws * self.w_dim) if config.second_look else None
        self.second = SecondLook(config.channels[0], widths if classifier else (), again) if again else None
        self.register_buffer("latent_avg", latent_avg.detach().clone())

    @property
    def resolution(self) -> int:
        """Side of the input images, in pixels."""
        return self.config.resolution

    def forward(self, image: Tensor, first: Look | None = None) -> Tensor:
        """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1].

        Args:
            image: Images to embed.
            first: Result of the first look, to improve in a second one; None for the first look.

        Raises:
            ValueError: The images have another shape, or the network has no second look.
        """
        size = self.resolution
        for one in (image, first.image) if first else (image,):
            if one.ndim != 4 or one.shape[1:] != (3, size, size):
                raise ValueError(f"image must be (N, 3, {size}, {size}), got {tuple(one.shape)}")
        if first and not self.second:
            raise ValueError("this network has no second look")
        identity = self.identity(image) if self.identity else None
        image = image.contiguous(memory_format=torch.channels_last)  # faster; takes half the time in bfloat16 on a CPU
        added = self._added(image, first.image if first else None)
        *shallow, x = self.attributes.stages(image, added)  # x is (N, channels[-1], grid, grid)
        for block in self.fusion:
            x = block(x, identity)
        taps = [tap(stage) for tap, stage in zip(self.taps, shallow[-2:], strict=False)]  # there may be none
        features = F.leaky_relu(torch.cat([self.narrow(x), *taps], dim=1), SLOPE).flatten(1)
        head = self.second.head if self.second and first else self.head
        offset = head(features).unflatten(1, (self.num_ws, self.w_dim))
        # w_e = latent_avg + 0.1 E(x); a second look adds to the first code instead of the mean.
        w_plus: Tensor = (first.w_plus if first else self.latent_avg) + FIRST_OFFSET * offset
        return w_plus

    def _added(self, image: Tensor, drawn: Tensor | None) -> dict[int, Tensor]:
        """Maps to add to stages of the trunk, by the stages' numbers."""
        stages, seen = self.config.shallow, self._see(image)
        added = dict(zip(stages, self.maps(seen), strict=True)) if self.maps else {}
        if self.second and drawn is not None:
            differences = [ours - theirs for ours, theirs in zip(seen, self._see(drawn), strict=True)]
            wrong = self.second(image - drawn, differences)
            for stage, one in zip((0, *stages), wrong, strict=False):  # without a classifier, only the pixels' maps
                added[stage] = added[stage] + one if stage in added else one
        return added

    def _see(self, image: Tensor) -> list[Tensor]:
        """The classifier's maps of images, on the grids of two stages; empty without a classifier."""
        grids = [self.resolution >> (stage + 1) for stage in self.config.shallow]  # sides of the stages' features
        return self.maps.see(image, grids) if self.maps else []


@dataclass(frozen=True)
class TwoLooks:
    """An embedding network with two looks, and the generator that draws the first reconstruction in between."""

    embedder: Embedder
    """Embedding network that has a second look."""
    generator: Generator
    """Generator of the codes."""

    @property
    def resolution(self) -> int:
        """Side of the input images, in pixels."""
        return self.embedder.resolution

    def __call__(self, image: Tensor, /) -> Tensor:
        """Predict codes (N, num_ws, w_dim) of aligned images (N, 3, resolution, resolution) in [-1, 1].

        Raises:
            ValueError: The images have another shape, or the network has no second look.
        """
        w_plus, size = self.embedder(image), self.resolution
        drawn = self.generator.synthesis(w_plus, resolution=min(size, self.generator.resolution))
        found: Tensor = self.embedder(image, Look(w_plus, resample(drawn, size)))
        return found


def make_embedder(config: EmbedderConfig, generator: Generator, *, seed: int) -> Embedder:
    """Make a new embedding network on the generator's device; a seed gives the same weights on every device.

    Args:
        config: Sizes and parts of the network.
        generator: Generator whose codes the network is to predict.
        seed: Seed of the random weights.

    Raises:
        UserError: The weights of the identity encoder or the classifier are missing or damaged.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone: torch.manual_seed would also seed accelerators
        embedder = Embedder(
            config,
            latent_avg=generator.latent_avg.cpu(),
            num_ws=generator.num_ws,
            fingerprint=generator.fingerprint,
            identity=find_identity_encoder(config),
            classifier=find_classifier(config),
        )
    return embedder.to(generator.device)


def find_identity_encoder(config: EmbedderConfig) -> IdentityEncoder | None:
    """Load the pretrained identity encoder that a configuration names; None if it names none.

    Raises:
        UserError: The weights are missing or damaged.
    """
    return None if config.identity == "none" else load_identity_encoder(frozen=config.frozen_identity)


def find_classifier(config: EmbedderConfig) -> Lpips | None:
    """Load the pretrained classifier that a configuration names; None if it names none.

    Raises:
        UserError: The weights are missing or damaged.
    """
    return None if config.maps == "none" else load_lpips("alex")


def _make_head(config: EmbedderConfig, in_features: int, out_features: int) -> nn.Module:
    if config.head == "tree":
        return TreeConnect(in_features, out_features, nn.LeakyReLU(SLOPE))
    return nn.Linear(in_features, out_features)
