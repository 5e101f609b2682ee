import math
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from latentloop.generators.mapping import Mapping


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_mapping(mapping: Mapping, z: Tensor, labels: Tensor | None) -> Tensor:
    """One sample and one unit at a time."""
    rows = []
    for n in range(len(z)):
        x = z[n] / math.sqrt(float((z[n] ** 2).mean()) + 1e-8)
        if labels is not None and mapping.embed is not None:
            y = mapping.embed.weight @ labels[n] + mapping.embed.bias
            x = torch.cat([x, y / math.sqrt(float((y**2).mean()) + 1e-8)])
        for layer in cast("list[nn.Linear]", list(mapping.fc)):
            y = torch.stack([(x * unit).sum() for unit in layer.weight]) + layer.bias
            x = torch.where(y > 0, y, y / 5) * math.sqrt(2)
        rows.append(x)
    return torch.stack(rows)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_it_is_what_the_paper_says_layer_by_layer(c_dim: int) -> None:
    mapping = Mapping([6, 5, 4], c_dim=c_dim).double().requires_grad_(False)
    labels = torch.eye(3, dtype=torch.float64)[:2] if c_dim else None
    z = randn(2, 6)
    torch.testing.assert_close(mapping(z, labels), slow_mapping(mapping, z, labels), rtol=0, atol=1e-12)


def test_the_length_of_z_does_not_matter() -> None:
    mapping, z = Mapping([6, 5, 4]).double(), randn(2, 6)
    torch.testing.assert_close(mapping(3 * z), mapping(z), rtol=1e-7, atol=1e-7)


def test_labels_are_wanted_where_there_are_classes_and_nowhere_else() -> None:
    z = randn(2, 6).float()
    with pytest.raises(ValueError, match=r"labels must be \(2, 3\), got None"):
        Mapping([6, 4], c_dim=3)(z)
    with pytest.raises(ValueError, match=r"labels must be \(2, 3\), got \(1, 3\)"):
        Mapping([6, 4], c_dim=3)(z, torch.eye(3)[:1])
    with pytest.raises(ValueError, match="labels must be None for a network without classes"):
        Mapping([6, 4])(z, torch.eye(3)[:2])
