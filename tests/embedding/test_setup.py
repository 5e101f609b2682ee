import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.embedding import components_for, set_up
from latentloop.embedding.options import EmbedOptions
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.inversion.metric_estimate import metric_of
from latentloop.inversion.metric_file import cached_metric_path, save_metric
from latentloop.latents import Code, save_code
from latentloop.options import flat_fields, with_changes
from latentloop.stamps import STAMPED_AS

pytestmark = pytest.mark.usefixtures("toy_shipped")
TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
BASE: dict[str, Any] = {"method": "optimize", "device": "cpu", "precision": "float32"}
NEUTRAL: dict[str, Any] = {"device": "auto", "compile": "off", "batch": 4, "pictures": False, "max_pixels": 5000}
OTHER: dict[str, Any] = {
    "seed": 1,
    "method": "hybrid",
    "quality": "instant",
    "steps": 7,
    "lr": 0.5,
    "looks": 2,
    "precision": "bfloat16",
    "optimizer": "adam",
    "ramp_up": 0.25,
    "ramp_down": 0.5,
    "space": "w",
    "patience": 3,
    "lambda_mse": 2.0,
    "lambda_lpips": 0.0,
    "lpips_net": "squeeze",
    "lambda_identity": 0.5,
    "identity_layers": "all",
    "lambda_near": 0.01,
    "lambda_align": 0.01,
    "lambda_spread": 0.01,
    "lambda_fine": 0.01,
    "polish": 2,
    "full_size_steps": 2,
    "refine": "weights",
    "refine_steps": 3,
    "lambda_local": 0.5,
    "start": "sample",
    "face": "2",
    "aligned": True,
}
"""Another value of each option, in the base's place."""
BY_CONTENT = {"generator", "which", "embedder", "render", "metric"}
"""Options that are files or become them; tested by themselves."""


@pytest.fixture
def network(float_toy: Generator, tmp_path: Path) -> Path:
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, float_toy, seed=0))
    return tmp_path / "network.safetensors"


