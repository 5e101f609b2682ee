from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator, randn
from latentloop.errors import UserError
from latentloop.generators import load_generator
from latentloop.inversion.metric import PerceptualMetric
from latentloop.inversion.metric_estimate import metric_of
from latentloop.inversion.metric_file import SHIPPED, cached_metric_path, find_metric, read_metric, save_metric
from latentloop.weights import WeightsFile, read_ours, write_ours

Damage = Callable[[dict[str, Tensor], dict[str, Any]], object]


@pytest.fixture
def metric(float_toy: ToyGenerator) -> PerceptualMetric:
    halves = randn(4, 8, 8).float()
    return metric_of(halves.mT @ halves, fingerprint=float_toy.fingerprint)


def test_a_metric_is_found_in_the_cache_as_it_was_saved(
    float_toy: ToyGenerator, metric: PerceptualMetric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path))
    assert find_metric(float_toy) is None
    path = cached_metric_path(float_toy)
    assert path.is_relative_to(tmp_path / "metrics")
    save_metric(path, metric, {"samples": 3})
    found = find_metric(float_toy)
    assert found is not None
    torch.testing.assert_close(found.axes, metric.axes, rtol=0, atol=5e-4)  # float16
    assert torch.equal(found.energies, metric.energies)
    gradient = randn(2, 4, 8).float()
    torch.testing.assert_close(found.natural(gradient), metric.natural(gradient), rtol=0, atol=5e-3)
    assert read_ours(WeightsFile(path), "metric", what="", advice="").settings["samples"] == 3


@pytest.mark.parametrize("name", ["mobile-ffhq-256", "mobile-ffhq-1024"])
def test_bundled_generators_have_a_metric(name: str) -> None:
    metric = find_metric(load_generator(name))
    assert metric is not None
    assert metric.axes.shape == (16, 96, 512)
    assert metric.sha256 == SHIPPED[metric.fingerprint].sha256
    products = metric.axes @ metric.axes.mT
    torch.testing.assert_close(products, torch.eye(96).expand_as(products), rtol=0, atol=2e-3)
    assert (metric.energies.diff() <= 0).all()
    assert (metric.energies.sum(dim=1) < 512).all()  # the mean of all 512 is 1
    assert (metric.energies.sum(dim=1) > 0.6 * 512).all()


DAMAGES: dict[str, Damage] = {
    "axes is missing": lambda tensors, _: tensors.pop("axes"),
    "fingerprint is missing": lambda _, about: about.pop("fingerprint"),
    "it belongs to another latent space": lambda _, about: about.update(fingerprint="fedcba"),
    "shapes of axes (4, 8, 7) and energies (4, 8)": lambda tensors, _: tensors.update(axes=tensors["axes"][..., 1:]),
    "shapes of axes (4, 8, 8) and energies ()": lambda tensors, _: tensors.update(energies=torch.tensor(1.0)),
    "its energies are negative or not finite": lambda tensors, _: tensors["energies"].sub_(1e3),
    "its axes are not orthonormal": lambda tensors, _: tensors["axes"].mul_(torch.nan),
}


@pytest.mark.parametrize("reason", DAMAGES)
def test_a_damaged_file_gets_one_line(
    float_toy: ToyGenerator, metric: PerceptualMetric, tmp_path: Path, reason: str
) -> None:
    tensors = {"axes": metric.axes.clone(), "energies": metric.energies.clone()}
    about: dict[str, Any] = {"fingerprint": metric.fingerprint}
    DAMAGES[reason](tensors, about)
    path = tmp_path / "metric.safetensors"
    write_ours(path, "metric", {name: tensor.contiguous() for name, tensor in tensors.items()}, about)
    with pytest.raises(UserError) as error:
        read_metric(WeightsFile(path), float_toy)
    advice = "delete it, or make it again: latentloop metric"
    assert str(error.value) == f"{path}: no metric of toy-32 ({reason}); {advice}"


@pytest.mark.parametrize("damage", [lambda axes: axes.mul_(1.1), lambda axes: axes[:, 1].copy_(axes[:, 0])])
def test_axes_must_be_orthonormal(
    float_toy: ToyGenerator, metric: PerceptualMetric, tmp_path: Path, damage: Callable[[Tensor], object]
) -> None:
    damage(metric.axes)
    path = tmp_path / "metric.safetensors"
    save_metric(path, metric, {})
    with pytest.raises(UserError, match="its axes are not orthonormal"):
        read_metric(WeightsFile(path), float_toy)


def test_a_file_of_another_kind_is_refused(float_toy: ToyGenerator, tmp_path: Path) -> None:
    path = tmp_path / "samples.safetensors"
    write_ours(path, "samples", {"w": torch.ones(1)}, {})
    with pytest.raises(UserError, match="not a generator's metric \\(kind: samples\\); latentloop metric makes one"):
        read_metric(WeightsFile(path), float_toy)
