from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from torch import Tensor

from latentloop.embedding import Setup, components_for, set_up
from latentloop.embedding.inverter import InvertedFace
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import FAR, NEAR, Preset, Quality, preset_of
from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.faces import already_aligned
from latentloop.generators import DrawnBy, Generator
from latentloop.inversion import FeatureEncoder, FeatureEncoderConfig, FeatureRefiner, IteratorConfig
from latentloop.inversion.beyond_config import REFINE_STEPS
from latentloop.options import with_changes

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
BASE: dict[str, Any] = {"device": "cpu", "precision": "float32", "lambda_lpips": 0.0}
QUALITIES: tuple[Quality, ...] = get_args(Quality)
pytestmark = pytest.mark.usefixtures("toy_shipped")


@pytest.fixture
def network(float_toy: Generator, tmp_path: Path) -> Path:
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, float_toy, seed=0))
    return tmp_path / "network.safetensors"


def made(**changes: Any) -> Setup:  # noqa: ANN401
    options = with_changes(EmbedOptions(), {**BASE, **changes})
    return set_up(options, components_for(options))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy generator draws more than the iterator looks at."""
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)


@pytest.fixture
def predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network predicts the toy generator's refinement."""
    encoder = FeatureEncoder(FeatureEncoderConfig(), weights="", sha256="abc")
    monkeypatch.setattr("latentloop.embedding.components.find_feature_encoder", lambda _: encoder)


@pytest.mark.usefixtures("large", "predicts")
@pytest.mark.parametrize(
    ("given", "steps", "beyond"),
    [
        ({"quality": "instant"}, 0, ("features", 0)),
        ({"quality": "instant", "refine": "none"}, 8, ("none", 0)),
        ({"quality": "instant", "steps": 3}, 3, ("features", 0)),
        ({"quality": "instant", "steps": 0}, 0, ("none", 0)),
        ({}, 12, ("features", 12)),
        ({"refine": "weights"}, 12, ("weights", REFINE_STEPS)),
        ({"steps": 20}, 20, ("none", 0)),
        ({"steps": 20, "refine": "features"}, 20, ("features", 12)),
        ({"refine_steps": 0}, 12, ("features", 0)),
        ({"quality": "best"}, 50, ("features", REFINE_STEPS)),
    ],
)
def test_where_a_network_predicts_the_refinement_fewer_steps_follow(
    network: Path, given: dict[str, Any], steps: int, beyond: tuple[str, int]
) -> None:
    setup = made(embedder=str(network), **given)
    options = setup.options
    assert (options.search.steps, (options.beyond.refine, options.beyond.steps)) == (steps, beyond)
    assert setup.config.steps == steps
    refines = beyond[0] == "features"
    assert setup.stamp().get("feature_encoder_sha256") == ("abc" if refines else None)
    refiner = setup.inverter().beyond
    assert isinstance(refiner, FeatureRefiner) == refines
    assert not isinstance(refiner, FeatureRefiner) or (refiner.encoder, refiner.steps) == (
        setup.components.feature_encoder(setup.renderer),
        beyond[1],
    )


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("quality", QUALITIES)
def test_a_quality_is_its_preset(network: Path, quality: Quality, near: bool) -> None:
    setup = made(quality=quality, **({"embedder": str(network)} if near else {}))
    preset = (NEAR if near else FAR)[quality].suited(metric=False, faces=True)
    assert setup.preset == preset
    assert setup.config == IteratorConfig(steps=preset.steps, lr=preset.lr, ramp_up=preset.ramp_up)
    options = setup.options
    assert (options.beyond.refine, options.prior) == (preset.refine, preset.prior)
    assert options.loss.lambda_identity == preset.lambda_identity


def test_the_code_alone_is_still_to_be_had(network: Path) -> None:
    net = {"embedder": str(network)}
    options = made(refine="none", **net).options
    assert (options.search.steps, options.beyond.steps) == (NEAR["balanced"].steps, 0)
    assert made(steps=50, **net).options.beyond.steps == 0
    assert made(steps=50, refine="features", **net).options.beyond.steps == REFINE_STEPS
    assert made(steps=50, quality="best", **net).options.beyond.steps == REFINE_STEPS


