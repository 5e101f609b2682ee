from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from latentloop.features import mobilefacenet
from latentloop.features.mobilefacenet import Bottleneck, MobileFaceNet, load_mobilefacenet
from latentloop.losses import IdentityDistance, LossConfig, iterator_loss, pixel_loss
from latentloop.losses import iterator as iterator_module
from latentloop.metrics import identity_similarity
from latentloop.weights import with_weights

LAYERS = ("early", "all", "last")


@pytest.fixture(scope="module")
def network() -> MobileFaceNet:
    return load_mobilefacenet()


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    randomness = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 2, 3, 8, 8, generator=randomness) * 2 - 1
    image, target = (torch.nn.functional.interpolate(x, size=64, mode="bicubic") for x in coarse)
    return image, target


def test_of_the_embedding_it_is_what_the_reported_similarity_lacks_to_one(
    network: MobileFaceNet, pair: tuple[Tensor, Tensor]
) -> None:
    image, target = pair
    expected = 1 - identity_similarity(image, target, network)
    torch.testing.assert_close(IdentityDistance(network, "last").toward(target)(image), expected, rtol=0, atol=1e-5)


def test_at_the_target_itself_the_gradient_is_finite(network: MobileFaceNet) -> None:
    black = torch.full((1, 3, 64, 64), -1.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(IdentityDistance(network).toward(black.detach())(black).sum(), black)
    assert gradient.isfinite().all()


def test_early_layers_leave_the_last_blocks_alone_and_the_target_is_seen_once(
    pair: tuple[Tensor, Tensor],
) -> None:
    image, target = pair
    with torch.device("cpu"):
        counted = with_weights(MobileFaceNet(), load_mobilefacenet().state_dict())
    calls = {name: 0 for name, block in counted.named_modules() if isinstance(block, Bottleneck)}

    def counting(name: str) -> Callable[..., None]:
        def count(*_: object) -> None:
            calls[name] += 1

        return count

    for name in calls:
        counted.get_submodule(name).register_forward_hook(counting(name))
    distance = IdentityDistance(counted, "early").toward(target)
    distance(image)
    distance(image)
    assert list(calls.values()) == [3] * 12 + [0] * 3


def test_in_bfloat16_it_is_nearly_the_same(network: MobileFaceNet, pair: tuple[Tensor, Tensor]) -> None:
    image, target = pair
    rough = IdentityDistance(load_mobilefacenet(dtype=torch.bfloat16)).toward(target)(image)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, IdentityDistance(network).toward(target)(image), rtol=0.05, atol=0)


def test_the_iterators_loss_adds_it_with_its_weight(network: MobileFaceNet, pair: tuple[Tensor, Tensor]) -> None:
    image, target = pair
    config = LossConfig(lambda_lpips=0.0, lambda_identity=0.5, identity_layers="all")
    expected = pixel_loss(image, target) + 0.5 * IdentityDistance(network, "all").toward(target)(image)
    torch.testing.assert_close(iterator_loss(config)(target)(image), expected)


def test_networks_of_weight_zero_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    for name in ("load_lpips", "load_mobilefacenet"):
        monkeypatch.setattr(iterator_module, name, lambda *_, name=name, **__: loaded.append(name))
    iterator_loss(LossConfig(lambda_lpips=0.0))
    assert loaded == []


def test_each_layer_is_the_last_map_of_its_size(network: MobileFaceNet) -> None:
    sizes = [x.shape[1:] for x in network.features(torch.zeros(1, 3, 112, 112))]
    assert sizes == [(64, 56, 56), (64, 28, 28), (128, 14, 14), (128, 7, 7), (128, 1, 1)]
    starts = [i for i, block in enumerate(network.blocks) if block.depthwise.stride != (1, 1)]
    assert [*starts, len(network.blocks)] == list(mobilefacenet.SIZE_ENDS)
