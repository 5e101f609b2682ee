"""InterFaceGAN: directions across a boundary between high and low scores (Shen et al., arXiv:1907.10786).

A score is any number of a picture that grows with an attribute: a classifier's, a measurement, or a person's yes or no.
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
SHARE, TRAINING = 0.2, 0.7
MIN_EACH = 10
"""Pictures at either end: fewer tell nothing of a held-out accuracy."""


@dataclass(frozen=True)
class Boundary:
    """A plane between two kinds of styles."""

    normal: Tensor
    """Of unit length, towards high scores, (w_dim,), float64."""
    deviation: float
    """Of all styles along it."""
    accuracy: float
    """Share of the held-out styles that lie on their side of the plane."""
    trained: int
    held_out: int
    """Styles that the plane was found from, and that its accuracy is of."""


def boundary(
    w: Tensor, scores: Tensor, *, randomness: torch.Generator, share: float = SHARE, training: float = TRAINING
) -> Boundary:
    """A linear support vector machine between the styles of the highest and of the lowest scores, by scikit-learn.

    Args:
        w: Styles, (N, w_dim).
        scores: Of what each draws, (N,); those that are not finite do not count.
        randomness: What is held out.
        share: Of the scores at either end that are used. The rest are unsure; the paper takes 10,000 of 500,000.
        training: Of these, how many are trained with; the others are held out.

    Raises:
        UserError: Too few scores differ, or scikit-learn is not installed.
        ValueError: A share is none.
    """
    if not 0 < share <= 0.5 or not 0 < training < 1:
        raise ValueError(f"share must be above 0 up to 0.5, training between 0 and 1, got {share} and {training}")
    load_extra("sklearn", "this needs scikit-learn", "scikit-learn")
    from sklearn.svm import SVC

    scored = w.double().cpu()[scores.isfinite().cpu()]
    low, high = _ends(scores[scores.isfinite()].double().cpu(), share)
    # Either kind is split alike: neither is missing on either side.
    order = torch.randperm(len(low), generator=randomness)
    split = max(1, min(round(training * len(low)), len(low) - 1))
    x, held = (torch.cat([scored[high[part]], scored[low[part]]]) for part in (order[:split], order[split:]))
    machine = SVC(kernel="linear").fit(x.numpy(), _labels(x))
    normal = F.normalize(torch.tensor(machine.coef_[0]), dim=0)
    accuracy = float(machine.score(held.numpy(), _labels(held)))
    return Boundary(normal, float(spread(scored, normal[None])), accuracy, len(x), len(held))


def boundary_direction(plane: Boundary, generator: Generator, name: str, layers: tuple[int, ...]) -> Direction:
    """The direction across a boundary; strength 1 is one standard deviation of the styles.

    Args:
        plane: In the generator's W.
        generator: Whose.
        name: Of the attribute that the scores grow with.
        layers: Which the direction changes; see `parse_layers`.
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
    """Draw random styles, score the images, and find the direction of the attribute.

    Args:
        generator: Draws.
        score: Of images (N, 3, R, R) in [-1, 1], (N,); NaN of those that cannot be scored.
        name: Of the attribute.
        layers: Which the direction changes.
        count: How many images.
        randomness: Of the styles and of what is held out; on the CPU.
        resolution: R; None for the generator's own.
        batch: Images drawn at once.
        done: Is told after each batch how many images are scored.

    Raises:
        UserError: As `boundary`, or as `sample_w`.
    """
    w = sample_w(generator, count, randomness)
    scores: list[Tensor] = []
    for some in w.split(batch):
        codes = broadcast(some, generator.num_ws).to(generator.latent_avg)
        scores += score(generator.synthesis(codes, resolution=resolution).clamp(-1, 1)).cpu()
        done(len(scores))
    return boundary_direction(boundary(w, torch.stack(scores), randomness=randomness), generator, name, layers)


def _ends(scores: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Where the lowest and the highest scores (N,) are, as many of either, and none as high as one of the others."""
    order = scores.argsort(stable=True)
    pairs = len(scores) // 2
    apart = int((scores[order.flip(0)][:pairs] > scores[order][:pairs]).sum())
    each = min(round(share * len(scores)), apart)
    if each < MIN_EACH:
        raise UserError(
            f"{len(scores)} scores have {each} at either end that differ, {MIN_EACH} are needed; score more images"
        )
    return order[:each], order.flip(0)[:each]


def _labels(x: Tensor) -> list[int]:
    """Of as many high scores as low ones after them."""
    return [1] * (len(x) // 2) + [0] * (len(x) // 2)
