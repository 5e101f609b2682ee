"""One step of collaborative learning (Guan et al., arXiv:2007.01758).

The embedding network proposes a code, the iterator improves it, and the best known code of the photo teaches the
network.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latentloop.devices import onto
from latentloop.encoders.second_look import Look
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.inversion import IteratorConfig, LatentIterator, PerceptualMetric
from latentloop.latents import mean_code
from latentloop.losses import LossToward
from latentloop.losses.image import ImageLoss, pixel_loss
from latentloop.training.best_codes import BestCodes
from latentloop.training.collaboration_config import CollaborationConfig


@dataclass(frozen=True)
class Batch:
    """The images of a step: P photos, then S generated images with known codes."""

    images: Tensor
    """Aligned images, (P + S, 3, R, R) in [-1, 1]."""
    photos: Sequence[bytes]
    """SHA-256 of each of the P photos."""
    w_plus: Tensor
    """Codes of the generated images, (S, num_ws, w_dim)."""
    drawn: Tensor
    """Generated images before any degradation, (S, 3, R, R)."""
    looked_at_again: Sequence[int] = ()
    """Indices of the images that get a second look, ascending."""


@dataclass(frozen=True)
class Teaching:
    """Codes that teach the embedding network on N photos."""

    w_plus: Tensor
    """Best known codes, (N, num_ws, w_dim)."""
    image: Tensor
    """Images of these codes, (N, 3, T, T), at the T pixels of the comparison."""
    loss: Tensor
    """Optimization loss L_opt of each image, (N,); NaN without a teacher."""
    gain: Tensor
    """Reduction of the loss by the iterator, (N,)."""
    known: Tensor
    """Mask of the photos whose codes were already in the cache, (N,)."""


@dataclass(frozen=True)
class Collaboration:
    """An embedding network and an iterator that learn from each other (Guan et al., arXiv:2007.01758)."""

    embedder: nn.Module
    """Embedding network: images (N, 3, R, R) -> codes (N, num_ws, w_dim)."""
    generator: Generator
    loss: LossToward
    """Loss L_opt that the iterator minimizes."""
    perceptual: ImageLoss
    """Perceptual distance of images, such as LPIPS."""
    config: CollaborationConfig
    cache: BestCodes
    """Store of each photo's best code; `NoCache` for a configuration without one."""
    mixed_precision: Callable[[], AbstractContextManager[object]] = nullcontext
    """Context in which the network computes."""
    similarity: ImageLoss | None = None
    """Similarity of the faces in two images, 1 for the same face; None if the configuration does not use it."""
    metric: PerceptualMetric | None = None
    """Perceptual metric of the generator; None if the configuration does not use it."""

    def __post_init__(self) -> None:
        if self.config.takes_metric and not self.metric:
            raise ValueError("the configuration takes the generator's metric, none is given")
        if self.config.lambda_id and not self.similarity:
            raise ValueError(f"the configuration says lambda_id={self.config.lambda_id}, no similarity is given")

    @property
    def resolution(self) -> int:
        """Side in pixels of the images that are compared."""
        return min(self.config.resolution, self.generator.resolution)

    @property
    def teaches(self) -> bool:
        """True if photos have teachers: codes of the iterator or of the cache."""
        return bool(self.config.teacher_steps or self.config.cache)

    def iterator(self, steps: int) -> LatentIterator:
        """Create the iterator that teaches; its step size falls to 0 over the whole run."""
        c = self.config
        # In so few steps the step size falls from the first one on, so that the last one is small.
        config = IteratorConfig(steps=steps, optimizer=c.teacher_optimizer, lr=c.teacher_lr, ramp_down=1.0)
        return LatentIterator(self.generator, self.loss, config, metric=self.metric if c.teacher_metric else None)

    def learn(self, batch: Batch, *, step: int) -> tuple[dict[str, Tensor], Teaching]:
        """Compute the network's loss on a batch.

        The sum of the terms is L_E. Gradients flow only through the network's proposal.

        Args:
            batch: Photos and generated images of the step.
            step: Number of the step, stored with codes in the cache.

        Returns:
            Each weighted term by name, (P + S,), and the codes that taught the photos.
        """
        photos, size = len(batch.photos), self.resolution
        with self.mixed_precision():
            w_plus = self.embedder(batch.images)
        # Drawn once: L_E compares it, and `teach` gets it detached to judge the proposal.
        image = self.generator.synthesis(w_plus, resolution=size)
        given = resample(batch.images[:photos], size)
        # Detached: the teacher is a fixed target, no gradient flows through the iterator.
        teaching = self.teach(given, batch.photos, w_plus[:photos].detach(), image[:photos].detach(), step=step)
        target = teaching.image if self.config.image_target == "teacher" else given
        # `drawn`, not `images`: the network sees degraded images, but has to reproduce clean ones.
        teacher, target = torch.cat([teaching.w_plus, batch.w_plus]), torch.cat([target, resample(batch.drawn, size)])
        terms = self.terms(w_plus, image, teacher, target)
        if self.config.lambda_second_look:
            # Detached: the second look corrects the first code, but does not train it.
            first = Look(w_plus.detach(), resample(image.detach(), batch.images.shape[-1]))
            terms["again"] = self._look_again(batch, first, teacher, target)
        return terms, teaching

    def _look_again(self, batch: Batch, first: Look, teacher: Tensor, target: Tensor) -> Tensor:
        """Compute the weighted loss of a second look at some of the images, 0 for the others, (P + S,)."""
        places = batch.looked_at_again
        if not places:
            return torch.zeros(len(batch.images), device=target.device)
        chosen = onto(torch.tensor(places), target.device)  # indexing with a list would synchronize CUDA
        with self.mixed_precision():
            w_plus = self.embedder(batch.images[chosen], Look(first.w_plus[chosen], first.image[chosen]))
        image = self.generator.synthesis(w_plus, resolution=self.resolution)
        wanted = teacher[chosen]
        if not self.teaches:  # `teacher` then holds the first look's own codes: photos get no code term
            photos = sum(place < len(batch.photos) for place in places)
            wanted = torch.cat([w_plus[:photos].detach(), wanted[photos:]])
        loss = torch.stack(list(self.terms(w_plus, image, wanted, target[chosen]).values())).sum(dim=0)
        looked = loss.new_zeros(len(batch.images))
        return looked.index_add(0, chosen, loss, alpha=self.config.lambda_second_look)

    def terms(self, w_plus: Tensor, image: Tensor, teacher: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the terms of L_E for codes (N, num_ws, w_dim) and their images (N, 3, T, T), each (N,)."""
        config = self.config
        terms = {"w": config.lambda_w * self._distance(w_plus, teacher)}
        if config.lambda_img:
            terms["img"] = config.lambda_img * pixel_loss(image, target)
        if config.lambda_per:
            terms["per"] = config.lambda_per * self.perceptual(image, target)
        if self.similarity and config.lambda_id:
            terms["id"] = config.lambda_id * (1 - self.similarity(image, target))
        return terms

    def _distance(self, w_plus: Tensor, teacher: Tensor) -> Tensor:
        if self.metric and self.config.code_distance == "metric":
            return self.metric.squared_distance(w_plus, teacher)
        return (w_plus - teacher).square().mean(dim=(1, 2))

    @torch.no_grad()
    def teach(self, images: Tensor, photos: Sequence[bytes], proposal: Tensor, drawn: Tensor, *, step: int) -> Teaching:
        """Improve the codes of photos with the iterator, and propose them to the cache.

        Args:
            images: Photos, (N, 3, T, T) in [-1, 1].
            photos: SHA-256 of each photo.
            proposal: Codes of the network, (N, num_ws, w_dim).
            drawn: Images of these codes, (N, 3, T, T).
            step: Number of the training step.
        """
        if not (photos and self.teaches):
            return _untaught(proposal, drawn)
        cached = self.cache.lookup(photos)
        known = torch.tensor([code is not None for code in cached], device=proposal.device)
        codes = [own if code is None else code.w_plus.to(own) for own, code in zip(proposal, cached, strict=True)]
        # Infinite without a cached code, so that any loss is better.
        best, losses = torch.stack(codes), [math.inf if code is None else code.loss for code in cached]
        best_loss = torch.tensor(losses, device=drawn.device, dtype=drawn.dtype)
        if self.config.teacher_steps:
            start = self._start(images, proposal, drawn, best, best_loss)
            refined = self._refine(images, start, good=best_loss < self.config.good_loss)
        else:
            loss = self.loss(images)(drawn)
            refined = Teaching(proposal, drawn, loss, torch.zeros_like(loss), known)
        # The iterator's codes, whether better or not: the cache keeps a code only if its loss is lower.
        self.cache.update(photos, refined.w_plus, refined.loss, step=step)
        return replace(self._better(refined, best, best_loss), known=known)

    def _start(self, target: Tensor, proposal: Tensor, drawn: Tensor, best: Tensor, best_loss: Tensor) -> Tensor:
        if self.config.start_from == "average":
            return mean_code(self.generator, len(proposal)).to(proposal)
        if self.config.start_from == "embedder":
            return proposal
        # Photos without a cached code start from the proposal, whatever `start_from` says.
        from_cache = best_loss.isfinite()
        if self.config.start_from == "best":
            from_cache = best_loss < self.loss(target)(drawn)
        return torch.where(from_cache[:, None, None], best, proposal)

    def _refine(self, target: Tensor, start: Tensor, *, good: Tensor) -> Teaching:
        """Run the iterator, with fewer steps for photos whose cached code is good."""
        w_plus, image = torch.empty_like(start), torch.empty_like(target)
        loss, before = target.new_empty(len(target)), target.new_empty(len(target))
        # Two calls, since all images of a call take the same number of steps.
        for steps, chosen in ((self.config.teacher_steps, ~good), (self.config.good_steps, good)):
            if not chosen.any():
                continue
            # The iterator differentiates by its codes, although `teach` runs without gradients.
            with torch.enable_grad():
                refined = self.iterator(steps).refine(target[chosen], start[chosen])
            w_plus[chosen], image[chosen] = refined.w_plus, refined.image
            # Without steps the iterator computes no loss.
            loss[chosen] = refined.loss if steps else self.loss(target[chosen])(refined.image)
            before[chosen] = refined.losses[0] if steps else loss[chosen]
        return Teaching(w_plus, image, loss, before - loss, torch.zeros_like(good))

    def _better(self, refined: Teaching, best: Tensor, best_loss: Tensor) -> Teaching:
        """Replace codes by those of the cache that are better."""
        worse = best_loss < refined.loss
        if not worse.any():
            return refined
        w_plus = torch.where(worse[:, None, None], best, refined.w_plus)
        # Only replaced codes are drawn again.
        image = refined.image.clone()
        image[worse] = self.generator.synthesis(best[worse], resolution=image.shape[-1])
        return replace(refined, w_plus=w_plus, image=image, loss=torch.minimum(best_loss, refined.loss))


def _untaught(proposal: Tensor, drawn: Tensor) -> Teaching:
    """Return the network's own codes as teachers that teach nothing; their loss is not computed."""
    unknown, none = drawn.new_full((len(proposal),), math.nan), torch.zeros(len(proposal), device=drawn.device)
    return Teaching(proposal, drawn, unknown, none.to(drawn), none.bool())
