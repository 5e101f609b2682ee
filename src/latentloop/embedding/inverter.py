"""GAN inversion of aligned faces: start, steps of the iterator, reconstruction and metrics."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import WORKING_SIZE
from latentloop.errors import NotFiniteError
from latentloop.evaluation.full_size import FULL_SIZE_METRICS, measure_full_size
from latentloop.evaluation.measure import EVALUATION_SIZE, METRICS, Evaluator
from latentloop.faces import AlignedFace
from latentloop.generators import Generator
from latentloop.images import resample
from latentloop.inversion.chain import IteratorChain, counting_from
from latentloop.inversion.iterator import LatentIterator, OnStep

Starting = Callable[[Tensor], Tensor]
"""Gives faces (N, 3, R, R) in [-1, 1] the codes to start from, (N, num_ws, w_dim)."""

MOST_ENLARGED = 2.0
"""Enlargement of a photo to the renderer's size beyond which it is not compared at that size. Up to it the comparison
takes away more of the canvas that the generator weaves than it blurs."""


@dataclass(frozen=True)
class Figures:
    """Quality of a reconstruction, and the seconds spent on its code."""

    metrics: Mapping[str, float]
    """Metrics by name; those at full size are missing where the photo or the reconstruction lacks the pixels."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Convert to the values of results.json: missing and non-finite numbers as null, seconds to three decimals."""
        named = {name: self.metrics.get(name, math.nan) for name in (*METRICS, *FULL_SIZE_METRICS)}
        metrics = {name: value if math.isfinite(value) else None for name, value in named.items()}
        return {"metrics": metrics, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class Reconstruction:
    """The image drawn from a code, with its metrics."""

    image: Tensor
    """The image, (1, 3, R, R), about [-1, 1], on the CPU."""
    figures: Figures


@dataclass(frozen=True)
class InvertedFace:
    """The code of one face, with its reconstruction."""

    w_plus: Tensor
    """Code, (num_ws, w_dim), on the CPU."""
    losses: Tensor
    """Loss at the start and after each step, (steps + 1,); empty without steps. Those of steps at full size have the
    crops in them, and do not compare with those before."""
    steps: int
    """Step after which the code was reached."""
    reconstruction: Reconstruction
    one_pass: Reconstruction | None
    """Reconstruction of the iterator's initial code, if requested."""


@dataclass(frozen=True)
class _Refined:
    """What the iterators found for one face."""

    w_plus: Tensor  # (num_ws, w_dim)
    losses: Tensor  # (steps + 1,)
    steps: int


@dataclass(frozen=True)
class Inverter:
    """Finds codes of aligned faces where the generator lies; metrics are computed on the CPU, alike for all devices."""

    generator: Generator
    """Generator that is inverted."""
    iterators: IteratorChain | None
    """Iterators that refine the code; None keeps the starting code."""
    renderer: Generator
    """Generator of the same latent space that draws the reconstructions."""
    evaluator: Evaluator
    full_size: LatentIterator | None = None
    """Iterator on the renderer that takes the last steps, toward faces of the renderer's size that have the pixels."""
    show_start: bool = False
    """Whether to draw and measure the iterator's initial code, too."""

    @property
    def steps(self) -> int:
        """Number of optimization steps for each face."""
        last = self.full_size.config.steps if self.full_size else 0
        return last + (self.iterators.steps if self.iterators else 0)

    @property
    def space(self) -> str:
        """Latent space of the codes: w or w+."""
        return self.iterators.iterators[0].config.space if self.iterators else "w+"

    def invert(
        self, faces: Sequence[AlignedFace], starting: Starting, on_step: OnStep | None = None
    ) -> list[InvertedFace]:
        """Compute the code of each aligned face.

        Args:
            faces: N aligned faces; their sizes may differ.
            starting: Where the iterator starts.
            on_step: As for `LatentIterator.refine`; steps at full size have losses only of the faces that take them.

        Raises:
            NotFiniteError: A start or a loss is not finite.
        """
        if not faces:
            return []
        resolution = min(WORKING_SIZE, self.generator.resolution)
        target = torch.cat([resample(face.image, resolution) for face in faces])
        on_device, begun = target.to(self.generator.device), time.perf_counter()
        start = starting(on_device)
        if not start.isfinite().all():
            raise NotFiniteError("the code to start from is not finite")
        if not self.iterators:
            drawn = self._drawn(start, faces, target, begun)
            return [
                InvertedFace(w.cpu(), torch.zeros(0), 0, one, one if self.show_start else None)
                for w, one in zip(start, drawn, strict=True)
            ]
        first = self._drawn(start, faces, target, begun) if self.show_start else []
        begun = time.perf_counter() - sum(one.figures.seconds for one in first)
        found = self._refined(self.iterators, faces, on_device, start, on_step)
        last = self._drawn(torch.stack([one.w_plus for one in found]), faces, target, begun, before=first)
        return [
            InvertedFace(one.w_plus.cpu(), one.losses.cpu(), one.steps, last[i], first[i] if first else None)
            for i, one in enumerate(found)
        ]

    def _refined(
        self,
        iterators: IteratorChain,
        faces: Sequence[AlignedFace],
        target: Tensor,
        start: Tensor,
        on_step: OnStep | None,
    ) -> list[_Refined]:
        """Refine the codes of all faces at the target's size, and then of those that have the pixels at full size."""
        found = iterators.refine(target, start, on_step)
        refined = [_Refined(w, found.losses[:, i], int(found.steps[i])) for i, w in enumerate(found.w_plus)]
        if self.full_size is None:
            return refined
        size, done = self.renderer.resolution, iterators.steps
        sharp = [i for i, one in enumerate(faces) if one.image.shape[-1] == size and one.side * MOST_ENLARGED >= size]
        if not sharp:
            return refined
        full = torch.cat([faces[i].image for i in sharp]).to(target)
        later = self.full_size.refine(full, found.w_plus[sharp], counting_from(done, on_step) if done else on_step)
        for row, i in enumerate(sharp):
            refined[i] = _Refined(
                later.w_plus[row],
                torch.cat([refined[i].losses, later.losses[min(done, 1) :, row]]),
                done + int(later.steps[row]) if later.steps[row] else refined[i].steps,
            )
        return refined

    def _drawn(
        self,
        w_plus: Tensor,
        faces: Sequence[AlignedFace],
        target: Tensor,
        begun: float,
        before: Sequence[Reconstruction] = (),
    ) -> list[Reconstruction]:
        """Draw codes (N, num_ws, w_dim) that were looked for since `begun`, and measure the images.

        What does not depend on the code is taken from earlier reconstructions of the faces.
        """
        with torch.inference_mode():
            images = [self.renderer.synthesis(one[None]).cpu() for one in w_plus]
        seconds = (time.perf_counter() - begun) / len(w_plus)
        metrics = self.evaluator.measure(torch.cat([resample(image, EVALUATION_SIZE) for image in images]), target)
        patterns = [one.figures.metrics.get("pattern_photo") for one in before] or [None] * len(faces)
        lpips, drawn = self.evaluator.lpips, []
        for image, one, face, pattern in zip(images, metrics, faces, patterns, strict=True):
            full = measure_full_size(image, face.image, lpips, side=face.side, pattern_photo=pattern)
            drawn.append(Reconstruction(image, Figures(one | full, seconds)))
        return drawn
