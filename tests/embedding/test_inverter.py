from dataclasses import replace
from typing import cast

import pytest
import torch
from torch import Tensor

from latentloop.embedding.inverter import InvertedFace, Inverter
from latentloop.evaluation.measure import METRICS, Evaluator
from latentloop.faces import AlignedFace, already_aligned
from latentloop.generators import Generator, Refinement, Residual, refined, seamed, weights_fingerprint
from latentloop.inversion import IteratorChain, IteratorConfig, LatentIterator, Refined
from latentloop.inversion.iterator import OnImage, OnStep
from latentloop.latents import mean_code, sample_codes
from latentloop.losses import pixel_loss, toward
from random_networks import random_codes, random_network


class Measured:
    """Stands for the evaluator, which is tested by itself."""

    lpips = None

    def measure(self, image: Tensor, _: Tensor) -> list[dict[str, float]]:
        return [dict.fromkeys(METRICS, 0.5) for _ in image]


@pytest.fixture
def faces(toy: Generator) -> list[AlignedFace]:
    """Two faces of the generator's size, and between them one that was enlarged to it."""
    codes = sample_codes(toy, 3, randomness=torch.Generator().manual_seed(1)).double()
    first, second, third = (already_aligned(image[None], 32) for image in toy.synthesis(codes))
    return [first, replace(second, quad=second.quad / 2.1), third]


@pytest.fixture
def inverter(toy: Generator) -> Inverter:
    return Inverter(toy, IteratorChain([iterator(toy, 3)]), toy, cast("Evaluator", Measured()), iterator(toy, 2, 0.02))


def iterator(toy: Generator, steps: int, lr: float = 0.08) -> LatentIterator:
    return LatentIterator(toy, toward(pixel_loss), IteratorConfig(steps=steps, lr=lr))


def inverted(inverter: Inverter, faces: list[AlignedFace]) -> list[InvertedFace]:
    return inverter.invert(faces, lambda target: mean_code(inverter.generator, len(target)))


def test_the_last_steps_are_at_full_size_where_a_face_has_the_pixels(
    toy: Generator, faces: list[AlignedFace], inverter: Inverter
) -> None:
    assert inverter.iterators is not None
    assert inverter.full_size is not None
    first, enlarged, third = inverted(inverter, faces)
    for face, found in ((faces[0], first), (faces[2], third)):
        before = inverter.iterators.refine(face.image, mean_code(toy))
        after = inverter.full_size.refine(face.image, before.w_plus)
        torch.testing.assert_close(found.w_plus, after.w_plus[0], rtol=0, atol=1e-10)
        torch.testing.assert_close(found.losses, torch.cat([before.losses, after.losses[1:]])[:, 0])
        assert found.steps == 3 + int(after.steps)
    (without,) = inverted(replace(inverter, full_size=None), faces[1:2])
    torch.testing.assert_close(enlarged.w_plus, without.w_plus, rtol=0, atol=1e-10)
    assert len(enlarged.losses) == 4


def test_steps_at_full_size_are_counted_on(faces: list[AlignedFace], inverter: Inverter) -> None:
    seen: list[int] = []
    inverter.invert(faces[:1], lambda _: mean_code(inverter.generator), lambda step, _: seen.append(step))
    assert seen == [0, 1, 2, 3, 4, 5]
    assert inverter.steps == 5


def test_there_may_be_steps_at_full_size_alone(toy: Generator, faces: list[AlignedFace], inverter: Inverter) -> None:
    alone, seen = replace(inverter, iterators=IteratorChain([iterator(toy, 0)])), list[int]()
    (found,) = alone.invert(faces[:1], lambda _: mean_code(toy), lambda step, _: seen.append(step))
    assert seen == [0, 1, 2]
    assert len(found.losses) == 3


def test_without_a_face_that_has_the_pixels_nothing_is_drawn_at_full_size(
    faces: list[AlignedFace], inverter: Inverter
) -> None:
    assert inverter.full_size is not None
    idle = replace(inverter.full_size, loss=lambda _: pytest.fail("compared at full size"))
    (found,) = inverted(replace(inverter, full_size=idle), faces[1:2])
    assert len(found.losses) == 4


def test_the_photos_own_pattern_is_measured_once(
    faces: list[AlignedFace], inverter: Inverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[float | None] = []

    def measure(*_: object, side: float, pattern_photo: float | None) -> dict[str, float]:
        known.append(pattern_photo)
        return {"pattern_photo": side}

    monkeypatch.setattr("latentloop.embedding.inverter.measure_full_size", measure)
    found = inverted(replace(inverter, show_start=True), faces[:2])
    assert known == [None, None, faces[0].side, faces[1].side]
    assert [one.reconstruction.figures.metrics["pattern_photo"] for one in found] == known[2:]


class Marked:
    """Stands for a refiner, which is tested by itself: its refinement changes the features by a tenth."""

    steps = 2

    def __init__(self, generator: Generator) -> None:
        self.generator, self.sizes = generator, list[int]()

    def refine(
        self, target: Tensor, w_plus: Tensor, on_step: OnStep | None = None, on_image: OnImage | None = None
    ) -> Refined:
        seam, shape = next(iter(seamed(self.generator).seams.items()))
        self.sizes.append(target.shape[-1])
        for step in range(3):
            if on_image:
                on_image(target)
            if on_step:
                on_step(step, torch.zeros(len(target)))
        residuals = [Residual(seam, torch.full(shape, 0.125), code) for code in w_plus]
        name, weights = self.generator.name, weights_fingerprint(self.generator)
        refinements = tuple(Refinement(name, weights, residual) for residual in residuals)
        return Refined(refinements, torch.zeros(3, len(w_plus)))


@pytest.mark.parametrize("steps", [0, 2])
def test_refined_faces_are_drawn_with_what_was_found(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """The sharp face is compared at twice the working size."""
    monkeypatch.setattr("latentloop.embedding.inverter.WORKING_SIZE", 16)
    network = random_network("mobilestylegan")
    refiner, seen = Marked(network), list[int]()
    codes = random_codes(network)
    sharp, soft = (already_aligned(image[None], 32) for image in network.synthesis(codes))
    faces = [sharp, replace(soft, quad=soft.quad / 2.1)]
    iterators = IteratorChain([iterator(network, steps)]) if steps else None
    inverter = Inverter(network, iterators, network, cast("Evaluator", Measured()), beyond=refiner, show_start=True)
    found = inverter.invert(faces, lambda _: codes, lambda step, _: seen.append(step))
    assert sorted(refiner.sizes) == [16, 32]
    assert seen[: 3 + steps] == list(range(3 + steps))
    assert inverter.steps == 2 + steps
    for one in found:
        assert one.refinement is not None
        drawn = refined(network, one.refinement).synthesis(one.w_plus[None])
        assert torch.equal(one.reconstruction.image, drawn)
        assert one.one_pass is not None
        assert not torch.equal(one.one_pass.image, drawn)
