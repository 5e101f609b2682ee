"""Distilling a generator into a folder, from wherever an earlier run stopped."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.faces import whole_square
from latentloop.files import replacing
from latentloop.generators.registry import save_generator
from latentloop.images import read_image
from latentloop.training.checkpoint import load_checkpoint, save_checkpoint
from latentloop.training.distillation import Distillation

KIND = "distillation"


@dataclass(frozen=True)
class PhotoFolder:
    """Aligned photos, read when they are wanted."""

    paths: Sequence[Path]
    resolution: int

    def __call__(self, count: int, randomness: torch.Generator) -> Tensor:
        """Any of them, (count, 3, R, R) in [-1, 1].

        Raises:
            UserError: One cannot be read or is not square.
        """
        chosen = torch.randint(len(self.paths), (count,), generator=randomness).tolist()
        return torch.cat([whole_square(read_image(self.paths[i]), self.resolution).image for i in chosen])


@dataclass(frozen=True)
class DistillJob:
    """A run in a folder: checkpoint.pt, log.jsonl (a line a pool) and the student, all rewritten after each pool."""

    distillation: Distillation
    folder: Path
    settings: Mapping[str, Any]
    """All that the course of the run depends on."""

    @property
    def result(self) -> Path:
        """The student's file."""
        return self.folder / f"{self.distillation.student.name}.safetensors"

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if it has one.

        Raises:
            UserError: The checkpoint is damaged, or of a run with other settings.
        """
        path = self.folder / "checkpoint.pt"
        if path.exists():
            self.distillation.load_state(load_checkpoint(path, kind=KIND, config=self.settings))
        elif self.result.exists():
            raise UserError(f"{self.result}: in the way, and no checkpoint to go on from; choose another folder")

    def run(self) -> Iterator[dict[str, float]]:
        """Distil on; yields a line of the log once its pool is safely on disk.

        Raises:
            UserError: The folder cannot be written to.
        """
        log, begun = self._log(), time.perf_counter()
        for terms in self.distillation.run():
            seconds = round(time.perf_counter() - begun, 1)
            log.append({"step": self.distillation.step, **terms, "seconds": seconds})
            begun = time.perf_counter()
            with replacing(self.folder / "log.jsonl") as part:
                part.write_text("".join(f"{json.dumps(line)}\n" for line in log), encoding="utf-8")
            save_generator(self.result, self.distillation.result())
            save_checkpoint(
                self.folder / "checkpoint.pt", kind=KIND, config=self.settings, state=self.distillation.state()
            )
            yield log[-1]

    def _log(self) -> list[dict[str, float]]:
        """The lines of the log up to the step that the run goes on from."""
        path = self.folder / "log.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in map(json.loads, lines) if line["step"] <= self.distillation.step]
