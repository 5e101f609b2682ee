"""Training the embedding network, step by step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from latentloop.encoders import Embedder
from latentloop.encoders.embedder_file import own_tensors
from latentloop.training.codes import sample_training_codes
from latentloop.training.collaboration import Batch, Collaboration, Teaching
from latentloop.training.learner import Learner, randomness_of
from latentloop.training.pending import PendingCodes
from latentloop.training.photos import PhotoSet, indices_of_batch
from latentloop.training.train_config import TrainConfig


@dataclass
class Trainer:
    """Takes steps of collaborative learning.

    All that is random in a step follows from the seed and the step's number, so that a run that goes on from a state
    takes the very course of one that never stopped.
    """

    collaboration: Collaboration
    """Its network learns in place."""
    config: TrainConfig
    seed: int
    photos: PhotoSet | None
    """None learns from what the generator draws alone."""
    pending: PendingCodes | None = field(init=False)
    """The collaboration's cache, if it has one."""

    def __post_init__(self) -> None:
        cache = self.collaboration.cache
        if not isinstance(cache, PendingCodes | None):
            raise TypeError("a run that can be resumed needs PendingCodes in front of its cache")
        self.pending = cache
        learning = {name: parameter for name, parameter in self.embedder.named_parameters() if parameter.requires_grad}
        c = self.config
        self._learner = Learner([(learning, c.lr)], steps=c.steps, warm_up=c.warm_up, average=c.average, clip=c.clip)

    @property
    def step(self) -> int:
        """How many were taken."""
        return self._learner.step

    @property
    def embedder(self) -> Embedder:
        """The network as it is now."""
        embedder = self.collaboration.embedder
        if not isinstance(embedder, Embedder):
            raise TypeError(f"not an embedding network: {type(embedder).__name__}")
        return embedder

    def run(self) -> Iterator[dict[str, float]]:
        """Take one step after another until they are done; yields what each says of itself.

        Raises:
            NotFiniteError: The loss is not finite; the network is as before that step.
        """
        while self.step < self.config.steps:
            yield self._take_step()

    def averaged(self) -> dict[str, Tensor]:
        """The network's tensors with the running mean of its weights."""
        return own_tensors(self.embedder) | self._learner.average

    def state(self) -> dict[str, Any]:
        """All that changes in the course of a run; write it before the next step, which changes it."""
        return self._learner.state() | {"pending": None if self.pending is None else self.pending.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._learner.load_state(state)
        if self.pending is not None and state["pending"] is not None:
            self.pending.load_state(state["pending"])

    def _take_step(self) -> dict[str, float]:
        self.embedder.train()
        terms, teaching = self.collaboration.learn(self._batch(), step=self.step)
        loss = torch.stack(list(terms.values())).sum(dim=0).mean()
        self._learner.learn(loss)
        return {"step": self.step, "loss": loss.item()} | _summary(terms, teaching)

    def _batch(self) -> Batch:
        """What is learned from in this step."""
        generator, size = self.collaboration.generator, self.embedder.config.resolution
        device, made = generator.latent_avg.device, self.config.synthetic_images if self.photos else self.config.batch
        randomness = randomness_of(self.seed, self.step)
        codes = sample_training_codes(generator, made, randomness=randomness)
        with torch.no_grad():
            drawn = generator.synthesis(codes, resolution=size) if made else codes.new_empty(0, 3, size, size)
        images, keys = drawn, list[bytes]()
        if self.photos and (wanted := self.config.batch - made):
            indices = indices_of_batch(len(self.photos), wanted, self.step, seed=self.seed)
            given, keys = self.photos.load(indices)
            images = torch.cat([given.to(drawn), drawn])
        return Batch(images.to(device), keys, codes, drawn)


def _summary(terms: Mapping[str, Tensor], teaching: Teaching) -> dict[str, float]:
    """Means of a step's terms, and what the iterator did for the photos."""
    means = {name: term.mean().item() for name, term in terms.items()}
    if len(teaching.known):
        means |= {"gain": teaching.gain.mean().item(), "known": teaching.known.double().mean().item()}
        means |= {"teacher": teaching.loss.mean().item()}
    return means
