"""Adapting directions to generators with another number of layers."""

from dataclasses import replace

import torch

from latentloop.editing.directions import Direction
from latentloop.errors import UserError
from latentloop.generators import Generator


def fitted(direction: Direction, generator: Generator) -> Direction:
    """Adapt a direction to a generator of the same latent space with any number of layers.

    A direction that is the same for all layers fits any number of them; a direction of some layers fits if the
    generator has them.

    Raises:
        UserError: The direction belongs to another latent space, or changes layers that the generator lacks.
    """
    if (direction.fingerprint, direction.vector.shape[-1]) != (generator.fingerprint, generator.w_dim):
        raise UserError(
            f"{direction.name}: a direction of {direction.generator} (latent space {direction.fingerprint}), "
            f"not of {generator.name} (latent space {generator.fingerprint})"
        )
    if direction.num_ws == generator.num_ws:
        return direction
    num_ws, layers, rows = generator.num_ws, direction.layers, direction.change()[list(direction.layers)]
    # Equal rows in all layers: a direction of W, which any number of layers can repeat.
    if len(layers) == direction.num_ws and (rows == rows[0]).all():
        return replace(direction, vector=rows[0], layers=tuple(range(num_ws)), num_ws=num_ws)
    if len(layers) == direction.num_ws or layers[-1] >= num_ws:
        raise UserError(f"{direction.name}: changes {direction.num_ws} layers, {generator.name} has {num_ws}")
    if direction.vector.ndim == 1:
        return replace(direction, num_ws=num_ws)
    vector = torch.zeros(num_ws, generator.w_dim)
    vector[list(layers)] = rows.to(vector)
    return replace(direction, vector=vector, num_ws=num_ws)
