import math

import pytest
import torch
from torch import Tensor, nn

from latentloop.encoders.treeconnect import TreeConnect, middle_divisor

SIZES = [(12, 30), (64, 64), (7, 6), (1, 5), (16, 1)]


def tree(in_features: int, out_features: int, activation: nn.Module | None = None) -> TreeConnect:
    layer = TreeConnect(in_features, out_features, activation).double()
    randomness = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=randomness)
    return layer


def scattered(layer: TreeConnect) -> tuple[Tensor, Tensor]:
    """Both layers as dense matrices, written out number by number, and zero where nothing is connected."""
    rows, width, columns = layer.within_rows.shape
    height = layer.out_features // columns
    first = torch.zeros(rows * columns, layer.in_features, dtype=torch.float64)
    second = torch.zeros(layer.out_features, rows * columns, dtype=torch.float64)
    for row in range(rows):
        for column in range(columns):
            for i in range(width):
                first[row * columns + column, row * width + i] = layer.within_rows[row, i, column]
            for j in range(height):
                second[column * height + j, row * columns + column] = layer.within_columns[column, row, j]
    return first, second


@pytest.mark.parametrize(("in_features", "out_features"), SIZES)
@pytest.mark.parametrize("activation", [None, nn.Tanh()])
def test_it_equals_two_masked_dense_layers(in_features: int, out_features: int, activation: nn.Module | None) -> None:
    layer = tree(in_features, out_features, activation)
    x = torch.randn(3, in_features, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    first, second = scattered(layer)
    hidden = x @ first.T + layer.between.flatten()
    expected = (hidden if activation is None else hidden.tanh()) @ second.T + layer.bias.flatten()
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("in_features", "out_features"), SIZES)
def test_every_output_depends_on_every_input(in_features: int, out_features: int) -> None:
    layer = tree(in_features, out_features)
    jacobian = torch.autograd.functional.jacobian(layer, torch.zeros(1, in_features, dtype=torch.float64))
    assert jacobian.shape == (1, out_features, 1, in_features)
    assert (jacobian != 0).all()


@pytest.mark.parametrize("root", [4, 16, 32])
def test_a_square_layer_has_two_n_to_the_one_and_a_half_weights(root: int) -> None:
    n = root**2
    layer = TreeConnect(n, n)
    assert layer.within_rows.numel() + layer.within_columns.numel() == 2 * n**1.5
    assert sum(p.numel() for p in layer.parameters()) == 2 * n**1.5 + 2 * n


def test_weights_grow_slower_than_in_a_dense_layer() -> None:
    counts = [sum(p.numel() for p in TreeConnect(n, n).parameters()) for n in (2**10, 2**12)]
    assert math.log(counts[1] / counts[0], 4) == pytest.approx(1.5, abs=0.02)


def test_new_layers_keep_the_size_of_what_they_pass_on() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 4096, generator=torch.Generator().manual_seed(0))
    assert TreeConnect(4096, 8192)(x).detach().std() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (7, 1), (12, 3), (36, 6), (8192, 64), (9216, 96)])
def test_the_middle_divisor_is_the_largest_up_to_the_root(n: int, expected: int) -> None:
    assert middle_divisor(n) == expected


def test_a_layer_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the number of features must be 1 or more, got 0"):
        TreeConnect(4, 0)
