"""Print how similar MobileFaceNet finds aligned photos of different persons, and each photo to its mirror image.

    python scripts/identity_pairs.py faces/celeba-*.png faces/ffhq-*.jpg

Every photo must show another person.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from latentloop.faces import fixed_crop
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.images import read_image

SHARES = (0.3, 0.4)
"""Similarities above which pairs are counted."""


@dataclass(frozen=True)
class Pairs:
    """Print the distribution of ID over pairs of different persons."""

    photos: tyro.conf.Positional[tuple[Path, ...]]
    """FFHQ-aligned photos, each of another person."""

    @torch.inference_mode()
    def run(self) -> None:
        """Print the figures."""
        network = load_mobilefacenet()
        photos = [read_image(photo) for photo in self.photos]
        own, mirrored = (
            F.normalize(torch.cat([network(fixed_crop(image)) for image in images]))
            for images in (photos, [photo.flip(3) for photo in photos])
        )
        rows, columns = torch.triu_indices(len(own), len(own), offset=1)
        show("different persons", (own @ own.T)[rows, columns])
        show("mirror images", (own * mirrored).sum(dim=1))


def show(what: str, similarities: Tensor) -> None:
    """Print mean, quantiles and shares of similarities, (N,)."""
    low, high = similarities.quantile(similarities.new_tensor([0.01, 0.99])).tolist()
    above = "  ".join(f"above {bound}: {(similarities > bound).float().mean():.4f}" for bound in SHARES)
    print(f"{what}: n {len(similarities)}  mean {similarities.mean():.3f}  1 % {low:.3f}  99 % {high:.3f}  {above}")


if __name__ == "__main__":
    tyro.cli(Pairs, description=__doc__).run()
