"""The qualities of `latentloop embed` as methods of a benchmark, found by the same job settings and networks."""

from collections.abc import Callable
from dataclasses import replace

import torch

from latentloop.benchmark.meters import CallCounter
from latentloop.common import Common
from latentloop.embedding.components import Components
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions
from latentloop.embedding.quality import NEAR, Quality
from latentloop.embedding.setup import Setup, set_up
from latentloop.inversion import BeyondConfig
from latentloop.inversion.beyond_config import REFINE_STEPS

OurEmbedding = Callable[[EmbedOptions], Setup]
"""Function from options of embedding, all but the generator's, to the job's setup."""


def our_embedding(
    generator: Common,
    embedder: str | None,
    counter: CallCounter,
    *,
    device: torch.device,
    precision: torch.dtype,
    aligned: bool,
) -> OurEmbedding:
    """Return a function that sets embedding up with networks that all its jobs share.

    Args:
        generator: Options that name the generator.
        embedder: Embedding network; None for the one bundled for the generator.
        counter: Counts the images that the searches draw, on whichever generator.
        device: Device of the networks.
        precision: Precision of image synthesis in the iterator.
        aligned: The images are already aligned, and may show something else than faces.
    """
    parts = Components(generator.generator, device, precision, embedder, generator.which, watched=counter.counted)

    def made(options: EmbedOptions) -> Setup:
        drawn = replace(
            options, common=generator, faces=FaceOptions(aligned=aligned), render=parts.generator.resolution
        )
        return set_up(drawn, parts)

    return made


def quality_options(quality: Quality, steps: int) -> EmbedOptions:
    """Derive the options of a quality with another total number of steps, in the quality's proportion.

    Args:
        quality: Name of the quality.
        steps: Steps in the code and beyond it; the quality's own number changes nothing.
    """
    preset = NEAR[quality]
    beyond = REFINE_STEPS if preset.refine != "none" else 0
    if steps == preset.steps + beyond:
        return EmbedOptions(method="hybrid", search=SearchOptions(quality=quality))
    refining = round(steps * beyond / (preset.steps + beyond))
    # Given steps alone mean the code alone: the refinement is named, too.
    refine = BeyondConfig(preset.refine, refining) if refining else BeyondConfig("none")
    return EmbedOptions(method="hybrid", search=SearchOptions(quality=quality, steps=steps - refining), beyond=refine)
