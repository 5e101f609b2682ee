"""Figures of a code against a slow loop over its edits, with an embedding network that finds one code everywhere."""

from statistics import fmean
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.benchmark.edit_meter import COLUMNS, EditMeter
from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.generators import Generator
from latentloop.latents import style_alignment
from latentloop.metrics import identity_similarity

STRENGTH, CHANGE = 0.5, 0.05


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class OneCode:
    """An encoder that finds the same code in every image."""

    resolution = 16
    code = randn(1, 4, 8, seed=4)

    def __call__(self, image: Tensor) -> Tensor:
        assert image.shape[1:] == (3, 16, 16)
        assert image.abs().max() <= 1
        return self.code.expand(len(image), -1, -1)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return load_evaluator()


@pytest.fixture
def meter(float_toy: Generator, evaluator: Evaluator) -> EditMeter:
    changes = randn(2, 4, 8, seed=3)
    alignment = style_alignment(float_toy, samples=50)
    return EditMeter(float_toy, OneCode(), evaluator, alignment, torch.cat([changes, -changes]), STRENGTH, CHANGE)


@pytest.fixture
def code() -> Tensor:
    return 0.3 * randn(1, 4, 8, seed=5)


def test_figures_are_those_of_each_edit_by_itself(meter: EditMeter, code: Tensor, float_toy: Any) -> None:  # noqa: ANN401
    photo = float_toy.synthesis(0.3 * randn(1, 4, 8, seed=6))
    found = meter.measure(code, photo)
    assert list(found) == list(COLUMNS)
    drawn, far, cycles = float_toy.synthesis(code), [], []
    for change in meter.changes:
        back = OneCode.code - STRENGTH * change
        far.append(float((code - back).square().mean().sqrt()) / meter.alignment.w_std)
        cycles.append(float(meter.evaluator.lpips(float_toy.synthesis(back), drawn)))
    unedited = float((code - OneCode.code).square().mean().sqrt())
    (quality,) = meter.evaluator.measure(drawn, photo)
    expected = {
        "mse": quality["mse"],
        "lpips": quality["lpips_alex"],
        "id": quality["id"],
        "distance": unedited,
        "style_cosine": float(meter.alignment(code)),
        "spread": float(code.var(dim=1, correction=0).mean()) / meter.alignment.w_std**2,
        "lec": fmean(far),
        "lec_unedited": unedited / meter.alignment.w_std,
        "cycle_lpips": fmean(cycles),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_identity_is_measured_once_all_edits_have_changed_the_image_equally(
    meter: EditMeter,
    code: Tensor,
    float_toy: Any,  # noqa: ANN401
) -> None:
    photo = float_toy.synthesis(0.3 * randn(1, 4, 8, seed=6))
    found, drawn = meter.measure(code, photo), float_toy.synthesis(code)
    strengths, similar = [], []
    for change in meter.changes:
        low, high = 0.0, 4.0
        for _ in range(20):
            middle = (low + high) / 2
            edited = float_toy.synthesis(code + middle * change)
            low, high = (middle, high) if meter.evaluator.lpips(edited, drawn) < CHANGE else (low, middle)
        strengths.append(low)
        similar.append(float(identity_similarity(edited, photo, meter.evaluator.face_embedder)))
    assert found["strength"] == pytest.approx(fmean(strengths), rel=0.03)
    assert found["id_edited"] == pytest.approx(fmean(similar), abs=0.02)


def test_codes_are_left_as_they_are(meter: EditMeter, code: Tensor, float_toy: Any) -> None:  # noqa: ANN401
    before = code.clone()
    meter.measure(code, float_toy.synthesis(code))
    assert torch.equal(code, before)
