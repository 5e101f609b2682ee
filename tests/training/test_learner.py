from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from latentloop.training.learner import Learner


def learner(weights: Tensor, *, clip: float = float("inf"), average: float = 0.0, steps: int = 1000) -> Learner:
    """Plain gradient descent, with a step size of 1 at first."""
    return Learner(
        [({"weights": weights}, 1.0)],
        steps=steps,
        warm_up=0,
        average=average,
        clip=clip,
        optimizer=lambda groups: torch.optim.SGD(groups, lr=1.0),
    )


@pytest.mark.parametrize(
    ("clip", "step"), [(1.0, (0.6, 0.8)), (10.0, (6.0, 8.0)), (50.0, (30.0, 40.0)), (100.0, (30.0, 40.0))]
)
def test_a_gradient_that_is_too_long_is_shortened(clip: float, step: Sequence[float]) -> None:
    """The gradient (30, 40) has length 50."""
    weights = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    learner(weights, clip=clip).learn(weights @ torch.tensor([30.0, 40.0], dtype=torch.float64))
    torch.testing.assert_close(weights.detach(), -torch.tensor(step, dtype=torch.float64), rtol=1e-6, atol=0)


def test_all_weights_together_are_measured_for_it() -> None:
    """Two weights with gradients of 3 and 4 have one of 5 together."""
    first, second = (torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    groups = [({"first": first}, 1.0), ({"second": second}, 1.0)]
    both = Learner(groups, steps=9, warm_up=0, average=0, clip=1, optimizer=lambda g: torch.optim.SGD(g, lr=1.0))
    both.learn((3 * first + 4 * second).sum())
    assert (first.item(), second.item()) == pytest.approx((-0.6, -0.8))


def test_the_mean_of_the_weights_begins_short() -> None:
    """After k steps it keeps k / (k + 10) of what it was, at most its share; here 0.75, from the 30th on."""
    weights = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    learning, expected = learner(weights, average=0.75, steps=10**9), 0.0
    for step in range(1, 50):
        learning.learn(-weights.sum())  # the weight is the number of the step
        keep = 0.75 if step >= 30 else step / (step + 10)
        expected = keep * expected + (1 - keep) * step
        assert learning.average["weights"].item() == pytest.approx(expected)
