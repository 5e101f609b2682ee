"""Methods of a benchmark, ready to run: an initial code, and a refiner."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import partial
from typing import Any

from latentloop.baselines import (
    HybridRefinement,
    Image2StyleGAN,
    Image2StyleGANPlusPlus,
    Networks,
    PivotalTuning,
    Projector,
    StyleGANEncoder,
)
from latentloop.baselines import steps as published
from latentloop.baselines.dhr import THRESHOLD
from latentloop.baselines.image2stylegan import noisy
from latentloop.baselines.pti import ENOUGH, PIVOT_LR
from latentloop.benchmark.finders import CodeFinder, EmbedFinder, Finder, Initializer, embed_finder
from latentloop.benchmark.method_table import METHODS, ChosenMethod, split_steps
from latentloop.benchmark.our_embedding import quality_options, set_up_embedding
from latentloop.embedding.components import Components
from latentloop.embedding.options import EmbedOptions, Method, SearchOptions
from latentloop.embedding.quality import Quality
from latentloop.embedding.setup import Setup
from latentloop.encoders import predict
from latentloop.errors import UserError
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.generators import Generator, seamed
from latentloop.inversion import BeyondConfig, LatentIterator
from latentloop.inversion.beyond_config import REFINE_STEPS, Refine
from latentloop.latents import mean_code
from latentloop.metrics.pixels import SMALLEST
from latentloop.stamps import LEFT_OUT, Stamp

WARM_UP_STEPS = 2
"""Number of steps of the unmeasured first run of each method."""
LPIPS_AT_256 = 0.5
"""Factor on published LPIPS thresholds, which are for 1024 pixels: for codes in W of three sample photos, LPIPS was
below .7 at 1024 pixels in as many places as below .28, .34 and .45 at 256."""


@dataclass(frozen=True)
class Tools:
    """Networks that methods are built from."""

    parts: Components
    """Generator, embedding network, and losses of our methods."""
    networks: Networks
    """Classifiers of the earlier methods."""
    aligned: bool
    """The images are already aligned, and may show something else than faces."""

    @property
    def generator(self) -> Generator:
        """Generator that is inverted, in the precision of the benchmark."""
        return self.parts.drawing

    def embedding(self, options: EmbedOptions) -> Setup:
        """Set up `latentloop embed`, see `set_up_embedding`."""
        return set_up_embedding(options, self.parts, aligned=self.aligned)


@dataclass(frozen=True)
class PreparedMethod:
    """A method as a benchmark runs it."""

    name: str
    """Name of its folder and in results.csv, such as "hybrid-50"."""
    title: str
    """Name of the method in tables."""
    note: str
    """Source, loss, and differences from the publication."""
    ours: bool
    steps: int
    finder: Finder
    warm_up: Finder
    """Variant of the method with few steps, run before any measurement."""
    stamp: Stamp
    """Everything that its codes depend on, except the image."""


def prepare_method(choice: ChosenMethod, tools: Tools, stamp: Callable[..., Stamp]) -> PreparedMethod:
    """Build a method by name, with its networks.

    Args:
        choice: Method and its number of steps.
        tools: Networks that it is built from.
        stamp: Derives the stamp of its codes from the method's name, its features and the settings of its refiner.

    Raises:
        UserError: The method does not work with this generator.
    """
    build = BUILDERS[choice.key]
    finder = build(tools, choice.steps)
    features = "none" if choice.method.ours else tools.networks.name
    return PreparedMethod(
        name=choice.name,
        title=choice.title,
        note=choice.note(features),
        ours=choice.method.ours,
        steps=choice.steps,
        finder=finder,
        warm_up=build(tools, min(choice.steps, WARM_UP_STEPS)),
        stamp=stamp(method=choice.key, features=features, **_settings(finder), **finder.settings),
    )


def _settings(finder: Finder) -> dict[str, Any]:
    """Collect plain values of the refiner's fields, and of its parts under dotted names; none of a finder without."""
    return _plain_values(finder.refiner) if isinstance(finder, CodeFinder) else {}


def _plain_values(refiner: object) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for entry in fields(refiner) if is_dataclass(refiner) else ():
        value = getattr(refiner, entry.name)
        if entry.metadata.get(LEFT_OUT, MISSING) == value:
            continue
        if value is None or isinstance(value, bool | int | float | str):
            settings[entry.name] = value
        elif is_dataclass(value):
            settings |= {f"{entry.name}.{name}": inner for name, inner in _plain_values(value).items()}
    return settings


def _network(tools: Tools) -> Initializer:
    return partial(predict, tools.parts.encoder)


def _mean(tools: Tools) -> Initializer:
    return lambda target: mean_code(tools.generator, len(target))


def _one_pass(tools: Tools, _: int) -> CodeFinder:
    return CodeFinder(_network(tools), None)


def _hybrid(tools: Tools, steps: int) -> CodeFinder:
    return CodeFinder(_network(tools), *_iterator(tools, "hybrid", steps))


def _optimize(tools: Tools, steps: int) -> CodeFinder:
    return CodeFinder(_mean(tools), *_iterator(tools, "optimize", steps))


