import math

import pytest
import torch
from torch import Tensor

from latentloop.editing import boundary, edit, find_by_scoring, sample_w
from latentloop.editing.interfacegan import Boundary, boundary_direction
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents import broadcast

AXIS = torch.tensor([3.0, -4.0, 0, 0, 0, 0, 0, 0]).double() / 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def w() -> Tensor:
    return torch.randn(400, 8, generator=seeded(), dtype=torch.float64) * torch.arange(1, 9)


def found(w: Tensor, scores: Tensor, **settings: float) -> Boundary:
    return boundary(w, scores, randomness=seeded(1), **settings)


def test_the_normal_of_a_known_plane_is_found_and_points_to_high_scores(w: Tensor) -> None:
    scores = w @ AXIS + 7
    plane = found(w, scores)
    assert plane.normal @ AXIS > 0.99
    assert plane.normal.norm().item() == pytest.approx(1)
    assert found(w, -scores).normal @ AXIS < -0.99
    assert plane.accuracy == 1
    assert (plane.trained, plane.held_out) == (112, 48)  # of 400: 20 % at either end, of these 70 %
    assert plane.deviation == pytest.approx(float((w @ plane.normal).std()))


def test_the_accuracy_is_of_styles_that_were_not_trained_with(w: Tensor) -> None:
    scores = torch.randn(400, generator=seeded(5))
    wide = torch.randn(400, 200, generator=seeded(6))  # as many dimensions as separate anything
    assert 0.25 < found(wide, scores).accuracy < 0.75
    assert 0.25 < found(w, scores).accuracy < 0.75


def test_labels_of_0_and_1_use_as_many_of_either_and_no_more(w: Tensor) -> None:
    labels = torch.zeros(400)
    labels[(w @ AXIS).topk(30).indices] = 1
    plane = found(w, labels)
    assert (plane.trained, plane.held_out) == (42, 18)
    assert plane.normal @ AXIS > 0.8


def test_pictures_without_a_score_do_not_count(w: Tensor) -> None:
    scores = w @ AXIS
    more = torch.cat([w, 1e3 * torch.ones(50, 8)])
    plane = found(more, torch.cat([scores, torch.full((50,), math.nan)]))
    assert torch.equal(plane.normal, found(w, scores).normal)
    assert plane.deviation == found(w, scores).deviation


@pytest.mark.parametrize(
    ("scores", "each"),
    [(torch.zeros(400), 0), (torch.full((400,), math.nan), 0), (torch.arange(400).ge(391), 9), (torch.arange(45), 9)],
    ids=["all alike", "none", "few of a kind", "few"],
)
def test_too_few_scores_are_refused(w: Tensor, scores: Tensor, each: int) -> None:
    scores = scores.double()
    with pytest.raises(UserError, match=rf"only {each} of [0-9]+ scores differ at each end, 10 are needed"):
        found(w[: len(scores)], scores)


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 0.6}, {"training": 1.0}], ids=str)
def test_shares_that_are_none_are_refused(w: Tensor, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="share must be above 0"):
        found(w, w @ AXIS, **settings)


def test_a_direction_goes_a_standard_deviation_and_tells_what_was_measured(toy: Generator, w: Tensor) -> None:
    plane = found(w, w @ AXIS)
    direction = boundary_direction(plane, toy, "smile", (0, 2))
    torch.testing.assert_close(direction.vector, (plane.deviation * plane.normal).float())
    assert (direction.name, direction.layers, direction.fingerprint) == ("smile", (0, 2), toy.fingerprint)
    assert direction.about["held-out accuracy"] == plane.accuracy
    assert direction.about["std"] == plane.deviation


def brightness(images: Tensor) -> Tensor:
    return images.mean(dim=(1, 2, 3))


def test_what_a_score_finds_moves_the_score(toy: Generator) -> None:
    told: list[int] = []
    direction = find_by_scoring(
        toy, brightness, "bright", (0, 1, 2, 3), count=300, randomness=seeded(), batch=128, done=told.append
    )
    assert told == [128, 256, 300]
    assert direction.about["held-out accuracy"] > 0.9
    codes = broadcast(sample_w(toy, 20, seeded(9)), 4)
    before, after, less = (
        brightness(toy.synthesis(edit(codes, [(direction, strength)]))) for strength in (0.0, 1.0, -1.0)
    )
    assert (after > before).all()
    assert (less < before).all()


def test_batches_and_size_do_not_change_what_is_found(toy: Generator) -> None:
    sizes: list[int] = []

    def score(images: Tensor) -> Tensor:
        sizes.append(images.shape[-1])
        return brightness(images)

    first, second = (
        find_by_scoring(toy, score, "b", (0,), count=100, randomness=seeded(), batch=batch, resolution=8)
        for batch in (1, 64)
    )
    torch.testing.assert_close(first.vector, second.vector)
    assert set(sizes) == {8}
