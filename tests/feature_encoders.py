"""A small generator with a feature encoder that is not trained, but changes something."""

import torch

from latentloop.generators import MobileStyleGAN, weights_fingerprint
from latentloop.generators.mobilestylegan import Shape
from latentloop.inversion import FeatureEncoder, FeatureEncoderConfig

CONFIG = FeatureEncoderConfig(seam=16, channels=8, pixels=2, styles=3, w_dim=8, width=12, depth=1)
"""Sizes for `small_mobile`, whose features have 16 positions, and which is compared at 32 pixels."""


def small_mobile() -> MobileStyleGAN:
    """Build a random generator that draws 64 pixels, frozen."""
    shape = Shape(w_dim=8, num_ws=8, channels=(8, 8, 8, 8))
    generator = MobileStyleGAN(shape, name="small", fingerprint="s")
    randomness = torch.Generator().manual_seed(0)
    for name, tensor in generator.state_dict().items():
        # Little noise: the features, which the encoder changes, shall be seen in the image.
        torch.nn.init.normal_(tensor, std=0.01 if name.endswith("noise") else 0.78, generator=randomness)
    return generator.requires_grad_(False)


def feature_encoder(generator: MobileStyleGAN, *, std: float = 0.2) -> FeatureEncoder:
    """Build an encoder with random weights for a `small_mobile`."""
    encoder = FeatureEncoder(CONFIG, weights=weights_fingerprint(generator)).requires_grad_(False)
    randomness = torch.Generator().manual_seed(1)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=std, generator=randomness)
    encoder.latent_avg.copy_(generator.latent_avg)
    return encoder.eval()
