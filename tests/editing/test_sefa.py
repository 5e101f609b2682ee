import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.editing.sefa import factorize, sefa_directions
from latentloop.errors import UserError
from latentloop.generators import Generator, stylegan2


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_numpy(weights: list[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors of the stacked rows, each of unit length, and squared singular values."""
    rows = np.concatenate([weight.numpy() for weight in weights])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    _, singular, vectors = np.linalg.svd(rows, full_matrices=True)
    return vectors, np.pad(singular**2, (0, len(vectors) - len(singular)))


@pytest.mark.parametrize("sizes", [(5, 9, 4), (3,)], ids=["more rows than columns", "fewer"])
def test_the_axes_are_the_right_singular_vectors(sizes: tuple[int, ...]) -> None:
    weights = [10.0**i * randn(size, 6, seed=i) for i, size in enumerate(sizes)]
    vectors, values = by_numpy(weights)
    known = min(6, sum(sizes))  # beyond the rank, the vectors are any
    factors = factorize(weights, 6)
    np.testing.assert_allclose(factors.eigenvalues, values, atol=1e-12)
    np.testing.assert_allclose(np.abs((factors.axes[:known].numpy() * vectors[:known]).sum(axis=1)), 1, atol=1e-10)


def test_axes_are_orthonormal_and_their_largest_number_is_positive() -> None:
    axes = factorize([randn(12, 6)], 4).axes
    assert axes.shape == (4, 6)
    torch.testing.assert_close(axes @ axes.T, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-12)
    assert (axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)) > 0).all()


def test_rows_of_zeros_count_for_nothing() -> None:
    weight = randn(12, 6)
    with_zeros = factorize([torch.zeros(2, 6, dtype=torch.float64), weight], 3)
    torch.testing.assert_close(with_zeros.axes, factorize([weight], 3).axes)


def test_directions_are_of_the_chosen_layers_and_go_a_standard_deviation() -> None:
    torch.manual_seed(0)
    shape = stylegan2.Shape(mapping=(8, 6), channels=(5, 4))
    generator = stylegan2.StyleGAN2(shape, name="tiny", fingerprint="abc")
    w = (randn(50, 6) * torch.arange(1, 7)).float()
    convs, drawing = generator.synthesis.layers, generator.synthesis.drawing
    vectors, values = by_numpy([layer.affine.weight.detach() for layer in (convs[0], convs[1], drawing[0])])
    found = sefa_directions(generator, w, 2, (0, 1))
    assert [one.name for one in found] == ["sefa0", "sefa1"]
    for one, vector, value in zip(found, vectors, values, strict=False):
        assert (one.layers, one.num_ws, one.fingerprint, one.generator) == ((0, 1), 4, "abc", "tiny")
        deviation = np.std(w.numpy() @ vector, ddof=1)
        np.testing.assert_allclose(np.abs(one.vector.numpy() @ vector), deviation, rtol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(one.vector), deviation, rtol=1e-5)
        np.testing.assert_allclose([one.about["std"], one.about["eigenvalue"]], [deviation, value], rtol=1e-5)


def test_a_generator_that_does_not_tell_its_weights_is_refused(toy: Generator) -> None:
    with pytest.raises(UserError, match="toy-32: does not expose the weights that SeFa needs") as error:
        sefa_directions(toy, randn(4, 8), 2, (0,))
    assert error.value.arguments == ("method",)
