import math
from collections.abc import Callable
from typing import NoReturn, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators import DrawnBy, Generator
from latentloop.inversion import Inversion, IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import pixel_loss, toward, weighted_sum

PIXELS = toward(pixel_loss)


def drawn(toy: Generator, count: int) -> tuple[Tensor, Tensor]:
    """Random codes and the images the generator draws of them."""
    randomness = torch.Generator().manual_seed(5)
    offsets = torch.randn(count, toy.num_ws, toy.w_dim, generator=randomness, dtype=torch.float64)
    w_plus = mean_code(toy, count) + 0.5 * offsets
    return w_plus, toy.synthesis(w_plus)


def refine(toy: Generator, target: Tensor, **settings: object) -> Inversion:
    iterator = LatentIterator(toy, PIXELS, IteratorConfig(**settings))  # type: ignore[arg-type]
    return iterator.refine(target, mean_code(toy, len(target)))


def test_it_finds_a_code_that_draws_the_target(toy: Generator) -> None:
    _, target = drawn(toy, 2)
    found = refine(toy, target, steps=400)
    assert found.losses[0].min() > 0.02
    assert found.loss.max() < 1e-5
    torch.testing.assert_close(toy.synthesis(found.w_plus), target, rtol=0, atol=0.02)


def test_an_image_is_inverted_alike_alone_and_in_a_batch(toy: Generator) -> None:
    _, target = drawn(toy, 3)
    alone = torch.cat([refine(toy, image[None], steps=30).w_plus for image in target])
    torch.testing.assert_close(refine(toy, target, steps=30).w_plus, alone, rtol=0, atol=1e-10)


def test_the_same_run_gives_the_same_code_bit_for_bit(toy: Generator) -> None:
    _, target = drawn(toy, 2)
    assert torch.equal(refine(toy, target, steps=20).w_plus, refine(toy, target, steps=20).w_plus)


def test_where_the_first_step_is_too_large_a_ramp_keeps_the_loss_from_rising(toy: Generator) -> None:
    w_plus, target = drawn(toy, 2)
    start, losses = w_plus + 0.05, []
    for ramp_up in (0.0, 0.1):
        config = IteratorConfig(steps=50, lr=0.2, ramp_up=ramp_up)
        losses.append(LatentIterator(toy, PIXELS, config).refine(target, start).losses)
    steep, ramped = losses
    assert (steep[1] > steep[0]).all()
    assert (ramped[1] < ramped[0]).all()


def overshooting(toy: Generator, **settings: object) -> tuple[Tensor, Tensor, LatentIterator]:
    """Targets, starts near their codes, and an iterator whose first steps are far too large for them."""
    w_plus, target = drawn(toy, 3)
    offsets = torch.tensor([0.02, 0.05, 0.5], dtype=torch.float64)[:, None, None]
    config = IteratorConfig(**{"steps": 50, "lr": 0.3, "ramp_up": 0.1, "ramp_down": 0, **settings})  # type: ignore[arg-type]
    return target, w_plus + offsets, LatentIterator(toy, PIXELS, config)


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_while_steps_grow_from_0_no_image_gets_worse_than_its_start(toy: Generator, optimizer: str) -> None:
    target, start, iterator = overshooting(toy, optimizer=optimizer)
    found = iterator.refine(target, start)
    assert (found.losses <= found.losses[0]).all()
    assert (found.loss < found.losses[0] / 2).all()
    for settings in ({"ramp_up": 0}, {"steps": 49}):
        plain = overshooting(toy, optimizer=optimizer, **settings)[2].refine(target, start)
        assert (plain.losses[1:] > plain.losses[0]).any(dim=0).tolist() == [True, True, False]


def test_an_image_whose_step_is_undone_leaves_the_others_alone(toy: Generator) -> None:
    target, start, iterator = overshooting(toy)
    together = iterator.refine(target, start).losses
    alone = torch.cat([iterator.refine(target[i : i + 1], start[i : i + 1]).losses for i in range(3)], dim=1)
    undone = (together[1:15] == together[:14]).any(dim=0)  # steps of such a size amplify rounding errors later on
    assert undone.tolist() == [True, True, False]
    torch.testing.assert_close(together[:15], alone[:15], rtol=0, atol=1e-9)


