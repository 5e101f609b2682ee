"""What the embedding network sees beside its last features: a classifier's maps, and taps of shallow stages."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.encoders import EmbedderConfig
from latentloop.encoders.attribute import AttributeEncoder
from latentloop.encoders.embedder import Embedder, make_embedder
from latentloop.encoders.shallow import ClassifierMaps, Tap
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator

TINY = EmbedderConfig(
    resolution=64, channels=(8, 16, 16, 24), depths=(1, 1, 1, 1), fusion_blocks=1, identity="none", head_channels=4
)


def images(count: int, size: int = 64) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_maps_are_alexnets_at_unit_length_times_the_root_of_their_channels() -> None:
    """Held against AlexNet's layers called one by one, and the projection written as a product."""
    torch.manual_seed(0)
    network, image = load_lpips("alex"), images(2)
    maps = ClassifierMaps(network, (5, 7))
    fine, coarse = maps(maps.see(image, (8, 4)))
    x, layers = (image - network.mean) / network.std, []
    for stage in network.stages:
        x = stage(x)
        layers.append(x / x.norm(dim=1, keepdim=True).clamp(min=1e-9) * math.sqrt(x.shape[1]))
    fitted = [F.interpolate(layers[i], (grid, grid), mode="bilinear") for i, grid in ((1, 8), (2, 4), (4, 4))]
    for found, seen, project in zip((fine, coarse), (fitted[0], torch.cat(fitted[1:], 1)), maps.project, strict=True):
        weight, bias = project.parameters()
        expected = torch.einsum("oc,nchw->nohw", weight[:, :, 0, 0], seen) + bias[:, None, None]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_tap_keeps_four_neighbours_apart() -> None:
    """An impulse at one of four neighbours reaches the output through channels of its own."""
    torch.manual_seed(0)
    tap = Tap(6, 3, grid=2).double()
    tap.mix.weight.data.zero_()
    tap.mix.weight.data[:, :, 0, 0] = torch.eye(12)[
        [0, 1, 2]
    ]  # the first channel's neighbours at (0, 0), (0, 1), (1, 0)
    tap.mix.bias.data.zero_()  # type: ignore[union-attr]
    x = torch.randn(1, 6, 8, 8).double()
    squeezed = F.leaky_relu(tap.squeeze(F.leaky_relu(tap.norm(x), 0.2)), 0.2)[0, 0]
    means = torch.stack(
        [torch.stack([squeezed[i : i + 2, j : j + 2].mean() for j in (0, 2, 4, 6)]) for i in (0, 2, 4, 6)]
    )
    expected = torch.stack([means[0::2, 0::2], means[0::2, 1::2], means[1::2, 0::2]])
    torch.testing.assert_close(tap(x)[0], expected)


def test_stages_add_what_they_are_given_before_the_next_one() -> None:
    torch.manual_seed(0)
    encoder, image = AttributeEncoder((4, 8, 12), (1, 2, 1)), images(1)
    plain = encoder.stages(image, {})
    assert [tuple(x.shape[1:]) for x in plain] == [(4, 32, 32), (8, 16, 16), (12, 8, 8)]
    added = torch.randn_like(plain[1])
    first, second, third = encoder.stages(image, {1: added})
    torch.testing.assert_close(first, plain[0])
    torch.testing.assert_close(second, plain[1] + added)
    torch.testing.assert_close(third, encoder.layers[-1](second))
    torch.testing.assert_close(encoder(image), plain[-1])


@pytest.mark.parametrize("changes", [{"maps": "alexnet"}, {"tap_channels": 3}, {"maps": "alexnet", "tap_channels": 3}])
def test_what_is_added_is_learned_and_alexnet_is_not(float_toy: Generator, changes: dict[str, object]) -> None:
    embedder = make_embedder(replace(TINY, **changes), float_toy, seed=0).train()  # type: ignore[arg-type]
    assert embedder(images(2)).shape == (2, 4, 8)
    embedder(images(2)).square().sum().backward()
    learning = {name for name, parameter in embedder.named_parameters() if parameter.grad is not None}
    frozen = {name for name, _ in embedder.named_parameters()} - learning
    assert all(name.startswith("maps.network.") for name in frozen)
    assert ("maps.project.0.weight" in learning) == ("maps" in changes)
    assert ("taps.1.mix.weight" in learning) == ("tap_channels" in changes)


def test_an_image_is_embedded_alike_alone_and_in_a_batch(float_toy: Generator) -> None:
    embedder: Embedder = make_embedder(replace(TINY, maps="alexnet", tap_channels=3), float_toy, seed=0).double()
    batch = images(3).double()
    torch.testing.assert_close(embedder(batch), torch.cat([embedder(image[None]) for image in batch]))


@pytest.mark.parametrize("changes", [{"maps": "alexnet"}, {"tap_channels": 3}])
def test_maps_and_taps_need_stages_before_the_last(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="maps and tap_channels need at least 3 stages, got 2"):
        replace(TINY, channels=(8, 16), depths=(1, 1), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"maps": "vgg"}, "maps must be one of alexnet, none"), ({"tap_channels": -1}, "tap_channels must be 0")],
)
def test_unknown_maps_and_negative_taps_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(TINY, **changes)  # type: ignore[arg-type]
