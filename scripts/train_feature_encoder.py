"""Train the network that predicts changes of the generator's features, and measure it on held-out photos.

    python scripts/train_feature_encoder.py --photos faces/ --held-out held-out/ --out run

Photos are square and aligned. Each step learns from parts of some photos; --fresh of them are new, the others were seen
before, since finding and drawing a code takes as long as a lesson. run/log.jsonl gets figures of the held-out photos,
run/features.safetensors the network.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import torch
import tyro
from torch import Tensor

from latentloop import keep_freed_memory, load_generator
from latentloop.encoders import load_encoder
from latentloop.features.lpips import load_lpips
from latentloop.generators import MobileStyleGAN, weights_fingerprint
from latentloop.inversion.feature_encoder import FeatureEncoder, FeatureEncoderConfig
from latentloop.inversion.feature_encoder_file import read_feature_encoder, save_feature_encoder
from latentloop.latents import w_std_of
from latentloop.losses import ImageLoss, pixel_loss
from latentloop.optim.muon import Muon
from latentloop.photos.find import find_training_photos
from latentloop.training.feature_lessons import FeatureLessons, Study
from latentloop.training.learner import Learner
from latentloop.training.photos import PhotoSet, weights_of
from latentloop.weights import WeightsFile

MSE, LPIPS = 8.0, 0.8
"""Weights of the loss, those of the refinement that follows the prediction."""


@dataclass(frozen=True)
class Train:
    """Train a feature encoder for a MobileStyleGAN."""

    photos: tuple[str, ...]
    """Photos to learn from: folders, quoted globs, tar files."""
    held_out: tuple[str, ...]
    """Photos to measure on."""
    out: Path = Path("feature-run")
    generator: str = "mobile-ffhq-1024"
    embedder: str = "base-ffhq"
    start: Path | None = None
    """Network to start from."""
    steps: int = 3000
    batch: int = 4
    lr: float = 3e-3
    fresh: float = 0.15
    """Share of photos that are new; the others come from those seen before."""
    again: float = 0.55
    """Share of the steps that learn the second look."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Relative frequencies of photos whose path contains a text."""
    config: FeatureEncoderConfig = FeatureEncoderConfig()
    side: int = 32
    """Side of a part of a photo, in positions of the features."""
    every: int = 150
    """Steps between two measurements, each of which writes the network."""
    seed: int = 0

    def run(self) -> None:
        """Train, and write the network and its figures."""
        keep_freed_memory()
        torch.manual_seed(self.seed)
        generator = load_generator(self.generator)
        if not isinstance(generator, MobileStyleGAN):
            raise SystemExit(f"{self.generator}: not a MobileStyleGAN")
        lessons = FeatureLessons(generator, load_encoder(self.embedder, generator), losses(), self.side)
        encoder = self._encoder(generator)
        learner = Learner(
            [(dict(encoder.named_parameters()), self.lr)],
            steps=self.steps,
            warm_up=20,
            average=0.98,
            clip=1.0,
            optimizer=Muon,
            ramp_down=0.6,
        )
        random = Random(self.seed)  # noqa: S311 - nothing secret
        photos = Pool(lessons, self.photos, self.weights, self.fresh, random)
        held_out = [lessons.study(one, encoder) for one in images_of(self.held_out, self.config.resolution)]
        self.out.mkdir(parents=True, exist_ok=True)
        for step in range(self.steps + 1):
            if step % self.every == 0 or step == self.steps:
                self._publish(encoder, learner, held_out, generator)
            if step < self.steps:
                studies = [photos.next(encoder) for _ in range(self.batch)]
                learner.learn(lessons.loss_of(encoder, studies, random, again=random.random() < self.again))

    def _encoder(self, generator: MobileStyleGAN) -> FeatureEncoder:
        if self.start:
            return read_feature_encoder(WeightsFile(self.start), generator).requires_grad_()
        encoder = FeatureEncoder(self.config, weights=weights_fingerprint(generator))
        encoder.latent_avg.copy_(generator.latent_avg)
        encoder.w_std.fill_(w_std_of(generator))
        return encoder

    def _publish(
        self, encoder: FeatureEncoder, learner: Learner, held_out: Sequence[Study], generator: MobileStyleGAN
    ) -> None:
        """Measure the running mean of the weights on the held-out photos, and write it."""
        mean = FeatureEncoder(encoder.config, weights=encoder.weights)
        mean.load_state_dict(encoder.state_dict() | learner.average)
        figures = {"step": learner.step, "time": round(time.time()), **measured(mean, held_out, generator)}
        save_feature_encoder(self.out / "features.safetensors", mean)
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps(figures) + "\n")
        print(figures, flush=True)


class Pool:
    """Photos to learn from, in random order; those that were studied are kept and come again."""

    def __init__(
        self, lessons: FeatureLessons, photos: Sequence[str], weights: Mapping[str, float], fresh: float, random: Random
    ) -> None:
        sources = find_training_photos(photos)
        self._chances = weights_of(sources, weights)
        self._sources, self._lessons, self._fresh, self._random = sources, lessons, fresh, random
        self._studies: list[Study] = []

    def next(self, encoder: FeatureEncoder) -> Study:
        """Return a new photo, or one that was seen before."""
        if self._studies and self._random.random() >= self._fresh:
            return self._random.choice(self._studies)
        (source,) = self._random.choices(self._sources, self._chances)
        photo = PhotoSet([source], encoder.config.resolution).load([0]).images
        mirrored = photo.flip(-1) if self._random.random() < 0.5 else photo
        self._studies.append(self._lessons.study(mirrored, encoder))
        return self._studies[-1]


def losses() -> ImageLoss:
    """Load the loss of images: the mean squared error and LPIPS."""
    lpips = load_lpips("alex")
    return lambda image, target: MSE * pixel_loss(image, target) + LPIPS * lpips(image, target)


def images_of(photos: Sequence[str], resolution: int) -> list[Tensor]:
    """Read photos, each (1, 3, R, R) in [-1, 1]."""
    return [image for _, image in PhotoSet(find_training_photos(photos), resolution).batches(1)]


@torch.no_grad()
def measured(encoder: FeatureEncoder, studies: Sequence[Study], generator: MobileStyleGAN) -> dict[str, float]:
    """Compute the mean errors of photos after one pass and after the encoder's change."""
    lpips, rows = load_lpips("alex"), []
    synthesis = generator.synthesis
    for study in studies:
        midway = synthesis.begin(study.w_plus, encoder.config.seam)
        change = study.sight.spread * encoder.change(synthesis, study.photo, study.w_plus, midway)
        image = synthesis.finish(
            replace(midway, features=midway.features + change), study.w_plus, resolution=encoder.config.resolution
        )
        rows.append([m(one, study.photo).item() for one in (study.drawn, image) for m in (pixel_loss, lpips)])
    means = torch.tensor(rows).mean(dim=0).tolist()
    return dict(zip(("mse_one_pass", "lpips_one_pass", "mse", "lpips"), (round(x, 5) for x in means), strict=True))


if __name__ == "__main__":
    tyro.cli(Train).run()