def test_after_an_undone_step_the_best_code_takes_half_as_large_ones(toy: Generator) -> None:
    """Adam by hand, in NumPy, on numerical gradients."""
    target, start, iterator = overshooting(toy, optimizer="adam", ramp_up=0.01)
    target, code, share = target[:1], start[:1].clone(), 1.0
    mean, variance = np.zeros(code.shape), np.zeros(code.shape)
    best, losses = (math.inf, code, np.zeros(0)), list[float]()
    for step in range(1, 52):
        loss, gradient = pixel_loss(toy.synthesis(code), target).item(), numerical_gradient(toy, code, target)
        if losses and loss > losses[0]:
            (loss, code, gradient), share = best, share / 2
        best = min(best, (loss, code.clone(), gradient), key=lambda seen: seen[0])
        losses.append(loss)
        mean, variance = 0.9 * mean + 0.1 * gradient, 0.999 * variance + 0.001 * gradient**2
        update = mean / (1 - 0.9**step) / (np.sqrt(variance / (1 - 0.999**step)) + 1e-8)
        code = code - share * 0.3 * torch.from_numpy(update)
    assert share < 0.5
    found = iterator.refine(target, start[:1])
    np.testing.assert_allclose(found.losses[:, 0].numpy(), losses, atol=1e-6)
    torch.testing.assert_close(found.w_plus, best[1], rtol=0, atol=1e-5)


def test_the_steps_are_adams(toy: Generator) -> None:
    """Adam by hand, in NumPy, on numerical gradients."""
    _, target = drawn(toy, 1)
    code = mean_code(toy, 1).clone()
    mean, variance = np.zeros(code.shape), np.zeros(code.shape)
    for step in range(1, 4):
        gradient = numerical_gradient(toy, code, target)
        mean, variance = 0.9 * mean + 0.1 * gradient, 0.999 * variance + 0.001 * gradient**2
        update = mean / (1 - 0.9**step) / (np.sqrt(variance / (1 - 0.999**step)) + 1e-8)
        code -= 0.05 * torch.from_numpy(update)
    found = refine(toy, target, steps=3, optimizer="adam", lr=0.05, ramp_up=0, ramp_down=0)
    torch.testing.assert_close(found.w_plus, code, rtol=0, atol=1e-5)


def test_muons_steps_are_orthogonal_matrices(toy: Generator) -> None:
    """Direction by NumPy's SVD, on numerical gradients."""
    _, target = drawn(toy, 1)
    code, mean = mean_code(toy, 1).clone(), np.zeros((1, toy.num_ws, toy.w_dim))
    for step in range(1, 4):
        gradient = numerical_gradient(toy, code, target)
        mean = 0.9 * mean + 0.1 * gradient
        u, _, vh = np.linalg.svd(0.1 * gradient + 0.9 * mean, full_matrices=False)
        found = refine(toy, target, steps=step, optimizer="muon", lr=0.01, ramp_up=0, ramp_down=0)
        before, code = code, found.w_plus
        change = (before - code).numpy()[0] / (0.01 * np.sqrt(toy.w_dim))
        values = u[0].T @ change @ vh[0].T
        assert (np.diag(values) > 0.65).all()
        assert (np.diag(values) < 1.25).all()
        np.testing.assert_allclose(values - np.diag(np.diag(values)), 0, atol=0.01)


