from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from conftest import randn
from latentloop.errors import UserError
from latentloop.generators import LowRank, refined, seamed, with_deltas
from latentloop.images import resample
from latentloop.inversion import BeyondConfig, BeyondRefiner, Comparison, FeatureRefiner, WeightTuner
from latentloop.inversion import beyond as module
from latentloop.inversion.feature_refiner import seam_of
from latentloop.inversion.weight_tuner import NEIGHBOUR, PSI
from latentloop.latents import sample_codes
from latentloop.losses import pixel_loss, toward
from random_networks import NETWORKS, Network, random_codes, random_network

COMPARISON = Comparison(toward(pixel_loss))


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param)


def problem(network: Network) -> tuple[Tensor, Tensor]:
    """Targets that other features draw than those of the given codes, and these codes."""
    codes = random_codes(network)
    midway = seamed(network).begin(codes, seam_of(network))
    spread = midway.features.std(dim=(2, 3), keepdim=True)
    features = midway.features + spread * randn(*midway.features.shape).to(codes)
    return seamed(network).finish(replace(midway, features=features), codes), codes


def refiner(network: Network, kind: str) -> BeyondRefiner:
    if kind == "features":
        return FeatureRefiner(network, COMPARISON, steps=6, lr=0.4)
    return WeightTuner(network, COMPARISON, steps=6, lr=1e-3)


@pytest.mark.parametrize(("kind", "left"), [("features", 0.97), ("weights", 0.9995)])
def test_refinements_come_closer_than_codes_and_draw_what_was_found(network: Network, kind: str, left: float) -> None:
    target, codes = problem(network)
    found = refiner(network, kind).refine(target, codes)
    assert found.losses.shape == (7, 2)
    torch.testing.assert_close(found.losses[0], pixel_loss(network.synthesis(codes), target))
    assert (found.losses.amin(dim=0) < left * found.losses[0]).all()
    for i, refinement in enumerate(found.refinements):
        drawn = refined(network, refinement).synthesis(codes[i : i + 1])
        least = found.losses[:, i].min()
        torch.testing.assert_close(pixel_loss(drawn, target[i : i + 1])[0], least, rtol=0.01, atol=0)


def test_changes_of_features_begin_with_those_that_are_given(network: Network) -> None:
    target, codes = problem(network)
    found = refiner(network, "features").refine(target, codes)
    start = [one.residual for one in found.refinements if one.residual]
    again = FeatureRefiner(network, COMPARISON, steps=0).refine(target, codes, start=start)
    torch.testing.assert_close(again.losses[0], found.losses.amin(dim=0), rtol=0.01, atol=0)
    for one, residual in zip(again.refinements, start, strict=True):
        assert one.residual is not None
        torch.testing.assert_close(one.residual.features, residual.features, rtol=1e-3, atol=1e-6)
    with pytest.raises(ValueError, match="start must have one residual for each of 2 codes, got 1"):
        FeatureRefiner(network, COMPARISON, steps=0).refine(target, codes, start=start[:1])


@pytest.mark.parametrize("kind", ["features", "weights"])
def test_an_image_is_refined_alike_whatever_its_batch(network: Network, kind: str) -> None:
    target, codes = problem(network)
    together, alone = (refiner(network, kind).refine(target[:n], codes[:n]) for n in (2, 1))
    torch.testing.assert_close(together.losses[:, 0], alone.losses[:, 0])


