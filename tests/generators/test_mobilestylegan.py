from pathlib import Path
from typing import Literal, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape

GOLDEN = Path(__file__).parents[1] / "golden" / "mobilestylegan.npz"
FIXED_POINT = 2**14
"""What the faces in it are multiplied by, as integers."""


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return cast("MobileStyleGAN", load_generator("mobile-ffhq-1024-v1"))


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN) as values:
        return {name: torch.from_numpy(values[name]) for name in values}


def random_generator(num_ws: int, bands: Literal[3, 12]) -> MobileStyleGAN:
    """The same architecture for 32 pixels, with random weights in float64; the sixth style and on drive the head."""
    channels = (16, 16, 8) if bands == 12 else (16, 16, 8, 8)
    shape = Shape(w_dim=8, num_ws=num_ws, channels=channels, bands=bands)
    generator = MobileStyleGAN(shape, name="tiny", fingerprint="")
    randomness = torch.Generator().manual_seed(0)
    state = generator.state_dict()
    random = {k: torch.randn(v.shape, generator=randomness, dtype=torch.float64) * 0.5 for k, v in state.items()}
    generator.double().load_state_dict(random)
    return generator


@pytest.fixture(params=[(6, 12), (9, 12), (9, 3)])
def tiny(request: pytest.FixtureRequest) -> MobileStyleGAN:
    return random_generator(*request.param)


def codes(generator: MobileStyleGAN, count: int) -> Tensor:
    randomness = torch.Generator().manual_seed(1)
    return torch.randn(count, generator.num_ws, generator.w_dim, generator=randomness, dtype=torch.float64)


def test_shipped_weights_map_as_openvino_does(generator: MobileStyleGAN, golden: dict[str, Tensor]) -> None:
    # The original weights agree to 1e-5; the rest is their rounding to float16.
    torch.testing.assert_close(generator.mapping(golden["z"]), golden["w"], rtol=0, atol=3e-3)
    torch.testing.assert_close(generator.latent_avg, golden["latent_avg"], rtol=0, atol=1e-5)


def test_shipped_weights_draw_as_openvino_does(generator: MobileStyleGAN, golden: dict[str, Tensor]) -> None:
    w_plus = golden["w_rendered"][:, None].expand(-1, generator.num_ws, -1)
    with torch.inference_mode():
        faces = generator.synthesis(w_plus, resolution=256)[:, :, 64:192, 64:192]
    # The original weights agree to 1e-4; the rest is their rounding to float16.
    expected = golden["faces"] / FIXED_POINT
    torch.testing.assert_close(faces, expected, rtol=0, atol=0.006)
    assert (faces - expected).abs().mean() < 4e-4


@pytest.mark.parametrize("resolution", [16, 8, 4])
def test_a_coarser_image_is_the_area_average(tiny: MobileStyleGAN, resolution: int) -> None:
    w_plus = codes(tiny, 2)
    full, factor = tiny.synthesis(w_plus).detach().numpy(), 32 // resolution
    expected = full.reshape(2, 3, resolution, factor, resolution, factor).mean(axis=(3, 5))
    coarse = tiny.synthesis(w_plus, resolution=resolution).detach().numpy()
    np.testing.assert_allclose(coarse, expected, rtol=0, atol=1e-12)


def test_an_image_is_drawn_alike_alone_and_in_a_batch(tiny: MobileStyleGAN) -> None:
    w_plus = codes(tiny, 3)
    alone = torch.cat([tiny.synthesis(w[None]) for w in w_plus])
    torch.testing.assert_close(tiny.synthesis(w_plus), alone, rtol=0, atol=1e-12)


def test_synthesis_is_differentiable_in_every_style(tiny: MobileStyleGAN) -> None:
    w_plus = codes(tiny, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: tiny.synthesis(w, resolution=8), (w_plus,))
    (gradient,) = torch.autograd.grad(tiny.synthesis(w_plus).square().sum(), w_plus)
    assert (gradient.abs().amax(dim=2) > 0).all()


def test_the_mapping_ignores_the_length_of_z(tiny: MobileStyleGAN) -> None:
    z = codes(tiny, 4)[:, 0]
    torch.testing.assert_close(tiny.mapping(3 * z), tiny.mapping(z), rtol=1e-6, atol=1e-6)


def test_the_default_generator_is_what_its_card_says(generator: MobileStyleGAN) -> None:
    assert (generator.resolution, generator.num_ws, generator.z_dim, generator.w_dim) == (1024, 16, 512, 512)
    assert sum(p.numel() for p in generator.mapping.parameters()) == 2_101_248
    assert not any(p.requires_grad for p in generator.parameters())


def test_wrong_shapes_are_named(tiny: MobileStyleGAN) -> None:
    with pytest.raises(ValueError, match=rf"w_plus must be \(N, {tiny.num_ws}, 8\), got \(1, 5, 8\)"):
        tiny.synthesis(codes(tiny, 1)[:, :5])
    for resolution in (12, 0, -1, 64):
        with pytest.raises(ValueError, match=f"resolution must divide 32, got {resolution}"):
            tiny.synthesis(codes(tiny, 1), resolution=resolution)
