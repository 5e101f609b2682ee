import math

import pytest
import torch
from torch import Tensor

from latentloop.baselines import StyleGANEncoder, load_networks
from latentloop.baselines.networks import Networks
from latentloop.baselines.stylegan_encoder import log_cosh
from latentloop.generators import DrawnBy, Generator
from latentloop.latents import mean_code
from latentloop.metrics import ms_ssim


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks("alexnet")


@pytest.fixture
def large(float_toy: Generator) -> Generator:
    """The toy generator, whose images are enlarged to 192 pixels: MS-SSIM needs as many."""

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        assert resolution in (None, 192)
        return torch.nn.functional.interpolate(float_toy.synthesis(w_plus), scale_factor=6, mode="bilinear")

    return DrawnBy(float_toy, draw)


@pytest.fixture
def target(large: Generator) -> Tensor:
    return large.synthesis(large.latent_avg + 0.4 * torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(3)))


def test_log_cosh_is_what_it_says() -> None:
    x = torch.linspace(-5, 5, 11, dtype=torch.float64)
    torch.testing.assert_close(log_cosh(x), x.cosh().log())
    assert log_cosh(torch.tensor(-1e4)).item() == pytest.approx(1e4 - math.log(2))


def test_the_step_size_falls_in_stairs(large: Generator, networks: Networks) -> None:
    method = StyleGANEncoder(large, networks)
    assert [method.lr_at(step) for step in (0, 3, 4, 7, 8)] == pytest.approx([0.02, 0.02, 0.018, 0.018, 0.0162])


def test_the_loss_is_the_sum_of_its_terms(large: Generator, networks: Networks, target: Tensor) -> None:
    start = mean_code(large, 2) + 0.1
    found = StyleGANEncoder(large, networks, steps=1).refine(target, start)
    image = large.synthesis(start)
    features = [networks.layer(x)[0] for x in (image, target)]
    expected = (
        0.4 * log_cosh(57 * (features[0] - features[1])).mean((1, 2, 3))
        + 1.5 * log_cosh(127.5 * (image - target)).mean((1, 2, 3))
        + 200 * (1 - ms_ssim(image, target))
        + 100 * networks.lpips(image, target)
        + 0.5 * 512 * 0.1
    )
    torch.testing.assert_close(found.losses[0], expected, rtol=1e-4, atol=1e-3)


def test_better_codes_are_averaged_and_gone_on_from(large: Generator, networks: Networks, target: Tensor) -> None:
    """Three steps written out, of one image, where no number is beyond the limit."""
    method, one = StyleGANEncoder(large, networks, steps=3), target[:1]
    found = method.refine(one, mean_code(large, 1))
    code, best, least = mean_code(large, 1).clone().requires_grad_(), None, math.inf
    objective, adam = method._objective(one), torch.optim.Adam([code])
    for step in range(3):
        loss = objective(code)
        (code.grad,) = torch.autograd.grad(loss.sum(), code)
        adam.param_groups[0]["lr"] = method.lr_at(step)
        adam.step()
        assert loss.item() < least
        least = loss.item()
        best = code.detach().clone() if best is None else 0.25 * best + 0.75 * code.detach()
        code.data.copy_(best)
    assert best is not None
    torch.testing.assert_close(found.w_plus, best, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.loss, objective(best), rtol=1e-3, atol=1e-3)


def test_numbers_beyond_the_limit_are_drawn_anew(large: Generator, networks: Networks, target: Tensor) -> None:
    start = mean_code(large, 2).clone()
    start[0, 0, 0] = 5.0
    found = StyleGANEncoder(large, networks, steps=4).refine(target, start)
    assert found.losses.shape == (5, 2)
    assert found.losses[2, 0] < found.losses[0, 0] - 0.5 * 512 / 32  # the mean latent is nearer than 5


def test_it_comes_closer(large: Generator, networks: Networks, target: Tensor) -> None:
    told: list[int] = []
    method = StyleGANEncoder(large, networks, steps=25)
    found = method.refine(target, mean_code(large, 2), lambda step, _: told.append(step))
    assert told == list(range(1, 26))
    assert (found.loss < 0.9 * found.losses[0]).all()
    alone = method.refine(target[1:], mean_code(large, 1))
    torch.testing.assert_close(alone.w_plus, found.w_plus[1:], rtol=1e-2, atol=1e-2)