def test_the_first_step_changes_features_against_the_gradient(network: Network) -> None:
    """Adam's first step has one length for all numbers; the gradient is of a hook's making, not of a seam's."""
    target, codes = problem(network)
    change = FeatureRefiner(network, COMPARISON, 1, lr=0.5, lambda_small=0.0).refine(target, codes).refinements[0]
    assert change.residual is not None
    seam = seam_of(network)
    features = seamed(network).begin(codes[:1], seam).features
    scale = features.std(dim=(2, 3), keepdim=True)
    probe, eps = torch.zeros_like(features), 1e-6
    place = (0, 1, features.shape[2] // 2, features.shape[3] // 2)
    losses = []
    for sign in (1, -1):
        probe[place] = sign * eps
        losses.append(pixel_loss(_drawn_with(network, codes[:1], seam, probe), target[:1]))
    slope = (losses[0] - losses[1]).sign()
    length = 0.5 * module.ramp(1, 1)
    expected = -length * slope * scale[0, 1, 0, 0]
    torch.testing.assert_close(change.residual.features[place[1:]].double(), expected[0], rtol=0.01, atol=0)


def _drawn_with(network: Network, codes: Tensor, seam: int, added: Tensor) -> Tensor:
    midway = seamed(network).begin(codes, seam)
    return seamed(network).finish(replace(midway, features=midway.features + added), codes)


def test_steps_are_followed(network: Network) -> None:
    target, codes = problem(network)
    seen: list[tuple[int, float]] = []
    found = FeatureRefiner(network, COMPARISON, 4).refine(
        target, codes, lambda i, loss: seen.append((i, float(loss[0])))
    )
    least = found.losses[:, 0].cummin(dim=0).values
    assert [step for step, _ in seen] == [0, 1, 2, 3, 4]
    torch.testing.assert_close(torch.tensor([loss for _, loss in seen]).double(), least)


@pytest.mark.parametrize("kind", ["features", "weights"])
def test_images_are_shown_as_they_come_closer(network: Network, kind: str) -> None:
    target, codes = (one[:1] for one in problem(network))
    seen = list[Tensor]()
    found = refiner(network, kind).refine(target, codes, on_image=seen.append)
    losses = torch.cat([pixel_loss(image, target) for image in seen])
    torch.testing.assert_close(losses, found.losses[:, 0])
    assert not any(image.requires_grad for image in seen)


def test_tuning_stops_where_it_is_enough(network: Network) -> None:
    target, codes = problem(network)
    steps: list[int] = []
    tuner = WeightTuner(network, COMPARISON, 20, enough=1e9)
    tuner.refine(target[:1], codes[:1], lambda step, _: steps.append(step))
    assert steps == [0]


def test_the_local_term_keeps_the_images_of_neighbours() -> None:
    network = random_network("mobilestylegan")
    target, codes = problem(network)

    def moved(weight: float) -> float:
        local = (lambda fixed: lambda image: weight * pixel_loss(image, fixed)) if weight else None
        tuner = WeightTuner(network, COMPARISON, 30, lr=0.05, local=local)
        (found,) = tuner.refine(target[:1], codes[:1]).refinements
        random = sample_codes(network, 1, randomness=torch.Generator().manual_seed(99), truncation_psi=PSI).to(codes)
        away = random - codes[:1]
        near = codes[:1] + NEIGHBOUR * away / away.norm()
        return float(pixel_loss(refined(network, found).synthesis(near), network.synthesis(near)))

    assert moved(10.0) < 0.7 * moved(0.0)


def test_the_neighbours_are_as_far_off_over_all_layers_as_ptis() -> None:
    network, seen = random_network("mobilestylegan"), list[Tensor]()
    target, codes = problem(network)
    network.synthesis.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    tuner = WeightTuner(network, COMPARISON, 1, local=toward(pixel_loss))
    tuner.refine(target[:1], codes[:1])
    assert [float((w_plus - codes[:1]).norm()) for w_plus in seen] == pytest.approx([0.0, 30.0, 30.0, 0.0])


def test_every_tile_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", 4)
    monkeypatch.setattr(module, "WORKING_SIZE", 4)
    target = torch.zeros(1, 3, 10, 10, dtype=torch.double)
    compared = Comparison(toward(pixel_loss), tile_weight=0.5).toward(target)
    image = torch.zeros_like(target)
    image[..., 9, 0] = 1.0
    values = [float(compared.tile(image, step)) for step in range(9)]
    assert sum(value > 0 for value in values) == 1
    assert max(values) == pytest.approx(0.5 / 16)
    assert [compared.size(step / 10) for step in (0, 7, 8, 10)] == [4, 4, 10, 10]
    assert float(Comparison(toward(pixel_loss)).toward(target[..., :4, :4]).tile(image[..., :4, :4], 0)) == 0


def test_deltas_are_of_all_convolutions_and_of_the_rank(network: Network) -> None:
    target, codes = problem(network)
    (found,) = WeightTuner(network, COMPARISON, 1, rank=2).refine(target[:1], codes[:1]).refinements
    assert found.residual is None
    assert all(delta.u.shape[1] == delta.v.shape[1] == 2 for delta in found.deltas.values())
    with_deltas(network, {name: LowRank(one.u.double(), one.v.double()) for name, one in found.deltas.items()})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refine_steps": -1}, "refine_steps must be 0 or more, got -1"),
        ({"lambda_local": float("nan")}, "lambda_local must be 0 or more, got nan"),
        ({"refine": "features", "lambda_local": 1.0}, "lambda_local needs refine = weights, got features"),
        ({"lambda_local": 1.0}, "lambda_local needs refine = weights"),  # what a quality fills in is something else
        ({"refine": "hats"}, "refine"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BeyondConfig(**changes)  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_are_refused(network: Network) -> None:
    target, codes = problem(network)
    with pytest.raises(ValueError, match="w_plus must be"):
        FeatureRefiner(network, COMPARISON, 1).refine(target[:1], codes)
    with pytest.raises(ValueError, match="target must be"):
        WeightTuner(network, COMPARISON, 1).refine(target[0], codes)


@pytest.mark.parametrize("kind", [FeatureRefiner, WeightTuner])
def test_the_best_step_is_one_at_full_size(
    monkeypatch: pytest.MonkeyPatch, kind: type[FeatureRefiner | WeightTuner]
) -> None:
    """However well the start, drawn at the working size, fits there."""
    monkeypatch.setattr(module, "TILE", 16)
    monkeypatch.setattr(module, "WORKING_SIZE", 16)
    network = random_network("mobilestylegan")
    target, codes = problem(network)

    def toward(target: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda image: pixel_loss(image, target)

    drawn: list[int] = []

    def whole(_: module.Compared, image: Tensor) -> Tensor:
        drawn.append(image.shape[-1])
        return pixel_loss(resample(image, 16), resample(target[:1], 16)) + (image.shape[-1] > 16)

    monkeypatch.setattr(module.Compared, "whole", whole)
    told, refiner = list[float](), kind(network, Comparison(toward), 10)
    (found,) = refiner.refine(target[:1], codes[:1], lambda _, loss: told.append(float(loss))).refinements
    assert drawn == [16] * 8 + [32] * 3
    changes = [found.residual.features] if found.residual else [one.u for one in found.deltas.values()]
    assert max(float(one.abs().max()) for one in changes) > 0
    assert max(told[:8]) < 1 < min(told[8:])


def test_the_steps_of_tuning_tell_the_loss_of_every_image() -> None:
    network = random_network("mobilestylegan")
    target, codes = problem(network)
    told: list[Tensor] = []
    found = WeightTuner(network, COMPARISON, 2).refine(target, codes, lambda _, loss: told.append(loss))
    assert [tuple(loss.shape) for loss in told] == [(2,)] * 6
    assert torch.isinf(told[0]).tolist() == [False, True]
    torch.testing.assert_close(told[-1], found.losses.amin(dim=0))


def test_steps_of_no_refinement_are_refused() -> None:
    assert BeyondConfig(refine_steps=5).filled("features").steps == 5
    with pytest.raises(UserError, match="steps need a refinement"):
        BeyondConfig(refine_steps=5).filled("none")
