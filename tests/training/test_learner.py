from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from latentloop.errors import NotFiniteError
from latentloop.training.learner import Learner


def learner(
    weights: Tensor,
    *,
    clip: float = float("inf"),
    average: float = 0.0,
    steps: int = 1000,
    ramp_down: float = 1.0,
    patient: bool = False,
    momentum: float = 0.0,
) -> Learner:
    """Plain gradient descent, with a step size of 1 at first."""
    return Learner(
        [({"weights": weights}, 1.0)],
        steps=steps,
        warm_up=0,
        average=average,
        clip=clip,
        optimizer=lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=momentum),
        ramp_down=ramp_down,
        patient=patient,
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


@pytest.mark.parametrize(("done", "share"), [(0.0, 1.0), (0.7, 1.0), (0.85, 0.5), (1.0, 0.0), (1.3, 0.0)])
def test_the_step_size_stays_until_the_last_part_of_the_run(done: float, share: float) -> None:
    """A cosine over the last 0.3, halfway down at 0.85; the share that is done may be the time's."""
    weights = torch.zeros(1, requires_grad=True)
    assert learner(weights, ramp_down=0.3).ramp(done) == pytest.approx(share)


def test_by_itself_the_run_is_done_as_its_steps_are() -> None:
    weights = torch.zeros(1, requires_grad=True)
    learning = learner(weights, steps=4)
    for step in range(4):
        assert learning.ramp() == learning.ramp(step / 4)
        learning.learn(weights.sum())


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_patient_learner_goes_back_to_where_it_was_looked_at(what: str) -> None:
    """The fourth step is not finite, the fifth is taken all the same, and both and the third are taken back."""
    weights = torch.ones(2, dtype=torch.float64, requires_grad=True)
    learning = learner(weights, average=0.9, patient=True, momentum=0.5)
    learning.check()
    for _ in range(2):
        learning.learn(weights.square().sum())
    learning.check()
    kept, averaged, momentum = weights.detach().clone(), learning.average["weights"].clone(), learning.state()
    velocity = momentum["optimizer"]["state"][0]["momentum_buffer"].clone()
    learning.learn(weights.square().sum())
    zero = (weights - weights.detach()).sum()
    learning.learn(zero * float("nan") if what == "loss" else zero.sqrt())
    learning.learn(weights.square().sum())
    assert not weights.isfinite().all()
    with pytest.raises(NotFiniteError, match=f"the {what} of step 4 is not finite"):
        learning.check()
    assert learning.step == 2
    assert torch.equal(weights, kept)
    assert torch.equal(learning.average["weights"], averaged)
    assert torch.equal(learning.state()["optimizer"]["state"][0]["momentum_buffer"], velocity)
    learning.check()


def test_looking_seldom_changes_nothing_else() -> None:
    ends = []
    for patient in (False, True):
        weights = torch.ones(2, dtype=torch.float64, requires_grad=True)
        learning = learner(weights, average=0.9, patient=patient)
        for _ in range(5):
            learning.learn((0.1 * weights.square()).sum())
            learning.check()
        ends.append((weights.detach(), learning.average["weights"]))
    assert torch.equal(ends[0][0], ends[1][0])
    assert torch.equal(ends[0][1], ends[1][1])
