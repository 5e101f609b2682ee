"""The methods of a benchmark, by name: each is where a code starts, and what refines it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from latentloop.baselines import (
    Image2StyleGAN,
    Image2StyleGANPlusPlus,
    Networks,
    Projector,
    Refiner,
    StyleGANEncoder,
)
from latentloop.baselines.image2stylegan import noisy
from latentloop.encoders import Encoder
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.inversion.iterator import OnStep
from latentloop.latents import mean_code
from latentloop.losses import LossToward
from latentloop.metrics.pixels import SMALLEST

WARM_STEPS = 2
OURS = "arXiv:2007.01758"
Start = Callable[[Tensor], Tensor]
"""Gives targets (N, 3, R, R) in [-1, 1] the codes to start from, (N, num_ws, w_dim)."""


@dataclass(frozen=True)
class Tools:
    """What methods are made of."""

    generator: Generator
    loss: LossToward
    """Of our iterator."""
    networks: Networks
    """Of the earlier methods."""
    encoder: Encoder | None
    """Of the generator, where there is one."""


@dataclass(frozen=True)
class Found:
    """What a method found for N targets."""

    w_plus: Tensor
    """Codes, (N, num_ws, w_dim)."""
    noise: tuple[Tensor, ...] | None = None
    """Each layer's noise map, (N, 1, H, W), of a method that finds those, too."""


@dataclass(frozen=True)
class Contender:
    """A method with all that it needs."""

    start: Start
    refiner: Refiner | None
    """None leaves codes as they start."""

    def find(self, target: Tensor, on_step: OnStep | None = None) -> Found:
        """Find codes of targets (N, 3, R, R) in [-1, 1]."""
        start = self.start(target)
        if self.refiner is None:
            return Found(start)
        inversion = self.refiner.refine(target, start, on_step)
        return Found(inversion.w_plus, inversion.noise)


@dataclass(frozen=True)
class Method:
    """A method as a benchmark knows it."""

    title: str
    source: str
    """The paper, or the project."""
    make: Callable[[Tools, int], Contender]
    """From the tools and the steps."""
    steps: int
    """By default; 0 for a method without."""
    descends: str
    """What it makes small, so that a table can say which figures flatter it."""
    notes: Sequence[str] = ()
    """What differs from what was published."""

    @property
    def ours(self) -> bool:
        """Whether it is no earlier method."""
        return self.source == OURS

    def note(self, steps: int, features: str) -> str:
        """What a table says of it, with so many steps and these features."""
        said = [self.source, f"descends {self.descends}", *self.notes]
        if not self.ours:
            said += [f"published with {self.steps:,} steps, here {steps:,}"] if steps != self.steps else []
            said += ["AlexNet's features in the place of VGG16's"] if features == "alexnet" else []
        return "; ".join(said)


@dataclass(frozen=True)
class Entry:
    """A method in a run."""

    name: str
    """Of its folder, such as "hybrid-50"."""
    title: str
    note: str
    ours: bool
    steps: int
    contender: Contender
    warm_up: Contender
    """The same with few steps."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All that its codes depend on, beside the image and what all methods share."""


def make_entries(wanted: Sequence[str], tools: Tools, *, steps: int | None) -> list[Entry]:
    """The methods that a user names, such as "projector" and "hybrid:100".

    Args:
        wanted: Names of `METHODS`, each with steps of its own if it likes.
        tools: What they are made of.
        steps: Of the others that are not ours; None for those that were published.

    Raises:
        UserError: There is no such method; it takes no steps; two are the same; one cannot be had on this generator.
    """
    entries = [_entry(text, tools, steps) for text in wanted]
    for i, entry in enumerate(entries):
        if entry.name in {other.name for other in entries[:i]}:
            raise UserError(f"--methods: {entry.name} is named twice")
    return entries


def needs_noise(wanted: Sequence[str]) -> bool:
    """Whether one of the methods looks for noise maps."""
    return any(text.partition(":")[0] in ("image2stylegan++", "projector", "projector-w+") for text in wanted)


def _entry(text: str, tools: Tools, others: int | None) -> Entry:
    name, _, own = text.partition(":")
    if name not in METHODS or (own and not (own.isdecimal() and int(own) > 0)):
        raise UserError(f"--methods {text}: not a method; there are {', '.join(METHODS)}, and such as hybrid:100")
    method = METHODS[name]
    if own and not method.steps:
        raise UserError(f"--methods {text}: {name} takes no steps")
    steps = int(own) if own else (others if others and not method.ours else method.steps)
    contender, warm_up = method.make(tools, steps), method.make(tools, min(steps, WARM_STEPS))
    features = "none" if method.ours else tools.networks.name
    return Entry(
        name=f"{name}-{steps}" if method.steps else name,
        title=f"{method.title}, {steps:,} steps" if method.steps else method.title,
        note=method.note(steps, features),
        ours=method.ours,
        steps=steps,
        contender=contender,
        warm_up=warm_up,
        settings={"method": name, "features": features, "latentloop": version("latentloop")}
        | _plain(contender.refiner),
    )


