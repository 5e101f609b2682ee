"""TreeConnect, a sparse alternative to a fully connected layer (Richter and Wattenhofer 2018)."""

import math

import torch
from torch import Tensor, nn


class TreeConnect(nn.Module):
    """A layer that connects every output with every input through O(n^1.5) weights instead of O(n^2).

    The inputs are arranged as a grid. A first layer connects within the rows of the grid, a second within the columns
    of the hidden units, so an output depends on each row of inputs through one hidden unit.
    """

    def __init__(self, in_features: int, out_features: int, activation: nn.Module | None = None) -> None:
        """Build the layer with random weights.

        Args:
            in_features: Number of inputs, best with a divisor near its square root; a prime number makes one row.
            out_features: Number of outputs, likewise.
            activation: Activation between the two layers; None leaves them linear, a factored dense layer.
        """
        super().__init__()
        rows, columns = middle_divisor(in_features), middle_divisor(out_features)
        self.in_features, self.out_features = in_features, out_features
        # Each of the rows has its own dense layer to `columns` hidden units, each column one to its outputs: together
        # in_features * columns + out_features * rows weights, about 2 n^1.5 for n inputs and outputs.
        self.within_rows = nn.Parameter(torch.empty(rows, in_features // rows, columns))
        self.between = nn.Parameter(torch.zeros(rows * columns))
        self.within_columns = nn.Parameter(torch.empty(columns, rows, out_features // columns))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.activation = activation or nn.Identity()
        # Variance 1 / fan-in keeps the scale of features. On the meta device there is nothing to fill, and trying would
        # import half of PyTorch's compiler.
        for weight in () if self.bias.is_meta else (self.within_rows, self.within_columns):
            nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[1]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        grid = x.unflatten(1, self.within_rows.shape[:2]).transpose(0, 1)  # (rows, N, in_features / rows)
        (rows, _, columns), (_, _, outputs) = self.within_rows.shape, self.within_columns.shape
        hidden = torch.baddbmm(self.between.view(rows, 1, columns), grid, self.within_rows)  # (rows, N, columns)
        bias, by_column = self.bias.view(columns, 1, outputs), self.activation(hidden).permute(2, 1, 0)
        out = torch.baddbmm(bias, by_column, self.within_columns)  # (columns, N, outputs)
        return out.transpose(0, 1).flatten(1)  # (N, out_features)


def middle_divisor(n: int) -> int:
    """Find the largest divisor of n that is not above its square root.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"the number of features must be 1 or more, got {n}")
    return max(d for d in range(1, math.isqrt(n) + 1) if n % d == 0)
