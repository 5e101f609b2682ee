"""Growing embedding networks: a larger network that starts with the function of a smaller, trained one."""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from latentloop.encoders.attribute import ResidualBlock
from latentloop.encoders.config import EmbedderConfig
from latentloop.encoders.embedder import Embedder, FusionBlock
from latentloop.encoders.treeconnect import TreeConnect

LAYERS = "attributes.layers."
"""Beginning of the names of the trunk's tensors."""


@torch.no_grad()
def grow(embedder: Embedder, smaller: Embedder) -> None:
    """Copy a smaller network's weights into a fresh, larger one, so that it predicts the same codes.

    The parts that the larger network has in addition start without effect: their last layers are 0.

    Args:
        embedder: Fresh network, which is changed in place.
        smaller: Trained network.

    Raises:
        ValueError: The larger network differs by more than added blocks, maps, taps or a second look; it may lack the
            second look of the smaller one.
    """
    if other := difference(embedder.config, smaller.config):
        ours, theirs = getattr(embedder.config, other), getattr(smaller.config, other)
        raise ValueError(f"a network with {other} {theirs} cannot grow into one with {other} {ours}")
    _silence_blocks(embedder)
    ours, theirs, layers = embedder.state_dict(), smaller.state_dict(), _layers(embedder.config, smaller.config)
    # Heads have more inputs in the larger network, and are grown below.
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
    """Return the name of a setting that prevents growing from one configuration to another; None if there is none."""
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
    """Numbers of the larger trunk's layers by those of the smaller one, whose stages are shorter."""
    counts, ours = [1, *smaller.depths[1:]], [1, *config.depths[1:]]
    begins = [(sum(counts[:stage]), sum(ours[:stage]), count) for stage, count in enumerate(counts)]
    return {begin + i: place + i for begin, place, count in begins for i in range(count)}


def _renumbered(name: str, layers: dict[int, int]) -> str:
    if not name.startswith(LAYERS):
        return name
    number, _, rest = name.removeprefix(LAYERS).partition(".")
    return f"{LAYERS}{layers[int(number)]}.{rest}"


def _silence_blocks(embedder: Embedder) -> None:
    """Set the last convolution of all residual blocks to 0; those of the smaller network get its weights later."""
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
    """Copy a smaller head's weights to the first inputs of a larger one, and set those of the other inputs to 0."""
    if isinstance(head, TreeConnect) and isinstance(smaller, TreeConnect):
        if head.within_rows.shape[1:] != smaller.within_rows.shape[1:]:
            raise ValueError("the rows of the two TreeConnect grids have different lengths")
        rows, columns = smaller.within_rows.shape[0], smaller.within_rows.shape[2]
        _put(head.within_rows[:rows], smaller.within_rows)
        _put(head.between[: rows * columns], smaller.between)
        # New inputs reach the hidden units of new rows, which no output uses until these weights grow from 0.
        head.within_columns.zero_()
        _put(head.within_columns[:, :rows], smaller.within_columns)
        _put(head.bias, smaller.bias)
    elif isinstance(head, nn.Linear) and isinstance(smaller, nn.Linear):
        head.weight.zero_()
        _put(head.weight[:, : smaller.in_features], smaller.weight)
        _put(head.bias, smaller.bias)
    else:
        raise ValueError(f"a {type(smaller).__name__} head cannot grow into a {type(head).__name__}")


def _put(place: Tensor, values: Tensor) -> None:
    place.copy_(values)
