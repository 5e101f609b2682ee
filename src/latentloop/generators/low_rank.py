"""Changes of low rank of a generator's convolutions (after Hu et al., arXiv:2106.09685)."""

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
"""Layers whose weights are (out, in, k, k); without taps (out, in); where StyleGAN1 upsamples (in, out, k, k)."""


@dataclass(frozen=True)
class LowRank:
    """A change of rank r of the weights of a convolution with kernels of k x k, as a matrix: u v^T."""

    u: Tensor
    """Left factor, (out, r)."""
    v: Tensor
    """Right factor, (in * k * k, r)."""


def convolution_matrices(generator: Generator) -> dict[str, tuple[int, int]]:
    """List the weights of the convolutions of a generator by name, with the sizes of each as a matrix.

    Depthwise convolutions are left out: they are no matrices.

    Args:
        generator: The generator.

    Returns:
        For each name, among those of `nn.Module.named_parameters`, out and in * k * k.
    """
    matrices = {name: _matrix(layer) for name, layer in _convolutions(generator)}
    return {name: (len(matrix), matrix[0].numel()) for name, matrix in matrices.items()}


def with_deltas(generator: Generator, *deltas: Mapping[str, LowRank]) -> Generator:
    """Copy a generator with changes of low rank added to its weights; see `reweighted`.

    Args:
        generator: The generator, which stays as it is.
        deltas: Changes by the names that `convolution_matrices` gives; several of one name add up. Gradients flow into
            those that want them.

    Raises:
        TypeError: The generator is no module.
        ValueError: There are no such weights, or they are of another size.
    """
    layers, changed = dict(_convolutions(generator)), dict[str, Tensor]()
    for name, delta in (item for one in deltas for item in one.items()):
        if name not in layers:
            raise ValueError(f"{generator.name} has no convolution {name}")
        matrix, ranks = changed.get(name, _matrix(layers[name])), (*delta.u.shape[1:], *delta.v.shape[1:])
        if len(delta.u) != len(matrix) or len(delta.v) != matrix[0].numel() or len(set(ranks)) != 1:
            shapes = f"({len(matrix)}, r) and ({matrix[0].numel()}, r)"
            raise ValueError(f"{name} takes {shapes}, got {tuple(delta.u.shape)} and {tuple(delta.v.shape)}")
        changed[name] = matrix + (delta.u @ delta.v.T).to(matrix).view_as(matrix)
    weights = {name: one.transpose(0, 1) if _is_turned(layers[name]) else one for name, one in changed.items()}
    return reweighted(generator, weights)


def _convolutions(generator: Generator) -> Iterator[tuple[str, nn.Module]]:
    """The convolutions of the synthesis network by the names of their weights."""
    for name, layer in generator.named_modules() if isinstance(generator, nn.Module) else ():
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        if name.startswith("synthesis.") and isinstance(layer, CONVOLUTIONS) and not depthwise:
            yield f"{name}.weight", layer


def _matrix(layer: nn.Module) -> Tensor:
    """The weights with the outputs first, (out, in, ...)."""
    weight = layer.get_parameter("weight")
    return weight.transpose(0, 1) if _is_turned(layer) else weight


def _is_turned(layer: nn.Module) -> bool:
    return isinstance(layer, stylegan1_layers.StyledUpConv)