@pytest.mark.usefixtures("large")
def test_options_that_are_given_count_instead(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = Preset(9, 0.7, 0.3, ramp_up=0.2, refine="weights", lambda_identity=0.5)
    monkeypatch.setitem(NEAR, "best", preset)
    base: dict[str, Any] = {"quality": "best", "embedder": str(network)}
    assert made(**base, steps=10).config == IteratorConfig(10, lr=0.3, ramp_up=0.2)
    assert made(**base, lr=0.1, ramp_up=0.0).config == IteratorConfig(9, lr=0.1, ramp_up=0.0)
    given: dict[str, float] = {"refine_steps": 4, "lambda_identity": 0.0, "lambda_near": 0.1}
    for name, value in given.items():
        assert made(**base, **{name: value}).stamp().get(name, 0) == value
    assert made(**base).stamp().items() >= {"refine": "weights", "lambda_identity": 0.5}.items()


@pytest.mark.usefixtures("large")
def test_the_stamp_has_the_values_and_not_the_name(network: Path) -> None:
    net = {"embedder": str(network)}
    assert made(**net).stamp() == made(quality="balanced", **net).stamp()
    for quality, best, start in (
        ("best", NEAR["best"], net),
        ("best", FAR["best"], {}),
        ("balanced", NEAR["balanced"], net),
    ):
        preset = best.suited(metric=False, faces=True)
        numbers = {name: getattr(preset, name) for name in ("steps", "lr", "ramp_up", "refine")}
        priors = {"lambda_identity": preset.lambda_identity, **vars(preset.prior)}
        by_numbers, by_name = made(**numbers, **priors, **start).stamp(), made(quality=quality, **start).stamp()
        assert by_numbers == by_name
        assert "quality" not in by_name


@pytest.mark.parametrize("quality", QUALITIES)
def test_one_pass_is_the_same_in_each_quality(network: Path, quality: Quality) -> None:
    setup = made(quality=quality, steps=0, embedder=str(network))
    assert (setup.options.method, setup.inverter().steps) == ("embed", 0)
    assert setup.stamp() == made(steps=0, embedder=str(network)).stamp()


@pytest.mark.usefixtures("large")
def test_no_refinement_of_a_quality_follows_no_steps(network: Path) -> None:
    for start in ({"embedder": str(network), "method": "hybrid"}, {}):
        assert made(quality="best", steps=0, **start).options.beyond.steps == 0
        assert made(quality="best", steps=0, refine="features", **start).options.beyond.steps == REFINE_STEPS


def test_where_nothing_is_drawn_at_full_size_no_steps_there_are_stamped(network: Path) -> None:
    net = {"embedder": str(network)}  # of the toy generator, which draws 32 pixels
    said: list[str] = []
    options = with_changes(EmbedOptions(), {**BASE, **net, "full_size_steps": 3})
    assert "full_size_steps" not in set_up(options, components_for(options), warn=said.append).stamp()
    assert said == ["no steps at full size: reconstructions have 32 pixels"]


@pytest.mark.usefixtures("large")
def test_last_steps_alone_follow_the_networks_code(network: Path) -> None:
    setup = made(steps=0, full_size_steps=3, embedder=str(network))
    assert (setup.options.method, setup.options.full_size_steps) == ("hybrid", 3)


def test_last_steps_are_as_large_as_those_from_a_near_code(network: Path) -> None:
    for start, lr in (({"embedder": str(network)}, 0.1), ({}, 0.05)):
        chain = made(polish=2, lr=0.1, **start).inverter().iterators
        assert chain is not None
        assert chain.iterators[-1].config == IteratorConfig(2, lr=lr, ramp_up=0.0)


def test_steps_at_full_size_cost_no_second_copy_of_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)
    monkeypatch.setattr("latentloop.embedding.setup.full_size_loss", lambda *_, **__: None)
    monkeypatch.setattr("latentloop.embedding.setup.low_precision", lambda *_: pytest.fail("copied"))
    setup = made(full_size_steps=2)
    last = setup.inverter().full_size
    assert last is not None
    assert last.generator is setup.components.drawing


