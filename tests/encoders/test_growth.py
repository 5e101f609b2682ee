"""A larger network that begins as what a smaller one has learned."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.encoders import EmbedderConfig, load_embedder, save_embedder
from latentloop.encoders.config import Head
from latentloop.encoders.embedder import Embedder, make_embedder
from latentloop.encoders.growth import difference, grow
from latentloop.encoders.second_look import Look
from latentloop.generators import Generator

SMALL = EmbedderConfig(
    resolution=64, channels=(8, 16, 16, 24), depths=(1, 1, 1, 1), fusion_blocks=1, identity="none", head_channels=8
)
LARGE = replace(SMALL, maps="alexnet", tap_channels=4)
"""Its head has 16 rows of 16 inputs, that of the small one 8 rows."""


def images(count: int) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def small(generator: Generator, head: Head = "tree") -> Embedder:
    """One that is no fresh network any more."""
    embedder = make_embedder(replace(SMALL, head=head), generator, seed=1)
    with torch.no_grad():
        for parameter in embedder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return embedder


@pytest.mark.parametrize("head", ["tree", "dense"])
@pytest.mark.parametrize(
    "changes",
    [
        {"maps": "alexnet"},
        {"tap_channels": 4},
        {"maps": "alexnet", "tap_channels": 4},
        {"depths": (1, 2, 1, 3)},
        {"fusion_blocks": 3},
        {"second_look": True},
        {"depths": (1, 1, 2, 1), "maps": "alexnet", "tap_channels": 4, "second_look": True},
    ],
)
def test_it_finds_the_same_codes(float_toy: Generator, head: Head, changes: dict[str, object]) -> None:
    begun = small(float_toy, head)
    embedder = make_embedder(replace(begun.config, **changes), float_toy, seed=0)  # type: ignore[arg-type]
    assert not torch.allclose(embedder(images(2)), begun(images(2)), atol=1e-3)
    grow(embedder, begun)
    torch.testing.assert_close(embedder(images(2)), begun(images(2)))


@pytest.mark.parametrize("head", ["tree", "dense"])
def test_what_is_new_in_it_learns(float_toy: Generator, head: Head) -> None:
    begun = small(float_toy, head)
    embedder = make_embedder(replace(LARGE, head=head), float_toy, seed=0)
    grow(embedder, begun)
    learning = [parameter for parameter in embedder.parameters() if parameter.requires_grad]
    descent = torch.optim.Adam(learning, lr=1e-3)
    for _ in range(2):
        descent.zero_grad()
        embedder(images(2)).square().sum().backward()
        descent.step()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in embedder.maps.parameters() if p.requires_grad)  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in embedder.taps.parameters())


def test_a_network_of_the_same_size_is_taken_whole(float_toy: Generator) -> None:
    begun, embedder = make_embedder(LARGE, float_toy, seed=1), make_embedder(LARGE, float_toy, seed=0)
    grow(embedder, begun)
    torch.testing.assert_close(embedder(images(2)), begun(images(2)))


def test_a_second_look_grows_with_the_network(float_toy: Generator) -> None:
    begun = make_embedder(replace(SMALL, second_look=True), float_toy, seed=1)
    with torch.no_grad():
        for parameter in begun.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    embedder = make_embedder(replace(LARGE, depths=(1, 1, 2, 1), second_look=True), float_toy, seed=0)
    grow(embedder, begun)
    first = Look(torch.zeros(2, 4, 8), images(2).flip(0))
    torch.testing.assert_close(embedder(images(2)), begun(images(2)))
    torch.testing.assert_close(embedder(images(2), first), begun(images(2), first))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"head_channels": 16}, "head_channels"),
        ({"depths": (1, 2, 1, 1), "channels": (8, 16, 24, 24)}, "channels"),
        ({"identity": "mobilefacenet"}, "identity"),
        ({"maps": "none"}, "maps"),
    ],
)
def test_another_network_is_refused_and_the_difference_named(
    float_toy: Generator, changes: dict[str, object], named: str
) -> None:
    wanted = replace(LARGE, **changes)  # type: ignore[arg-type]
    assert difference(wanted, LARGE) == named
    with pytest.raises(ValueError, match=f"a network with {named} "):
        grow(make_embedder(wanted, float_toy, seed=0), make_embedder(LARGE, float_toy, seed=1))


def test_its_file_holds_no_classifier_and_is_read_again(float_toy: Generator, tmp_path: Path) -> None:
    embedder = make_embedder(LARGE, float_toy, seed=0)
    save_embedder(tmp_path / "network.safetensors", embedder)
    assert (tmp_path / "network.safetensors").stat().st_size < 200_000
    again = load_embedder(tmp_path / "network.safetensors", float_toy)
    torch.testing.assert_close(again(images(2)), embedder(images(2)), rtol=0.01, atol=1e-3)
