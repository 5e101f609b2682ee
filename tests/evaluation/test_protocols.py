import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.evaluation.protocols import EvaluationProtocol, as_picture, load_protocol
from latentloop.features.lpips import load_lpips
from latentloop.images import from_uint8, resample, resize


@pytest.fixture(autouse=True)
def no_vgg(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path_factory.mktemp("cache")))


def smooth(size: int, seed: int = 0) -> Tensor:
    """A picture of a few waves that goes beyond [-1, 1]."""
    coarse = 1.5 * torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return resize(coarse, size, size)


def test_psp_measures_what_pillow_makes_of_the_picture() -> None:
    image, target = smooth(512), smooth(512, 1)

    def picture(x: Tensor) -> Tensor:
        pixels = np.floor((x.clamp(-1, 1).numpy() + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
        small = [Image.fromarray(p).resize((256, 256), Image.Resampling.BILINEAR) for p in pixels]
        return torch.cat([from_uint8(np.asarray(p).copy()) for p in small])

    protocol = load_protocol("psp")
    found = protocol.measure(image, target)
    assert all(tuple(row) == protocol.columns for row in found)
    a, b = picture(image), picture(target)
    expected = ((a - b) ** 2).mean((1, 2, 3))
    assert [row["mse"] for row in found] == pytest.approx(expected.tolist(), rel=1e-6)
    assert [row["lpips_alex"] for row in found] == pytest.approx(load_lpips("alex")(a, b).tolist(), rel=1e-5)


def test_protocols_differ_on_one_image() -> None:
    """A grey between two levels is cut off by one protocol, and not by the other."""
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
    small = resample(image, 256).clamp(-1, 1)
    assert first["mse"] == pytest.approx(((small[0] - target[0]) ** 2).mean().item(), rel=1e-5)
    assert "lpips_vgg" not in first


@pytest.mark.parametrize("name", ["psp", "strict"])
def test_a_target_is_like_itself(name: str) -> None:
    protocol: EvaluationProtocol = load_protocol(name)  # type: ignore[arg-type]
    target = smooth(256, 1).clamp(-1, 1)
    found = protocol.measure(target, target)[0]
    assert found["mse"] == 0
    assert found["lpips_alex"] == pytest.approx(0, abs=1e-6)
    assert found["id"] == pytest.approx(1, abs=1e-4)
    assert protocol.about


def test_pictures_of_256_pixels_are_only_rounded_down() -> None:
    levels = torch.arange(256.0).repeat(3, 256, 1)[None]
    assert torch.equal(as_picture((levels + 0.6) / 127.5 - 1), as_picture(levels / 127.5 - 1 + 1e-4))
