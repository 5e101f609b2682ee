"""`bench` finds the codes that `embed` finds in the same quality."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latentloop.benchmark.method_table import METHODS
from latentloop.benchmark.our_embedding import quality_options
from latentloop.embedding.options import EmbedOptions, SearchOptions
from latentloop.embedding.quality import Quality
from latentloop.encoders import make_embedder, save_embedder
from latentloop.generators import load_generator
from small_generators import TWO_LOOKS, SmallGenerator, SmallPhotos

Run = Callable[..., tuple[int, list[str], list[str]]]
CPU = ["--aligned", "--device", "cpu", "--precision", "float32"]
SEARCHES = {
    "two-looks": ["--method", "embed", "--looks", 2],
    "instant-2": ["--quality", "instant", "--steps", 2],
    "balanced-3": ["--steps", 1, "--refine", "features", "--refine-steps", 2],
}
"""Options of `embed` by folder of the method in `bench`."""


@pytest.mark.usefixtures("process")
def test_codes_are_those_of_embed(
    run: Run, small_generator: SmallGenerator, small_photos: SmallPhotos, tmp_path: Path
) -> None:
    generator, network = small_generator(), tmp_path / "network.safetensors"
    save_embedder(network, make_embedder(TWO_LOOKS, load_generator(generator), seed=0))
    photos, shared = small_photos(generator, 2), ["--generator", generator, "--embedder", network, *CPU]
    methods = [name.replace("-2", ":2").replace("-3", ":3") for name in SEARCHES]
    assert run("bench", "--root", photos, "--methods", *methods, "--out", tmp_path / "bench", *shared)[0] == 0
    for name, options in SEARCHES.items():
        out = tmp_path / name
        assert run("embed", photos, *options, "--out", out, *shared)[0] == 0
        for code in sorted(out.glob("*.npz")):
            again = tmp_path / "bench" / name / code.name
            np.testing.assert_array_equal(np.load(code)["w_plus"], np.load(again)["w_plus"])
        assert len(list(out.glob("*.npz"))) == 2


@pytest.mark.parametrize("quality", ["instant", "balanced", "best"])
def test_the_qualitys_own_steps_leave_every_option_to_embed(quality: Quality) -> None:
    own = EmbedOptions(method="hybrid", search=SearchOptions(quality=quality))
    assert quality_options(quality, METHODS[quality].steps) == own
    assert quality_options(quality, 10).search.steps in (10, 3, 6)
