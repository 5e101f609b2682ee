import subprocess
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.metadata import version
from json import dumps
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.baselines import Networks, load_networks
from latentloop.baselines.names import FeatureNet
from latentloop.benchmark import setup
from latentloop.benchmark.editability import EditabilityBench
from latentloop.benchmark.editability_options import EditabilityOptions
from latentloop.benchmark.observer import Silent
from latentloop.benchmark.options import ComparisonOptions, MachineOptions
from latentloop.defaults import QUICK_GENERATOR
from latentloop.devices import describe_device
from latentloop.embedding import load_components
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import MobileStyleGAN, load_generator, stylegan2
from latentloop.generators.mobilestylegan import Shape
from latentloop.generators.registry import save_generator
from latentloop.inversion import IteratorConfig
from latentloop.inversion.metric_job import make_metric
from latentloop.inversion.metric_options import MetricOptions
from latentloop.options import flat_fields, with_changes
from latentloop.stamps import STAMPED_AS, key_of
from stylegan2_tensors import nvidia, random_stylegan2, rosinality

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
OTHER: dict[str, Any] = {
    "root": Path("elsewhere"),
    "data": "cacd",
    "limit": 3,
    "aligned": True,
    "methods": ("optimize:3",),
    "steps": 4,
    "protocol": "strict",
    "full_size": True,
    "edits": True,
    "features": "vgg16",
    "generator": "b.safetensors",
    "which": "g",
    "embedder": "e.safetensors",
    "batch": 2,
    "out": Path("other"),
    "beside": (Path("beside"),),
    "device": "cpu:0",
    "precision": "bfloat16",
}
"""Another value of every option; files by their names."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two generators of one latent space, two networks for the first, and a file of two generators."""
    folder = tmp_path_factory.mktemp("files")
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        generator = MobileStyleGAN(Shape(w_dim=8, num_ws=6, channels=(16, 16, 8)), name="", fingerprint="")
        generator.mapping.requires_grad_(False)
        save_generator(folder / f"{name}.safetensors", generator)
    for seed, name in enumerate(("d", "e")):
        network = make_embedder(TINY, load_generator(folder / "a.safetensors"), seed=seed)
        save_embedder(folder / f"{name}.safetensors", network)
    both = rosinality(nvidia(random_stylegan2(stylegan2.Shape(mapping=(8, 8, 8), channels=(4, 4, 4, 4)))))
    torch.save({"g_ema": both, "g": both}, folder / "both.pt")
    return folder


@pytest.fixture
def options(files: Path) -> ComparisonOptions:
    return ComparisonOptions(
        methods=("one-pass", "hybrid:2", "optimize:2", "projector-w+"),
        steps=3,
        protocol="psp",
        generator=str(files / "a.safetensors"),
        embedder=str(files / "d.safetensors"),
        machine=MachineOptions("cpu", "float32"),
    )


@pytest.fixture(autouse=True)
def no_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    """AlexNet under the name that is asked for."""

    def networks(name: FeatureNet, *, device: torch.device, dtype: torch.dtype) -> Networks:
        return replace(load_networks("alexnet", device=device, dtype=dtype), name=name)

    monkeypatch.setattr(setup, "load_networks", networks)


