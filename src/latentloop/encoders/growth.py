"""Growing an embedding network: a larger one that begins as what a smaller one has learned."""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from latentloop.encoders.attribute import ResidualBlock
from latentloop.encoders.config import EmbedderConfig
from latentloop.encoders.embedder import Embedder, FusionBlock
from latentloop.encoders.treeconnect import TreeConnect

LAYERS = "attributes.layers."


@torch.no_grad()
def grow(embedder: Embedder, smaller: Embedder) -> None:
    """Return a fresh network the weights of a smaller one, and its codes: what it has beyond that begins without effect.

    Raises:
        ValueError: It is not the smaller one with blocks, maps or taps added. A second look may come or go.
    """
    if other := difference(embedder.config, smaller.config):
        raise ValueError(f"a network with {other} {getattr(smaller.config, other)}, not of the same kind")
    _silence_blocks(embedder)
    ours, theirs, layers = embedder.state_dict(), smaller.state_dict(), _layers(embedder.config, smaller.config)
    heads = ("head.", "second.head.") if embedder.second else ("head.", "second.")
    ours.update({_renumbered(name, layers): theirs[name] for name in theirs if not name.startswith(heads)})
    embedder.load_state_dict(ours)
    if embedder.maps and not smaller.maps:
        _silence(embedder.maps.project)
        if embedder.second:
            _silence(embedder.second.project)
    _grow_head(embedder.head, smaller.head)
    if embedder.second and smaller.second:
        _grow_head(embedder.second.head, smaller.second.head)


def difference(config: EmbedderConfig, smaller: EmbedderConfig) -> str | None:
    """Name a setting that keeps a network from growing out of one with other settings; None if nothing does."""
    ours, theirs = asdict(config), asdict(smaller)
    differing = [name for name in ours if ours[name] != theirs[name]]
    deeper = len(config.depths) == len(smaller.depths) and all(
        our >= their for our, their in zip(config.depths, smaller.depths, strict=True)
    )
    added = {
        "maps": theirs["maps"] == "none",
        "tap_channels": theirs["tap_channels"] == 0,
        "second_look": True,
        "depths": deeper,
        "fusion_blocks": config.fusion_blocks > smaller.fusion_blocks,
    }
    return next((name for name in differing if not added.get(name)), None)


def _layers(config: EmbedderConfig, smaller: EmbedderConfig) -> dict[int, int]:
    """Numbers of the layers of a smaller trunk, and those that they have in the larger one, whose stages are longer."""
    counts, ours = [1, *smaller.depths[1:]], [1, *config.depths[1:]]
    begins = [(sum(counts[:stage]), sum(ours[:stage]), count) for stage, count in enumerate(counts)]
    return {begin + i: place + i for begin, place, count in begins for i in range(count)}


def _renumbered(name: str, layers: dict[int, int]) -> str:
    if not name.startswith(LAYERS):
        return name
    number, _, rest = name.removeprefix(LAYERS).partition(".")
    return f"{LAYERS}{layers[int(number)]}.{rest}"


def _silence_blocks(embedder: Embedder) -> None:
    """Blocks that do nothing yet; those that a smaller network has get its weights later."""
    for block in embedder.attributes.layers:
        if isinstance(block, ResidualBlock):
            _silence(block.conv2)
    for block in embedder.fusion:
        if isinstance(block, FusionBlock):
            _silence(block.conv)


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
