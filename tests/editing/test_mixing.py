import numpy as np
import torch

from conftest import randn
from latentloop.editing import mix, transfer


def test_layers_of_the_other() -> None:
    a, b = randn(2, 4, 8), randn(1, 4, 8, seed=1)
    mixed = mix(a, b, (0, 2))
    assert torch.equal(mixed[:, [0, 2]], b[:, [0, 2]].expand(2, -1, -1))
    assert torch.equal(mixed[:, [1, 3]], a[:, [1, 3]])


def test_half_of_the_way() -> None:
    a, b = randn(1, 4, 8), randn(1, 4, 8, seed=1)
    np.testing.assert_allclose(mix(a, b, (1,), strength=0.25)[0, 1], 0.75 * a[0, 1] + 0.25 * b[0, 1])
    assert torch.equal(mix(a, b, (0, 1, 2, 3), strength=0.0), a)


def test_the_difference_is_added() -> None:
    anna, calm, laughing = (randn(1, 4, 8, seed=i) for i in range(3))
    moved = transfer(anna, calm, laughing, (1, 2), strength=1.5)
    expected = anna.numpy().copy()
    expected[:, 1:3] += 1.5 * (laughing - calm).numpy()[:, 1:3]
    np.testing.assert_allclose(moved.numpy(), expected)


def test_nothing_to_transfer() -> None:
    anna, calm = randn(1, 4, 8), randn(1, 4, 8, seed=1)
    assert torch.equal(transfer(anna, calm, calm, (1, 2)), anna)
    assert torch.equal(transfer(anna, calm, anna, (1, 2), strength=0.0), anna)