@pytest.fixture(autouse=True)
def no_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No edits, for which small generators have no directions."""
    monkeypatch.setattr(setup, "both_ways", lambda _, generator: torch.zeros(1, generator.num_ws, generator.w_dim))


def keys(options: ComparisonOptions) -> list[str]:
    return sorted(key_of(method.stamp) for method in setup.set_up(options, Silent()).benchmark.methods)


def test_there_is_another_value_of_every_option() -> None:
    assert list(OTHER) == [field.name for field, _ in flat_fields(ComparisonOptions())]


@pytest.mark.parametrize("name", OTHER)
def test_every_option_changes_what_results_are_made_from_unless_declared_neutral(
    options: ComparisonOptions, files: Path, name: str
) -> None:
    (field,) = [field for field, _ in flat_fields(options) if field.name == name]
    neutral = field.metadata.get(STAMPED_AS) == ()
    if name in ("generator", "which"):  # no network here finds the codes of the other ones
        options = with_changes(options, {"methods": ("optimize:2",), "embedder": None})
    if name == "which":
        options = with_changes(options, {"generator": str(files / "both.pt")})
    value = str(files / OTHER[name]) if name in ("generator", "embedder") else OTHER[name]
    changed = with_changes(options, {name: value})
    assert (keys(changed) == keys(options)) is neutral


def test_refined_codes_are_found_in_the_precision_of_the_others_as_in_embed(options: ComparisonOptions) -> None:
    low = with_changes(options, {"precision": "bfloat16", "methods": ("hybrid:2",)})
    ours = ("hybrid:2", "instant:2", "balanced:2", "best:2", "hybrid-features:2", "hybrid-weights:2")
    beside = setup.set_up(with_changes(low, {"methods": ours}), Silent()).benchmark.methods
    assert {method.stamp["precision"] for method in beside} == {"torch.bfloat16"}
    assert [key_of(beside[0].stamp)] == keys(low)


@pytest.mark.parametrize("method", ["pti:4", "dhr-like:4"])
def test_what_changes_the_generator_itself_needs_it_in_float32(
    options: ComparisonOptions, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="optimize noise maps or weights need float32"):
        keys(with_changes(options, {"precision": "bfloat16", "methods": (method,)}))
    monkeypatch.setattr(setup, "find_precision", lambda *_: torch.bfloat16)  # of a processor that has it
    (made,) = setup.set_up(
        with_changes(options, {"precision": "auto", "methods": (method,)}), Silent()
    ).benchmark.methods
    assert made.stamp["precision"] == "torch.float32"


def test_images_of_an_aligned_set_count_as_aligned(options: ComparisonOptions) -> None:
    of_set, aligned = (with_changes(options, change) for change in ({"data": "ffhq"}, {"aligned": True}))
    assert keys(of_set) == keys(aligned)


def test_results_of_earlier_versions_keep_their_keys(options: ComparisonOptions) -> None:
    options = with_changes(options, {"aligned": True})  # of what may not be faces, whose identity counts today
    stamps = {method.name: method.stamp for method in setup.set_up(options, Silent()).benchmark.methods}
    assert options.embedder is not None
    earlier = {
        "photo_sha256": "ab" * 32,
        "weights_sha256": sha256_of(Path(options.generator)),
        "embedder_sha256": sha256_of(Path(options.embedder)),
        "device": describe_device(torch.device("cpu")),
        "precision": "torch.float32",
        "batch": 1,
        "aligned": True,
        "method": "optimize",
        "features": "none",
        "latentloop": version("latentloop"),
        **{f"config.{name}": value for name, value in asdict(IteratorConfig(steps=2)).items()},
    }
    key = sha256(dumps(earlier, sort_keys=True).encode()).hexdigest()
    assert key_of({**stamps["optimize-2"], "photo_sha256": "ab" * 32}) == key


def test_a_metric_counts_for_our_iterator_alone(
    options: ComparisonOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path))
    without = {method.name: method.stamp for method in setup.set_up(options, Silent()).benchmark.methods}
    make_metric(options.generator, options=MetricOptions(samples=1))
    methods = setup.set_up(options, Silent()).benchmark.methods
    changed = {method.name for method in methods if method.stamp != without[method.name]}
    taken = {method.name for method in methods if getattr(getattr(method.finder, "refiner", None), "metric", None)}
    assert changed == taken == {"hybrid-2", "optimize-2"}
    (file,) = tmp_path.glob("metrics/*")
    assert {method.stamp.get("metric.sha256") for method in methods} == {None, sha256_of(file)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 0}, "batch must be 1 or more, got 0"),
        ({"limit": 0}, "limit and steps must be 1 or more"),
        ({"steps": 0}, "limit and steps must be 1 or more"),
        ({"methods": ()}, "name at least one method"),
        ({"methods": ("pix2pix",)}, "unknown method"),
    ],
)
def test_options_are_checked_where_they_are_declared(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_changes(ComparisonOptions(), change)


def test_edits_are_those_of_the_benchmark_of_edits_and_need_a_network(
    options: ComparisonOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the bundled directions are of no small generator
    bundled = with_changes(ComparisonOptions(edits=True), {"generator": QUICK_GENERATOR, "methods": ("one-pass",)})
    meter = setup.set_up(bundled, Silent()).benchmark.edits
    assert meter is not None
    theirs = EditabilityBench(load_components(QUICK_GENERATOR, device="cpu"), EditabilityOptions(), Path())
    assert torch.equal(meter.changes.cpu(), theirs.changes)
    assert (meter.strength, meter.change) == (theirs.options.strength, theirs.options.change)
    without = with_changes(options, {"edits": True, "embedder": None, "methods": ("optimize:2",)})
    with pytest.raises(UserError, match="no embedding network is bundled for a; make one: latentloop train"):
        setup.set_up(without, Silent())


def test_options_are_read_without_pytorch() -> None:
    program = "import sys, latentloop.benchmark.options; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
