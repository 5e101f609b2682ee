from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from latentloop.generators import (
    DrawnBy,
    GeneratorFile,
    MobileStyleGAN,
    StyleGAN2,
    convert_generator,
    load_generator,
    weights_fingerprint,
    write_generator_file,
)
from latentloop.generators.mobilestylegan_file import to_tensors
from random_networks import NETWORKS, Network, random_network
from stylegan2_tensors import nvidia, rosinality


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param, double=False)


@pytest.mark.parametrize("half", [False, True])
def test_a_file_of_ours_keeps_it(network: Network, tmp_path: Path, *, half: bool) -> None:
    kind = type(network).__name__.lower()
    tensors = to_tensors(network) if isinstance(network, MobileStyleGAN) else network.state_dict()
    settings = {"resolution": network.resolution} if kind == "stylegan3" else {}
    path = tmp_path / "file.safetensors"
    write_generator_file(path, GeneratorFile(kind, tensors, settings), half=half)
    loaded = load_generator(path)
    assert weights_fingerprint(loaded) == weights_fingerprint(network)
    image, other = (one.synthesis(torch.ones(1, one.num_ws, one.w_dim)) for one in (network, loaded))
    assert ((image - other).abs().max() > 1e-4) == half


@pytest.mark.parametrize("layout", [nvidia, lambda network: {"g_ema": rosinality(nvidia(network))}])
def test_another_projects_file_has_that_of_what_it_is_converted_to(
    tmp_path: Path, layout: Callable[[StyleGAN2], dict[str, object]]
) -> None:
    network = random_network("stylegan2", double=False)
    assert isinstance(network, StyleGAN2)
    torch.save(layout(network), tmp_path / "theirs.pt")
    list(convert_generator(tmp_path / "theirs.pt", tmp_path / "ours.safetensors", half=True))
    theirs, ours = load_generator(tmp_path / "theirs.pt"), load_generator(tmp_path / "ours.safetensors")
    assert weights_fingerprint(ours) == weights_fingerprint(theirs)


def test_every_tensor_that_draws_counts_and_no_other(network: Network) -> None:
    before = weights_fingerprint(network)
    for name, tensor in network.state_dict().items():
        value = tensor.flatten()[0].item()
        tensor.flatten()[0] = value + 1
        assert (weights_fingerprint(network) != before) == name.startswith("synthesis."), name
        tensor.flatten()[0] = value
    assert weights_fingerprint(network) == before


def test_networks_of_one_latent_space_are_told_apart() -> None:
    small, large = (load_generator(f"mobile-ffhq-{size}") for size in (256, 1024))
    assert small.fingerprint == large.fingerprint
    assert (weights_fingerprint(small), weights_fingerprint(large)) == ("44cf742d7b16f9b8", "fac01629d60b9f0c")


def test_who_replaced_the_drawing_has_none(network: Network) -> None:
    with pytest.raises(TypeError, match=f"{network.name}: its synthesis must be an nn.Module"):
        weights_fingerprint(DrawnBy(network, lambda w_plus, *, resolution=None: w_plus))  # noqa: ARG005
