"""What the weights say must be what the images show: a style matters in the directions of its maps' rows alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from latentloop.generators import Generator, affine_weights, affines, mobilestylegan, stylegan1, stylegan2, stylegan3

W_DIM = 48
MAKERS: dict[str, Callable[[], torch.nn.Module]] = {
    "stylegan1": lambda: stylegan1.StyleGAN1(
        stylegan1.Shape(mapping=(8, W_DIM), channels=(6, 4)), name="tiny", fingerprint="0"
    ),
    "stylegan2": lambda: stylegan2.StyleGAN2(
        stylegan2.Shape(mapping=(8, W_DIM), channels=(6, 5, 4)), name="tiny", fingerprint="0"
    ),
    "stylegan2 without skips": lambda: stylegan2.StyleGAN2(
        stylegan2.Shape(mapping=(8, W_DIM), channels=(6, 5, 4), skip=False), name="tiny", fingerprint="0"
    ),
    "stylegan3": lambda: stylegan3.StyleGAN3(
        stylegan3.Shape(mapping=(8, W_DIM), channels=(6, 5, 4), resolution=16, num_critical=1),
        name="tiny",
        fingerprint="0",
    ),
    "mobilestylegan": lambda: mobilestylegan.MobileStyleGAN(
        mobilestylegan.Shape(w_dim=W_DIM, num_ws=8, channels=(8, 8, 4)), name="tiny", fingerprint="0"
    ),
}


@pytest.fixture(params=MAKERS)
def generator(request: pytest.FixtureRequest) -> Generator:
    torch.manual_seed(0)
    made = MAKERS[request.param]().double().requires_grad_(False)
    for tensor in made.parameters():
        if not tensor.any():  # such as MobileStyleGAN's constant, which would draw alike whatever its style
            tensor.normal_()
    return made  # type: ignore[return-value]


def test_a_style_matters_in_the_directions_of_its_maps_alone(generator: Generator) -> None:
    weights = affine_weights(generator)
    assert weights is not None
    assert len(weights) == generator.num_ws
    randomness = torch.Generator().manual_seed(1)
    w_plus = torch.randn(1, generator.num_ws, W_DIM, generator=randomness, dtype=torch.float64)
    image = generator.synthesis(w_plus)
    for layer, rows in enumerate(weights):
        step = torch.randn(W_DIM, generator=randomness, dtype=torch.float64)
        inside = torch.linalg.pinv(rows) @ (rows @ step)
        for part, matters in ((step - inside, False), (inside, True)):
            moved = w_plus.clone()
            moved[:, layer] += part
            assert torch.allclose(generator.synthesis(moved), image, rtol=0, atol=1e-9) != matters


def test_the_maps_give_what_the_layers_get(generator: Generator) -> None:
    got: list[Tensor] = []
    for name, module in generator.named_modules():  # type: ignore[attr-defined]
        if name.endswith((".affine", ".up")):
            module.register_forward_hook(lambda _module, _inputs, output: got.append(output))
    randomness = torch.Generator().manual_seed(1)
    w_plus = torch.randn(2, generator.num_ws, W_DIM, generator=randomness, dtype=torch.float64)
    generator.synthesis(w_plus)
    maps = affines(generator)
    assert maps is not None
    styles = [one(w) for w, of_style in zip(w_plus.unbind(1), maps, strict=True) for one in of_style]
    if isinstance(generator, stylegan1.StyleGAN1):  # it adds 1 to the scales
        styles = [torch.cat(pair, dim=1) for pair in zip([s - 1 for s in styles[::2]], styles[1::2], strict=True)]
    if isinstance(generator, mobilestylegan.MobileStyleGAN):  # its head adds up the last three styles
        styles = [*styles[:-3], torch.stack(styles[-3:]).sum(dim=0)]
    assert len(styles) == len(got)
    for output in got:
        assert sum(output.shape == style.shape and torch.allclose(output, style) for style in styles) == 1


def test_a_generator_that_does_not_tell_has_none(toy: Generator) -> None:
    assert affine_weights(toy) is None
    assert affines(toy) is None
