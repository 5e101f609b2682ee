import torch

from latentloop.generators import Generator
from latentloop.training.codes import CROSSED, INDEPENDENT, PLAIN, sample_training_codes


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


def test_psi_is_even_between_its_bounds(toy: Generator) -> None:
    toy.latent_avg.zero_()
    codes = sample_training_codes(toy, 2000, randomness=torch.Generator().manual_seed(0))
    largest = codes.abs().amax()
    assert 0.85 < largest < 1  # the toy's w is a tanh


def test_a_seed_means_the_same_codes(toy: Generator) -> None:
    first, again = (sample_training_codes(toy, 8, randomness=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
