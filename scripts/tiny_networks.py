"""Networks of a few thousand numbers, and photos that they draw: for scripts that try how jobs stand being killed."""

from pathlib import Path

import torch

from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.latents import sample_codes

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)


def write_tiny_networks(folder: Path, photos: int) -> None:
    """Write tiny.safetensors (a generator), network.safetensors (its embedding network) and photos/ into a folder."""
    torch.manual_seed(0)
    generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(8, 8, 8)), name="tiny", fingerprint="")
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save_generator(folder / "tiny.safetensors", generator)
    tiny = load_generator(folder / "tiny.safetensors")
    save_embedder(folder / "network.safetensors", make_embedder(TINY, tiny, seed=0))
    for i, w_plus in enumerate(sample_codes(tiny, photos, randomness=torch.Generator().manual_seed(1))):
        write_png(folder / "photos" / f"{i}.png", tiny.synthesis(w_plus[None]))
