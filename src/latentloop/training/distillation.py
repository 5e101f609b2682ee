"""Distillation: a smaller generator learns to draw what a larger one draws from the same code."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from latentloop.features.lpips import Lpips
from latentloop.generators import DrawnBy, Generator, MobileStyleGAN
from latentloop.images import resample
from latentloop.losses import iterator_loss
from latentloop.training.codes import sample_iterated_codes, sample_training_codes
from latentloop.training.distill_config import DistillConfig
from latentloop.training.learner import Learner, randomness_of
from latentloop.training.photos import PhotoSet
from latentloop.training.student import trainable

WARM_UP = 19
"""Number of steps in which the step size grows to its largest."""
DrawFrom = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""Draws codes (N, num_ws, w_dim) with a generator's named tensors, (N, 3, R, R)."""


@dataclass
class Distillation:
    """Trains a student on its teacher's images, averaged down to the student's size.

    Images are drawn and learned from in pools. All randomness of a pool follows from the seed and the pool's number, so
    a resumed run takes exactly the course of an uninterrupted one.
    """

    teacher: MobileStyleGAN
    student: MobileStyleGAN
    """Generator that learns, in place; on the teacher's device."""
    lpips: Lpips
    config: DistillConfig
    seed: int
    photos: PhotoSet | None = None
    """Aligned photos whose codes the student must reproduce, besides random ones."""
    compiled: bool = False
    """True draws images through torch.compile."""

    def __post_init__(self) -> None:
        if self.photos:
            self.config.check_photos()
        trunk, head = trainable(self.student, self.config.trained_blocks)
        c = self.config
        groups = [(trunk, c.trunk_lr), (head, c.lr)]
        self._learner = Learner(groups, steps=c.steps, warm_up=WARM_UP, average=c.average)
        self._dtype = getattr(torch, self.config.precision)
        self._draw_teacher, self._draw_student = self._drawing(self.teacher), self._drawing(self.student)

    @property
    def step(self) -> int:
        """Number of steps taken so far."""
        return self._learner.step

    def run(self) -> Iterator[dict[str, float]]:
        """Learn from one whole pool after another; yields each pool's mean loss terms."""
        while self.step < self.config.steps:
            terms = [self._learn(*batch) for batch in self._batches(self.step // self.config.steps_per_pool)]
            yield {name: sum(t[name] for t in terms) / len(terms) for name in terms[0]}

    def result(self) -> MobileStyleGAN:
        """Return the student with the running mean of its weights."""
        shape, name, fingerprint = self.student.shape, self.student.name, self.student.fingerprint
        result = MobileStyleGAN(shape, name=name, fingerprint=fingerprint).to(self.student.device)
        # Frozen weights and buffers are not averaged: they come from the student.
        result.load_state_dict(self.student.state_dict() | self._learner.average)
        return result.requires_grad_(False).eval()

    def state(self) -> dict[str, Any]:
        """Return the state to resume from: everything that changes during training."""
        return self._learner.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self._learner.load_state(state)

    def _batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield codes (batch, num_ws, w_dim) and the teacher's images (batch, 3, R, R) of a pool."""
        randomness = randomness_of(self.seed, number)
        codes = self._codes(randomness)
        # Drawn once and used `repeats` times: the teacher takes a good part of the time.
        tensors = dict(self.teacher.synthesis.named_parameters())
        with torch.no_grad():
            images = torch.cat([self._draw_teacher(tensors, w) for w in codes.split(self.config.batch)])
        for _ in range(self.config.repeats):
            order = torch.randperm(len(codes), generator=randomness).to(codes.device)
            for chosen in order.split(self.config.batch):
                yield codes[chosen], images[chosen]

    def _codes(self, randomness: torch.Generator) -> Tensor:
        """Sample the codes of a pool, (pool, num_ws, w_dim)."""
        config, codes = self.config, []
        if self.photos:
            chosen = torch.randint(len(self.photos), (config.pool_photos,), generator=randomness).tolist()
            target = self.photos.load(chosen)[0].to(self.student.latent_avg)
            loss = iterator_loss(lpips=self.lpips)
            for batch in target.split(config.batch):
                # The iterator later runs on the student, so its path is sampled there, with the weights of this pool.
                student = self._frozen_student()
                codes += [
                    sample_iterated_codes(student, batch, loss, steps=config.photo_steps, count=config.photo_codes)
                ]
        rest = config.pool - sum(map(len, codes))
        return torch.cat([*codes, sample_training_codes(self.teacher, rest, randomness=randomness)])

    def _learn(self, w_plus: Tensor, target: Tensor) -> dict[str, float]:
        """Take a step on codes (N, num_ws, w_dim) and images (N, 3, R, R); returns the terms of the loss."""
        image = self._draw_student(dict(self.student.synthesis.named_parameters()), w_plus)
        l1 = (image - target).abs().mean()
        lpips = self.lpips(image, target).mean()
        self._learner.learn(l1 + self.config.lambda_lpips * lpips)
        return {"l1": l1.item(), "lpips": lpips.item()}

    def _frozen_student(self) -> Generator:
        """Return the student with its current weights, drawn in the run's precision."""
        tensors = {name: parameter.detach() for name, parameter in self.student.synthesis.named_parameters()}

        def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
            image = self._draw_student(tensors, w_plus)
            return image if resolution is None else resample(image, resolution)

        return DrawnBy(self.student, draw)

    def _drawing(self, generator: MobileStyleGAN) -> DrawFrom:
        """Make the function that draws from a generator's tensors, in the run's precision, with float32 output."""

        def draw(tensors: Mapping[str, Tensor], w_plus: Tensor) -> Tensor:
            # Weights stay in float32 and are cast in each call, so that small updates are not rounded away.
            cast = {name: tensor.to(self._dtype) for name, tensor in tensors.items()}
            options = {"resolution": self.student.resolution}
            image: Tensor = functional_call(generator.synthesis, cast, (w_plus.to(self._dtype),), options)
            return image.float()

        return torch.compile(draw, dynamic=False) if self.compiled else draw
