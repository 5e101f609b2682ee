"""Choice of the refiner beyond W+."""

from dataclasses import replace

from latentloop.embedding.components import Components
from latentloop.embedding.options import EmbedOptions
from latentloop.generators import Generator
from latentloop.inversion import BeyondRefiner, Comparison, FeatureRefiner, WeightTuner
from latentloop.losses.image import weighted_sum

MSE_WEIGHT = 8.0
"""Factor of the weight of the mean squared error: what codes cannot reach, a refinement can."""


def beyond_refiner(options: EmbedOptions, components: Components, renderer: Generator) -> BeyondRefiner | None:
    """Make the refiner that options ask for, of the generator that draws the results; None for none."""
    beyond, loss = options.beyond, options.loss
    if not beyond.steps:
        return None
    compared = components.loss(replace(loss, lambda_mse=MSE_WEIGHT * loss.lambda_mse, lambda_identity=0.0))
    if beyond.refine == "features":
        return FeatureRefiner(renderer, Comparison(compared), beyond.steps)
    local = weighted_sum((beyond.lambda_local, compared)) if beyond.lambda_local else None
    return WeightTuner(renderer, Comparison(compared), beyond.steps, local=local)
