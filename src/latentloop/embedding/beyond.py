"""Choice of the refiner that reconstructs what no code in W+ can."""

from dataclasses import replace

from latentloop.generators import Generator
from latentloop.inversion import BeyondConfig, BeyondRefiner, Comparison, FeatureEncoder, FeatureRefiner, WeightTuner
from latentloop.losses.config import LossConfig
from latentloop.losses.image import LossToward, weighted_sum

MSE_WEIGHT = 8.0
"""Factor on the weight of the mean squared error: a refinement can reach pixel values that no code draws."""


def refining_loss(loss: LossConfig) -> LossConfig:
    """Derive the loss settings of a refinement from those of the iterator."""
    return replace(loss, lambda_mse=MSE_WEIGHT * loss.lambda_mse, lambda_identity=0.0)


def beyond_refiner(
    beyond: BeyondConfig, loss: LossToward, generator: Generator, encoder: FeatureEncoder | None = None
) -> BeyondRefiner:
    """Create the refiner that the options choose.

    Args:
        beyond: Kind of refinement, features or weights, and its number of steps.
        loss: Image loss with the settings of `refining_loss`.
        generator: Generator that draws the reconstructions.
        encoder: Network that predicts the change of features to start from.
    """
    if beyond.refine == "features":
        return FeatureRefiner(generator, Comparison(loss), beyond.steps, encoder=encoder)
    local = weighted_sum((beyond.lambda_local, loss)) if beyond.lambda_local else None
    return WeightTuner(generator, Comparison(loss), beyond.steps, local=local)
