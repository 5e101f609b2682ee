from typing import cast

import pytest
import torch
from torch import Tensor

from latentloop.evaluation.fidelity import compare_generators, held_out_codes
from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.generators import Generator


def test_codes_are_of_three_kinds_and_follow_from_the_seed(toy: Generator) -> None:
    codes = held_out_codes(toy, 3, seed=1)
    assert list(codes) == ["psi 0.7", "psi 1", "W+ mixtures"]
    assert all(w_plus.shape == (3, 4, 8) for w_plus in codes.values())
    again, other = held_out_codes(toy, 3, seed=1), held_out_codes(toy, 3, seed=2)
    assert all(torch.equal(codes[name], again[name]) and not torch.equal(codes[name], other[name]) for name in codes)
    for name in ("psi 0.7", "psi 1"):
        assert torch.equal(codes[name], codes[name][:, :1].expand(-1, 4, -1))
    styles = codes["W+ mixtures"].flatten(0, 1)
    assert len(styles.unique(dim=0)) == 12


def test_a_generator_draws_as_it_does_itself(float_toy: Generator) -> None:
    w_plus = held_out_codes(float_toy, 2, seed=0)["psi 1"].float()
    for figures in compare_generators(float_toy, float_toy, w_plus, load_evaluator()):
        assert figures["lpips_alex"] == 0
        assert figures["id"] == pytest.approx(1)


def test_the_student_is_held_against_the_teacher(toy: Generator, float_toy: Generator) -> None:
    """What the teacher draws is the target, and only it is clamped to what a picture can show."""
    seen: list[tuple[Tensor, Tensor]] = []

    class Recording:
        def measure(self, image: Tensor, target: Tensor) -> list[dict[str, float]]:
            seen.append((image, target))
            return [{}]

    w_plus = 3 * held_out_codes(toy, 1, seed=0)["psi 1"].float()
    float_toy.basis.mul_(-2)  # type: ignore[attr-defined]
    teacher = toy.float()  # type: ignore[attr-defined]
    compare_generators(float_toy, teacher, w_plus, cast("Evaluator", Recording()))
    assert torch.equal(seen[0][0], float_toy.synthesis(w_plus))
    assert torch.equal(seen[0][1], teacher.synthesis(w_plus).clamp(-1, 1))