def _plain(refiner: object) -> dict[str, Any]:
    """The plain values among a refiner's fields, and those of its parts."""
    found: dict[str, Any] = {}
    for one in fields(refiner) if is_dataclass(refiner) else ():
        value = getattr(refiner, one.name)
        if value is None or isinstance(value, bool | int | float | str):
            found[one.name] = value
        elif is_dataclass(value):
            found |= {f"{one.name}.{name}": inner for name, inner in _plain(value).items()}
    return found


def _network(tools: Tools) -> Start:
    """What the encoder says.

    Raises:
        UserError: There is none.
    """
    encoder = tools.encoder
    if encoder is None:
        raise UserError(f"no network for {tools.generator.name}; name one with --embedder")

    @torch.no_grad()
    def codes(target: Tensor) -> Tensor:
        return encoder(resample(target, encoder.resolution))

    return codes


def _mean(tools: Tools) -> Start:
    return lambda target: mean_code(tools.generator, len(target))


def _iterator(tools: Tools, config: IteratorConfig) -> LatentIterator:
    return LatentIterator(tools.generator, tools.loss, config)


def _one_pass(tools: Tools, _: int) -> Contender:
    return Contender(_network(tools), None)


def _hybrid(tools: Tools, steps: int) -> Contender:
    return Contender(_network(tools), _iterator(tools, IteratorConfig(steps=steps).from_good_start()))


def _optimize(tools: Tools, steps: int) -> Contender:
    return Contender(_mean(tools), _iterator(tools, IteratorConfig(steps=steps)))


def _image2stylegan(tools: Tools, steps: int) -> Contender:
    return Contender(_mean(tools), Image2StyleGAN(tools.generator, tools.networks.layers, steps=steps))


def _image2stylegan_plus_plus(tools: Tools, steps: int) -> Contender:
    """Five steps of the styles to three of the noise, as published."""
    noisy(tools.generator)  # if it takes no maps, say so now
    of_noise = round(steps * 3 / 8)
    styles = Image2StyleGAN(tools.generator, tools.networks.layers, steps=steps - of_noise)
    return Contender(_mean(tools), Image2StyleGANPlusPlus(styles, steps=of_noise))


def _stylegan_encoder(tools: Tools, steps: int) -> Contender:
    generator = tools.generator
    if generator.resolution < SMALLEST:
        raise UserError(f"stylegan-encoder compares images of {SMALLEST} pixels or more, {generator.name} draws fewer")
    start = _network(tools) if tools.encoder else _mean(tools)
    return Contender(start, StyleGANEncoder(generator, tools.networks, steps=steps))


def _projector(tools: Tools, steps: int) -> Contender:
    return Contender(_mean(tools), Projector(tools.generator, tools.networks.lpips, steps=steps))


def _projector_w_plus(tools: Tools, steps: int) -> Contender:
    return Contender(_mean(tools), Projector(tools.generator, tools.networks.lpips, space="w+", steps=steps))


AT_256 = "images at 256 pixels"
METHODS: dict[str, Method] = {
    "one-pass": Method("Ours, one pass", OURS, _one_pass, 0, "nothing"),
    "hybrid": Method("Ours, hybrid", OURS, _hybrid, 50, "MSE and LPIPS (alex)"),
    "optimize": Method("Ours, iterator alone", OURS, _optimize, 100, "MSE and LPIPS (alex)"),
    "image2stylegan": Method(
        "Image2StyleGAN",
        "arXiv:1904.03189",
        _image2stylegan,
        5000,
        "MSE and squared differences of features",
        (AT_256, "the best code kept"),
    ),
    "image2stylegan++": Method(
        "Image2StyleGAN++",
        "arXiv:1911.11544",
        _image2stylegan_plus_plus,
        8000,
        "the same, then MSE by noise maps",
        (AT_256, "the best code kept"),
    ),
    "stylegan-encoder": Method(
        "StyleGAN-Encoder",
        "github.com/pbaylies/stylegan-encoder",
        _stylegan_encoder,
        100,
        "features, pixels, MS-SSIM, LPIPS, distance from the mean",
        (
            "starts from our network, if any, not from its own",
            "its step size for Adam in the place of GGT",
            "no masks, sharpening, early end or discriminator",
        ),
    ),
    "projector": Method("Projector, W", "arXiv:1912.04958", _projector, 1000, "LPIPS by the features", (AT_256,)),
    "projector-w+": Method(
        "Projector, W+",
        "arXiv:1912.04958",
        _projector_w_plus,
        1000,
        "LPIPS by the features",
        (AT_256, "into W+, as NVIDIA's does not"),
    ),
}
"""All methods, ours first."""
