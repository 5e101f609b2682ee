"""Low-rank changes of a generator's convolutions, as in LoRA (Hu et al., arXiv:2106.09685)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from latentloop.generators import stylegan1_layers, stylegan2_layers, stylegan3
from latentloop.generators.protocol import Generator
from latentloop.generators.reweighted import reweighted

CONVOLUTIONS = (
    nn.Conv2d,
    stylegan1_layers.StyledConv,
    stylegan1_layers.StyledUpConv,
    stylegan2_layers.StyledConv,
    stylegan2_layers.ToRGB,
    stylegan3.StyledConv,
)
"""Layers that can be changed. Weights are (out, in, k, k); (out, in) in `ToRGB`; (in, out, k, k) in `StyledUpConv`."""


@dataclass(frozen=True)
class LowRank:
    """A rank-r change of a k x k convolution's weights, as a matrix: u v^T."""

    u: Tensor
    """Left factor, (out, r)."""
    v: Tensor
    """Right factor, (in * k * k, r)."""


def convolution_matrices(generator: Generator) -> dict[str, tuple[int, int]]:
    """List the convolutions of a generator that `with_deltas` can change, with the size of each as a matrix.

    Depthwise convolutions are left out: their weights do not form a matrix.

    Args:
        generator: The generator.

    Returns:
        (out, in * k * k) of each weight, by its name in `nn.Module.named_parameters`.
    """
    matrices = {name: _matrix(layer) for name, layer in _convolutions(generator)}
    return {name: (len(matrix), matrix[0].numel()) for name, matrix in matrices.items()}


def with_deltas(generator: Generator, *deltas: Mapping[str, LowRank]) -> Generator:
    """Copy a generator with low-rank changes added to its weights; unchanged tensors are shared (see `reweighted`).

    Args:
        generator: The generator, which stays as it is.
        deltas: Changes by the names that `convolution_matrices` lists; changes of one name add up. Factors that require
            gradients get them.

    Raises:
        TypeError: The generator is not an `nn.Module`.
        ValueError: There is no convolution of that name, or it has another size.
    """
    layers, changed = dict(_convolutions(generator)), dict[str, Tensor]()
    for name, delta in (item for one in deltas for item in one.items()):
        if name not in layers:
            raise ValueError(f"{generator.name} has no convolution {name}")
        matrix, ranks = changed.get(name, _matrix(layers[name])), (*delta.u.shape[1:], *delta.v.shape[1:])
        if len(delta.u) != len(matrix) or len(delta.v) != matrix[0].numel() or len(set(ranks)) != 1:
            shapes = f"({len(matrix)}, r) and ({matrix[0].numel()}, r)"
            raise ValueError(f"{name} needs factors {shapes}, got {tuple(delta.u.shape)} and {tuple(delta.v.shape)}")
        changed[name] = matrix + (delta.u @ delta.v.T).to(matrix).view_as(matrix)  # (out, in k k) as (out, in, k, k)
    weights = {name: one.transpose(0, 1) if _is_turned(layers[name]) else one for name, one in changed.items()}
    return reweighted(generator, weights)


def _convolutions(generator: Generator) -> Iterator[tuple[str, nn.Module]]:
    """The convolutions of the synthesis network, with the names of their weights."""
    for name, layer in generator.named_modules() if isinstance(generator, nn.Module) else ():
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        if name.startswith("synthesis.") and isinstance(layer, CONVOLUTIONS) and not depthwise:
            yield f"{name}.weight", layer


def _matrix(layer: nn.Module) -> Tensor:
    """A layer's weights with the outputs first, (out, in, ...)."""
    weight = layer.get_parameter("weight")
    return weight.transpose(0, 1) if _is_turned(layer) else weight


def _is_turned(layer: nn.Module) -> bool:
    return isinstance(layer, stylegan1_layers.StyledUpConv)
