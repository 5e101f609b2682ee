"""A generator learns to draw at a smaller size what a larger one draws from the same code."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from latentloop.features.lpips import Lpips
from latentloop.generators import MobileStyleGAN
from latentloop.images import resample
from latentloop.losses import LossConfig, pixel_loss, toward, weighted_sum
from latentloop.training.codes import sample_iterated_codes, sample_training_codes
from latentloop.training.config import DistillConfig
from latentloop.training.student import trainable

WARM_UP = 20
"""Steps in which the step size grows to its largest."""
Draw = Callable[[Mapping[str, Tensor], Tensor], Tensor]
PhotoSource = Callable[[int, torch.Generator], Tensor]
"""How many, randomness -> photos (count, 3, R, R) in [-1, 1]."""


@dataclass
class Distillation:
    """Teaches a student on what its teacher draws, averaged down to the student's size.

    A pool of images is drawn and learned from at a time. All that is random in a pool follows from the seed and the
    pool's number, so that a run that goes on from a state takes the very course of one that never stopped.
    """

    teacher: MobileStyleGAN
    student: MobileStyleGAN
    """Learns in place; on the teacher's device."""
    lpips: Lpips
    config: DistillConfig
    seed: int
    photos: PhotoSource | None = None
    """Aligned photos whose codes the student must draw well, not only random ones."""
    compiled: bool = False
    """Draw through torch.compile."""
    step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        trunk, head = trainable(self.student, self.config.trained_blocks)
        self._learning = trunk | head
        self._average = {name: parameter.detach().clone() for name, parameter in self._learning.items()}
        groups = [{"params": list(trunk.values())}, {"params": list(head.values())}]
        self._optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self._dtype = getattr(torch, self.config.precision)
        self._draw_teacher, self._draw_student = self._drawing(self.teacher), self._drawing(self.student)

    def run(self) -> Iterator[dict[str, float]]:
        """Learn from one whole pool after another until the steps are done; yields each pool's mean loss terms."""
        while self.step < self.config.steps:
            terms = [self._learn(*batch) for batch in self._batches(self.step // self.config.steps_per_pool)]
            yield {name: sum(t[name] for t in terms) / len(terms) for name in terms[0]}

    def result(self) -> MobileStyleGAN:
        """The student with the running mean of its weights."""
        shape, name, fingerprint = self.student.shape, self.student.name, self.student.fingerprint
        result = MobileStyleGAN(shape, name=name, fingerprint=fingerprint).to(self.student.latent_avg.device)
        result.load_state_dict(self.student.state_dict() | self._average)
        return result.requires_grad_(False).eval()

    def state(self) -> dict[str, Any]:
        """All that changes in the course of a run."""
        learning = {name: parameter.detach() for name, parameter in self._learning.items()}
        optimizer = self._optimizer.state_dict()
        return {"step": self.step, "learning": learning, "average": self._average, "optimizer": optimizer}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        for name, parameter in self._learning.items():
            parameter.data.copy_(state["learning"][name])
            self._average[name].copy_(state["average"][name])
        self._optimizer.load_state_dict(state["optimizer"])

    def _batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes (batch, num_ws, w_dim) and the teacher's images (batch, 3, R, R) of a pool."""
        words = np.random.SeedSequence([self.seed, number]).generate_state(1, np.uint64)
        randomness = torch.Generator().manual_seed(int(words[0]))
        codes = self._codes(randomness)
        tensors = dict(self.teacher.synthesis.named_parameters())
        with torch.no_grad():
            images = torch.cat([self._draw_teacher(tensors, w) for w in codes.split(self.config.batch)])
        for _ in range(self.config.repeats):
            order = torch.randperm(len(codes), generator=randomness).to(codes.device)
            for chosen in order.split(self.config.batch):
                yield codes[chosen], images[chosen]

    def _codes(self, randomness: torch.Generator) -> Tensor:
        """Codes of a pool, (pool, num_ws, w_dim)."""
        config, codes = self.config, []
        if self.photos:
            target = self.photos(config.pool_photos, randomness).to(self.student.latent_avg)
            loss = weighted_sum((1.0, toward(pixel_loss)), (LossConfig().lambda_lpips, self.lpips.toward))
            for batch in target.split(config.batch):
                drawing = _Drawing(self.student, self._draw_student)
                codes += [
                    sample_iterated_codes(drawing, batch, loss, steps=config.photo_steps, count=config.photo_codes)
                ]
        rest = config.pool - sum(map(len, codes))
        return torch.cat([*codes, sample_training_codes(self.teacher, rest, randomness=randomness)])

    def _learn(self, w_plus: Tensor, target: Tensor) -> dict[str, float]:
        """Take a step on codes (N, num_ws, w_dim) and images (N, 3, R, R); returns the terms of the loss."""
        image = self._draw_student(dict(self.student.synthesis.named_parameters()), w_plus)
        l1 = (image - target).abs().mean()
        with torch.autocast(image.device.type, self._dtype, enabled=self._dtype != torch.float32):
            lpips = self.lpips(image, target).float().mean()
        for group, lr in zip(self._optimizer.param_groups, (self.config.trunk_lr, self.config.lr), strict=True):
            group["lr"] = lr * self._ramp()
        self._optimizer.zero_grad()
        (l1 + self.config.lambda_lpips * lpips).backward()
        self._optimizer.step()
        self.step += 1
        # The mean begins short, or the first weights would stay in it for long.
        keep = min(self.config.average, self.step / (self.step + 10))
        torch._foreach_lerp_(list(self._average.values()), [p.detach() for p in self._learning.values()], 1 - keep)
        return {"l1": l1.item(), "lpips": lpips.item()}

    def _ramp(self) -> float:
        """Share of the step size: up linearly, then down to 0 along a cosine."""
        down = 0.5 + 0.5 * math.cos(math.pi * min(1.0, self.step / self.config.steps))
        return min(1.0, (self.step + 1) / WARM_UP) * down

    def _drawing(self, generator: MobileStyleGAN) -> Draw:
        """How the generator draws from its tensors in the run's precision, float32 at last."""

        def draw(tensors: Mapping[str, Tensor], w_plus: Tensor) -> Tensor:
            cast = {name: tensor.to(self._dtype) for name, tensor in tensors.items()}
            options = {"resolution": self.student.resolution}
            image: Tensor = functional_call(generator.synthesis, cast, (w_plus.to(self._dtype),), options)
            return image.float()

        return torch.compile(draw, dynamic=False) if self.compiled else draw


class _Drawing:
    """A generator with its weights as they are now, drawn in a run's own way."""

    def __init__(self, generator: MobileStyleGAN, draw: Draw) -> None:
        self.name, self.fingerprint, self.resolution = generator.name, generator.fingerprint, generator.resolution
        self.num_ws, self.z_dim, self.w_dim = generator.num_ws, generator.z_dim, generator.w_dim
        self.latent_avg, self.mapping = generator.latent_avg, generator.mapping
        self._tensors = {name: parameter.detach() for name, parameter in generator.synthesis.named_parameters()}
        self._draw = draw

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        image = self._draw(self._tensors, w_plus)
        return image if resolution is None else resample(image, resolution)
