"""Our methods in a benchmark: `latentloop embed` with other numbers of steps, on networks that all methods share."""

from dataclasses import replace

from latentloop.benchmark.method_table import split_steps
from latentloop.common import Common
from latentloop.embedding.components import Components
from latentloop.embedding.options import EmbedOptions, FaceOptions, SearchOptions
from latentloop.embedding.quality import NEAR, Quality
from latentloop.embedding.setup import Setup, set_up
from latentloop.inversion import BeyondConfig
from latentloop.inversion.beyond_config import REFINE_STEPS


def set_up_embedding(options: EmbedOptions, parts: Components, *, aligned: bool) -> Setup:
    """Set up `latentloop embed` for the images of a benchmark, drawn by the generator that is inverted.

    Args:
        options: Options of embedding; those of the generator and the faces do not count.
        parts: Networks that all methods share.
        aligned: The images are already aligned, and may show something else than faces.
    """
    common = Common(parts.generator_file, parts.which)
    size = parts.generator.resolution
    return set_up(replace(options, common=common, faces=FaceOptions(aligned=aligned), render=size), parts)


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
    in_code, refining = split_steps(steps, preset.steps, beyond)
    # Given steps alone mean the code alone: the refinement is named, too.
    refine = BeyondConfig(preset.refine, refining) if refining else BeyondConfig("none")
    return EmbedOptions(method="hybrid", search=SearchOptions(quality=quality, steps=in_code), beyond=refine)
