"""Choice of the refiner beyond W+."""

from dataclasses import replace

from latentloop.generators import Generator
from latentloop.inversion import BeyondConfig, BeyondRefiner, Comparison, FeatureRefiner, WeightTuner
from latentloop.losses.config import LossConfig
from latentloop.losses.image import LossToward, weighted_sum

MSE_WEIGHT = 8.0
"""Factor of the weight of the mean squared error: what codes cannot reach, a refinement can."""


def refining_loss(loss: LossConfig) -> LossConfig:
    """Give the settings of a refinement's loss, by those of the iterator's."""
    return replace(loss, lambda_mse=MSE_WEIGHT * loss.lambda_mse, lambda_identity=0.0)


def beyond_refiner(beyond: BeyondConfig, loss: LossToward, generator: Generator) -> BeyondRefiner:
    """Make a refiner.

    Args:
        beyond: What is refined, features or weights, and in how many steps.
        loss: Loss of images, by `refining_loss`.
        generator: The generator that draws the results.
    """
    if beyond.refine == "features":
        return FeatureRefiner(generator, Comparison(loss), beyond.steps)
    local = weighted_sum((beyond.lambda_local, loss)) if beyond.lambda_local else None
    return WeightTuner(generator, Comparison(loss), beyond.steps, local=local)
