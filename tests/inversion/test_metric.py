from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator, randn
from latentloop.features.lpips import load_lpips
from latentloop.inversion import IteratorConfig, LatentIterator, PerceptualMetric
from latentloop.inversion.metric import DAMPING
from latentloop.inversion.metric_estimate import estimate_metric, loss_features, metric_of, pulled_back
from latentloop.latents import mean_code
from latentloop.losses import iterator_loss, pixel_loss, toward
from latentloop.losses.config import LossConfig
from latentloop.optim.muon import muon_step

SMALL = LossConfig(lambda_mse=2.0, lambda_lpips=0.5)


def pixels(image: Tensor) -> Iterator[Tensor]:
    yield image / image[0].numel() ** 0.5


def jacobian(generator: ToyGenerator, w_plus: Tensor) -> Tensor:
    """That of a code's pixels, scaled as the mean squared error sees them, by differences, (pixels, num_ws, w_dim)."""
    steps = 1e-5 * torch.eye(w_plus.numel(), dtype=w_plus.dtype).unflatten(1, w_plus.shape)
    after, before = (next(pixels(generator.synthesis(w_plus + sign * steps))).flatten(1) for sign in (1, -1))
    slopes: Tensor = ((after - before) / 2e-5).T.unflatten(1, w_plus.shape)
    return slopes


def some_matrices(size: int = 8) -> Tensor:
    halves = randn(4, size, size)
    return halves.mT @ halves


def metric_with_large_steps(toy: ToyGenerator) -> PerceptualMetric:
    return metric_of(some_matrices(), fingerprint=toy.fingerprint)


def test_what_is_pulled_back_has_the_exact_covariance(toy: ToyGenerator) -> None:
    w_plus = mean_code(toy)
    exact = torch.einsum("pld,ple->lde", *2 * [jacobian(toy, w_plus[0])])
    randomness, many = torch.Generator().manual_seed(0), 4000
    pulled = pulled_back(toy, pixels, w_plus.expand(many, -1, -1), randomness=randomness)
    found = torch.einsum("nld,nle->lde", pulled, pulled) / many
    assert pulled.dtype == w_plus.dtype
    assert (found - exact).norm() < 0.05 * exact.norm()


def test_a_metric_is_the_mean_over_random_codes(toy: ToyGenerator) -> None:
    found = estimate_metric(toy, pixels, samples=3000)
    randomness = torch.Generator().manual_seed(1)
    codes = toy.mapping(torch.randn(100, 8, generator=randomness, dtype=torch.float64))[:, None].expand(-1, 4, -1)
    exact = torch.stack([torch.einsum("pld,ple->lde", *2 * [jacobian(toy, code)]) for code in codes]).mean(dim=0)
    values = torch.linalg.eigvalsh(exact)
    torch.testing.assert_close(
        found.energies.double(), (values / values.mean(dim=-1, keepdim=True)).flip(-1), rtol=0.1, atol=0.01
    )
    along = torch.einsum("lkd,lde,lke->lk", found.axes.double(), exact, found.axes.double())
    torch.testing.assert_close(along[:, 0], values[:, -1], rtol=0.05, atol=0)
    assert found.fingerprint == toy.fingerprint


def test_the_seed_decides_and_progress_is_told(toy: ToyGenerator) -> None:
    told: list[tuple[int, int]] = []
    one, same = (
        estimate_metric(toy, pixels, samples=6, seed=3, on_progress=lambda *now: told.append(now)) for _ in range(2)
    )
    assert torch.equal(one.axes, same.axes)
    assert not torch.equal(one.axes, estimate_metric(toy, pixels, samples=6, seed=4).axes)
    assert told[:3] == [(0, 6), (4, 6), (6, 6)]


def test_distances_of_the_features_are_the_loss() -> None:
    lpips, image, target = load_lpips(), *randn(2, 2, 3, 64, 64).float().tanh()
    features = loss_features(lpips, SMALL)
    pairs = zip(features(image), features(target), strict=True)
    distance = sum((a - b).square().sum(dim=(1, 2, 3)) for a, b in pairs)
    torch.testing.assert_close(distance, iterator_loss(SMALL, lpips=lpips)(target)(image))


def test_with_all_axes_a_natural_gradient_is_the_solution_of_the_dense_equation() -> None:
    matrices, gradient = some_matrices(), randn(3, 4, 8, seed=1)
    units = matrices / matrices.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None]
    damped = units + DAMPING * torch.eye(8, dtype=torch.float64)
    expected = torch.stack([torch.linalg.solve(damped, one[..., None]).squeeze(-1) for one in gradient])
    found = metric_of(matrices, fingerprint="any").natural(gradient)
    torch.testing.assert_close(found, DAMPING * expected)
    torch.testing.assert_close(metric_of(matrices.float(), fingerprint="any").natural(gradient.float()), found.float())


def test_the_largest_eigenvalues_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.inversion.metric_estimate.RANK", 3)
    matrices = torch.diag_embed(torch.arange(1.0, 9.0).expand(2, -1))
    metric = metric_of(matrices, fingerprint="any")
    torch.testing.assert_close(metric.energies, torch.tensor([8.0, 7.0, 6.0]).expand(2, -1) / 4.5)
    torch.testing.assert_close(metric.axes.abs(), torch.eye(8)[[7, 6, 5]].expand(2, -1, -1))


def test_a_layer_that_draws_nothing_keeps_its_gradient() -> None:
    gradient = randn(1, 1, 8)
    torch.testing.assert_close(metric_of(torch.zeros(1, 8, 8), fingerprint="any").natural(gradient), gradient)


def test_the_iterator_takes_muons_steps_along_the_natural_gradient(toy: ToyGenerator) -> None:
    target, start = toy.synthesis(toy.latent_avg + 0.3 * randn(1, 4, 8)), mean_code(toy).clone()
    metric, config = metric_with_large_steps(toy), IteratorConfig(steps=1, lr=0.01)
    found = LatentIterator(toy, toward(pixel_loss), config, metric=metric).refine(target, start)
    leaf = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(pixel_loss(toy.synthesis(leaf), target).sum(), leaf)
    expected = start.clone()
    muon_step(expected, metric.natural(gradient), {}, lr=0.005, rms=1.0, momentum=0.9)  # half way down the ramp
    torch.testing.assert_close(found.w_plus, expected)


@pytest.mark.parametrize("changes", [{"optimizer": "adam"}, {"space": "w"}])
def test_adam_does_without_a_metric(toy: ToyGenerator, changes: dict[str, str]) -> None:
    target = toy.synthesis(toy.latent_avg + 0.3 * randn(1, 4, 8))
    config = IteratorConfig(steps=2, lr=0.01, **changes)  # type: ignore[arg-type]
    codes = [
        LatentIterator(toy, toward(pixel_loss), config, metric=metric).refine(target, mean_code(toy)).w_plus
        for metric in (None, metric_with_large_steps(toy))
    ]
    assert torch.equal(*codes)


def test_codes_are_as_far_apart_as_the_metric_says() -> None:
    """Held against the matrices themselves."""
    matrices = some_matrices()
    metric = metric_of(matrices, fingerprint="")
    one, other = randn(3, 4, 8), randn(3, 4, 8, seed=1)
    means = matrices.diagonal(dim1=1, dim2=2).mean(dim=1)
    whole = matrices / means[:, None, None] + DAMPING * torch.eye(8, dtype=matrices.dtype)
    expected = torch.einsum("nld,lde,nle->n", one - other, whole, one - other) / 32
    torch.testing.assert_close(metric.squared_distance(one, other), expected.to(one), rtol=1e-4, atol=1e-5)
