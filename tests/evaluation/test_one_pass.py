from math import sqrt

import pytest
import torch
from torch import Tensor

from conftest import ToyGenerator
from latentloop.evaluation.measure import load_evaluator
from latentloop.evaluation.one_pass import means_by_part, measure_one_pass, seen_faults


def noise(seed: int, size: int = 256) -> Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) - 0.5


def test_a_photo_has_no_faults() -> None:
    faults = seen_faults(noise(0), noise(0))
    assert {name: value.tolist() for name, value in faults.items()} == {
        "contrast": [1, 1],
        "detail": [1, 1],
        "cheeks": [0, 0],
        "mouth": [0, 0],
    }


def test_half_the_contrast_is_half_of_all_that_varies() -> None:
    faults = seen_faults(0.5 * noise(0), noise(0))
    torch.testing.assert_close(faults["contrast"], torch.full((2,), 0.5))
    torch.testing.assert_close(faults["detail"], torch.full((2,), 0.5))


def test_what_is_blurred_lacks_detail_and_keeps_its_contrast() -> None:
    y = torch.linspace(-1, 1, 256)[:, None].expand(2, 3, 256, 256)
    photo = y + 0.1 * noise(0)
    faults = seen_faults(y, photo)
    assert (faults["contrast"] > 0.95).all()
    assert (faults["detail"] < 0.4).all()


def test_lighter_cheeks_count_in_levels_and_only_there() -> None:
    photo = noise(0)
    image = photo.clone()
    image[:, :, 143:164, 77:97] += 0.1  # a cheek of two
    faults = seen_faults(image, photo)
    torch.testing.assert_close(faults["cheeks"], torch.full((2,), 0.05 * 127.5), rtol=0.01, atol=0)
    assert faults["mouth"].tolist() == [0, 0]


def test_an_open_mouth_is_wrong_in_the_mouth() -> None:
    photo = torch.zeros(1, 3, 256, 256)
    image = photo.clone()
    image[:, :, 169:182, 102:154] = 0.4  # half of the place
    faults = seen_faults(image, photo + 1e-3 * noise(0)[:1])
    assert faults["mouth"].item() == pytest.approx(127.5 * 0.4 * sqrt(0.5), rel=0.02)


def test_figures_are_of_what_the_generator_draws_of_the_codes(float_toy: ToyGenerator) -> None:
    codes = float_toy.latent_avg.expand(2, 4, 8)
    rows = measure_one_pass(lambda _: codes, float_toy, float_toy.synthesis(codes), load_evaluator())
    assert [row["mse"] for row in rows] == pytest.approx([0, 0], abs=1e-6)
    other = measure_one_pass(lambda _: codes + 1, float_toy, float_toy.synthesis(codes), load_evaluator())
    assert other[0]["mse"] > 0.01


def test_means_are_by_the_beginning_of_the_name_and_parts_count_alike() -> None:
    rows = [("a/gen-1.png", {"mse": 1.0}), ("gen-2.png", {"mse": 3.0}), ("b/celeba-x.png", {"mse": 6.0})]
    assert means_by_part(rows) == {
        "celeba": {"n": 1, "mse": 6.0},
        "gen": {"n": 2, "mse": 2.0},
        "mean": {"n": 3, "mse": 4.0},
    }
