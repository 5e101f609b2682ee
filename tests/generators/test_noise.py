import pytest
import torch
from torch import Tensor

from latentloop.generators.noise import Noise, noise_maps


@pytest.fixture
def stored() -> list[Tensor]:
    return [torch.full((4, 4), 1.0), torch.full((8, 8), 2.0)]


def random_maps(stored: list[Tensor], seed: int) -> list[Tensor | None]:
    return noise_maps("random", stored, batch=3, randomness=torch.Generator().manual_seed(seed))


def test_stored_maps_are_the_same_for_all_images(stored: list[Tensor]) -> None:
    first, second = noise_maps("const", stored, batch=3, randomness=None)
    assert first is not None
    assert second is not None
    assert torch.equal(first, torch.ones(1, 1, 4, 4))
    assert torch.equal(second, torch.full((1, 1, 8, 8), 2.0))
    assert noise_maps("none", stored, batch=3, randomness=None) == [None, None]


def test_random_maps_repeat_with_their_seed_and_differ_between_images(stored: list[Tensor]) -> None:
    (map4, map8), (again, _), (other, _) = random_maps(stored, 1), random_maps(stored, 1), random_maps(stored, 2)
    assert map4 is not None
    assert map8 is not None
    assert again is not None
    assert other is not None
    assert map4.shape == (3, 1, 4, 4)
    assert map8.shape == (3, 1, 8, 8)
    assert torch.equal(map4, again)
    assert not torch.equal(map4, other)
    assert not torch.equal(map4[0], map4[1])


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ([torch.zeros(1, 1, 4, 4)], r"noise must be maps \(3 or 1, 1, H, W\) with \(H, W\) of \[\(4, 4\), \(8, 8\)\]"),
        ([torch.zeros(2, 1, 4, 4), torch.zeros(1, 1, 8, 8)], r"got \[\(2, 1, 4, 4\), \(1, 1, 8, 8\)\]"),
        ("constant", "noise must be const, random, none or a sequence of maps, got 'constant'"),
    ],
)
def test_other_noise_is_refused(stored: list[Tensor], noise: Noise, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noise_maps(noise, stored, batch=3, randomness=None)
