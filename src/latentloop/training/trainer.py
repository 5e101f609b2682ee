"""Steps of collaborative training."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latentloop.devices import onto
from latentloop.encoders import Embedder
from latentloop.errors import NotFiniteError, UserError
from latentloop.generators import Generator
from latentloop.optim.muon import Muon
from latentloop.threads import read_ahead
from latentloop.training.augmentation import LIGHTS, PLACES, jitter, relight
from latentloop.training.clock import Clock
from latentloop.training.collaboration import Batch, Collaboration, Teaching
from latentloop.training.degradation import AMOUNTS, degrade, degrade_together
from latentloop.training.learner import Learner, adam, randomness_of
from latentloop.training.photos import Loaded, PhotoSet, indices_of_batch, mirror_key, weights_of
from latentloop.training.processes import Alone, Processes, failing_together
from latentloop.training.synthetic import Synthetic
from latentloop.training.train_config import TrainConfig

SECOND_LOOK_EVERY = 4
"""Interval of images that get a second look: one in this many."""
MIRRORED, MOVED, RELIT = range(3)
"""Purposes that separate the random streams of a step's photos."""


class Metrics(NamedTuple):
    """Metrics of a step, still on the device."""

    step: int
    names: tuple[str, ...]
    figures: Tensor
    """Values in the order of `names`, (len(names),)."""


