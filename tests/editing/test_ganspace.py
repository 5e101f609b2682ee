import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.editing.ganspace import ganspace_directions, principal_components
from latentloop.errors import UserError
from latentloop.generators import Generator


@pytest.fixture
def w() -> Tensor:
    """Styles that vary more in some of eight directions than in others."""
    randomness = torch.Generator().manual_seed(3)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=randomness)).Q
    styles = torch.randn(60, 8, generator=randomness) * torch.arange(1, 9)
    return styles.matmul(turn) + 5


def test_components_are_those_of_a_singular_value_decomposition(w: Tensor) -> None:
    centred = w.double().numpy() - w.double().numpy().mean(axis=0)
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(w, 3)
    np.testing.assert_allclose(found.deviations, singular[:3] / np.sqrt(59), rtol=1e-10)
    np.testing.assert_allclose(found.shares, singular[:3] ** 2 / (singular**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(np.abs((found.axes.numpy() * vectors[:3]).sum(axis=1)), 1, rtol=1e-10)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(3, dtype=torch.float64))


def test_strength_1_is_a_standard_deviation(toy: Generator, w: Tensor) -> None:
    found = ganspace_directions(toy, w, 2, (1, 3))
    assert [one.name for one in found] == ["pc0", "pc1"]
    for one in found:
        assert (one.layers, one.num_ws, one.fingerprint) == ((1, 3), 4, toy.fingerprint)
        length = one.vector.norm()
        torch.testing.assert_close((w @ one.vector / length).std(), length, rtol=1e-4, atol=0)
        assert one.about["std"] == pytest.approx(float(length), rel=1e-5)
        assert one.about["samples"] == 60
    assert found[0].about["share of variance"] > found[1].about["share of variance"] > 0.1


def test_a_missing_scikit_learn_is_told(w: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UserError, match=r"this needs scikit-learn: pip install scikit-learn"):
        principal_components(w, 2)
