import copy

import pytest
import torch
from torch import Tensor

from latentloop.defaults import QUICK_GENERATOR
from latentloop.generators import DrawnBy, Generator, affine_weights, load_generator
from latentloop.latents import mean_code


def test_it_is_the_generator_in_all_but_its_drawing(toy: Generator) -> None:
    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        return -toy.synthesis(w_plus, resolution=resolution)

    drawn = DrawnBy(toy, draw)
    for name in ("name", "fingerprint", "resolution", "num_ws", "z_dim", "c_dim", "w_dim", "device"):
        assert getattr(drawn, name) == getattr(toy, name)
    assert drawn.latent_avg is toy.latent_avg
    w_plus = mean_code(drawn, 2)
    assert torch.equal(drawn.mapping(w_plus[:, 0]), toy.mapping(w_plus[:, 0]))
    assert torch.equal(drawn.synthesis(w_plus, resolution=8), -toy.synthesis(w_plus, resolution=8))


def test_nothing_else_is_delegated(toy: Generator) -> None:
    drawn = copy.copy(DrawnBy(toy, toy.synthesis))
    assert affine_weights(DrawnBy(load_generator(QUICK_GENERATOR), toy.synthesis)) is None
    with pytest.raises(AttributeError, match="basis"):
        _ = drawn.basis
