from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop.baselines.networks import feature_loss, load_networks
from latentloop.features.lpips import load_lpips
from latentloop.features.vgg import load_lpips_vgg, load_vgg16, make_vgg16_file, vgg16_path
from vgg_tensors import expect, save_both


@pytest.fixture
def vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of VGG16 with random numbers where the real one would be."""
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path))
    sources = save_both(tmp_path)
    expect(monkeypatch, *sources)
    make_vgg16_file(*sources, vgg16_path())


def images() -> tuple[Tensor, Tensor]:
    first, second = torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return first, second


def test_alexnets_features_are_those_of_its_convolutions() -> None:
    networks, alex = load_networks("alexnet"), load_lpips("alex")
    image, target = images()
    x, seen = (image - alex.mean) / alex.std, []
    for stage in alex.stages:
        x = stage(x)
        seen.append(x)
    for found, wanted in zip(networks.layers(image), seen[:4], strict=True):
        torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(networks.layer(image)[0], seen[2])
    torch.testing.assert_close(networks.lpips(image, target), alex(image, target))


@pytest.mark.usefixtures("vgg16")
def test_vggs_features_are_those_that_the_papers_name() -> None:
    networks, vgg = load_networks("vgg16"), load_vgg16()
    image, target = images()
    wanted = vgg.features(image, ["conv1_1", "conv1_2", "conv3_2", "conv4_2"])
    for found, one in zip(networks.layers(image), wanted, strict=True):
        torch.testing.assert_close(found, one)
    torch.testing.assert_close(networks.layer(image)[0], vgg.features(image, ["conv3_3"])[0])
    torch.testing.assert_close(networks.lpips(image, target), load_lpips_vgg()(image, target))


def test_the_loss_is_the_sum_of_mean_squares() -> None:
    image, target = images()
    loss = feature_loss(lambda x: [x[:, :1], 3 * x])(target)(image)
    squares = (image - target).square()
    torch.testing.assert_close(loss, squares[:, :1].mean((1, 2, 3)) + 9 * squares.mean((1, 2, 3)))
