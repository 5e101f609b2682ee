import pytest
import torch
from torch import Tensor

from latentloop.generators import MobileStyleGAN
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.mobilestylegan_file import find_shape, from_tensors, on_trunk, to_tensors

SHAPES = [
    Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)),
    Shape(w_dim=8, num_ws=9, channels=(16, 8, 8), bands=3),
]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random(shape: Shape) -> MobileStyleGAN:
    generator = MobileStyleGAN(shape, name="tiny", fingerprint="")
    state = {name: randn(*tensor.shape, seed=i) for i, (name, tensor) in enumerate(generator.state_dict().items())}
    generator.double().load_state_dict(state)
    return generator


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_comes_back_from_its_tensors(shape: Shape) -> None:
    generator, w_plus = random(shape), randn(1, shape.num_ws, shape.w_dim)
    tensors = to_tensors(generator)
    assert find_shape(tensors) == shape
    again = from_tensors(tensors, {}, name="tiny", fingerprint="")
    assert torch.equal(again.synthesis(w_plus), generator.synthesis(w_plus))


def test_files_interleave_the_high_bands_of_channels() -> None:
    """The eight outputs of the first block are two low bands and three high ones of each."""
    generator = random(Shape(w_dim=8, num_ws=6, channels=(8, 8, 8)))
    bias = "synthesis.blocks.{}.conv2.conv.pointwise.bias"
    planar = torch.tensor([0, 1, 10, 11, 20, 21, 30, 31], dtype=torch.float64)
    state = generator.state_dict()
    generator.load_state_dict(state | {bias.format(0): planar, bias.format(1): planar})
    tensors = to_tensors(generator)
    assert tensors[bias.format(0)].tolist() == [0, 1, 10, 20, 30, 11, 21, 31]
    assert torch.equal(tensors[bias.format(1)], planar)  # the last block's go to the head, untransformed


def test_a_network_on_a_trunk_has_the_trunks_beginning() -> None:
    trunk, other = to_tensors(random(Shape(w_dim=8, num_ws=8, channels=(8, 8, 8, 8)))), random(SHAPES[1])
    own = {name: t for name, t in to_tensors(other).items() if name.startswith(("synthesis.blocks.1", "synthesis.to_"))}
    tensors = on_trunk(own, trunk)
    assert tensors.keys() == to_tensors(other).keys()
    assert all(torch.equal(tensor, own[name] if name in own else trunk[name]) for name, tensor in tensors.items())


@pytest.mark.parametrize("shape", SHAPES)
def test_any_missing_tensor_is_refused(shape: Shape) -> None:
    whole = to_tensors(random(shape))
    for missing in whole:
        with pytest.raises(RuntimeError, match=r"(?i)missing"):
            from_tensors({name: t for name, t in whole.items() if name != missing}, {}, name="tiny", fingerprint="")


@pytest.mark.parametrize("tensor", [torch.zeros(()), torch.zeros(0), torch.zeros(3, 3)])
def test_any_misshapen_tensor_is_refused(tensor: Tensor) -> None:
    whole = to_tensors(random(SHAPES[0]))
    for misshapen in whole:
        with pytest.raises(RuntimeError):
            from_tensors(whole | {misshapen: tensor}, {}, name="tiny", fingerprint="")


def test_a_missing_tensor_is_named() -> None:
    tensors = to_tensors(random(SHAPES[0]))
    del tensors["latent_avg"]
    with pytest.raises(RuntimeError, match="missing or misshapen 'latent_avg'"):
        from_tensors(tensors, {}, name="tiny", fingerprint="")
