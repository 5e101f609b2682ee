"""Growing an embedding network: a larger one that begins as what a smaller one has learned."""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from latentloop.encoders.config import EmbedderConfig
from latentloop.encoders.embedder import Embedder
from latentloop.encoders.treeconnect import TreeConnect


@torch.no_grad()
def grow(embedder: Embedder, smaller: Embedder) -> None:
    """Give a fresh network the weights of a smaller one, and its codes: what it has beyond that begins without effect.

    Raises:
        ValueError: It is not the smaller one with maps or taps added.
    """
    if other := difference(embedder.config, smaller.config):
        raise ValueError(f"a network with {other} {getattr(smaller.config, other)}, not of the same kind")
    ours, theirs = embedder.state_dict(), smaller.state_dict()
    ours.update({name: theirs[name] for name in theirs if not name.startswith("head.")})
    embedder.load_state_dict(ours)
    if embedder.maps and not smaller.maps:
        for project in embedder.maps.project:
            _silence(project)
    _grow_head(embedder.head, smaller.head)


def difference(config: EmbedderConfig, smaller: EmbedderConfig) -> str | None:
    """Name a setting that keeps a network from growing out of one with other settings; None if nothing does."""
    ours, theirs = asdict(config), asdict(smaller)
    differing = [name for name in ours if ours[name] != theirs[name]]
    added = {"maps": theirs["maps"] == "none", "tap_channels": theirs["tap_channels"] == 0}
    return next((name for name in differing if not added.get(name)), None)


def _silence(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _grow_head(head: nn.Module, smaller: nn.Module) -> None:
    """The inputs of the smaller head are the first of the larger one's."""
    if isinstance(head, TreeConnect) and isinstance(smaller, TreeConnect):
        if head.within_rows.shape[1:] != smaller.within_rows.shape[1:]:
            raise ValueError("the heads' grids have rows of another length")
        rows, columns = smaller.within_rows.shape[0], smaller.within_rows.shape[2]
        _put(head.within_rows[:rows], smaller.within_rows)
        _put(head.between[: rows * columns], smaller.between)
        head.within_columns.zero_()
        _put(head.within_columns[:, :rows], smaller.within_columns)
        _put(head.bias, smaller.bias)
    elif isinstance(head, nn.Linear) and isinstance(smaller, nn.Linear):
        head.weight.zero_()
        _put(head.weight[:, : smaller.in_features], smaller.weight)
        _put(head.bias, smaller.bias)
    else:
        raise ValueError(f"a {type(smaller).__name__} does not grow into a {type(head).__name__}")


def _put(place: Tensor, values: Tensor) -> None:
    place.copy_(values)
