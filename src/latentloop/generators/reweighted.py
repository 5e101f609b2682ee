"""Copies of a generator in which some weights are replaced and all others are shared."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from latentloop.generators.protocol import Generator
from latentloop.generators.stylegan2_layers import StyledConv


def reweighted(generator: Generator, weights: Mapping[str, Tensor]) -> Generator:
    """Copy a generator with some weights replaced; other tensors are shared, so a copy takes milliseconds.

    Args:
        generator: The generator, which stays as it is.
        weights: New weights by their names in `nn.Module.named_parameters`. Those that require gradients get them; the
            others are constants.

    Raises:
        TypeError: The generator is not an `nn.Module`.
        ValueError: There is no weight of that name, or it has another shape.
    """
    if not isinstance(generator, nn.Module):
        raise TypeError(f"{generator.name}: must be an nn.Module to change weights, got {type(generator).__name__}")
    before = dict(generator.named_parameters())
    # Whatever is in deepcopy's memo is not copied: all tensors, and the mapping network as a whole.
    shared = (*before.values(), *generator.buffers(), generator.mapping)
    copied = copy.deepcopy(generator, {id(one): one for one in shared})
    for name, weight in weights.items():
        if name not in before:
            raise ValueError(f"{generator.name} has no weights {name}")
        if weight.shape != before[name].shape:
            raise ValueError(f"{name} must be {tuple(before[name].shape)}, got {tuple(weight.shape)}")
        path, _, leaf = name.rpartition(".")
        _replace(copied.get_submodule(path), leaf, weight)
    return copied


def _replace(layer: nn.Module, leaf: str, weight: Tensor) -> None:
    delattr(layer, leaf)
    # A buffer, since nn.Parameter would make a new leaf and cut the graph to the low-rank factors.
    layer.register_buffer(leaf, weight if weight.requires_grad else weight.detach())
    if isinstance(layer, StyledConv):
        layer.norms = None  # StyleGAN2 caches the squared norms of its weights for demodulation
        if not weight.requires_grad:
            layer.prepare()
