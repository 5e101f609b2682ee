"""Refinements of a video's frames beyond their codes, each found from that of the frame before."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.faces import crop_quad
from latentloop.files import replacing
from latentloop.generators import Generator, Refinement, refined
from latentloop.inversion import FeatureRefiner
from latentloop.latents.numpy_archive import DAMAGE
from latentloop.latents.refinement_arrays import read_refinement, refinement_arrays
from latentloop.photo_editing.listener import Progress
from latentloop.stamps import Stamp
from latentloop.video import Video

DrawnBy = Callable[[int], Generator | None]
"""Returns the refined generator of a frame, by its number; None for a frame without a refinement."""
SMOOTHED = 1.0
"""Standard deviation of the Gaussian that smooths refinements in time, in frames: with it they flicker no more than
codes alone, and faces are as close."""
SIZE = 256
"""Largest size at which frames are compared, in pixels."""


@dataclass(frozen=True)
class FrameRefiner:
    """Refines the generator's features for each frame, starting from the refinement of the frame before."""

    first: FeatureRefiner
    """Refiner of the first frame with a face."""
    later: FeatureRefiner
    """Refiner of the other frames: fewer and smaller steps, so that a refinement changes no more than the face does."""
    stamp: Stamp
    """Settings that the refinements depend on, besides the codes."""

    def refine(
        self, video: Video, quads: Tensor, codes: Tensor, seen: Tensor, folder: Path, progress: Progress
    ) -> "FrameRefinements":
        """Complete the refinements in a folder.

        Args:
            video: Video whose frames are refined.
            quads: Position of the face in each frame, (F, 4, 2).
            codes: Code of each frame, (F, num_ws, w_dim).
            seen: Mask of the frames that show a face, (F,); the others get no refinement.
            folder: Folder for one file per frame.
            progress: Called with the stage, the number of finished frames and of all frames.
        """
        found = FrameRefinements(folder, self.first.generator)
        done, before = found.finished(seen)
        frames = islice(zip(video.frames(), quads, strict=False), done, None)
        for i, (frame, quad) in enumerate(frames, start=done):
            if seen[i]:
                before = self._refined(frame, quad, codes[i : i + 1], before)
                found.write(i, before)
            progress("frames refined", i + 1, len(quads))
        return found

    def _refined(self, frame: Tensor, quad: Tensor, w_plus: Tensor, before: Refinement | None) -> Refinement:
        refiner = self.later if before else self.first
        like = refiner.generator.latent_avg
        target = crop_quad(frame, quad, min(SIZE, refiner.generator.resolution)).to(like)
        start = [before.residual] if before and before.residual else []
        (found,) = refiner.refine(target, w_plus.to(like), start=start).refinements
        return found


@dataclass(frozen=True)
class FrameRefinements:
    """A folder with the refinement of each frame, `000000.npz` and so on."""

    folder: Path
    generator: Generator
    """Generator that is refined."""

    def write(self, i: int, refinement: Refinement) -> None:
        """Write the refinement of frame `i`."""
        with replacing(self._file(i)) as part, part.open("wb") as file:
            arrays: dict[str, Any] = refinement_arrays(refinement)
            np.savez(file, **arrays)

    def finished(self, seen: Tensor) -> tuple[int, Refinement | None]:
        """Count the frames before the first face without a whole file; also return the last refinement before it."""
        last = None
        for i, face in enumerate(seen.tolist()):
            found = self._read(i) if face else last
            if face and found is None:
                return i, last
            last = found
        return len(seen), last

    def drawn_by(self, i: int) -> Generator | None:
        """Return the generator of a frame, with its refinement smoothed in time; None for a frame without one.

        Raises:
            UserError: The file is damaged.
        """
        # Two frames on each side; those without a refinement are left out, and the weights sum to 1.
        near = {k: found.residual for k in range(i - 2, i + 3) if (found := self._read(k)) and found.residual}
        own = self._read(i)
        if own is None or own.residual is None:
            return None
        weights = {k: math.exp(-(((k - i) / SMOOTHED) ** 2) / 2) for k in near}
        total = sum(weights.values())
        features = sum((weights[k] / total * near[k].features for k in near), torch.zeros(()))
        smooth = replace(own, residual=replace(own.residual, features=features))
        return refined(self.generator, smooth, path=self._file(i))

    def _read(self, i: int) -> Refinement | None:
        try:
            return read_refinement(self._file(i).read_bytes())
        except (OSError, *DAMAGE):
            return None

    def _file(self, i: int) -> Path:
        return self.folder / f"{i:06d}.npz"
