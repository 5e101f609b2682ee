from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentloop.benchmark.finders import embed_finder
from latentloop.benchmark.meters import CallCounter
from latentloop.benchmark.our_embedding import set_up_embedding
from latentloop.defaults import GENERATOR
from latentloop.embedding.components import Components
from latentloop.embedding.options import EmbedOptions, SearchOptions
from latentloop.embedding.quality import Quality
from latentloop.embedding.setup import Setup
from latentloop.embedding.starts import FaceStart
from latentloop.encoders import make_embedder, save_embedder
from latentloop.faces import AlignedFace, already_aligned
from latentloop.generators import load_generator
from latentloop.inversion import BeyondConfig, Refined
from latentloop.latents import sample_codes
from small_generators import TWO_LOOKS, SmallGenerator

CPU = torch.device("cpu")
OurEmbedding = Callable[[EmbedOptions], Setup]


@pytest.fixture
def counter() -> CallCounter:
    return CallCounter()


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    return small_generator()


@pytest.fixture
def embedding(generator: Path, counter: CallCounter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OurEmbedding:
    """Embedding for a generator that draws twice the working size."""
    monkeypatch.setattr("latentloop.embedding.inverter.WORKING_SIZE", 16)
    network = tmp_path / "network.safetensors"
    save_embedder(network, make_embedder(TWO_LOOKS, load_generator(generator), seed=0))
    parts = Components(str(generator), CPU, torch.float32, str(network), watched=counter.counted)
    return partial(set_up_embedding, parts=parts, aligned=True)


@pytest.fixture
def faces(generator: Path) -> list[AlignedFace]:
    network = load_generator(generator)
    codes = sample_codes(network, 2, randomness=torch.Generator().manual_seed(3))
    return [already_aligned(image[None], 32) for image in network.synthesis(codes)]


def chosen(quality: Quality, steps: int, refining: int = 0) -> EmbedOptions:
    beyond = BeyondConfig("features", refining) if refining else BeyondConfig("none")
    return EmbedOptions(method="hybrid", search=SearchOptions(quality=quality, steps=steps), beyond=beyond)


OPTIONS = {
    "instant": chosen("instant", 2),
    "balanced": chosen("balanced", 1, 2),
    "best": chosen("best", 2, 1),
    "two-looks": EmbedOptions(method="embed", search=SearchOptions(looks=2)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_codes_refinements_and_pictures_are_to_the_bit_those_of_embed(
    embedding: OurEmbedding, faces: list[AlignedFace], name: str
) -> None:
    setup = embedding(OPTIONS[name])
    target = torch.cat([face.image for face in faces])
    found = embed_finder(setup).find(target, faces)
    starts = [FaceStart()] * len(faces)
    expected = setup.inverter().invert(faces, lambda target: setup.start.codes(target, starts))
    for i, one in enumerate(expected):
        code = found.of(i)
        with torch.inference_mode():
            image = code.drawn_by(setup.renderer).synthesis(code.w_plus)
        assert torch.equal(code.w_plus[0], one.w_plus)
        assert torch.equal(image, one.reconstruction.image)
        assert bool(code.generators) is bool(one.refinement) is (name in ("balanced", "best"))


def test_details_are_compared_at_twice_the_working_size(
    embedding: OurEmbedding, faces: list[AlignedFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, finder = list[int](), embed_finder(embedding(OPTIONS["balanced"]))
    assert finder.inverter.beyond is not None
    refine = finder.inverter.beyond.refine

    def noting(target: Tensor, *others: Any) -> Refined:  # noqa: ANN401
        sizes.append(target.shape[-1])
        return refine(target, *others)

    monkeypatch.setattr(type(finder.inverter.beyond), "refine", staticmethod(noting))
    finder.find(torch.cat([face.image for face in faces]), faces)
    assert sizes == [32]


@pytest.mark.parametrize(("name", "images"), [("two-looks", 1), ("instant", 3), ("balanced", 5)])
def test_images_of_the_search_are_counted(
    embedding: OurEmbedding, faces: Sequence[AlignedFace], counter: CallCounter, name: str, images: int
) -> None:
    """One per look between passes, and one at the start and after each step, in the code and beyond it."""
    for again in (1, 2):  # methods share their networks: none is counted twice
        embed_finder(embedding(OPTIONS[name])).find(torch.cat([face.image for face in faces]), faces)
        assert counter.calls == again * images * len(faces)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_images_of_the_quick_generator_are_counted(counter: CallCounter, precision: torch.dtype) -> None:
    setup = set_up_embedding(
        OPTIONS["instant"], Components(GENERATOR, CPU, precision, watched=counter.counted), aligned=True
    )
    assert setup.drawing.resolution < setup.renderer.resolution
    with torch.inference_mode():
        setup.drawing.synthesis(setup.components.generator.latent_avg.expand(1, setup.drawing.num_ws, -1))
    assert counter.calls == 1


def test_the_stamp_covers_quality_steps_looks_and_the_generator_of_the_steps(embedding: OurEmbedding) -> None:
    more = {"more steps": chosen("instant", 3), "more beyond": chosen("balanced", 1, 3)}
    stamps = [embed_finder(embedding(options)).settings for options in (*OPTIONS.values(), *more.values())]
    assert all(one not in stamps[:i] for i, one in enumerate(stamps))
    shipped = Components(GENERATOR, CPU, torch.float32)
    for name, use in (("instant", "stepped_on"), ("two-looks", "looked_on")):
        stamp = set_up_embedding(OPTIONS[name], shipped, aligned=True).stamp()
        assert stamp[use] == "mobile-ffhq-256"
        assert len(stamp[f"{use}_sha256"]) == 64
