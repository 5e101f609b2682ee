import math

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.baselines.projector import Projector, structure
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.generators import Generator, StyleGAN2
from latentloop.generators.stylegan2 import Shape
from latentloop.latents import mean_code


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return load_lpips("alex")


@pytest.fixture
def target(float_toy: Generator) -> Tensor:
    code = float_toy.latent_avg + 0.5 * torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(3))
    return float_toy.synthesis(code.expand(-1, 4, -1))


def test_the_step_size_rises_and_falls_as_in_nvidias(float_toy: Generator, lpips: Lpips) -> None:
    projector = Projector(float_toy, lpips)
    for step in (0, 10, 49, 50, 500, 749, 750, 900, 999):
        t = step / 1000
        down = 0.5 - 0.5 * math.cos(min(1.0, (1 - t) / 0.25) * math.pi)
        assert projector.lr_at(step) == pytest.approx(0.1 * down * min(1.0, t / 0.05))


@pytest.mark.parametrize("space", ["w", "w+"])
def test_it_finds_codes_that_draw_the_target(float_toy: Generator, lpips: Lpips, target: Tensor, space: str) -> None:
    method = Projector(float_toy, lpips, space=space, steps=60)  # type: ignore[arg-type]
    told: list[int] = []
    found = method.refine(target, mean_code(float_toy, 2), lambda step, _: told.append(step))
    assert told == list(range(61))
    assert found.losses.shape == (61, 2)
    assert (found.loss < 0.3 * found.losses[0]).all()
    alike = bool((found.w_plus == found.w_plus[:, :1]).all())
    assert alike == (space == "w")
    torch.testing.assert_close(found.image, float_toy.synthesis(found.w_plus))
    torch.testing.assert_close(found.w_plus, method.refine(target, mean_code(float_toy, 2)).w_plus)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_its_path_is_that_of_nvidias_loop(float_toy: Generator, lpips: Lpips, target: Tensor, space: str) -> None:
    """Written out for one image, as their projector does it; the toy takes no noise maps."""
    steps, one = 20, target[:1]
    method = Projector(float_toy, lpips, space=space, steps=steps, seed=4)  # type: ignore[arg-type]
    found = method.refine(one, mean_code(float_toy, 1))
    rows, randomness = 1 if space == "w" else 4, torch.Generator().manual_seed(4)
    w_opt = mean_code(float_toy, 1)[:, :rows].clone().requires_grad_()
    adam, spread = torch.optim.Adam([w_opt], betas=(0.9, 0.999)), method.spread()
    for step in range(steps):
        t = step / steps
        scale = spread * 0.05 * max(0.0, 1.0 - t / 0.75) ** 2
        ramp = 0.5 - 0.5 * math.cos(min(1.0, (1.0 - t) / 0.25) * math.pi)
        adam.param_groups[0]["lr"] = 0.1 * ramp * min(1.0, t / 0.05)
        ws = (w_opt + scale * torch.randn(rows, 8, generator=randomness)).expand(1, 4, 8)
        loss = lpips(float_toy.synthesis(ws), one).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(found.w_plus, w_opt.detach().expand(1, 4, 8), rtol=1e-3, atol=1e-4)


def test_an_image_does_not_depend_on_its_batch(float_toy: Generator, lpips: Lpips, target: Tensor) -> None:
    method = Projector(float_toy, lpips, steps=10)
    together = method.refine(target, mean_code(float_toy, 2)).w_plus
    alone = method.refine(target[1:], mean_code(float_toy, 1)).w_plus
    torch.testing.assert_close(alone, together[1:], rtol=1e-3, atol=1e-4)


def test_the_spread_is_that_of_w(float_toy: Generator, lpips: Lpips) -> None:
    w = float_toy.mapping(torch.randn(20_000, 8, generator=torch.Generator().manual_seed(1)))
    expected = (w - w.mean(0)).square().sum(1).mean().sqrt().item()
    assert Projector(float_toy, lpips).spread() == pytest.approx(expected, rel=0.02)


def test_structure_is_what_neighbours_share() -> None:
    noise = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for i, one in enumerate(noise[:, 0].numpy()):
        half = one.reshape(8, 2, 8, 2).mean(axis=(1, 3))
        terms = [(x * np.roll(x, 1, axis=axis)).mean() ** 2 for x in (one, half) for axis in (0, 1)]
        assert structure(noise)[i].item() == pytest.approx(sum(terms))
    assert structure(torch.ones(1, 1, 8, 8)).item() == 2


def test_noise_maps_stay_noise() -> None:
    torch.manual_seed(0)
    generator = StyleGAN2(Shape(mapping=(8, 8), channels=(4,) * 4), name="noisy", fingerprint="").requires_grad_(False)
    for layer in generator.synthesis.layers:
        torch.nn.init.ones_(layer.noise_strength)
    drawn: list[Tensor] = []
    generator.synthesis.register_forward_pre_hook(
        lambda _, __, kwargs: drawn.extend(one.detach().clone() for one in kwargs.get("noise", ())), with_kwargs=True
    )
    target = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = Projector(generator, load_lpips("alex"), steps=3).refine(target, mean_code(generator, 1))
    assert found.noise is None
    last = drawn[-7:]
    assert [one.shape[-1] for one in last] == [4, 8, 8, 16, 16, 32, 32]
    for one in last:
        assert abs(one.mean().item()) < 1e-5
        assert one.square().mean().item() == pytest.approx(1, abs=1e-4)
    assert not torch.equal(drawn[6], drawn[-1])
