"""GAN inversion of aligned faces: start, optimization steps, reconstruction and metrics."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.errors import NotFiniteError
from latentloop.evaluation.full_size import FULL_SIZE_METRICS, measure_full_size
from latentloop.evaluation.measure import EVALUATION_SIZE, METRICS, Evaluator
from latentloop.faces import AlignedFace
from latentloop.generators import Generator, Refinement, refined
from latentloop.images import resample
from latentloop.inversion.beyond import BeyondRefiner
from latentloop.inversion.chain import IteratorChain, counting_from
from latentloop.inversion.iterator import LatentIterator, OnCode, OnImage, OnStep

Starting = Callable[[Tensor], Tensor]
"""Function from faces (N, 3, R, R) in [-1, 1] to the codes that the iterator starts from, (N, num_ws, w_dim)."""

MOST_ENLARGED = 2.0
"""Largest enlargement of a face, from photo to renderer, at which full-size comparison is still used.

Up to this factor the comparison removes more of the generator's woven texture than it blurs."""


@dataclass(frozen=True)
class Figures:
    """Metrics of a reconstruction, and the seconds spent on its code."""

    metrics: Mapping[str, float]
    """Metrics by name; full-size metrics are absent if the photo or the reconstruction has too few pixels."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values: missing and non-finite numbers become null, seconds are rounded to milliseconds."""
        named = {name: self.metrics.get(name, math.nan) for name in (*METRICS, *FULL_SIZE_METRICS)}
        metrics = {name: value if math.isfinite(value) else None for name, value in named.items()}
        return {"metrics": metrics, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class Reconstruction:
    """Image drawn from a code, with its metrics."""

    image: Tensor
    """Drawn image, (1, 3, R, R), about [-1, 1], on the CPU."""
    figures: Figures


@dataclass(frozen=True)
class InvertedFace:
    """Code of one face, with its reconstruction."""

    w_plus: Tensor
    """Code in W+, (num_ws, w_dim), on the CPU."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1,); empty without steps. Losses of full-size steps include the
    crops, and are not comparable with those before."""
    steps: int
    """Step at which the code was found: the one of lowest loss."""
    reconstruction: Reconstruction
    one_pass: Reconstruction | None
    """Reconstruction of the iterator's initial code, if requested."""
    refinement: Refinement | None = None
    """Refinement beyond the code with which the reconstruction is drawn; None if none was requested."""


@dataclass(frozen=True)
class FoundCode:
    """Code of one face, neither drawn nor measured yet; on the generator's device."""

    w_plus: Tensor
    """Code in W+, (num_ws, w_dim)."""
    losses: Tensor
    """As in `InvertedFace`."""
    steps: int
    """As in `InvertedFace`."""
    refinement: Refinement | None = None
    """As in `InvertedFace`."""

    def drawn_by(self, renderer: Generator) -> Generator:
        """Return the generator that draws the code: the renderer with the refinement, if there is one."""
        return refined(renderer, self.refinement) if self.refinement else renderer


@dataclass(frozen=True)
class Inverter:
    """Inverts aligned faces on the generator's device.

    Metrics are computed on the CPU, so that they agree between devices.
    """

    generator: Generator
    """Generator that is inverted."""
    iterators: IteratorChain | None
    """Iterators that refine the code; None keeps the initial code."""
    renderer: Generator
    """Generator of the same latent space that draws the reconstructions."""
    evaluator: Evaluator
    full_size: LatentIterator | None = None
    """Iterator on the renderer for the last steps, taken only by faces of the renderer's size with enough pixels."""
    beyond: BeyondRefiner | None = None
    """Refiner of the renderer for details that no code draws."""
    show_start: bool = False
    """True also draws and measures the iterator's initial code."""

    @property
    def steps(self) -> int:
        """Number of optimization steps per face, those beyond the code included."""
        return self._code_steps + (self.beyond.steps if self.beyond else 0)

    @property
    def _code_steps(self) -> int:
        last = self.full_size.config.steps if self.full_size else 0
        return last + (self.iterators.steps if self.iterators else 0)

    @property
    def space(self) -> str:
        """Latent space of the codes: "w" or "w+"."""
        return self.iterators.iterators[0].config.space if self.iterators else "w+"

    def invert(
        self,
        faces: Sequence[AlignedFace],
        starting: Starting,
        on_step: OnStep | None = None,
        on_code: OnCode | None = None,
        on_image: OnImage | None = None,
    ) -> list[InvertedFace]:
        """Compute the code of each aligned face.

        Args:
            faces: N aligned faces; their sizes may differ.
            starting: Initial codes of the iterator.
            on_step: As in `LatentIterator.refine`; full-size steps report losses only of the faces that take them.
            on_code: As in `LatentIterator.refine`; not called in full-size steps and steps beyond the code.
            on_image: As in `BeyondRefiner.refine`.

        Raises:
            NotFiniteError: A start or a loss is not finite.
        """
        if not faces:
            return []
        begun = time.perf_counter()
        target, found = self._started(faces, starting)
        # Without steps the start is the result: it is drawn and measured once.
        moves = bool(self.iterators or self.beyond)
        first = self._drawn(found, faces, target, begun) if self.show_start or not moves else []
        # The final result's time includes the one-pass time, but not the time of drawing and measuring it.
        begun = time.perf_counter() - sum(one.figures.seconds for one in first)
        found = self._searched(faces, target, found, on_step, on_code, on_image)
        last = self._drawn(found, faces, target, begun, before=first) if moves else first
        shown = first if self.show_start else [None] * len(found)
        return [
            InvertedFace(one.w_plus.cpu(), one.losses.cpu(), one.steps, drawn, start_drawn, one.refinement)
            for one, drawn, start_drawn in zip(found, last, shown, strict=True)
        ]

    def search(
        self, faces: Sequence[AlignedFace], starting: Starting, on_step: OnStep | None = None
    ) -> list[FoundCode]:
        """Compute codes and refinements as `invert` does, without drawing and measuring them.

        Raises:
            NotFiniteError: A start or a loss is not finite.
        """
        target, found = self._started(faces, starting)
        return self._searched(faces, target, found, on_step)

    def _started(self, faces: Sequence[AlignedFace], starting: Starting) -> tuple[Tensor, list[FoundCode]]:
        """Return the faces at the working size, (N, 3, R, R) on the CPU, and the codes to start from."""
        resolution = min(WORKING_SIZE, self.generator.resolution)
        # At one size for all, whatever the size of the aligned faces; the metrics use the same pixels.
        target = torch.cat([resample(face.image, resolution) for face in faces])
        start = starting(target.to(self.generator.device))
        if not start.isfinite().all():
            raise NotFiniteError("the code to start from is not finite")
        return target, [FoundCode(w, torch.zeros(0), 0) for w in start]

    def _searched(
        self,
        faces: Sequence[AlignedFace],
        target: Tensor,
        found: list[FoundCode],
        on_step: OnStep | None = None,
        on_code: OnCode | None = None,
        on_image: OnImage | None = None,
    ) -> list[FoundCode]:
        """Take all steps, from starting codes to codes and refinements."""
        if self.iterators:
            start, on_device = torch.stack([one.w_plus for one in found]), target.to(self.generator.device)
            found = self._refined(self.iterators, faces, on_device, start, on_step, on_code)
        return self._beyond(self.beyond, faces, found, on_step, on_image) if self.beyond else found

    def _refined(
        self,
        iterators: IteratorChain,
        faces: Sequence[AlignedFace],
        target: Tensor,
        start: Tensor,
        on_step: OnStep | None,
        on_code: OnCode | None,
    ) -> list[FoundCode]:
        """Refine all codes at the target's size, then at full size those of faces with enough pixels."""
        found = iterators.refine(target, start, on_step, on_code)
        codes = [FoundCode(w, found.losses[:, i], int(found.steps[i])) for i, w in enumerate(found.w_plus)]
        if self.full_size is None:
            return codes
        size, done = self.renderer.resolution, iterators.steps
        sharp = [i for i, one in enumerate(faces) if one.image.shape[-1] == size and one.side * MOST_ENLARGED >= size]
        if not sharp:
            return codes
        full = torch.cat([faces[i].image for i in sharp]).to(target)
        later = self.full_size.refine(full, found.w_plus[sharp], counting_from(done, on_step) if done else on_step)
        for row, i in enumerate(sharp):
            # With steps before, the first full-size loss repeats the last code's: it is left out.
            codes[i] = FoundCode(
                later.w_plus[row],
                torch.cat([codes[i].losses, later.losses[min(done, 1) :, row]]),
                done + int(later.steps[row]) if later.steps[row] else codes[i].steps,
            )
        return codes

    def _beyond(
        self,
        refiner: BeyondRefiner,
        faces: Sequence[AlignedFace],
        found: Sequence[FoundCode],
        on_step: OnStep | None,
        on_image: OnImage | None,
    ) -> list[FoundCode]:
        """Refine beyond the codes; faces with enough pixels are compared at twice the working size."""
        codes, done = list(found), self._code_steps
        sizes = [_compared_at(face, self.renderer.resolution) for face in faces]
        # A refiner takes one size per call.
        for size in sorted(set(sizes)):
            rows = [i for i, own in enumerate(sizes) if own == size]
            target = torch.cat([resample(faces[i].image, size) for i in rows]).to(self.renderer.device)
            w_plus = torch.stack([found[i].w_plus for i in rows])
            # Steps are counted on from those of the iterator.
            later = refiner.refine(target, w_plus, counting_from(done, on_step) if done else on_step, on_image)
            for i, refinement in zip(rows, later.refinements, strict=True):
                codes[i] = replace(found[i], refinement=refinement)
        return codes

    def _drawn(
        self,
        found: Sequence[FoundCode],
        faces: Sequence[AlignedFace],
        target: Tensor,
        begun: float,
        before: Sequence[Reconstruction] = (),
    ) -> list[Reconstruction]:
        """Draw codes whose search began at `begun`, and measure the images.

        Metrics that do not depend on the code are copied from the faces' earlier reconstructions.
        """
        with torch.inference_mode():
            # One by one, to bound the memory of full-size features; refined faces have generators of their own, too.
            images = [one.drawn_by(self.renderer).synthesis(one.w_plus[None]).cpu() for one in found]
        seconds = (time.perf_counter() - begun) / len(found)
        metrics = self.evaluator.measure(torch.cat([resample(image, EVALUATION_SIZE) for image in images]), target)
        patterns = [one.figures.metrics.get("pattern_photo") for one in before] or [None] * len(faces)
        lpips, drawn = self.evaluator.lpips, []
        for image, one, face, pattern in zip(images, metrics, faces, patterns, strict=True):
            full = measure_full_size(image, face.image, lpips, side=face.side, pattern_photo=pattern)
            drawn.append(Reconstruction(image, Figures(one | full, seconds)))
        return drawn


def _compared_at(face: AlignedFace, resolution: int) -> int:
    """Return the size, in pixels, at which a face is compared with its refinement."""
    fine = 2 * WORKING_SIZE
    sharp = min(face.image.shape[-1], face.side * MOST_ENLARGED, resolution) >= fine
    return fine if sharp else min(WORKING_SIZE, resolution)
