"""A second look: at the photo, and at what the first code draws."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latentloop.encoders import EmbedderConfig
from latentloop.encoders.config import Head, Maps
from latentloop.encoders.embedder import FIRST_OFFSET, TwoLooks, make_embedder
from latentloop.encoders.second_look import Look
from latentloop.generators import Generator

TINY = EmbedderConfig(
    resolution=64,
    channels=(8, 16, 16, 24),
    depths=(1, 1, 1, 1),
    fusion_blocks=1,
    identity="none",
    head_channels=4,
    second_look=True,
)


def images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("maps", ["alexnet", "none"])
@pytest.mark.parametrize("head", ["tree", "dense"])
def test_a_fresh_one_changes_no_code(float_toy: Generator, head: Head, maps: Maps) -> None:
    embedder = make_embedder(replace(TINY, head=head, maps=maps), float_toy, seed=0)
    first = Look(torch.randn(2, 4, 8), images(2, seed=1))
    assert torch.equal(embedder(images(2), first), first.w_plus)


@pytest.mark.parametrize("maps", ["alexnet", "none"])
def test_it_learns_from_what_is_wrong_yet(float_toy: Generator, maps: Maps) -> None:
    """All its weights do, after the head has left 0."""
    embedder = make_embedder(replace(TINY, maps=maps), float_toy, seed=0)
    assert embedder.second
    descent = torch.optim.Adam(embedder.second.parameters(), lr=1e-3)
    first = Look(torch.zeros(2, 4, 8), images(2, seed=1))
    for _ in range(2):
        descent.zero_grad()
        (embedder(images(2), first) - 1).square().sum().backward()
        descent.step()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in embedder.second.parameters())


def test_the_difference_enters_at_the_first_stage(float_toy: Generator) -> None:
    """Held against the trunk's own layers, called one by one, with a dense head."""
    embedder = make_embedder(replace(TINY, head="dense", fusion_blocks=0), float_toy, seed=0)
    assert embedder.second
    torch.nn.init.normal_(embedder.second.head.weight)  # type: ignore[arg-type]
    photo, first = images(2), Look(torch.randn(2, 4, 8), images(2, seed=1))
    layers = embedder.attributes.layers
    x = layers[0](photo) + F.conv2d(photo - first.image, embedder.second.stem.weight, stride=2, padding=1)
    for layer in list(layers)[1:]:
        x = layer(x)
    features = F.leaky_relu(embedder.narrow(x), 0.2).flatten(1)
    offset = features @ embedder.second.head.weight.T  # type: ignore[operator]
    expected = first.w_plus + FIRST_OFFSET * offset.view(2, 4, 8)
    torch.testing.assert_close(embedder(photo, first), expected, rtol=1e-4, atol=1e-4)


def test_two_looks_are_the_first_and_one_at_what_it_draws(float_toy: Generator) -> None:
    small = replace(TINY, resolution=16, channels=(8, 16), depths=(1, 1))
    embedder = make_embedder(small, float_toy, seed=0)
    assert embedder.second
    torch.nn.init.normal_(embedder.second.head.within_columns)  # type: ignore[arg-type]
    photo = F.interpolate(images(2), 16)
    w_plus = embedder(photo)
    again = embedder(photo, Look(w_plus, float_toy.synthesis(w_plus, resolution=16)))
    assert (again - w_plus).abs().max() > 1e-3
    torch.testing.assert_close(TwoLooks(embedder, float_toy)(photo), again)


def test_a_network_without_one_refuses(float_toy: Generator) -> None:
    embedder = make_embedder(replace(TINY, second_look=False), float_toy, seed=0)
    with pytest.raises(ValueError, match="this network has no second look"):
        embedder(images(1), Look(torch.zeros(1, 4, 8), images(1)))


def test_what_was_drawn_must_have_the_photos_size(float_toy: Generator) -> None:
    embedder = make_embedder(TINY, float_toy, seed=0)
    with pytest.raises(ValueError, match=r"image must be \(N, 3, 64, 64\), got \(1, 3, 32, 32\)"):
        embedder(images(1), Look(torch.zeros(1, 4, 8), images(1)[..., ::2, ::2]))