def _iterator(tools: Tools, method: Method, steps: int) -> tuple[LatentIterator, Mapping[str, Any]]:
    """Return the iterator of `latentloop embed`, and the weights of its loss and prior for the stamp."""
    setup = tools.embedding(EmbedOptions(method=method, search=SearchOptions(steps=steps)))
    weights = {"lambda_identity": setup.options.loss.lambda_identity, **asdict(setup.options.prior)}
    # Terms of weight 0 are left out of the stamp: results from before such a term existed remain valid.
    return setup.iterator, {name: weight for name, weight in weights.items() if weight}


def _hybrid_and(refine: Refine) -> Callable[[Tools, int], EmbedFinder]:
    """Make a builder with the default's proportion of steps beyond the code, after those of the iterator."""
    in_code = METHODS[f"hybrid-{refine}"].steps - REFINE_STEPS

    def build(tools: Tools, steps: int) -> EmbedFinder:
        iterating, refining = split_steps(steps, in_code, REFINE_STEPS)
        options = EmbedOptions(
            method="hybrid", search=SearchOptions(steps=iterating), beyond=BeyondConfig(refine, refining)
        )
        return embed_finder(tools.embedding(options), small=True)

    return build


def _quality(quality: Quality) -> Callable[[Tools, int], EmbedFinder]:
    """Make a builder of `latentloop embed` in a quality."""

    def build(tools: Tools, steps: int) -> EmbedFinder:
        return embed_finder(tools.embedding(quality_options(quality, steps)))

    return build


def _two_looks(tools: Tools, _: int) -> EmbedFinder:
    return embed_finder(tools.embedding(EmbedOptions(method="embed", search=SearchOptions(looks=2))))


def _image2stylegan(tools: Tools, steps: int) -> CodeFinder:
    return CodeFinder(_mean(tools), Image2StyleGAN(tools.generator, tools.networks.layers, steps=steps))


def _image2stylegan_plus_plus(tools: Tools, steps: int) -> CodeFinder:
    noisy(tools.generator)  # raises if it takes no noise maps, before anything runs
    on_styles, on_noise = split_steps(steps, published.STYLES, published.NOISE)
    styles = Image2StyleGAN(tools.generator, tools.networks.layers, steps=on_styles)
    return CodeFinder(_mean(tools), Image2StyleGANPlusPlus(styles, steps=on_noise))


def _stylegan_encoder(tools: Tools, steps: int) -> CodeFinder:
    generator = tools.generator
    if generator.resolution < SMALLEST:
        raise UserError(
            f"stylegan-encoder needs images of {SMALLEST} pixels or more, those of {generator.name} are smaller"
        )
    initialize = _network(tools) if tools.parts.embedder else _mean(tools)
    return CodeFinder(initialize, StyleGANEncoder(generator, tools.networks, steps=steps))


def _projector(tools: Tools, steps: int) -> CodeFinder:
    return CodeFinder(_mean(tools), Projector(tools.generator, tools.networks.lpips, steps=steps))


def _projector_w_plus(tools: Tools, steps: int) -> CodeFinder:
    return CodeFinder(_mean(tools), Projector(tools.generator, tools.networks.lpips, space="w+", steps=steps))


def _pti(tools: Tools, steps: int) -> CodeFinder:
    of_pivot, tuning = split_steps(steps, published.PIVOT, published.TUNING)
    pivot = Projector(tools.generator, tools.networks.lpips, steps=of_pivot, lr=PIVOT_LR)
    refiner = PivotalTuning(pivot, _alex(tools), steps=tuning, enough=LPIPS_AT_256 * ENOUGH)
    return CodeFinder(_mean(tools), refiner)


def _dhr_like(tools: Tools, steps: int) -> CodeFinder:
    seamed(tools.generator)  # raises if it draws in one piece, before anything runs
    in_w, refining = split_steps(steps, published.COARSE, published.FEATURES)
    coarse = Projector(tools.generator, tools.networks.lpips, steps=in_w)
    tuning = refining * published.WEIGHTS // published.FEATURES
    refiner = HybridRefinement(
        coarse, _alex(tools), steps=refining, weight_steps=tuning, threshold=LPIPS_AT_256 * THRESHOLD
    )
    return CodeFinder(_network(tools) if tools.parts.embedder else _mean(tools), refiner)


def _alex(tools: Tools) -> Lpips:
    """Return LPIPS with AlexNet, whichever features the earlier methods use."""
    lpips = tools.networks.lpips
    return lpips if tools.networks.name == "alexnet" else load_lpips(device=tools.generator.device)


BUILDERS: Mapping[str, Callable[[Tools, int], Finder]] = {
    "one-pass": _one_pass,
    "two-looks": _two_looks,
    "instant": _quality("instant"),
    "balanced": _quality("balanced"),
    "best": _quality("best"),
    "hybrid": _hybrid,
    "optimize": _optimize,
    "hybrid-features": _hybrid_and("features"),
    "hybrid-weights": _hybrid_and("weights"),
    "image2stylegan": _image2stylegan,
    "image2stylegan++": _image2stylegan_plus_plus,
    "stylegan-encoder": _stylegan_encoder,
    "projector": _projector,
    "projector-w+": _projector_w_plus,
    "pti": _pti,
    "dhr-like": _dhr_like,
}
"""Functions that build each method of `METHODS` from the networks and a number of steps."""