def test_there_are_no_other_qualities() -> None:
    with pytest.raises(ValueError, match="quality must be one of instant, balanced, best, got fast"):
        made(quality="fast")
    with pytest.raises(ValueError, match="got fast"):
        preset_of("fast", near=True)  # type: ignore[arg-type]


@pytest.fixture
def invert(
    float_toy: Generator, network: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Setup, InvertedFace, list[int]]]:
    """Inverts a face with a generator of 32 pixels that has a quick one of 16; gives the sizes that were drawn."""
    drawn: list[int] = []

    def drawing(size: int) -> DrawnBy:
        def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
            drawn.append(size)
            return float_toy.synthesis(w_plus, resolution=resolution or size)

        by = DrawnBy(float_toy, draw)
        by.name, by.resolution = f"toy-{size}", size
        return by

    small, large = drawing(16), drawing(32)
    parts = "latentloop.embedding.components"
    monkeypatch.setattr(f"{parts}.WORKING_SIZE", 16)
    monkeypatch.setattr("latentloop.embedding.setup.WORKING_SIZE", 16)
    monkeypatch.setattr("latentloop.embedding.setup.weights_checksum", str)
    monkeypatch.setattr("latentloop.embedding.inverter.WORKING_SIZE", 16)
    monkeypatch.setattr(f"{parts}.renderers_of", lambda _: {16: small.name, 32: large.name})
    monkeypatch.setattr(f"{parts}.load_generator", lambda _, **__: large)
    monkeypatch.setattr(f"{parts}.load_renderer", lambda _, size, **__: small if size == 16 else large)

    def invert(**options: Any) -> tuple[Setup, InvertedFace, list[int]]:  # noqa: ANN401
        setup = made(embedder=str(network), **options)
        face = already_aligned(float_toy.synthesis(float_toy.latent_avg.expand(1, 4, 8)), 32)
        drawn.clear()
        start = lambda target: setup.start.codes(target, [])  # noqa: E731
        (found,) = setup.inverter().invert([face], start)
        return setup, found, list(drawn)

    return invert


def test_instant_steps_on_the_quick_generator_and_draws_the_result_alone(
    invert: Callable[..., tuple[Setup, InvertedFace, list[int]]],
) -> None:
    setup, found, drawn = invert(quality="instant", steps=3)
    assert drawn == [16] * 4 + [32]
    assert found.reconstruction.image.shape[-1] == 32
    assert found.one_pass is None
    assert setup.stamp()["stepped_on"] == "toy-16"
    assert len(setup.stamp()["stepped_on_sha256"]) > 0


def test_in_other_qualities_the_generator_itself_is_stepped_on(
    invert: Callable[..., tuple[Setup, InvertedFace, list[int]]],
) -> None:
    setup, found, drawn = invert(steps=3)
    assert drawn == [32] * 6
    assert found.one_pass is not None
    assert "stepped_on" not in setup.stamp()


def test_the_first_steps_from_a_near_code_grow(network: Path) -> None:
    near, far = made(embedder=str(network), steps=50), made()
    first, later = (near.iterator.ramp(step) for step in (1, 5))
    assert 0 < first < 0.5 * later
    assert far.iterator.ramp(1) > 0.99


def test_shorter_runs_with_a_metric_take_larger_steps() -> None:
    preset = Preset(200, 0.06, 0.02, largest_lr=0.1).suited(metric=True, faces=True)
    assert [preset.lr_for(steps) for steps in (200, 50, 10, 0)] == [0.06, 0.06, 0.1, 0.06]
    assert preset.lr_for(32) == pytest.approx(0.06 * (50 / 32) ** 0.5)
    assert preset.suited(metric=False, faces=True).lr_for(16) == 0.02
