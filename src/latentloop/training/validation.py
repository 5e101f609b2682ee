"""Validation of an embedding network on held-out images."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentloop.encoders import Embedder
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.latents import sample_codes
from latentloop.losses.image import pixel_loss
from latentloop.pictures.sheet import contact_sheet
from latentloop.training.collaboration import Collaboration

SHOWN = 6
"""Number of images in the picture."""
UNSEEN = 0x5EED
"""Seed of generated validation images; no training step uses it."""


@dataclass(frozen=True)
class Validation:
    """Measures one pass, and draws one pass and the iterator, on held-out images."""

    images: Tensor
    """Held-out images, (N, 3, R, R) in [-1, 1], on the generator's device."""
    collaboration: Collaboration
    """Generator, losses and iterator of the measurement."""
    batch: int
    """Number of images measured together."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Error message of each unusable validation photo, by its name."""

    @torch.no_grad()
    def measure(self, embedder: Embedder) -> dict[str, float]:
        """Average metrics over the images: `val_mse` on [-1, 1], `val_lpips` and `val_loss`, which is L_opt."""
        both, sums = self.collaboration, torch.zeros(3, dtype=torch.float64)
        for photos in self.images.split(self.batch):
            image, target = self._drawn(embedder(photos)).clamp(-1, 1), resample(photos, both.resolution)
            figures = (pixel_loss(image, target), both.perceptual(image, target), both.loss(target)(image))
            # Summed, not averaged: the last batch may be smaller.
            sums += torch.stack([figure.sum().cpu().double() for figure in figures])
        return dict(zip(("val_mse", "val_lpips", "val_loss"), (sums / len(self.images)).tolist(), strict=True))

    def picture(self, embedder: Embedder) -> Tensor:
        """Draw some images in rows: target, one pass, one pass and the iterator; (1, 3, rows * T, 3 * T)."""
        photos = self.images[:: max(1, len(self.images) // SHOWN)][:SHOWN]
        with torch.no_grad():
            w_plus, target = embedder(photos), resample(photos, self.collaboration.resolution)
        found = self.collaboration.iterator(self.collaboration.config.teacher_steps).refine(target, w_plus)
        rows = torch.stack([target, self._drawn(w_plus), found.image], dim=1)
        return contact_sheet(rows.flatten(0, 1).clamp(-1, 1).cpu(), columns=3)

    @torch.no_grad()
    def _drawn(self, w_plus: Tensor) -> Tensor:
        return self.collaboration.generator.synthesis(w_plus, resolution=self.collaboration.resolution)


def unseen_images(generator: Generator, count: int, resolution: int) -> Tensor:
    """Draw random images, (count, 3, R, R), as validation images if there are no photos."""
    codes = sample_codes(generator, count, randomness=torch.Generator().manual_seed(UNSEEN))
    with torch.no_grad():
        return torch.cat([generator.synthesis(w, resolution=resolution) for w in codes.split(1)])
