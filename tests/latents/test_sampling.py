import numpy as np
import pytest
import torch

from latentloop.generators.protocol import Generator
from latentloop.latents import broadcast, mean_code, sample_codes, truncate

W_PLUS = torch.arange(2 * 4 * 3, dtype=torch.float64).reshape(2, 4, 3)
AVERAGE = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_psi_1_keeps_the_styles() -> None:
    assert torch.equal(truncate(W_PLUS, AVERAGE, psi=1.0), W_PLUS)


def test_psi_0_gives_the_mean_everywhere() -> None:
    assert torch.equal(truncate(W_PLUS, AVERAGE, psi=0.0), AVERAGE.expand(2, 4, 3))


@pytest.mark.parametrize("psi", [-0.5, 0.3, 1.7])
@pytest.mark.parametrize("cutoff", [0, 1, 3, 4, None])
def test_the_coarsest_layers_move_to_the_mean_and_the_others_stay(psi: float, cutoff: int | None) -> None:
    expected, average = W_PLUS.numpy().copy(), AVERAGE.numpy()
    for layer in range(4 if cutoff is None else cutoff):
        expected[:, layer] = average + psi * (expected[:, layer] - average)
    found = truncate(W_PLUS, AVERAGE, psi=psi, cutoff=cutoff)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)


def test_broadcasting_repeats_a_style_for_every_layer() -> None:
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert broadcast(w, 3).tolist() == [[[1.0, 2.0]] * 3, [[3.0, 4.0]] * 3]


@pytest.mark.parametrize("count", [1, 3])
def test_the_mean_code_is_the_mean_style_in_every_layer(toy: Generator, count: int) -> None:
    code = mean_code(toy, count)
    assert code.shape == (count, 4, 8)
    assert torch.equal(code, toy.latent_avg.expand(count, 4, 8))


def test_a_seed_draws_the_same_codes_and_another_seed_others(toy: Generator) -> None:
    first, again, other = (sample_codes(toy, 3, randomness=seeded(seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any()


def test_codes_are_the_same_drawn_at_once_and_in_chunks(toy: Generator) -> None:
    at_once, randomness = sample_codes(toy, 6, randomness=seeded(7)), seeded(7)
    chunks = [sample_codes(toy, count, randomness=randomness) for count in (2, 4)]
    assert torch.equal(torch.cat(chunks), at_once)


def test_sampling_leaves_the_global_random_state_alone(toy: Generator) -> None:
    before = torch.get_rng_state()
    sample_codes(toy, 3, randomness=seeded(7))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("psi", [0.0, 0.7, 1.0])
def test_samples_are_mapped_truncated_and_alike_in_every_layer(toy: Generator, psi: float) -> None:
    codes = sample_codes(toy, 3, randomness=seeded(7), truncation_psi=psi)
    z = torch.randn(3, 8, generator=seeded(7)).double().numpy()
    expected = toy.latent_avg.numpy() + psi * np.tanh(z)  # the toy maps z to latent_avg + tanh(z)
    for layer in range(4):
        np.testing.assert_allclose(codes[:, layer].numpy(), expected, rtol=0, atol=1e-12)
