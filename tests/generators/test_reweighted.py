import pytest
import torch

from latentloop.generators import DrawnBy, reweighted
from latentloop.generators.stylegan2 import Synthesis
from random_networks import NETWORKS, Network, random_codes, random_network


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    network = random_network(request.param)
    if isinstance(network.synthesis, Synthesis):
        for layer in network.synthesis.layers:
            layer.prepare()
    return network


def other_weights(network: Network) -> dict[str, torch.Tensor]:
    """Half of the weights, scaled one by one."""
    randomness = torch.Generator().manual_seed(3)
    names = [name for name, _ in network.named_parameters() if name.startswith("synthesis.")][::2]
    return {n: (p := network.get_parameter(n)) * (1 + torch.rand(p.shape, generator=randomness)) for n in names}


@pytest.mark.parametrize("learning", [False, True])
def test_it_draws_as_a_network_that_has_those_weights(network: Network, *, learning: bool) -> None:
    weights, w_plus = other_weights(network), random_codes(network)
    before = network.synthesis(w_plus)
    given = {name: weight.clone().requires_grad_(learning) for name, weight in weights.items()}
    image = reweighted(network, given).synthesis(w_plus)
    assert torch.equal(network.synthesis(w_plus), before)
    network.load_state_dict({**network.state_dict(), **weights})
    torch.testing.assert_close(image, network.synthesis(w_plus), rtol=0, atol=1e-10)
    assert (image - before).abs().max() > 0.01


def test_gradients_are_those_of_a_network_that_learns(network: Network) -> None:
    weights, w_plus = other_weights(network), random_codes(network)
    given = {name: (2 * weight).requires_grad_() for name, weight in weights.items()}
    image = reweighted(network, {name: weight / 2 for name, weight in given.items()}).synthesis(w_plus)
    gradients = torch.autograd.grad(image.square().sum(), list(given.values()), allow_unused=True)
    network.load_state_dict({**network.state_dict(), **weights})
    network.requires_grad_()
    expected = torch.autograd.grad(
        network.synthesis(w_plus).square().sum(), [network.get_parameter(name) for name in weights], allow_unused=True
    )
    for name, gradient, reference in zip(weights, gradients, expected, strict=True):
        assert gradient is not None, name
        torch.testing.assert_close(2 * gradient, reference, msg=name)


def test_all_else_is_shared(network: Network) -> None:
    weights = other_weights(network)
    copied = reweighted(network, weights)
    assert isinstance(copied, type(network))
    tensors = dict([*copied.named_parameters(), *copied.named_buffers()])
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if name not in weights and "norms" not in name:
            assert tensors[name] is tensor, name
    assert copied.state_dict().keys() == network.state_dict().keys()
    assert copied.mapping is network.mapping


def test_it_may_be_made_where_nothing_is_to_learn(network: Network) -> None:
    weights, w_plus = other_weights(network), random_codes(network)
    expected = reweighted(network, weights).synthesis(w_plus)
    with torch.inference_mode():
        assert torch.equal(reweighted(network, {n: w * 1 for n, w in weights.items()}).synthesis(w_plus), expected)


def test_what_does_not_fit_is_refused(network: Network) -> None:
    name = next(iter(other_weights(network)))
    with pytest.raises(ValueError, match=f"{network.name} has no weights synthesis.nothing"):
        reweighted(network, {"synthesis.nothing": torch.zeros(1)})
    with pytest.raises(ValueError, match=rf"{name} must be \(.*\), got \(9, 9\)"):
        reweighted(network, {name: torch.zeros(9, 9)})
    with pytest.raises(TypeError, match=r"must be an nn.Module to change weights"):
        reweighted(DrawnBy(network, network.synthesis), {})
