import pytest
import torch
from torch import Tensor

from latentloop.features.lpips import load_lpips
from latentloop.losses import LossConfig, iterator_loss, pixel_loss, toward, weighted_sum
from latentloop.stamps import stamp_of


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    randomness = torch.Generator().manual_seed(0)
    image, target = (torch.rand(2, 3, 64, 64, generator=randomness) * 2 - 1 for _ in range(2))
    return image, target


def test_terms_are_added_with_their_weights(pair: tuple[Tensor, Tensor]) -> None:
    loss = weighted_sum((2.0, toward(pixel_loss)), (0.5, toward(lambda a, b: (a - b).abs().mean(dim=(1, 2, 3)))))
    image, target = pair
    expected = 2 * (image - target).square().mean(dim=(1, 2, 3)) + 0.5 * (image - target).abs().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss(target)(image), expected)


def test_a_weight_of_zero_leaves_a_term_out(pair: tuple[Tensor, Tensor]) -> None:
    only_pixels = iterator_loss(LossConfig(lambda_mse=3.0, lambda_lpips=0.0))
    image, target = (x[:, :, :8, :8] for x in pair)  # too small for AlexNet
    torch.testing.assert_close(only_pixels(target)(image), 3 * pixel_loss(image, target))
    image, target = pair
    expected = pixel_loss(image, target) + 0.8 * load_lpips("alex")(image, target)
    torch.testing.assert_close(iterator_loss(LossConfig())(target)(image), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lambda_mse": -1.0}, "lambda_mse must be 0 or more, got -1.0"),
        ({"lambda_identity": float("nan")}, "lambda_identity must be 0 or more, got nan"),
        ({"lambda_lpips": float("inf")}, "lambda_lpips must be 0 or more, got inf"),
        ({"lambda_mse": 0.0, "lambda_lpips": 0.0}, "one of lambda_mse and lambda_lpips must be above 0"),
    ],
)
def test_weights_out_of_range_are_named(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossConfig(**settings)  # type: ignore[arg-type]


def test_caches_of_codes_have_the_loss_as_earlier_versions_wrote_it() -> None:
    assert stamp_of(LossConfig()) == {"lambda_mse": 1.0, "lambda_lpips": 0.8, "lpips_net": "alex"}