def stamp(network: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    if changes.get("method") == "hybrid":
        changes["embedder"] = str(network)
    options = with_changes(EmbedOptions(), {**BASE, **changes})
    return set_up(options, components_for(options)).stamp()


def test_every_option_has_another_value_here() -> None:
    assert {field.name for field, _ in flat_fields(EmbedOptions())} == {*NEUTRAL, *OTHER, *BY_CONTENT}


@pytest.mark.parametrize("name", OTHER)
def test_another_value_of_an_option_makes_another_stamp(
    network: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)  # steps at full size count from there
    base = {
        "seed": {"start": "sample"},
        "refine_steps": {"refine": "features"},
        "lambda_local": {"refine": "weights"},
    }.get(name, {})
    assert stamp(network, **base, **{name: OTHER[name]}) != stamp(network, **base)


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_neutral_option_leaves_the_stamp_as_it_is_and_is_declared_so(network: Path, name: str) -> None:
    (field,) = [field for field, _ in flat_fields(EmbedOptions()) if field.name == name]
    assert field.metadata[STAMPED_AS] == ()
    assert stamp(network, **{name: NEUTRAL[name]}) == stamp(network)


def test_files_count_by_their_content(network: Path, float_toy: Generator, tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.safetensors", tmp_path / "other.safetensors"
    copy.write_bytes(network.read_bytes())
    save_embedder(other, make_embedder(TINY, float_toy, seed=1))
    stamps = [stamp(network, method="embed", embedder=str(path)) for path in (network, copy, other)]
    assert stamps[0] == stamps[1] != stamps[2]


@pytest.fixture
def metric(float_toy: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a metric of the toy generator, where it is looked for."""
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))
    path = cached_metric_path(float_toy)
    save_metric(path, metric_of(torch.eye(8).expand(4, -1, -1), fingerprint=float_toy.fingerprint), {})
    return path


def test_a_metric_counts_by_its_content_where_it_is_taken(network: Path, metric: Path) -> None:
    """So results without one equal those of versions without metrics."""
    changes: list[dict[str, Any]] = [{"metric": "off"}, {"optimizer": "adam"}, {"space": "w"}, {"steps": 0}]
    changes += [{"method": "embed", "embedder": str(network)}, {"steps": 0, "polish": 3}, {}]
    taken = [stamp(network, **change).get("metric_sha256") for change in changes]
    assert taken[:-2] == [None] * 5
    assert taken[-2:] == [sha256_of(metric)] * 2
    metric.unlink()
    assert stamp(network) == stamp(network, metric="off")


@pytest.mark.parametrize(("changes", "taken"), [({}, True), ({"metric": "off"}, False)])
def test_all_iterators_take_the_metric(
    metric: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], *, taken: bool
) -> None:
    assert metric.is_file()
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)
    options = with_changes(EmbedOptions(), {**BASE, "full_size_steps": 1, "polish": 1, **changes})
    inverter = set_up(options, components_for(options)).inverter()
    assert inverter.iterators is not None
    assert inverter.full_size is not None
    iterators = [*inverter.iterators.iterators, inverter.full_size]
    assert [one.metric is not None for one in iterators] == [taken] * 3


@pytest.mark.parametrize(
    ("photos", "changes", "told"),
    [(100, {}, 1), (49, {}, 0), (100, {"metric": "off"}, 0), (100, {"optimizer": "adam"}, 0)],
)
def test_a_long_job_is_told_that_a_metric_would_pay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photos: int, changes: dict[str, Any], told: int
) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path))
    said: list[str] = []
    options = with_changes(EmbedOptions(), {**BASE, **changes})
    set_up(options, components_for(options), warn=said.append).inverter(photos)
    assert said == ["a metric would halve the steps needed: latentloop metric mobile-ffhq-1024"] * told


BEFORE: dict[str, Any] = {"metric": "off", "lambda_identity": 0.0, "lambda_near": 0.0}
"""Options that earlier versions did not have, at what they did."""


def test_the_stamp_is_what_earlier_versions_wrote(network: Path) -> None:
    """So that their results count as finished."""
    settings = stamp(network, steps=50, lr=0.1, **BEFORE)
    assert {name: value for name, value in settings.items() if not name.endswith("sha256")} == {
        "generator": "toy-32",
        "render": 32,
        "resolution": 32,
        "precision": "float32",
        "method": "optimize",
        "polish": 0,
        "steps": 50,
        "optimizer": "muon",
        "lr": 0.1,
        "ramp_up": 0.0,
        "ramp_down": 1.0,
        "space": "w+",
        "patience": 0,
        "lambda_mse": 1.0,
        "lambda_lpips": 0.8,
        "lpips_net": "alex",
        "start": "average",
        "face": "largest",
        "aligned": False,
    }
    assert {name for name in settings if name.endswith("sha256")} == {"weights_sha256", "renderer_sha256"}
    assert json.loads(json.dumps(settings)) == settings


def test_results_of_earlier_versions_count_by_the_step_size_that_was_used(network: Path) -> None:
    """Those from the network's code were asked for with twice the number."""
    settings = stamp(network, method="hybrid", steps=50, lr=0.02, ramp_up=0.0, **BEFORE)
    assert {"steps": 50, "lr": 0.02, "ramp_up": 0.0, "start": "network"}.items() <= settings.items()
    earlier = {*stamp(network, steps=50, lr=0.1, **BEFORE), "embedder_sha256"}
    assert set(settings) == earlier
    one_pass = stamp(network, method="embed", embedder=str(network))
    assert {"steps": 0, "lr": 0.08, "ramp_up": 0.0, "method": "embed"}.items() <= one_pass.items()
    assert set(one_pass) == earlier


@pytest.mark.parametrize(
    ("changes", "steps", "lr"),
    [
        ({}, 100, 0.08),
        ({"method": "auto", "embedder": "{network}"}, 12, 0.02),
        ({"start": "{code}"}, 100, 0.08),
        ({"start": "{folder}"}, 12, 0.02),
        ({"start": "{folder}", "steps": 7, "lr": 0.5}, 7, 0.5),
    ],
)
def test_from_a_code_of_the_photos_own_the_iterator_takes_fewer_and_smaller_steps(
    network: Path,
    float_toy: Generator,
    tmp_path: Path,
    make_code: Callable[..., Code],
    changes: dict[str, Any],
    steps: int,
    lr: float,
) -> None:
    folder = tmp_path / "codes"
    save_code(folder / "photo.npz", make_code(w_plus=torch.zeros(4, 8), fingerprint=float_toy.fingerprint))
    places = {"network": network, "code": folder / "photo.npz", "folder": folder}
    filled = {n: v.format(**places) if isinstance(v, str) else v for n, v in changes.items()}
    options = with_changes(EmbedOptions(), {**BASE, **filled})
    config = set_up(options, components_for(options)).config
    assert (config.steps, config.lr) == (steps, lr)


def test_at_full_size_the_renderer_is_compared_where_it_draws_more_than_the_working_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = with_changes(EmbedOptions(), {**BASE, "full_size_steps": 7, "steps": 2})
    assert set_up(options, components_for(options)).inverter().full_size is None
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)
    inverter = set_up(options, components_for(options)).inverter()
    assert inverter.full_size is not None
    assert inverter.full_size.config.steps == 7
    assert inverter.steps == 9


def test_a_prior_is_on_all_iterators_and_its_statistics_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Generator] = []

    def statistics(generator: Generator) -> float:
        asked.append(generator)
        return 1.0

    monkeypatch.setattr("latentloop.embedding.components.w_std_of", statistics)
    for weight in (0.0, 0.5):
        options = with_changes(EmbedOptions(), {**BASE, "polish": 2, "lambda_near": weight})
        chain = set_up(options, components_for(options)).inverter().iterators
        assert chain is not None
        assert [one.prior is not None for one in chain.iterators] == [weight > 0] * 2
    assert len(asked) == 1
