"""Copies of a generator that have some other weights, and share all the rest."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from latentloop.generators.protocol import Generator
from latentloop.generators.stylegan2_layers import StyledConv


def reweighted(generator: Generator, weights: Mapping[str, Tensor]) -> Generator:
    """Copy a generator with some of its weights replaced; all other tensors are shared, so that it takes milliseconds.

    Args:
        generator: The generator, which stays as it is.
        weights: The new weights, by their names among `nn.Module.named_parameters`. Gradients flow into those that
            want them; the others are taken as fixed.

    Raises:
        TypeError: The generator is no module, so that nobody knows its weights.
        ValueError: It has no weights of such a name, or of another shape.
    """
    if not isinstance(generator, nn.Module):
        raise TypeError(f"{generator.name}: only the weights of a generator that is a module can be replaced")
    before = dict(generator.named_parameters())
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
    # A parameter would be a leaf, which no gradient passes.
    layer.register_buffer(leaf, weight if weight.requires_grad else weight.detach())
    if isinstance(layer, StyledConv):
        layer.norms = None
        if not weight.requires_grad:
            layer.prepare()
