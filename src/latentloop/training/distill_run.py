"""Distillation of a generator into a folder, resumed from the last checkpoint."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed

from latentloop.errors import NotFiniteError, UserError
from latentloop.generators.generator_file import is_generator
from latentloop.generators.registry import save_generator
from latentloop.ownership import is_foreign, refuse_links
from latentloop.training.checkpoint import load_checkpoint, restoring, save_checkpoint
from latentloop.training.distillation import Distillation
from latentloop.training.run_log import RunLog

KIND = "distillation"
"""Kind of training that checkpoints record."""


@dataclass(frozen=True)
class DistillJob:
    """A distillation in a folder: log.jsonl (one line per pool), checkpoint.safetensors and the student.

    They are rewritten after each pool in this order. After a kill the log may be ahead of the checkpoint, and the
    student behind it; resuming brings both in line with the checkpoint.
    """

    distillation: Distillation
    folder: Path
    settings: Mapping[str, Any]
    """Stamp of the run: all settings that its course depends on."""
    held: ExitStack = field(default_factory=ExitStack)
    """Locks on the folder, released when the run ends."""

    @property
    def result(self) -> Path:
        """Path of the student's file."""
        return self.folder / f"{self.distillation.student.name}.safetensors"

    def resume(self) -> None:
        """Resume from the folder's checkpoint, if it has one.

        Raises:
            UserError: The checkpoint is damaged, or of a run with other settings; the folder holds foreign files, or
                cannot be written to.
        """
        path = self.folder / "checkpoint.safetensors"
        refuse_links(path, self.result, self._log.path)
        if path.exists():
            state = load_checkpoint(path, kind=KIND, config=self.settings)
            with restoring(path):
                self.distillation.load_state(state)
            if is_foreign(self.result, is_generator):
                why = "in the way, and not of this run; move it, or choose another folder"
                raise UserError(f"{self.result}: {why}", arguments="out")
            save_generator(self.result, self.distillation.result())
        else:
            self._log.lines(0)  # a run killed in its first moments leaves a log alone; other content is refused
            if self.result.exists() and self.result.stat().st_size:
                raise UserError(f"{self.result}: in the way, and no checkpoint to go on from; choose another folder")
        # Write errors should show now, not after the first pool. This also drops lines after the checkpoint.
        self._log.write(self._log.lines(self.distillation.step))

    def run(self) -> Iterator[dict[str, float]]:
        """Distil; yields a line of the log once its pool is on disk.

        Raises:
            UserError: The folder cannot be written to, or the loss or the iterator diverged. Earlier results are kept.
        """
        log, begun = self._log.lines(self.distillation.step), time.perf_counter()
        checkpoint = self.folder / "checkpoint.safetensors"
        with self.held:
            for terms in self._terms():
                seconds = round(time.perf_counter() - begun, 1)
                log.append({"step": self.distillation.step, **terms, "seconds": seconds})
                begun = time.perf_counter()
                self._log.write(log)
                save_checkpoint(checkpoint, kind=KIND, config=self.settings, state=self.distillation.state())
                save_generator(self.result, self.distillation.result())
                yield log[-1]

    def _terms(self) -> Iterator[dict[str, float]]:
        """Yield the loss terms of each pool; errors become advice."""
        try:
            yield from self.distillation.run()
        except NotFiniteError as error:
            problem = f"{error}; run again with smaller steps in another folder"
            raise UserError(problem, arguments=("lr", "trunk_lr", "out")) from error
        except BackendCompilerFailed as error:
            raise UserError(f"cannot compile: {error.inner_exception}; leave it out", arguments="compile") from error
        except torch.OutOfMemoryError as error:
            raise UserError("not enough memory on the device; try a smaller batch", arguments="batch") from error

    @property
    def _log(self) -> RunLog:
        return RunLog(self.folder / "log.jsonl")