@dataclass
class Trainer:
    """Trains the network of a collaboration, step by step.

    All randomness of a step follows from the seed and the step's number, so a resumed run takes exactly the course of
    an uninterrupted one.
    """

    collaboration: Collaboration
    """Network, which learns in place, and iterator that teaches it."""
    config: TrainConfig
    seed: int
    photos: PhotoSet | None
    """Photos to learn from; None if only generated images are used."""
    processes: Processes = field(default_factory=Alone)
    """Processes that take each step together, each on its share of the batch, with the result of a single process."""
    drawing: Generator | None = None
    """Generator that draws images to learn from; None for the collaboration's, which has the same latent space."""
    look_every: int = 1
    """Number of steps between two synchronizations with the device, which metrics and tests for finite numbers need.
    Must be 1 with an iterator or a cache, which synchronize in each step anyway."""

    def __post_init__(self) -> None:
        if self.look_every > 1 and self.collaboration.teaches:
            raise ValueError("with an iterator or a cache look_every must be 1")
        self._check_shares()
        given = self.config.photo_weights
        self._weights = weights_of(self.photos.sources, given) if self.photos and given else None
        self._synthetic = Synthetic(
            generator=self.drawing or self.collaboration.generator,
            resolution=self.embedder.config.resolution,
            batch=self._made,
            repeats=self.config.repeats,
            seed=self.seed,
            share=self._share,
        )
        learning = {name: parameter for name, parameter in self.embedder.named_parameters() if parameter.requires_grad}
        c = self.config
        self._learner = Learner(
            [(learning, c.lr)],
            steps=c.steps,
            warm_up=c.warm_up,
            average=c.average,
            clip=c.clip,
            optimizer=Muon if c.optimizer == "muon" else adam,
            processes=self.processes,
            ramp_down=c.ramp_down,
            patient=self.look_every > 1,
        )
        self._clock = Clock()
        self.progress = 0.0
        """Share of the run that is done, from 0 to 1, after the last step."""

    @property
    def finished(self) -> bool:
        """True if the run has taken all its steps, or all its time."""
        return self.progress >= 1

    @property
    def step(self) -> int:
        """Number of steps taken so far."""
        return self._learner.step

    @property
    def embedder(self) -> Embedder:
        """Embedding network with its current weights."""
        embedder = self.collaboration.embedder
        if not isinstance(embedder, Embedder):
            raise TypeError(f"not an embedding network: {type(embedder).__name__}")
        return embedder

    def run(self) -> Iterator[dict[str, float]]:
        """Take the remaining steps; yields the metrics of each, `look_every` at a time.

        Raises:
            NotFiniteError: The loss is not finite; the network is as before that step, or as at the last
                synchronization.
        """
        self._clock.start()
        self._learner.check()
        steps = range(self.step, self.config.steps) if not self.finished else ()
        # One batch ahead: a thread reads and decodes the next photos while the device computes.
        with closing(read_ahead(self.read, steps, ahead=1)) as reading:
            taken: list[Metrics] = []
            for _, photos in reading:
                taken.append(self._take_step(photos.result()))
                if self.finished or self.step % self.look_every == 0:
                    self._learner.check()
                    yield from _as_numbers(taken)
                    taken.clear()
                if self.finished:
                    return

    def result(self) -> Embedder:
        """Return a frozen copy of the network with the running mean of its weights."""
        result = copy.deepcopy(self.embedder)
        # Frozen weights and buffers are not averaged: they come from the network.
        result.load_state_dict(result.state_dict() | self._learner.average)
        return result.requires_grad_(False).eval()

    def state(self) -> dict[str, Any]:
        """Return the state to resume from; it must be written before the next step, which changes it in place."""
        return self._learner.state() | {
            "pending": self.collaboration.cache.state(),
            "seconds": self._clock.seconds,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self._learner.load_state(state)
        self.collaboration.cache.load_state(state["pending"])
        self._clock = Clock(state.get("seconds", 0.0))  # absent in states of earlier versions
        self.progress = self._share_done(self._clock.seconds)

    def read(self, step: int) -> Loaded | None:
        """Read this process's photos of a step; None if it has none. Called from the reading thread."""
        wanted = self.config.batch - self._made
        if not self.photos or not wanted:
            return None
        chosen = indices_of_batch(len(self.photos), wanted, step, seed=self.seed, weights=self._weights)
        return self.photos.load(chosen[self._share])

    def _take_step(self, photos: Loaded | None) -> Metrics:
        self.embedder.train()
        try:
            # If the iterator diverges in one process, all must stop: the others would wait in the next reduction.
            with failing_together(self.processes, NotFiniteError):
                terms, teaching = self.collaboration.learn(self.batch(photos), step=self.step)
            # Divided by the whole batch, not by this process's share: summed over processes it is the batch's mean.
            loss = torch.stack(list(terms.values())).sum() / self.config.batch
            metrics = self._summary(loss, terms, teaching)
            self._learner.learn(loss, progress=self.progress)
        except NotFiniteError:
            self.collaboration.cache.discard()
            raise
        # After the step: a failed one must leave no codes, or the run would go on differently from a resumed one.
        self.collaboration.cache.accept()
        self.progress = self._progress()
        return metrics

    def _progress(self) -> float:
        if self.config.minutes is None:
            return self._share_done(0.0)
        # By the first process's clock in all of them: otherwise they could stop at different steps.
        return self._share_done(self.processes.collected([self._clock.seconds])[0])

    def _share_done(self, seconds: float) -> float:
        """Return the share of the steps or of the time, whichever is larger."""
        by_time = seconds / (60 * self.config.minutes) if self.config.minutes else 0.0
        return min(1.0, max(self.step / self.config.steps, by_time))

    def batch(self, photos: Loaded | None) -> Batch:
        """Assemble this process's part of a step: photos with augmentation, and generated images."""
        w_plus, drawn = self._synthetic.of_step(self.step)
        images, keys = self._degraded(drawn), list[bytes]()
        if photos:
            given, keys = self._varied(onto(photos.images, drawn.device).to(drawn.dtype), photos.keys)
            # Photos first: `Collaboration` counts on this order.
            images = torch.cat([given, images])
        return Batch(images, keys, w_plus, drawn, self._looked_at_again(len(keys), len(drawn)))

    def _looked_at_again(self, photos: int, drawn: int) -> list[int]:
        """Select every fourth of the whole batch's photos, and of its generated images, within this process's share."""
        index, count = self.processes.index, self.processes.count
        places = [index + count * i for own in (photos, drawn) for i in range(own)]
        return [i for i, place in enumerate(places) if place % SECOND_LOOK_EVERY == 0]

    def _varied(self, photos: Tensor, keys: list[bytes]) -> Loaded:
        """Mirror half of the photos, move and relight them, at random; mirrored ones get their own keys."""
        config = self.config
        if config.mirror:
            chosen = self._numbers(1, MIRRORED).squeeze(1) < 0.5
            photos = torch.where(onto(chosen, photos.device).view(-1, 1, 1, 1), photos.flip(3), photos)
            keys = [mirror_key(key) if one else key for key, one in zip(keys, chosen.tolist(), strict=True)]
        if config.jitter:
            photos = jitter(photos, onto(config.jitter * (2 * self._numbers(PLACES, MOVED) - 1), photos.device))
        if config.relight:
            photos = relight(photos, onto(config.relight * (2 * self._numbers(LIGHTS, RELIT) - 1), photos.device))
        return Loaded(photos, keys)

    def _numbers(self, each: int, purpose: int) -> Tensor:
        """Draw random numbers in [0, 1] for this process's photos in this step, (N, each)."""
        wanted = self.config.batch - self._made
        # Drawn for the whole batch, then sliced, so that each photo's numbers do not depend on the number of processes.
        return torch.rand(wanted, each, generator=randomness_of(self.seed, self.step, purpose))[self._share]

    def _degraded(self, drawn: Tensor) -> Tensor:
        if not (self.config.spoil and len(drawn)):
            return drawn
        randomness = randomness_of(self.seed, self.step)
        if not self.config.spoil_on_device:
            return degrade(drawn, torch.randint(1 << 62, (self._made,), generator=randomness)[self._share].tolist())
        numbers = torch.rand(self._made, AMOUNTS, generator=randomness)[self._share]
        # Noise is drawn on the device for the whole batch, then sliced: a process's share does not change its values.
        there = torch.Generator(drawn.device).manual_seed(randomness.initial_seed() >> 1)
        noise = torch.randn(self._made, *drawn.shape[1:], generator=there, device=drawn.device)[self._share]
        return degrade_together(drawn, onto(numbers, drawn.device), noise)

    @property
    def _made(self) -> int:
        """Number of generated images in a batch."""
        return self.config.synthetic_images if self.photos else self.config.batch

    @property
    def _share(self) -> slice:
        """Slice of a batch's photos, and of its generated images, that this process takes."""
        # Interleaved, so that any number of processes shares any batch evenly.
        return slice(self.processes.index, None, self.processes.count)

    def _check_shares(self) -> None:
        """Refuse a batch without a photo for each process: one without photos would miss the exchange of codes."""
        photos, count = self.config.batch - self._made, self.processes.count
        if 0 < photos < count or self.config.batch < count:
            raise UserError(
                f"a batch of {photos} photos and {self._made} drawn images is too small for {count} processes"
            )

    def _summary(self, loss: Tensor, terms: Mapping[str, Tensor], teaching: Teaching) -> Metrics:
        """Average a step's terms, and the iterator's statistics on the photos, over all processes."""
        about = {"gain": teaching.gain, "known": teaching.known, "teacher": teaching.loss}
        photos = self.config.batch - self._made if self.collaboration.teaches else 0
        parts = {"loss": loss} | {name: term.sum() / self.config.batch for name, term in terms.items()}
        parts |= {name: values.sum() / photos for name, values in about.items()} if photos else {}
        totals = self.processes.total(torch.stack([part.detach().float() for part in parts.values()]))
        return Metrics(self.step + 1, tuple(parts), totals)


def _as_numbers(steps: Sequence[Metrics]) -> Iterator[dict[str, float]]:
    """Convert the metrics of steps to numbers, with a single synchronization."""
    for one, figures in zip(steps, torch.stack([one.figures for one in steps]).tolist(), strict=True):
        yield {"step": one.step, **dict(zip(one.names, figures, strict=True))}
