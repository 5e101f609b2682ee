"""One step of collaborative learning (Guan et al., arXiv:2007.01758).

The embedding network proposes a code, the iterator betters it, the best code known of the photo teaches the network.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import LossToward
from latentloop.losses.image import ImageLoss, pixel_loss
from latentloop.training.best_codes import BestCodes
from latentloop.training.collaboration_config import CollaborationConfig


@dataclass(frozen=True)
class Batch:
    """What is learned from at once: P photos, then S images that the generator drew of known codes."""

    images: Tensor
    """(P + S, 3, R, R) in [-1, 1], aligned."""
    photos: Sequence[bytes]
    """Hashes of the P photos' contents."""
    w_plus: Tensor
    """The known codes, (S, num_ws, w_dim)."""
    drawn: Tensor
    """What is drawn of them, (S, 3, R, R); the images may be spoilt on purpose."""


@dataclass(frozen=True)
class Teaching:
    """What teaches the embedding network on N images."""

    w_plus: Tensor
    """The best codes known, (N, num_ws, w_dim)."""
    image: Tensor
    """What the generator draws of them, (N, 3, T, T), with the T pixels that are compared."""
    loss: Tensor
    """L_opt of each, (N,)."""
    gain: Tensor
    """What the iterator took off the loss that it started from, (N,)."""
    known: Tensor
    """Whether the photo's code was in the cache before, (N,)."""


@dataclass(frozen=True)
class Collaboration:
    """What both learners need."""

    embedder: nn.Module
    """Images (N, 3, R, R) -> codes (N, num_ws, w_dim)."""
    generator: Generator
    loss: LossToward
    """L_opt, which the iterator descends."""
    perceptual: ImageLoss
    """LPIPS between images."""
    config: CollaborationConfig
    cache: BestCodes
    """Where the best code ever found of a photo is kept; `NoCache` for a configuration without a cache."""
    mixed_precision: Callable[[], AbstractContextManager[object]] = nullcontext
    """Where the network computes."""
    similarity: ImageLoss | None = None
    """Of the faces in two images, 1 for the same, if the configuration weighs it."""

    def __post_init__(self) -> None:
        if self.config.lambda_id and not self.similarity:
            raise ValueError(f"the configuration says lambda_id={self.config.lambda_id}, no similarity is given")

    @property
    def resolution(self) -> int:
        """Pixels of the images that are compared."""
        return min(self.config.resolution, self.generator.resolution)

    def iterator(self, steps: int) -> LatentIterator:
        """What teaches: so many steps that grow smaller down to 0."""
        c = self.config
        config = IteratorConfig(steps=steps, optimizer=c.teacher_optimizer, lr=c.teacher_lr, ramp_down=1.0)
        return LatentIterator(self.generator, self.loss, config)

    def learn(self, batch: Batch, *, step: int) -> tuple[dict[str, Tensor], Teaching]:
        """What the network is to lower on some images, each term weighted, (P + S,), and what taught it on the photos.

        The sum of the terms is L_E. Gradients flow through the network's proposal alone.
        """
        photos, size = len(batch.photos), self.resolution
        with self.mixed_precision():
            w_plus = self.embedder(batch.images)
        image = self.generator.synthesis(w_plus, resolution=size)
        given = resample(batch.images[:photos], size)
        teaching = self.teach(given, batch.photos, w_plus[:photos].detach(), image[:photos].detach(), step=step)
        target = teaching.image if self.config.image_target == "teacher" else given
        teacher = torch.cat([teaching.w_plus, batch.w_plus])
        return self.terms(w_plus, image, teacher, torch.cat([target, resample(batch.drawn, size)])), teaching

    def terms(self, w_plus: Tensor, image: Tensor, teacher: Tensor, target: Tensor) -> dict[str, Tensor]:
        """L_E of codes (N, num_ws, w_dim) and their images (N, 3, T, T) against teachers of the same shapes, (N,)."""
        config = self.config
        terms = {"w": config.lambda_w * (w_plus - teacher).square().mean(dim=(1, 2))}
        if config.lambda_img:
            terms["img"] = config.lambda_img * pixel_loss(image, target)
        if config.lambda_per:
            terms["per"] = config.lambda_per * self.perceptual(image, target)
        if self.similarity and config.lambda_id:
            terms["id"] = config.lambda_id * (1 - self.similarity(image, target))
        return terms

    @torch.no_grad()
    def teach(self, images: Tensor, photos: Sequence[bytes], proposal: Tensor, drawn: Tensor, *, step: int) -> Teaching:
        """Better the codes of photos with the iterator, and keep the best in the cache.

        Args:
            images: The photos, (N, 3, T, T) in [-1, 1].
            photos: Hashes of their contents.
            proposal: The network's codes, (N, num_ws, w_dim).
            drawn: What the generator draws of them, (N, 3, T, T).
            step: Of the training.
        """
        cached = self.cache.lookup(photos)
        known = torch.tensor([code is not None for code in cached], device=proposal.device)
        if not photos:
            empty = proposal.new_empty(0)
            return Teaching(proposal, drawn, empty, empty, known)
        codes = [own if code is None else code.w_plus.to(own) for own, code in zip(proposal, cached, strict=True)]
        best, losses = torch.stack(codes), [math.inf if code is None else code.loss for code in cached]
        best_loss = torch.tensor(losses, device=drawn.device, dtype=drawn.dtype)
        if self.config.teacher_steps:
            start = self._start(images, proposal, drawn, best, best_loss)
            found = self._refine(images, start, good=best_loss < self.config.good_loss)
        else:
            loss = self.loss(images)(drawn)
            found = Teaching(proposal, drawn, loss, torch.zeros_like(loss), known)
        self.cache.update(photos, found.w_plus, found.loss, step=step)
        return replace(self._better(found, best, best_loss), known=known)

    def _start(self, target: Tensor, proposal: Tensor, drawn: Tensor, best: Tensor, best_loss: Tensor) -> Tensor:
        if self.config.start_from == "average":
            return mean_code(self.generator, len(proposal)).to(proposal)
        if self.config.start_from == "embedder":
            return proposal
        from_cache = best_loss.isfinite()
        if self.config.start_from == "best":
            from_cache = best_loss < self.loss(target)(drawn)
        return torch.where(from_cache[:, None, None], best, proposal)

    def _refine(self, target: Tensor, start: Tensor, *, good: Tensor) -> Teaching:
        """Run the iterator, with fewer steps where the cached code is good."""
        w_plus, image = torch.empty_like(start), torch.empty_like(target)
        loss, before = target.new_empty(len(target)), target.new_empty(len(target))
        for steps, chosen in ((self.config.teacher_steps, ~good), (self.config.good_steps, good)):
            if not chosen.any():
                continue
            with torch.enable_grad():
                found = self.iterator(steps).refine(target[chosen], start[chosen])
            w_plus[chosen], image[chosen] = found.w_plus, found.image
            loss[chosen] = found.loss if steps else self.loss(target[chosen])(found.image)
            before[chosen] = found.losses[0] if steps else loss[chosen]
        return Teaching(w_plus, image, loss, before - loss, torch.zeros_like(good))

    def _better(self, found: Teaching, best: Tensor, best_loss: Tensor) -> Teaching:
        """What was found, but for photos of which the cache knows better."""
        worse = best_loss < found.loss
        if not worse.any():
            return found
        w_plus = torch.where(worse[:, None, None], best, found.w_plus)
        image = found.image.clone()
        image[worse] = self.generator.synthesis(best[worse], resolution=image.shape[-1])
        return replace(found, w_plus=w_plus, image=image, loss=torch.minimum(best_loss, found.loss))
