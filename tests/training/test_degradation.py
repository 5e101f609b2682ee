import io

import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.images import decode_image, resize, to_uint8
from latentloop.training.degradation import AMOUNTS, SHARE, SHRINK, degrade, degrade_together


def images(count: int) -> Tensor:
    """Smooth colours with a few sharp lines."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    image = torch.stack([x, y, (x * y).sign() * 0.5])
    return image.expand(count, -1, -1, -1).clone()


def test_some_images_are_degraded_and_none_beyond_recognition() -> None:
    before = images(64)
    after = degrade(before, range(64))
    changed = (after - before).square().mean(dim=(1, 2, 3))
    untouched = int((changed == 0).sum())
    assert 1 <= untouched <= 20  # an eighth, give or take
    assert changed.max() < 0.05
    assert after.abs().max() <= 1
    assert torch.equal(before, images(64))
    # Neither colours nor positions change.
    torch.testing.assert_close(after.mean(dim=(2, 3)), before.mean(dim=(2, 3)), rtol=0, atol=0.03)


def test_what_befalls_an_image_follows_from_its_seed_alone() -> None:
    together = degrade(images(4), [7, 8, 9, 7])
    assert torch.equal(together[0], together[3])
    assert not torch.equal(together[0], together[1])
    assert torch.equal(degrade(images(1), [9])[0], together[2])


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_each_kind_of_damage_does_its_own(monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    """Blur makes neighbours alike, noise unlike; compression is JPEG's."""
    befallen = torch.tensor([float(i != kind) for i in range(3)])  # below SHARE befalls
    draws = iter([befallen, torch.full((3,), 0.8)])
    monkeypatch.setattr(torch, "rand", lambda *_, **__: next(draws))
    before = images(1)
    after = degrade(before, [3])

    def roughness(image: Tensor) -> float:
        return (image[..., 1:] - image[..., :-1]).square().mean().item()

    change = roughness(after) / roughness(before)
    file = io.BytesIO()
    Image.fromarray(to_uint8(before[0])).save(file, "jpeg", quality=84)
    compressed = decode_image(file.getvalue(), "")
    assert {0: change < 0.7, 1: change > 1.2, 2: torch.equal(after, compressed)}[kind]


def test_a_batch_is_degraded_as_its_images_are_one_by_one() -> None:
    """The same kinds, each by its own amounts; the blur of another filter takes away as much of what is fine."""
    before = images(64)
    randomness = torch.Generator().manual_seed(0)
    numbers, noise = torch.rand(64, AMOUNTS, generator=randomness), torch.randn(before.shape, generator=randomness)
    after = degrade_together(before, numbers, noise)
    changed = (after - before).square().mean(dim=(1, 2, 3))
    assert torch.equal(changed == 0, (numbers[:, :3] >= SHARE).all(dim=1))
    one_by_one = (degrade(before, range(64)) - before).square().mean(dim=(1, 2, 3))
    assert changed.mean().item() == pytest.approx(one_by_one.mean().item(), rel=0.3)
    assert after.abs().max() <= 1
    assert torch.equal(before, images(64))
    torch.testing.assert_close(degrade_together(before[3:4], numbers[3:4], noise[3:4])[0], after[3])


@pytest.mark.parametrize("amount", [0.0, 0.4, 1.0])
def test_a_gaussian_blurs_as_shrinking_and_enlarging_does(amount: float) -> None:
    before = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    small = round(96 / (SHRINK[0] + amount * (SHRINK[1] - SHRINK[0])))
    expected = resize(resize(before, small, small), 96, 96)
    numbers = torch.tensor([[0.0, 1, 1, amount, 0, 0]])
    blurred = degrade_together(before, numbers, torch.zeros_like(before))
    assert blurred.std().item() == pytest.approx(expected.std().item(), rel=0.25)
