"""Our iterator in a benchmark, with the defaults of `latentloop embed`."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import torch

from latentloop.benchmark.methods import OurIterator
from latentloop.embedding.quality import preset_of
from latentloop.generators import Generator
from latentloop.inversion import (
    CodePrior,
    IteratorConfig,
    LatentIterator,
    PerceptualMetric,
    PriorConfig,
    code_prior,
)
from latentloop.latents import style_alignment, w_std_of
from latentloop.losses import LossToward, iterator_loss
from latentloop.losses.config import LossConfig


def our_iterator(
    generator: Generator,
    drawing: Generator,
    metric: PerceptualMetric | None,
    *,
    faces: bool,
    dtype: torch.dtype = torch.float32,
) -> OurIterator:
    """Return a function that creates iterators as `latentloop embed` does in balanced quality, but for their steps.

    Args:
        generator: Generator that is inverted, in float32; the prior samples its random codes.
        drawing: Generator that draws the codes in the iterator.
        metric: Perceptual metric of the generator; None if it has none.
        faces: The images are of faces, whose identity can be compared.
        dtype: Precision of the loss.
    """

    @cache
    def loss_of(lambda_identity: float) -> LossToward:
        return iterator_loss(LossConfig(lambda_identity=lambda_identity), device=generator.device, dtype=dtype)

    @cache
    def prior_of(config: PriorConfig) -> CodePrior | None:
        return code_prior(config, w_std=lambda: w_std_of(generator), alignment=lambda: style_alignment(generator))

    def made(steps: int, near: bool) -> tuple[LatentIterator, Mapping[str, Any]]:
        preset = preset_of("balanced", near=near).suited(metric=metric is not None, faces=faces)
        config = IteratorConfig(steps=steps, lr=preset.lr_for(steps), ramp_up=preset.ramp_up)
        weights = {"lambda_identity": preset.lambda_identity, **asdict(preset.prior)}
        # Terms of weight 0 are left out of the stamp: results from before such a term existed remain valid.
        settings = {name: weight for name, weight in weights.items() if weight}
        loss = loss_of(preset.lambda_identity)
        return LatentIterator(drawing, loss, config, prior_of(preset.prior), metric), settings

    return made
