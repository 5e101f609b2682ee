from dataclasses import replace

import pytest
import torch

from latentloop.generators import Generator
from latentloop.inversion import LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import pixel_loss, toward
from latentloop.training.codes import ADAM, CROSSED, INDEPENDENT, PLAIN, sample_iterated_codes, sample_training_codes

SIX = replace(ADAM, steps=6)


def test_codes_have_the_stated_shares(toy: Generator) -> None:
    """Told apart by how many styles differ among their four layers."""
    codes = sample_training_codes(toy, 4000, randomness=torch.Generator().manual_seed(0))
    changes = (codes[:, 1:] != codes[:, :-1]).any(dim=2).sum(dim=1)
    plain, crossed = (changes == 0).double().mean(), (changes == 1).double().mean()
    assert abs(plain - PLAIN) < 0.03
    assert abs(crossed - CROSSED) < 0.03
    # Layers of codes between two lie on one line, independent ones do not.
    rest = codes[changes == 3]
    steps = torch.linalg.matrix_rank(rest[:, 1:] - rest[:, :1], atol=1e-5)
    assert abs((steps == 3).double().mean() * len(rest) / 4000 - INDEPENDENT) < 0.03


def test_psi_is_even_between_its_bounds(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.latent_avg.zero_()
    monkeypatch.setattr(toy, "mapping", lambda z, _: torch.ones_like(z))  # so that a code is its psi
    psi = sample_training_codes(toy, 4000, randomness=torch.Generator().manual_seed(0))[:, 0, 0]
    assert 0.5 <= psi.min() < 0.51
    assert 0.99 < psi.max() <= 1
    assert abs(psi.double().mean() - 0.75) < 0.01
    assert abs(psi.double().std() - 0.5 / 12**0.5) < 0.01


def test_a_generator_may_have_a_style_for_each_layer(toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = sample_training_codes(toy, 50, randomness=torch.Generator().manual_seed(0))
    average, layers = toy.latent_avg.clone(), torch.arange(4.0, dtype=torch.float64)[:, None]
    monkeypatch.setattr(toy, "mapping", lambda z, _: (average + z.tanh())[:, None] + layers)
    toy.latent_avg = average + layers
    layerwise = sample_training_codes(toy, 50, randomness=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layerwise, plain + layers)


def test_a_seed_means_the_same_codes(toy: Generator) -> None:
    first, again = (sample_training_codes(toy, 8, randomness=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)


def test_iterated_codes_are_those_after_evenly_spaced_steps(toy: Generator) -> None:
    """Held against plain Adam, its step size ramped down along the iterator's cosine."""
    target = toy.synthesis(sample_training_codes(toy, 2, randomness=torch.Generator().manual_seed(1)))
    found = sample_iterated_codes(toy, target, toward(pixel_loss), steps=6, count=2).unflatten(0, (2, 2))
    code, ramp = mean_code(toy, 2).clone().requires_grad_(), LatentIterator(toy, toward(pixel_loss), SIX).ramp
    adam = torch.optim.Adam([code], lr=SIX.lr)
    for step in range(1, 7):
        (code.grad,) = torch.autograd.grad((toy.synthesis(code) - target).square().mean((1, 2, 3)).sum(), code)
        adam.param_groups[0]["lr"] = SIX.lr * ramp(step)
        adam.step()
        if step in (3, 6):
            torch.testing.assert_close(found[:, step // 3 - 1], code.detach())
