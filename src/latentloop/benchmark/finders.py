"""Finders of a benchmark: what runs an inversion method on images, and the codes that it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from latentloop.baselines import Refiner
from latentloop.embedding.inverter import Inverter
from latentloop.embedding.setup import Setup
from latentloop.embedding.starts import FaceStart, Start
from latentloop.faces import AlignedFace, already_aligned
from latentloop.generators import DrawnBy, Generator, noisy_synthesis
from latentloop.inversion.iterator import OnStep

Initializer = Callable[[Tensor], Tensor]
"""Function from targets (N, 3, R, R) in [-1, 1] to the codes that refinement starts from, (N, num_ws, w_dim)."""


@dataclass(frozen=True)
class Codes:
    """Codes of N images, with what a method found besides: noise maps, or tuned generators."""

    w_plus: Tensor
    """Codes of N images, (N, num_ws, w_dim)."""
    noise: tuple[Tensor, ...] | None = None
    """Noise map of each layer, (N, 1, H, W)."""
    generators: tuple[Generator, ...] = ()
    """Tuned generator of each code; empty if all are drawn by the common one."""

    def of(self, i: int) -> "Codes":
        """Return the code of image `i` with its noise maps and generator."""
        noise = None if self.noise is None else tuple(layer[i : i + 1] for layer in self.noise)
        return Codes(self.w_plus[i : i + 1], noise, self.generators[i : i + 1])

    def drawn_by(self, generator: Generator) -> Generator:
        """Return the generator that draws a single code: its tuned one, or the common one with its noise maps."""
        synthesis, noise = noisy_synthesis(generator), self.noise
        if self.generators or noise is None or synthesis is None:
            return self.generators[0] if self.generators else generator
        return DrawnBy(generator, partial(synthesis, noise=noise))


class Finder(Protocol):
    """Interface of an inversion method that is ready to run."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings for the stamp that are not fields of a refiner."""
        ...

    def find(self, target: Tensor, faces: Sequence[AlignedFace], on_step: OnStep | None = None) -> Codes:
        """Compute the codes of N images.

        Args:
            target: Images at the size that methods compare, (N, 3, R, R) in [-1, 1].
            faces: The same images at the generator's size, for methods that also compare larger ones.
            on_step: Called at the start and after each step.

        Raises:
            NotFiniteError: A start or a loss is not finite.
        """
        ...


@dataclass(frozen=True)
class EmbedFinder:
    """`latentloop embed` as an inversion method, without drawing and measuring of starts and results."""

    inverter: Inverter
    start: Start
    """Start that needs no file: a network predicts the codes."""
    settings: Mapping[str, Any]
    """Settings of embedding that the results depend on."""
    small: bool = False
    """True shows it the images at the size that methods compare, instead of the faces at the generator's."""

    def find(self, target: Tensor, faces: Sequence[AlignedFace], on_step: OnStep | None = None) -> Codes:
        """Compute codes as `Finder.find`, from the faces alone, or from the targets alone if `small`."""
        if self.small:
            faces = [already_aligned(one, one.shape[-1]) for one in target.split(1)]
        starts = [FaceStart()] * len(faces)
        found = self.inverter.search(faces, lambda small: self.start.codes(small, starts), on_step)
        tuned = any(one.refinement for one in found)
        generators = tuple(one.drawn_by(self.inverter.renderer) for one in found) if tuned else ()
        return Codes(torch.stack([one.w_plus for one in found]), generators=generators)


def embed_finder(setup: Setup, *, small: bool = False) -> EmbedFinder:
    """Create the finder of a job of `latentloop embed`; the renderer must be the generator that is inverted."""
    # Without the starts themselves: they would be drawn and measured within the time of the result.
    inverter = replace(setup.inverter(), show_start=False)
    return EmbedFinder(inverter, setup.start, {f"embed {name}": value for name, value in setup.stamp().items()}, small)


@dataclass(frozen=True)
class CodeFinder:
    """An inversion method: an initial code, and a refiner that starts there."""

    initialize: Initializer
    refiner: Refiner | None
    """Refiner of the initial codes; None returns them unchanged."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings for the stamp that are not fields of the refiner."""

    def find(self, target: Tensor, faces: Sequence[AlignedFace], on_step: OnStep | None = None) -> Codes:  # noqa: ARG002
        """Compute codes as `Finder.find`, from the targets alone."""
        start = self.initialize(target)
        if self.refiner is None:
            return Codes(start)
        inversion = self.refiner.refine(target, start, on_step)
        return Codes(inversion.w_plus, inversion.noise, inversion.generators)
