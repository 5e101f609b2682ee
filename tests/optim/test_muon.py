import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latentloop.optim.adam import State
from latentloop.optim.muon import LARGEST, Muon, muon_step, orthogonalised


def polynomial(values: np.ndarray) -> np.ndarray:
    """What Newton and Schulz's iteration makes of singular values."""
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return values


def by_svd(matrix: np.ndarray) -> np.ndarray:
    """`orthogonalised` by way of NumPy's singular value decomposition."""
    u, values, vh = np.linalg.svd(matrix, full_matrices=False)
    found: np.ndarray = (u * polynomial(values / np.linalg.norm(values))) @ vh
    return found


def with_values(values: list[float]) -> np.ndarray:
    """A matrix of given singular values."""
    randomness = np.random.default_rng(0)
    u, _ = np.linalg.qr(randomness.normal(size=(7, len(values))))
    v, _ = np.linalg.qr(randomness.normal(size=(9, len(values))))
    matrix: np.ndarray = (u * values) @ v.T
    return matrix


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (3, 6, 9)])
def test_singular_values_go_through_the_polynomial(shape: tuple[int, ...]) -> None:
    matrices = np.random.default_rng(1).normal(size=shape)
    expected = [by_svd(matrix) for matrix in matrices.reshape(-1, *shape[-2:])]
    found = orthogonalised(torch.from_numpy(matrices))
    np.testing.assert_allclose(found.numpy().reshape(-1, *shape[-2:]), expected, atol=1e-9)


def test_all_but_the_smallest_directions_weigh_about_alike() -> None:
    found = orthogonalised(torch.from_numpy(with_values([1, 0.3, 0.03, 0.0025, 1e-5])))
    values = torch.linalg.svdvals(found)[:5]
    assert ((values[:4] > 0.65) & (values[:4] < 1.25)).all()
    assert values[4] < 0.05


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [2.0**-100, 2.0**-60, 2.0**100])
def test_the_size_of_a_matrix_does_not_matter(size: float, dtype: torch.dtype) -> None:
    matrix = torch.from_numpy(with_values([1, 0.5, 0.2])).to(dtype)
    found, expected = orthogonalised(matrix * size), orthogonalised(matrix)
    torch.testing.assert_close(found, expected)


def test_a_matrix_of_zeros_stays_one_and_harms_no_other() -> None:
    matrix = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(torch.stack([matrix, torch.zeros(4, 6)]))
    torch.testing.assert_close(found[0], orthogonalised(matrix))
    assert (found[1] == 0).all()


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (8, 3, 3, 3), (4, 6, 10)])
def test_a_step_changes_entries_as_much_as_adam_does(shape: tuple[int, ...]) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 1e-3
    Muon([weight], lr=0.1).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.1 * 0.2, rel=0.25)


def test_matrices_take_the_steps_of_nesterovs_momentum() -> None:
    """By hand; without looking ahead, or with another momentum, the second step would differ."""
    randomness, weight = np.random.default_rng(2), nn.Parameter(torch.zeros(6, 10, dtype=torch.float64))
    optimizer, mean, expected = Muon([weight], lr=0.1, rms=1.0, momentum=0.9), np.zeros((6, 10)), np.zeros((6, 10))
    for _ in range(3):
        gradient = randomness.normal(size=(6, 10))
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        expected -= 0.1 * 10**0.5 * by_svd(0.1 * gradient + 0.9 * mean)
        np.testing.assert_allclose(weight.detach().numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("shape", [(7,), (LARGEST + 1, LARGEST + 1)])
def test_vectors_and_huge_matrices_take_the_steps_of_adam(shape: tuple[int, ...]) -> None:
    randomness = torch.Generator().manual_seed(3)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    optimizers = (Muon([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99)))
    for _ in range(3):
        gradient = torch.randn(shape, generator=randomness)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_a_copy_goes_on_alike() -> None:
    def step(optimizer: torch.optim.Optimizer, gradient: Tensor) -> Tensor:
        (weight,) = optimizer.param_groups[0]["params"]
        weight.grad = gradient
        optimizer.step()
        copied: Tensor = weight.detach()
        return copied

    first, second = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(4))
    optimizer = Muon([nn.Parameter(torch.zeros(4, 5))], lr=0.1, rms=0.7)
    step(optimizer, first)
    other = copy.deepcopy(optimizer)
    assert torch.equal(step(optimizer, second), step(other, second))


def test_matrices_of_one_shape_are_stepped_together_as_each_by_itself() -> None:
    """Kernels, matrices and batches of them, three steps; the products are as many as there are shapes."""
    randomness = torch.Generator().manual_seed(3)
    shapes = [(4, 3, 2, 2), (4, 12), (6, 2, 2, 3), (2, 3, 5), (2, 3, 5), (4, 12)]
    weights = [nn.Parameter(torch.randn(*shape, generator=randomness, dtype=torch.float64)) for shape in shapes]
    expected = [weight.detach().clone() for weight in weights]
    states: list[State] = [{} for _ in weights]
    optimizer = Muon(weights, lr=0.1, rms=0.5, momentum=0.9)
    for _ in range(3):
        for weight, alone, state in zip(weights, expected, states, strict=True):
            weight.grad = torch.randn(*weight.shape, generator=randomness, dtype=torch.float64)
            muon_step(alone, weight.grad, state, lr=0.1, rms=0.5, momentum=0.9)
        optimizer.step()
    for weight, alone in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.detach(), alone)


def test_each_shape_is_orthogonalised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def unchanged(matrices: Tensor) -> Tensor:
        seen.append(tuple(matrices.shape))
        return matrices

    monkeypatch.setattr("latentloop.optim.muon.orthogonalised", unchanged)
    weights = [nn.Parameter(torch.ones(*shape)) for shape in ((4, 3, 2, 2), (4, 12), (5, 12), (7,))]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    Muon(weights, lr=0.1).step()
    assert seen == [(2, 4, 12), (1, 5, 12)]