def test_the_momentum_of_muons_steps_is_nine_tenths() -> None:
    """By hand, on gradients that turn at every step: with .95, and without looking ahead, the steps point elsewhere."""
    gradients = np.random.default_rng(0).normal(size=(5, 4, 8))
    codes: list[np.ndarray] = []

    class Turning:
        num_ws, w_dim = 4, 8

        def synthesis(self, w_plus: Tensor, *, resolution: int) -> Tensor:
            slope = torch.from_numpy(gradients[min(len(codes), 4)])
            codes.append(w_plus.detach().numpy()[0].copy())
            return (w_plus * slope).sum().expand(1, 3, resolution, resolution)

    def level(_: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda image: image.mean(dim=(1, 2, 3))

    config = IteratorConfig(5, lr=0.1, ramp_up=0, ramp_down=0)
    start, target = torch.zeros(1, 4, 8, dtype=torch.float64), torch.zeros(1, 3, 4, 4, dtype=torch.float64)
    LatentIterator(cast("Generator", Turning()), level, config).refine(target, start)
    mean = np.zeros((4, 8))
    for gradient, before, after in zip(gradients, codes, codes[1:], strict=False):
        mean = 0.9 * mean + 0.1 * gradient
        u, _, vh = np.linalg.svd(0.1 * gradient + 0.9 * mean, full_matrices=False)
        values = u.T @ (before - after) @ vh.T / (0.1 * np.sqrt(8))
        np.testing.assert_allclose(values - np.diag(np.diag(values)), 0, atol=1e-9)
        assert ((np.diag(values) > 0.65) & (np.diag(values) < 1.25)).all()


def numerical_gradient(toy: Generator, code: Tensor, target: Tensor) -> np.ndarray:
    gradient = np.zeros(code.shape)
    for index in np.ndindex(*code.shape):
        nudge = torch.zeros_like(code)
        nudge[index] = 1e-6
        above, below = (pixel_loss(toy.synthesis(code + sign * nudge), target) for sign in (1, -1))
        gradient[index] = ((above - below) / 2e-6).item()
    return gradient


def test_the_best_code_is_kept_not_the_last(toy: Generator) -> None:
    _, target = drawn(toy, 1)
    found = refine(toy, target, steps=40, lr=2.0, ramp_up=0, ramp_down=0)  # jumps about
    assert found.losses.argmin() < 40
    assert found.steps.item() == found.losses.argmin().item()
    torch.testing.assert_close(found.loss, found.losses.amin(dim=0))
    torch.testing.assert_close(pixel_loss(toy.synthesis(found.w_plus), target), found.loss)
    torch.testing.assert_close(toy.synthesis(found.w_plus), found.image)


def test_the_code_after_the_last_step_counts(toy: Generator) -> None:
    _, target = drawn(toy, 1)
    found = refine(toy, target, steps=1, lr=0.001, ramp_up=0, ramp_down=0)
    assert found.losses.shape == (2, 1)
    assert found.steps.item() == 1
    assert found.losses[1] < found.losses[0]


def test_no_steps_return_the_start_unmeasured(toy: Generator) -> None:
    w_plus, target = drawn(toy, 2)
    seen: list[int] = []
    iterator = LatentIterator(toy, PIXELS, IteratorConfig(steps=0))
    found = iterator.refine(target, w_plus, lambda step, _: seen.append(step))
    assert torch.equal(found.w_plus, w_plus)
    assert found.losses.shape == (0, 2)
    assert found.loss.isnan().all()
    assert found.steps.tolist() == [0, 0]
    assert seen == []
    assert torch.equal(found.image, toy.synthesis(w_plus))


def test_no_steps_make_no_state_and_no_loss(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AssertionError

    w_plus, target = drawn(toy, 1)
    monkeypatch.setattr("latentloop.inversion.iterator.State", refused)
    LatentIterator(toy, refused, IteratorConfig(steps=0)).refine(target, w_plus)
    with pytest.raises(AssertionError):
        LatentIterator(toy, PIXELS, IteratorConfig(steps=1)).refine(target, w_plus)


def test_no_steps_in_space_w_return_the_first_style(toy: Generator) -> None:
    w_plus, target = drawn(toy, 2)
    found = LatentIterator(toy, PIXELS, IteratorConfig(steps=0, space="w")).refine(target, w_plus)
    assert torch.equal(found.w_plus, w_plus[:, :1].expand_as(w_plus))


@pytest.mark.parametrize(("steps", "draws"), [(0, 0), (1, 2), (5, 6)])
def test_each_code_is_drawn_once_and_none_without_need(toy: Generator, steps: int, draws: int) -> None:
    _, target = drawn(toy, 2)
    calls: list[Tensor] = []

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        calls.append(w_plus)
        return toy.synthesis(w_plus, resolution=resolution)

    found = refine(DrawnBy(toy, draw), target, steps=steps)
    assert len(calls) == draws
    assert torch.equal(found.image, found.image)  # drawn now at the latest, and kept
    assert len(calls) == max(draws, 1)


def test_in_space_w_all_layers_share_a_style(toy: Generator) -> None:
    _, target = drawn(toy, 2)
    found = refine(toy, target, steps=20, space="w")
    assert torch.equal(found.w_plus, found.w_plus[:, :1].expand_as(found.w_plus))
    assert (found.loss < found.losses[0]).all()


def test_patience_stops_each_image_for_itself(toy: Generator) -> None:
    w_plus, target = drawn(toy, 2)
    start = torch.stack([w_plus[0], mean_code(toy)[0]])  # the first is there already, the second is not
    config = IteratorConfig(steps=60, optimizer="adam", patience=3, ramp_up=0, ramp_down=0)
    seen: list[int] = []
    found = LatentIterator(toy, PIXELS, config).refine(target, start, lambda step, _: seen.append(step))
    assert found.steps[0] == 0
    assert found.losses[3:, 0].unique().numel() == 1
    assert found.steps[1] > 10
    alone = LatentIterator(toy, PIXELS, config).refine(target[1:], start[1:])
    torch.testing.assert_close(found.w_plus[1:], alone.w_plus, rtol=0, atol=1e-10)


def test_an_image_left_alone_stays_where_it_is(toy: Generator) -> None:
    _, target = drawn(toy, 4)
    settings = {"optimizer": "adam", "lr": 1.0, "ramp_up": 0, "ramp_down": 0}  # jumps about
    found = refine(toy, target, steps=60, patience=4, **settings)
    stops = [int(step) + 4 for step in found.steps]
    assert len(set(stops)) > 1
    for losses, stop in zip(found.losses.T, stops, strict=True):
        assert losses[stop:].unique().numel() == 1
        assert losses[: stop + 1].unique().numel() == stop + 1


def test_a_plateau_ends_the_loop(toy: Generator) -> None:
    w_plus, target = drawn(toy, 1)
    seen: list[int] = []
    config = IteratorConfig(steps=1000, patience=5)
    LatentIterator(toy, PIXELS, config).refine(target, w_plus, lambda step, _: seen.append(step))
    assert seen == list(range(6))


def test_progress_reports_every_step_with_the_best_loss(toy: Generator) -> None:
    _, target = drawn(toy, 2)
    reports: list[tuple[int, Tensor]] = []
    config = IteratorConfig(steps=5)
    found = LatentIterator(toy, PIXELS, config).refine(
        target, mean_code(toy, 2), lambda step, loss: reports.append((step, loss))
    )
    assert [step for step, _ in reports] == [0, 1, 2, 3, 4, 5]
    expected = torch.from_numpy(np.minimum.accumulate(found.losses.numpy()))
    torch.testing.assert_close(torch.stack([loss for _, loss in reports]), expected)


def test_the_learning_rate_ramps_up_and_down(toy: Generator) -> None:
    config = IteratorConfig(steps=9, ramp_up=0.2, ramp_down=0.5)
    iterator = LatentIterator(toy, PIXELS, config)
    down = {k: 0.5 - 0.5 * math.cos(math.pi * 2 * (1 - k / 10)) for k in (6, 7, 8, 9)}
    expected = [0.5, 1, 1, 1, 1, *down.values()]
    assert [iterator.ramp(step) for step in range(1, 10)] == pytest.approx(expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(toy: Generator, bad: float) -> None:
    w_plus, target = drawn(toy, 1)
    iterator = LatentIterator(toy, PIXELS, IteratorConfig(steps=2))
    with pytest.raises(ValueError, match="target is not finite"):
        iterator.refine(torch.full_like(target, bad), w_plus)
    with pytest.raises(ValueError, match="start is not finite"):
        iterator.refine(target, torch.full_like(w_plus, bad))
    broken = LatentIterator(toy, weighted_sum((bad, PIXELS)), IteratorConfig(steps=2))
    with pytest.raises(ValueError, match="the loss after 0 steps is not finite"):
        broken.refine(target, mean_code(toy))


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 3, 16, 32), (3, 32, 32)])
def test_a_target_of_another_shape_is_refused(toy: Generator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"target must be \(N, 3, R, R\), got"):
        LatentIterator(toy, PIXELS).refine(torch.zeros(shape, dtype=torch.float64), mean_code(toy))


def test_a_start_of_another_shape_is_refused(toy: Generator) -> None:
    w_plus, target = drawn(toy, 2)
    with pytest.raises(ValueError, match=r"start must be \(N, num_ws, w_dim\) = \(2, 4, 8\), got \(1, 4, 8\)"):
        LatentIterator(toy, PIXELS).refine(target, w_plus[:1])


def test_inputs_are_not_written_to(toy: Generator) -> None:
    start, target = drawn(toy, 1)
    start = start + 0.1
    inputs = start.clone(), target.clone()
    found = LatentIterator(toy, PIXELS, IteratorConfig(steps=3)).refine(target, start)
    assert torch.equal(start, inputs[0])
    assert torch.equal(target, inputs[1])
    assert not torch.equal(found.w_plus, start)
    assert not found.w_plus.requires_grad


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(
    toy: Generator, context: Callable[[], torch.autograd.grad_mode.no_grad | torch.autograd.grad_mode.inference_mode]
) -> None:
    _, target = drawn(toy, 1)
    expected = refine(toy, target, steps=5)
    with context():
        found = refine(toy, target.clone(), steps=5)  # of inference mode, where that is on
    assert torch.equal(found.w_plus, expected.w_plus)
