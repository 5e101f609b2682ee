from dataclasses import replace

import pytest
import torch
from torch import nn

from latentloop.generators import DrawnBy, Generator, seamed
from random_networks import NETWORKS, Network, random_codes, random_network


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param)


def last_layer(network: Network, seam: int) -> nn.Module:
    """The layer whose output the features at a seam are, found by the shape of that alone."""
    sizes: list[tuple[nn.Module, torch.Size]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: sizes.append((layer, out.shape)))
        for name, layer in network.synthesis.named_modules()
        if name.rpartition(".")[0] in ("convs", "blocks") or name in ("const", "conv1")
    ]
    network.synthesis(random_codes(network, 1))
    for hook in hooks:
        hook.remove()
    return next(layer for layer, shape in reversed(sizes) if shape[1:] == network.synthesis.seams[seam])


def test_each_resolution_has_a_seam(network: Network) -> None:
    seams, w_plus = network.synthesis.seams, random_codes(network)
    assert list(seams) == (
        [4, 8, 16] if "mobile" in network.name else [16, 32] if "three" in network.name else [4, 8, 16, 32]
    )
    for seam, shape in seams.items():
        midway = network.synthesis.begin(w_plus, seam)
        assert midway.seam == seam
        assert midway.features.shape == (2, *shape)


def test_drawing_in_two_halves_is_drawing(network: Network) -> None:
    synthesis, w_plus = network.synthesis, random_codes(network)
    for seam in synthesis.seams:
        midway = synthesis.begin(w_plus, seam)
        assert torch.equal(synthesis.finish(midway, w_plus), synthesis(w_plus))
        assert torch.equal(synthesis.finish(midway, w_plus, resolution=8), synthesis(w_plus, resolution=8))


def test_a_change_at_a_seam_is_one_of_the_layers_output(network: Network) -> None:
    synthesis, w_plus = network.synthesis, random_codes(network)
    for seam, shape in synthesis.seams.items():
        change = 0.3 * torch.randn(2, *shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        midway = synthesis.begin(w_plus, seam)
        drawn = synthesis.finish(replace(midway, features=midway.features + change), w_plus)
        hook = last_layer(network, seam).register_forward_hook(lambda _layer, _in, out, by=change: out + by)
        expected = synthesis(w_plus)
        hook.remove()
        assert torch.equal(drawn, expected), seam
        assert not torch.equal(drawn, synthesis(w_plus)), seam


def test_only_the_styles_of_the_rest_count_in_it(network: Network) -> None:
    synthesis, w_plus = network.synthesis, random_codes(network).requires_grad_()
    seam = list(synthesis.seams)[1]
    image = synthesis.finish(synthesis.begin(w_plus.detach(), seam), w_plus)
    (gradient,) = torch.autograd.grad(image.square().sum(), w_plus)
    counts = gradient.abs().amax(dim=(0, 2)) > 0
    assert not counts[: int(counts.int().argmax())].any()
    assert 0 < counts.sum() < len(counts)
    assert counts[int(counts.int().argmax()) :].all()


def test_features_are_not_overwritten(network: Network) -> None:
    synthesis, w_plus = network.synthesis, random_codes(network)
    for seam in synthesis.seams:
        midway = synthesis.begin(w_plus, seam)
        before = midway.features.clone()
        synthesis.finish(midway, w_plus)
        assert torch.equal(midway.features, before)


def test_a_seam_that_is_none_is_refused(network: Network) -> None:
    with pytest.raises(ValueError, match=r"seam must be one of [\d, ]+, got 12"):
        network.synthesis.begin(random_codes(network), 12)


def test_only_a_generator_that_draws_itself_has_seams(network: Network, toy: Generator) -> None:
    assert seamed(network) is network.synthesis
    for other in (toy, DrawnBy(network, network.synthesis)):
        with pytest.raises(TypeError, match=f"{other.name}: its synthesis has no seams"):
            seamed(other)
