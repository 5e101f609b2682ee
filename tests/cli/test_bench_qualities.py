"""`bench` finds the codes that `embed` finds in the same quality."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latentloop.benchmark.method_table import METHODS
from latentloop.benchmark.our_embedding import quality_options
from latentloop.embedding.options import EmbedOptions, SearchOptions
from latentloop.embedding.quality import Quality
from latentloop.images import read_image, resample, write_png

Run = Callable[..., tuple[int, list[str], list[str]]]
SAMPLE = Path(__file__).parents[2] / "examples" / "photos" / "female-16.jpg"
SHARED = ["--aligned", "--generator", "mobile-ffhq-256", "--device", "cpu", "--precision", "float32"]
SEARCHES = {
    "two-looks": ["--method", "embed", "--looks", 2],
    "balanced-3": ["--steps", 1, "--refine", "features", "--refine-steps", 2],
}
"""Options of `embed` by folder of the method in `bench`."""


@pytest.mark.usefixtures("process")
def test_codes_and_pictures_are_those_of_embed(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "face.png"
    write_png(photo, resample(read_image(SAMPLE)[..., :256, :256], 256))
    methods = [name.replace("-3", ":3") for name in SEARCHES]
    bench = ["bench", "--root", photo.parent, "--methods", *methods, "--out", tmp_path / "bench"]
    assert run(*bench, *SHARED)[0] == 0
    for name, options in SEARCHES.items():
        out = tmp_path / name
        assert run("embed", photo, *options, "--render", 256, "--out", out, *SHARED)[0] == 0
        ours, theirs = (np.load(folder / "face.npz")["w_plus"] for folder in (out, tmp_path / "bench" / name))
        np.testing.assert_array_equal(ours, theirs)
        drawn, again = (read_image(folder / "face.png") for folder in (out, tmp_path / "bench" / name))
        assert (drawn - again).abs().max() <= 1.01 / 127.5  # levels of 8 bits, rounded after the same drawing


@pytest.mark.parametrize("quality", ["instant", "balanced", "best"])
def test_the_qualitys_own_steps_leave_every_option_to_embed(quality: Quality) -> None:
    own = EmbedOptions(method="hybrid", search=SearchOptions(quality=quality))
    assert quality_options(quality, METHODS[quality].steps) == own
    assert quality_options(quality, 10).search.steps in (10, 3, 6)
