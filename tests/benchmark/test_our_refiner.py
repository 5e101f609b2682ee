from dataclasses import fields
from typing import Literal

import pytest
import torch

from latentloop.benchmark.method_table import METHODS
from latentloop.benchmark.our_refiner import IteratedAndRefined, our_refiner
from latentloop.embedding import set_up
from latentloop.embedding.components import load_components
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import NEAR
from latentloop.inversion import FeatureRefiner, IteratorConfig, LatentIterator, WeightTuner
from latentloop.inversion.beyond_config import REFINE_STEPS
from latentloop.losses.image import pixel_loss
from latentloop.options import with_changes
from random_networks import random_codes, random_network


@pytest.mark.parametrize("refine", ["features", "weights"])
def test_the_codes_are_the_iterators_and_the_images_come_closer(refine: Literal["features", "weights"]) -> None:
    network = random_network("mobilestylegan", double=False)
    target, start = torch.rand(2, 3, 32, 32) * 2 - 1, random_codes(network)
    iterator = LatentIterator(network, lambda image: lambda drawn: pixel_loss(drawn, image), IteratorConfig(3))
    told: list[int] = []
    method = IteratedAndRefined(iterator, our_refiner(network)(refine, 8))
    found, before = method.refine(target, start, lambda step, _: told.append(step)), iterator.refine(target, start)
    assert torch.equal(found.w_plus, before.w_plus)
    assert sorted(set(told)) == list(range(12))
    compared = our_refiner(network)(refine, 0).refine(target, before.w_plus).losses[-1]
    assert (found.loss < compared).all()
    for i, generator in enumerate(found.generators):
        torch.testing.assert_close(generator.synthesis(found.w_plus[i : i + 1]), found.image[i : i + 1])
        assert (generator.synthesis(found.w_plus) - network.synthesis(found.w_plus)).abs().max() > 1e-3


@pytest.mark.parametrize("refine", ["features", "weights"])
def test_they_are_those_of_embed(refine: Literal["features", "weights"]) -> None:
    components = load_components("mobile-ffhq-256", device="cpu", precision="float32")
    changes = {"method": "optimize", "device": "cpu", "render": 256, "refine": refine}
    theirs = set_up(with_changes(EmbedOptions(), changes), components).inverter().beyond
    ours = our_refiner(components.generator)(refine, REFINE_STEPS)
    before = NEAR["balanced"].steps if refine == "features" else METHODS["hybrid"].steps
    assert METHODS[f"hybrid-{refine}"].steps == before + REFINE_STEPS
    assert isinstance(ours, FeatureRefiner | WeightTuner)
    assert isinstance(theirs, FeatureRefiner | WeightTuner)
    assert _settings(ours) == _settings(theirs)
    target = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2 - 1
    first, second = (one.comparison.toward(target).whole(target.flip(3)) for one in (ours, theirs))
    torch.testing.assert_close(first, second)


def _settings(refiner: FeatureRefiner | WeightTuner) -> dict[str, object]:
    shared = ("generator", "comparison")
    settings = {field.name: getattr(refiner, field.name) for field in fields(refiner) if field.name not in shared}
    return {"kind": type(refiner), **settings}
