from dataclasses import replace

import pytest
import torch
from torch import Tensor

from latentloop.generators import Generator, LowRank, convolution_matrices, load_generator, with_deltas
from latentloop.generators.stylegan1_layers import StyledUpConv
from random_networks import NETWORKS, Network, random_codes, random_network


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param)


def random_deltas(network: Network, rank: int = 2) -> dict[str, LowRank]:
    randomness = torch.Generator().manual_seed(4)
    return {
        name: LowRank(
            *(torch.randn(n, rank, generator=randomness, dtype=torch.float64).div_(4).requires_grad_() for n in sizes)
        )
        for name, sizes in convolution_matrices(network).items()
    }


def slow_weight(weight: Tensor, delta: LowRank, *, turned: bool) -> Tensor:
    """One number at a time: output o sees input i, tap (y, x) by the sum over r of u[o, r] v[i, y, x, r]."""
    weight, k = weight.clone(), weight.shape[-1] if weight.ndim == 4 else 1
    u, v = delta.u.tolist(), delta.v.tolist()
    for o in range(len(u)):
        for i in range(len(v) // k**2):
            for tap in range(k**2):
                change = sum(a * b for a, b in zip(u[o], v[i * k**2 + tap], strict=True))
                first, second = (i, o) if turned else (o, i)
                weight[(first, second, *divmod(tap, k))[: weight.ndim]] += change
    return weight


def test_drawing_is_that_of_the_changed_weights_number_by_number(network: Network) -> None:
    deltas, w_plus = random_deltas(network), random_codes(network)
    before, image = network.synthesis(w_plus), with_deltas(network, deltas).synthesis(w_plus)
    for name, delta in deltas.items():
        layer = network.get_submodule(name.removesuffix(".weight"))
        weight = network.get_parameter(name)
        weight.copy_(slow_weight(weight, delta, turned=isinstance(layer, StyledUpConv)))
    torch.testing.assert_close(image, network.synthesis(w_plus), rtol=0, atol=1e-9)
    assert (image - before).abs().max() > 0.01


def test_gradients_reach_both_factors(network: Network) -> None:
    deltas = random_deltas(network)
    image = with_deltas(network, deltas).synthesis(random_codes(network))
    factors = [factor for delta in deltas.values() for factor in (delta.u, delta.v)]
    for gradient in torch.autograd.grad(image.square().sum(), factors):
        assert gradient.abs().max() > 0


def test_every_convolution_is_there_but_the_depthwise_ones(network: Network) -> None:
    tensors = {name: p for name, p in network.synthesis.named_parameters() if name.endswith("weight")}
    expected = {
        f"synthesis.{name}"
        for name, weight in tensors.items()
        if (weight.ndim == 4 and "depthwise" not in name) or (name.startswith("to_rgb") and "affine" not in name)
    }
    assert convolution_matrices(network).keys() == expected


def test_the_bundled_network_has_the_matrices_of_its_author() -> None:
    matrices = convolution_matrices(load_generator("mobile-ffhq-256"))
    assert len(matrices) == 1 + 2 * 6 + 1  # the first, two in each block, and the head's
    assert matrices["synthesis.conv1.conv.weight"] == (512, 9 * 512)
    assert matrices["synthesis.blocks.0.conv1.conv.pointwise.weight"] == (512, 128)


def test_what_does_not_fit_is_refused(network: Network, toy: Generator) -> None:
    name, delta = next(iter(random_deltas(network).items()))
    with pytest.raises(ValueError, match=f"{network.name} has no convolution synthesis.nothing"):
        with_deltas(network, {"synthesis.nothing": delta})
    for wrong in (replace(delta, u=delta.u[1:]), replace(delta, v=delta.v[1:]), replace(delta, u=delta.u[:, :1])):
        with pytest.raises(ValueError, match=rf"{name} needs factors \(\d+, r\) and \(\d+, r\), got"):
            with_deltas(network, {name: wrong})
    assert not convolution_matrices(toy)
