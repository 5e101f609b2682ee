from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from latentloop.baselines import load_networks
from latentloop.benchmark.finders import CodeFinder, Codes, EmbedFinder, Finder
from latentloop.benchmark.method_table import METHODS
from latentloop.benchmark.methods import BUILDERS, Tools
from latentloop.embedding.beyond import beyond_refiner, refining_loss
from latentloop.embedding.components import Components
from latentloop.embedding.quality import NEAR
from latentloop.encoders import make_embedder, save_embedder
from latentloop.faces import AlignedFace, already_aligned
from latentloop.generators import Generator, load_generator, refined
from latentloop.images import resample
from latentloop.inversion import (
    BeyondConfig,
    FeatureRefiner,
    IteratorConfig,
    LatentIterator,
    PriorConfig,
    WeightTuner,
    code_prior,
)
from latentloop.inversion.beyond_config import REFINE_STEPS
from latentloop.latents import mean_code, sample_codes, style_alignment, w_std_of
from latentloop.losses import iterator_loss
from latentloop.losses.config import LossConfig
from small_generators import TWO_LOOKS, SmallGenerator

CPU = torch.device("cpu")
Make = Callable[..., Tools]


@pytest.fixture
def make(small_generator: SmallGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Tools with a generator that draws twice the size that methods compare."""
    monkeypatch.setattr("latentloop.embedding.inverter.WORKING_SIZE", 16)
    generator, network = small_generator(), tmp_path / "network.safetensors"
    save_embedder(network, make_embedder(TWO_LOOKS, load_generator(generator), seed=0))
    networks = load_networks("alexnet", device=CPU, dtype=torch.float32)

    def build(precision: torch.dtype = torch.float32) -> Tools:
        return Tools(Components(str(generator), CPU, precision, str(network)), networks, aligned=True)

    return build


def images(generator: Generator) -> list[AlignedFace]:
    codes = sample_codes(generator, 2, randomness=torch.Generator().manual_seed(3))
    return [already_aligned(image[None], 32) for image in generator.synthesis(codes)]


def found(finder: Finder, tools: Tools) -> tuple[Tensor, Codes]:
    """Two targets of 16 pixels, and their codes."""
    faces = images(tools.parts.generator)
    target = torch.cat([already_aligned(face.image, 16).image for face in faces])
    return target, finder.find(target, faces)


def iterator(tools: Tools, steps: int, *, near: bool) -> LatentIterator:
    """The iterator of images that are not of faces, put together by hand from the values of balanced quality."""
    generator = tools.parts.generator
    if not near:
        return LatentIterator(generator, iterator_loss(), IteratorConfig(steps, lr=0.08))
    prior = code_prior(NEAR["balanced"].prior, w_std=lambda: w_std_of(generator), alignment=lambda: pytest.fail("used"))
    return LatentIterator(generator, iterator_loss(), IteratorConfig(steps, lr=0.02, ramp_up=0.1), prior)


def test_one_pass_is_the_networks_code(make: Make) -> None:
    tools = make()
    target, codes = found(BUILDERS["one-pass"](tools, 0), tools)
    assert torch.equal(codes.w_plus, tools.parts.encoder(resample(target, 32)))


@pytest.mark.parametrize("name", ["hybrid", "optimize"])
def test_steps_are_those_of_the_iterator_of_embed(make: Make, name: str) -> None:
    tools = make()
    target, codes = found(BUILDERS[name](tools, 3), tools)
    _, first = found(BUILDERS["one-pass"](tools, 0), tools)
    start = first.w_plus if name == "hybrid" else mean_code(tools.parts.generator, 2)
    expected = iterator(tools, 3, near=name == "hybrid").refine(target, start)
    assert torch.equal(codes.w_plus, expected.w_plus)
    assert codes.generators == ()


@pytest.mark.parametrize(("refine", "steps", "beyond"), [("features", 14, 10), ("weights", 8, 3), ("weights", 1, 0)])
def test_refinements_follow_the_iterator_at_the_targets_size(
    make: Make, refine: Literal["features", "weights"], steps: int, beyond: int
) -> None:
    tools = make()
    told: list[int] = []
    generator, finder = tools.parts.generator, BUILDERS[f"hybrid-{refine}"](tools, steps)
    target, codes = found(finder, tools)
    finder.find(target, images(generator), lambda step, _: told.append(step))
    _, first = found(BUILDERS["one-pass"](tools, 0), tools)
    expected = iterator(tools, steps - beyond, near=True).refine(target, first.w_plus)
    assert torch.equal(codes.w_plus, expected.w_plus)
    assert sorted(set(told)) == list(range(steps + 1))
    if not beyond:
        assert codes.generators == ()
        return
    loss = iterator_loss(refining_loss(LossConfig()))
    refiner = beyond_refiner(BeyondConfig(refine, beyond), loss, generator)
    later = refiner.refine(target, expected.w_plus)
    assert (later.losses.amin(dim=0) < later.losses[0]).all()
    for i, refinement in enumerate(later.refinements):
        w_plus = codes.w_plus[i : i + 1]
        drawn = codes.generators[i].synthesis(w_plus)
        assert torch.equal(drawn, refined(generator, refinement).synthesis(w_plus))
        assert not torch.equal(drawn, generator.synthesis(w_plus))


@pytest.mark.parametrize("refine", ["features", "weights"])
def test_refiners_are_those_of_embed_with_its_number_of_steps(
    make: Make, refine: Literal["features", "weights"]
) -> None:
    before = NEAR["balanced"].steps if refine == "features" else METHODS["hybrid"].steps
    assert METHODS[f"hybrid-{refine}"].steps == before + REFINE_STEPS
    finder = BUILDERS[f"hybrid-{refine}"](make(), METHODS[f"hybrid-{refine}"].steps)
    assert isinstance(finder, EmbedFinder)
    assert isinstance(finder.inverter.beyond, FeatureRefiner if refine == "features" else WeightTuner)
    assert (finder.inverter.steps, finder.inverter.beyond.steps) == (before + REFINE_STEPS, REFINE_STEPS)


@pytest.fixture
def aligning(monkeypatch: pytest.MonkeyPatch) -> PriorConfig:
    """A prior of all terms, as the one that near starts get."""
    prior = PriorConfig(lambda_near=0.1, lambda_align=1.0, lambda_spread=0.2)
    monkeypatch.setitem(NEAR, "balanced", replace(NEAR["balanced"], prior=prior))
    return prior


def test_the_prior_is_that_of_embed_whatever_draws(make: Make, aligning: PriorConfig) -> None:
    tools = make(torch.bfloat16)
    generator, finder = tools.parts.generator, BUILDERS["hybrid"](tools, 2)
    assert isinstance(finder, CodeFinder)
    assert isinstance(finder.refiner, LatentIterator)
    start, w_plus = sample_codes(generator, 2, randomness=torch.Generator().manual_seed(0)).split(1)
    expected = code_prior(aligning, w_std=lambda: w_std_of(generator), alignment=lambda: style_alignment(generator))
    assert finder.refiner.prior is not None
    assert expected is not None
    assert finder.refiner.generator is tools.generator is not generator
    assert torch.equal(finder.refiner.prior(start)(w_plus), expected(start)(w_plus))
    assert finder.settings == {"lambda_near": 0.1, "lambda_align": 1.0, "lambda_spread": 0.2}


@pytest.mark.usefixtures("aligning")
def test_random_codes_are_looked_at_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from latentloop.embedding import components

    seen, tools = list[str](), make()

    def counted(name: str, look: Callable[[Generator], Any]) -> Callable[[Generator], Any]:
        def looked(generator: Generator) -> Any:  # noqa: ANN401
            seen.append(name)
            return look(generator)

        return looked

    for name in ("w_std_of", "style_alignment"):
        monkeypatch.setattr(components, name, counted(name, getattr(components, name)))
    for steps in (2, 5):
        BUILDERS["hybrid"](tools, steps)
    assert sorted(seen) == ["style_alignment", "w_std_of"]
