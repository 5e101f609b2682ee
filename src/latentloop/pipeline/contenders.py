"""The methods of a benchmark, by name: each is where a code starts, and what refines it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

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


class Start(Protocol):
    """Gives targets (N, 3, R, R) in [-1, 1] the codes to start from, (N, num_ws, w_dim)."""

    def __call__(self, target: Tensor, /) -> Tensor:
        """Find them."""
        ...


@dataclass(frozen=True)
class Found:
    """What a method found for N targets."""

    w_plus: Tensor
    """Codes, (N, num_ws, w_dim)."""
    noise: tuple[Tensor, ...] | None = None
    """Each layer's noise map, (N, 1, H, W), of a method that finds those, too."""
    losses: Tensor | None = None
    """At the start and after each step, (steps + 1, N), of a method with steps."""


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
        return Found(inversion.w_plus, inversion.noise, inversion.losses)


@dataclass(frozen=True)
class Method:
    """A method as a benchmark knows it."""

    title: str
    source: str
    """The paper."""
    steps: int
    """As published; 0 for a method without."""
    make: Callable[[Tools, int], Contender]
    """From the tools and the steps."""
    notes: str = ""
    """What differs from what was published."""

    def note(self, steps: int, features: str) -> str:
        """What a table says of it, with so many steps and these features, none for ours."""
        published = f"{self.steps} steps as published" if steps != self.steps and features else ""
        stand_in = "AlexNet's features in the place of VGG16's" if features == "alexnet" else ""
        return "; ".join(filter(None, [self.source, self.notes, published, stand_in]))


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


def _guess(tools: Tools) -> Start:
    return _network(tools) if tools.encoder else _mean(tools)


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
    return Contender(_mean(tools), Image2StyleGANPlusPlus(tools.generator, styles, steps=of_noise))


def _stylegan_encoder(tools: Tools, steps: int) -> Contender:
    return Contender(_guess(tools), StyleGANEncoder(tools.generator, tools.networks, steps=steps))


def _projector(tools: Tools, steps: int) -> Contender:
    return Contender(_mean(tools), Projector(tools.generator, tools.networks.lpips, steps=steps))


def _projector_w_plus(tools: Tools, steps: int) -> Contender:
    made = Projector(tools.generator, tools.networks.lpips, steps=steps)
    return Contender(_mean(tools), replace(made, space="w+"))


METHODS: dict[str, Method] = {
    "one-pass": Method("Ours, one pass", "arXiv:2007.01758", 0, _one_pass),
    "hybrid": Method("Ours, hybrid", "arXiv:2007.01758", 50, _hybrid),
    "optimize": Method("Ours, the iterator alone", "arXiv:2007.01758", 100, _optimize),
    "image2stylegan": Method("Image2StyleGAN", "arXiv:1904.03189", 5000, _image2stylegan),
    "image2stylegan++": Method("Image2StyleGAN++", "arXiv:1911.11544", 8000, _image2stylegan_plus_plus),
    "stylegan-encoder": Method(
        "StyleGAN-Encoder",
        "github.com/pbaylies/stylegan-encoder",
        100,
        _stylegan_encoder,
        notes="starts from our network, if any, not its own; Adam in the place of GGT; no masks, no discriminator",
    ),
    "projector": Method("NVIDIA's projector, W", "arXiv:1912.04958", 1000, _projector),
    "projector-w+": Method("NVIDIA's projector, W+", "arXiv:1912.04958", 1000, _projector_w_plus),
}
"""All methods, ours first."""
