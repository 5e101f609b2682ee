import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.benchmark.editability import EditabilityBench
from latentloop.benchmark.editability_options import EditabilityOptions
from latentloop.defaults import QUICK_GENERATOR
from latentloop.editing import shipped_directions
from latentloop.embedding import Components, load_components
from latentloop.embedding.options import SearchOptions
from latentloop.embedding.result_folder import ResultFolder, ResultPaths
from latentloop.generators import Generator, Refinement, Residual, refined, seamed, weights_fingerprint
from latentloop.images import write_png
from latentloop.latents import Code, save_code
from latentloop.options import flat_fields, with_changes


@pytest.fixture(scope="module")
def components() -> Components:
    return load_components(QUICK_GENERATOR, device="cpu", precision="float32")


@pytest.fixture
def bench(components: Components, tmp_path: Path) -> EditabilityBench:
    return EditabilityBench(components, EditabilityOptions(directions=("smile", "yaw")), tmp_path)


@pytest.fixture
def paths(tmp_path: Path) -> ResultPaths:
    found = ResultFolder(tmp_path).paths("anna")
    found.aligned.parent.mkdir()
    found.aligned.write_bytes(b"picture")
    found.code.write_bytes(b"code")
    return found


def test_edits_go_both_ways_along_each_direction(bench: EditabilityBench) -> None:
    known = shipped_directions(bench.components.generator)
    smile, yaw = known["smile"].change(), known["yaw"].change()
    torch.testing.assert_close(bench.changes, torch.stack([smile, -smile, yaw, -yaw]).float())


def test_a_codes_figures_depend_on_every_option_but_the_device(bench: EditabilityBench, paths: ResultPaths) -> None:
    other: dict[str, Any] = {
        "directions": ("age",), "strength": 2.0, "change": 0.1, "samples": 10, "seed": 1, "lr": 0.5,
        "precision": "bfloat16", "optimizer": "adam", "ramp_up": 0.5, "ramp_down": 0.5, "space": "w", "patience": 3,
        "lambda_mse": 2.0, "lambda_lpips": 2.0, "lpips_net": "squeeze", "lambda_identity": 2.0,
        "identity_layers": "all", "face": "all", "aligned": True, "lambda_near": 1.0, "lambda_align": 1.0,
        "lambda_spread": 1.0, "lambda_fine": 1.0, "looks": 2,
    }  # fmt: skip
    # The code's checksum stands for how it was found, the weights' for the networks, and the others change nothing.
    rest = {"steps", "quality", "refine", "metric", "generator", "which", "embedder", "device", "max_pixels"}
    known = {field.name for field, _ in flat_fields(bench.options)}
    assert known == other.keys() | rest
    stamp = bench.stamp(paths)
    for name, value in other.items():
        changed = replace(bench, options=with_changes(bench.options, {name: value}))
        assert changed.stamp(paths) != stamp, name
    assert replace(bench, options=with_changes(bench.options, {"steps": (7,), "device": "cuda"})).stamp(paths) == stamp


def test_a_codes_figures_depend_on_the_code_and_the_photo(bench: EditabilityBench, paths: ResultPaths) -> None:
    before = bench.stamp(paths)
    assert before["code_sha256"] == hashlib.sha256(b"code").hexdigest()
    paths.aligned.write_bytes(b"another")
    after = bench.stamp(paths)
    assert {name for name in after if after[name] != before[name]} == {"photo_sha256"}


@dataclass(frozen=True)
class MeanMeter:
    """Measures the mean colour of what a code draws, in the place of an `EditMeter`."""

    generator: Generator

    def measure(self, w_plus: torch.Tensor, _: torch.Tensor) -> dict[str, float]:
        with torch.no_grad():
            return {"mean": float(self.generator.synthesis(w_plus, resolution=16).mean())}


def test_a_refined_code_is_measured_with_its_refinement(
    bench: EditabilityBench, make_code: Callable[..., Code], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, paths = bench.components.generator, ResultFolder(bench.out / "steps-0").paths("anna")
    monkeypatch.setitem(vars(bench), "meter", MeanMeter(generator))
    w_plus = generator.latent_avg.expand(generator.num_ws, -1)
    found = {}
    for shift in (0.0, 1.0):
        residual = Residual(4, torch.full(seamed(generator).seams[4], shift), w_plus)
        refinement = Refinement(generator.name, weights_fingerprint(generator), residual)
        save_code(paths.code, make_code(w_plus=w_plus, refinement=refinement))
        write_png(paths.aligned, torch.zeros(1, 3, 16, 16))
        by = refined(generator, refinement)
        found[shift] = bench._figures(paths)["mean"]
        assert found[shift] == MeanMeter(by).measure(w_plus[None], w_plus)["mean"]
    assert found[0.0] != found[1.0]


def test_options_of_the_iterator_are_taken_along() -> None:
    options = EditabilityOptions(lr=0.1, embedder="net", precision="float32")
    embedding = options.embedding(7)
    assert (embedding.common, embedding.step, embedding.loss) == (options.common, options.step, options.loss)
    for field in fields(SearchOptions):
        assert getattr(embedding.search, field.name) == (7 if field.name == "steps" else getattr(options, field.name))
