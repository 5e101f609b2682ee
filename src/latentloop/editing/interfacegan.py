"""InterFaceGAN: directions across the boundary between high and low scores (Shen et al., arXiv:1907.10786).

A score is any number that increases with an attribute: a classifier's output, a measurement, or a person's yes or no.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.editing.directions import Direction
from latentloop.editing.sampling import sample_w
from latentloop.editing.strength import make_direction, spread
from latentloop.errors import UserError
from latentloop.extras import load_extra
from latentloop.generators import Generator
from latentloop.latents import broadcast

ORIGIN = "InterFaceGAN (Shen et al., arXiv:1907.10786)"
"""Origin that is stored with these directions."""
SHARE, TRAINING = 0.2, 0.7
"""Default shares: of scores used at each end, and of training samples among these."""
MIN_EACH = 10
"""Smallest number of scores at each end; with fewer, the held-out accuracy is meaningless."""


@dataclass(frozen=True)
class Boundary:
    """A hyperplane that separates the styles of high scores from those of low scores."""

    normal: Tensor
    """Unit normal, towards high scores, (w_dim,), float64."""
    deviation: float
    """Standard deviation of all styles along the normal."""
    accuracy: float
    """Share of held-out styles on the correct side of the plane, 0 to 1."""
    trained: int
    """Number of styles to which the plane was fitted."""
    held_out: int
    """Number of styles that the accuracy was measured on."""


def boundary(
    w: Tensor, scores: Tensor, *, randomness: torch.Generator, share: float = SHARE, training: float = TRAINING
) -> Boundary:
    """Fit a linear support vector machine between the styles of the highest and lowest scores, with scikit-learn.

    Args:
        w: Styles, (N, w_dim).
        scores: Score of each style's image, (N,); styles whose score is not finite are left out.
        randomness: Source of the random split into training and held-out styles.
        share: Share of all scores used at each end, above 0 up to 0.5; those in between are ambiguous. The paper uses
            10,000 of 500,000.
        training: Share of these used for training, between 0 and 1; the rest is held out.

    Raises:
        UserError: Too few scores differ, or scikit-learn is not installed.
        ValueError: A share is out of range.
    """
    if not 0 < share <= 0.5 or not 0 < training < 1:
        raise ValueError(f"share must be above 0 up to 0.5, training between 0 and 1, got {share} and {training}")
    load_extra("sklearn", "this needs scikit-learn", "scikit-learn")
    from sklearn.svm import SVC

    scored = w.double().cpu()[scores.isfinite().cpu()]
    low, high = _ends(scores[scores.isfinite()].double().cpu(), share)
    # Both classes are split alike, so that each has training and held-out samples.
    order = torch.randperm(len(low), generator=randomness)
    split = max(1, min(round(training * len(low)), len(low) - 1))
    x, held = (torch.cat([scored[high[part]], scored[low[part]]]) for part in (order[:split], order[split:]))
    machine = SVC(kernel="linear").fit(x.numpy(), _labels(x))
    normal = F.normalize(torch.tensor(machine.coef_[0]), dim=0)  # points to class 1, the high scores
    accuracy = float(machine.score(held.numpy(), _labels(held)))
    return Boundary(normal, float(spread(scored, normal[None])), accuracy, len(x), len(held))


def boundary_direction(plane: Boundary, generator: Generator, name: str, layers: tuple[int, ...]) -> Direction:
    """Build the direction across a boundary; strength 1 is one standard deviation of the styles.

    Args:
        plane: Boundary in the generator's W.
        generator: Generator of the styles.
        name: Name of the attribute with which the scores increase.
        layers: Layers that the direction changes, see `parse_layers`.
    """
    measured = {"held-out accuracy": plane.accuracy, "trained": plane.trained, "held out": plane.held_out}
    return make_direction(generator, name, plane.normal, plane.deviation, layers, origin=ORIGIN, measured=measured)


@torch.inference_mode()
def find_by_scoring(
    generator: Generator,
    score: Callable[[Tensor], Tensor],
    name: str,
    layers: tuple[int, ...],
    *,
    count: int,
    randomness: torch.Generator,
    resolution: int | None = None,
    batch: int = 8,
    done: Callable[[int], None] = lambda _: None,
) -> Direction:
    """Find the direction of an attribute by scoring images of random styles and fitting a boundary.

    Args:
        generator: Generator that draws the images.
        score: Function from images (N, 3, R, R) in [-1, 1] to scores (N,); NaN for images that cannot be scored.
        name: Name of the attribute.
        layers: Layers that the direction changes, see `parse_layers`.
        count: Number of images.
        randomness: Source of the styles and of the held-out split; on the CPU.
        resolution: R, in pixels; None for the generator's own.
        batch: Number of images drawn at a time.
        done: Called after each batch with the number of images scored so far.

    Raises:
        UserError: Too few scores differ, the generator has no W, or scikit-learn is not installed.
    """
    w = sample_w(generator, count, randomness)
    scores: list[Tensor] = []
    for some in w.split(batch):
        codes = broadcast(some, generator.num_ws).to(generator.latent_avg)
        scores += score(generator.synthesis(codes, resolution=resolution).clamp(-1, 1)).cpu()
        done(len(scores))
    return boundary_direction(boundary(w, torch.stack(scores), randomness=randomness), generator, name, layers)


def _ends(scores: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Indices of the lowest and the highest scores (N,): equally many, each low score below its high counterpart."""
    order = scores.argsort(stable=True)
    pairs = len(scores) // 2
    # Pairs from the outside inwards, as long as the higher score is really higher: ties carry no information.
    apart = int((scores[order.flip(0)][:pairs] > scores[order][:pairs]).sum())
    each = min(round(share * len(scores)), apart)
    if each < MIN_EACH:
        raise UserError(
            f"only {each} of {len(scores)} scores differ at each end, {MIN_EACH} are needed; score more images"
        )
    return order[:each], order.flip(0)[:each]


def _labels(x: Tensor) -> list[int]:
    """Class labels of styles, of which the first half has high scores (1) and the second half low ones (0)."""
    return [1] * (len(x) // 2) + [0] * (len(x) // 2)
