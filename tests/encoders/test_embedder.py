import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.encoders import PRESETS, Embedder, EmbedderConfig, IdentityEncoder, make_embedder
from latentloop.encoders.attribute import AttributeEncoder, ResidualBlock
from latentloop.encoders.embedder import FusionBlock
from latentloop.generators import Generator

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 2), fusion_blocks=1, identity="none", head_channels=4)


def images(count: int, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def averages(*, frozen: bool = True) -> IdentityEncoder:
    """An identity encoder that sees a few averages through weights of its own."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    return IdentityEncoder(network, lambda image: F.adaptive_avg_pool2d(image, 2), features=5, frozen=frozen)


def build(config: EmbedderConfig, generator: Generator, identity: IdentityEncoder | None = None) -> Embedder:
    return Embedder(
        config,
        latent_avg=generator.latent_avg,
        num_ws=generator.num_ws,
        fingerprint=generator.fingerprint,
        identity=identity,
    )


def size_of(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("head", ["tree", "dense"])
@pytest.mark.parametrize("guided", [True, False])
def test_a_new_network_says_nearly_the_mean_code_of_its_generator(
    float_toy: Generator, head: str, guided: bool
) -> None:
    torch.manual_seed(0)
    config = replace(TINY, head=head)  # type: ignore[arg-type]
    embedder = build(config, float_toy, averages() if guided else None)
    w_plus = embedder(images(3))
    assert w_plus.shape == (3, 4, 8)
    assert 0 < (w_plus - float_toy.latent_avg).abs().max() < 0.5


@pytest.mark.parametrize("guided", [True, False])
def test_an_image_is_embedded_alike_alone_and_in_a_batch(float_toy: Generator, guided: bool) -> None:
    embedder = build(TINY, float_toy, averages() if guided else None).double()
    batch = images(3).double()
    torch.testing.assert_close(embedder(batch), torch.cat([embedder(image[None]) for image in batch]))


def test_a_seed_gives_the_same_network_and_leaves_others_randomness_alone(float_toy: Generator) -> None:
    state = torch.random.get_rng_state()
    first, again, other = (make_embedder(TINY, float_toy, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_an_image_of_another_size_is_refused(float_toy: Generator) -> None:
    with pytest.raises(ValueError, match=r"image must be \(N, 3, 32, 32\), got \(1, 3, 64, 64\)"):
        make_embedder(TINY, float_toy, seed=0)(images(1, 64))


def test_a_configuration_that_contradicts_the_identity_encoder_is_refused(float_toy: Generator) -> None:
    with pytest.raises(ValueError, match="frozen_identity is True, the identity encoder's frozen is False"):
        build(TINY, float_toy, averages(frozen=False))


def test_who_it_is_changes_the_code(float_toy: Generator) -> None:
    torch.manual_seed(0)
    embedder = build(TINY, float_toy, averages())
    batch = images(1)
    before = embedder(batch)
    for parameter in embedder.identity.parameters():  # type: ignore[union-attr]
        parameter.neg_()
    assert not torch.allclose(embedder(batch), before)


@pytest.mark.parametrize("frozen", [True, False])
def test_only_an_identity_encoder_that_is_not_frozen_learns(float_toy: Generator, frozen: bool) -> None:
    embedder = build(replace(TINY, frozen_identity=frozen), float_toy, averages(frozen=frozen)).train()
    embedder(images(2)).square().sum().backward()
    learning = [p.grad is not None for p in embedder.identity.parameters()]  # type: ignore[union-attr]
    assert learning == [not frozen] * 2
    assert embedder.identity.network.training is not frozen  # type: ignore[union-attr]
    assert all(p.grad is not None for p in embedder.attributes.parameters())


def test_fusion_normalises_then_scales_and_shifts_by_the_identity() -> None:
    """Held against the formula, written out in loops over images and groups."""
    torch.manual_seed(0)
    block, x, who = FusionBlock(32, 5).double(), torch.randn(2, 32, 4, 4).double(), torch.randn(2, 5).double()
    denormalise = block.denormalise
    assert denormalise is not None
    expected = []
    for features, said in zip(x, who, strict=True):
        groups = [(g - g.mean()) / (g.var(unbiased=False) + 1e-5).sqrt() for g in features.split(16)]
        numbers = denormalise.weight @ said + denormalise.bias
        y = torch.cat(groups) * (1 + numbers[:32, None, None]) + numbers[32:, None, None]
        y = torch.where(y > 0, y, 0.2 * y)
        expected.append(features + F.conv2d(y[None], block.conv.weight, padding=1)[0])
    torch.testing.assert_close(block(x, who), torch.stack(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("channels", "stride"), [((8, 16), 2), ((8, 8), 1), ((8, 8), 2), ((8, 12), 1)])
def test_a_residual_block_adds_to_its_input(channels: tuple[int, int], stride: int) -> None:
    block = ResidualBlock(*channels, stride)
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, channels[0], 8, 8, generator=torch.Generator().manual_seed(0))
    out = block(x)
    assert out.shape == (2, channels[1], 8 // stride, 8 // stride)
    if channels[0] == channels[1]:
        torch.testing.assert_close(out, F.avg_pool2d(x, stride))


def test_the_attribute_encoder_halves_once_for_each_width() -> None:
    assert AttributeEncoder((4, 8, 16), (1, 1, 3))(images(2)).shape == (2, 16, 4, 4)


@pytest.fixture
def face_generator(float_toy: Generator) -> Generator:
    """A generator with the latent space of the shipped one, as far as sizes go."""
    toy = copy.copy(float_toy)
    toy.num_ws, toy.w_dim, toy.latent_avg = 16, 512, torch.zeros(512)
    return toy


def test_the_small_network_is_small_and_takes_aligned_faces(face_generator: Generator) -> None:
    embedder = make_embedder(PRESETS["small"], face_generator, seed=0)
    assert embedder.identity is not None
    assert size_of(embedder) - size_of(embedder.identity) <= 7_000_000
    with torch.inference_mode():
        assert embedder(images(1, 256)).shape == (1, 16, 512)


def test_the_papers_network_has_an_attribute_encoder_of_resnet_50s_size(face_generator: Generator) -> None:
    embedder = make_embedder(replace(PRESETS["paper"], identity="none"), face_generator, seed=0)
    assert size_of(embedder.attributes) == pytest.approx(23.5e6, rel=0.05)


def test_treeconnect_needs_a_fraction_of_a_dense_heads_weights(face_generator: Generator) -> None:
    with torch.device("meta"):
        tree, dense = (
            build(replace(PRESETS["small"], identity="none", head=head), face_generator).head
            for head in ("tree", "dense")
        )
    assert size_of(dense) > 60_000_000
    assert size_of(tree) < size_of(dense) / 40


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"channels": ()}, "channels and depths must be of one length"),
        ({"depths": (1,)}, "channels and depths must be of one length"),
        ({"channels": (8, 0)}, "must be 1 or more"),
        ({"fusion_blocks": -1}, "fusion_blocks 0 or more"),
        ({"head": "tre"}, "head must be one of tree, dense, got tre"),
        ({"identity": "arcface"}, "identity must be one of mobilefacenet, none, got arcface"),
        ({"resolution": 30}, "resolution must be a multiple of 4 for 2 stages"),
        ({"resolution": 0}, "resolution must be a multiple of 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object], problem: str) -> None:
    make: Callable[..., EmbedderConfig] = replace
    with pytest.raises(ValueError, match=problem):
        make(TINY, **changes)
