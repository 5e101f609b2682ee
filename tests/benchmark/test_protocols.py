from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.benchmark.protocols import EvaluationProtocol, as_picture, load_protocol
from latentloop.features.lpips import load_lpips
from latentloop.images import from_uint8, resize, to_uint8

Array = npt.NDArray[Any]


@pytest.fixture(autouse=True)
def no_vgg(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path_factory.mktemp("cache")))


def smooth(size: int, seed: int = 0) -> Tensor:
    """A picture of a few waves that goes beyond [-1, 1]."""
    coarse = 1.5 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return resize(coarse, size, size)


def test_psp_measures_what_pillow_makes_of_the_picture() -> None:
    image, target = smooth(512), smooth(512, 1)

    def picture(x: Tensor, whole: Callable[[Array], Array]) -> Tensor:
        pixels = whole((x.clamp(-1, 1).numpy() + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
        small = [Image.fromarray(p).resize((256, 256), Image.Resampling.BILINEAR) for p in pixels]
        return torch.cat([from_uint8(np.asarray(p).copy()) for p in small])

    protocol = load_protocol("psp")
    found = protocol.measure(image, target)
    assert all(tuple(row) == protocol.columns for row in found)
    a, b = picture(image, np.floor), picture(target, np.round)
    expected = ((a - b) ** 2).mean((1, 2, 3))
    assert [row["mse"] for row in found] == pytest.approx(expected.tolist(), rel=1e-6)
    assert [row["lpips_alex"] for row in found] == pytest.approx(load_lpips("alex")(a, b).tolist(), rel=1e-5)


def test_protocols_differ_on_one_image() -> None:
    """What lies between two grey levels is cut off by one protocol, and not by the other."""
    target, image = (torch.full((1, 3, 256, 256), -1 + level / 127.5) for level in (1.1, 1.9))
    assert load_protocol("psp").measure(image, target)[0]["mse"] == 0
    strict = load_protocol("strict").measure(image, target)[0]
    assert strict["mse"] == pytest.approx((0.8 / 127.5) ** 2, rel=1e-4)
    assert strict["psnr"] == pytest.approx(10 * np.log10(4 / (0.8 / 127.5) ** 2), rel=1e-4)


def test_strict_averages_areas_and_clamps() -> None:
    image, target = smooth(512), smooth(256, 1)
    protocol = load_protocol("strict")
    (first, _) = protocol.measure(image, target)
    assert tuple(first) == protocol.columns
    small = image[0].unfold(1, 2, 2).unfold(2, 2, 2).mean((-2, -1)).clamp(-1, 1)
    assert first["mse"] == pytest.approx(((small - target[0]) ** 2).mean().item(), rel=1e-5)
    assert "lpips_vgg" not in first


@pytest.mark.parametrize("name", ["psp", "strict"])
def test_a_target_is_like_itself(name: str) -> None:
    protocol: EvaluationProtocol = load_protocol(name)  # type: ignore[arg-type]
    target = from_uint8(to_uint8(smooth(256, 1)[0]))
    found = protocol.measure(target, target)[0]
    assert found["mse"] < 5e-5  # what is drawn loses a level here and there when it is cut off
    assert found["lpips_alex"] == pytest.approx(0, abs=1e-4)
    assert found["id"] == pytest.approx(1, abs=1e-3)
    assert protocol.about


def test_every_grey_level_of_a_target_survives() -> None:
    levels = torch.arange(256, dtype=torch.uint8).repeat(256, 3, 1).permute(0, 2, 1).contiguous()
    target = from_uint8(levels.numpy())
    assert torch.equal(as_picture(target, cut=False), target)


def test_what_is_drawn_is_cut_off() -> None:
    levels = torch.arange(256.0).repeat(3, 256, 1)[None]
    assert torch.equal(as_picture((levels + 0.9) / 127.5 - 1, cut=True), as_picture(levels / 127.5 - 1, cut=False))
