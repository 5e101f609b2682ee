import torch
from torch import Tensor

from latentloop.generators import DrawnBy, Generator
from latentloop.latents import mean_code


def test_it_is_the_generator_in_all_but_its_drawing(toy: Generator) -> None:
    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        return -toy.synthesis(w_plus, resolution=resolution)

    drawn = DrawnBy(toy, draw)
    for name in ("name", "fingerprint", "resolution", "num_ws", "z_dim", "w_dim"):
        assert getattr(drawn, name) == getattr(toy, name)
    w_plus = mean_code(drawn, 2)
    assert torch.equal(drawn.mapping(w_plus[:, 0]), toy.mapping(w_plus[:, 0]))
    assert torch.equal(drawn.synthesis(w_plus, resolution=8), -toy.synthesis(w_plus, resolution=8))
