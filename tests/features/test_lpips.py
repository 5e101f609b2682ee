from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.features.lpips import LpipsNet, load_lpips

GOLDEN = Path(__file__).parents[1] / "golden"


def example(name: str) -> Tensor:
    with Image.open(GOLDEN / f"{name}.png") as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize(("net", "expected"), [("alex", (0.7219, 0.1376)), ("squeeze", (0.7110, 0.1479))])
def test_the_official_examples_have_their_published_distances(net: LpipsNet, expected: tuple[float, float]) -> None:
    lpips, reference = load_lpips(net), example("ex_ref")
    found = lpips(torch.cat([example("ex_p0"), example("ex_p1")]), reference.expand(2, -1, -1, -1))
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-4)


def test_in_few_bits_distances_are_nearly_the_same() -> None:
    image, target = torch.cat([example("ex_p0"), example("ex_p1")]), example("ex_ref").expand(2, -1, -1, -1)
    found = load_lpips("alex", dtype=torch.bfloat16)(image, target)
    assert found.dtype == torch.float32
    exact = load_lpips("alex")(image, target)
    torch.testing.assert_close(found, exact, rtol=5e-3, atol=0)
    assert not torch.equal(found, exact)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
@pytest.mark.parametrize(("side", "times"), [(16, 2), (12, 3)])
def test_small_images_are_enlarged(net: LpipsNet, side: int, times: int) -> None:
    images = [example(name)[:, :, :side, :side] for name in ("ex_p1", "ex_ref")]
    whole = [_enlarged(image, side * times) for image in images]
    found = load_lpips(net)(*images)
    expected = load_lpips(net)(*(torch.from_numpy(image).permute(2, 0, 1)[None] for image in whole))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def _enlarged(image: Tensor, side: int) -> np.ndarray:
    """Pillow's bilinear enlargement."""
    channels = [Image.fromarray(channel.numpy()) for channel in image[0]]
    return np.stack([np.asarray(c.resize((side, side), Image.Resampling.BILINEAR)) for c in channels], axis=2)


def test_the_gradient_stays_finite_where_nothing_is_seen() -> None:
    lpips, image = load_lpips("alex"), example("ex_p0").requires_grad_()
    blind = {name: torch.full_like(tensor, -1.0) for name, tensor in lpips.stages.state_dict().items()}
    lpips.stages.load_state_dict(blind)
    (gradient,) = torch.autograd.grad(lpips(image, example("ex_ref") + 2).sum(), image)
    assert gradient.isfinite().all()
