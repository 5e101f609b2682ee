"""Training run in a folder, resumed from its last checkpoint."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latentloop.encoders import is_embedder, save_embedder
from latentloop.errors import NotFiniteError, UserError
from latentloop.files import remove_leftovers
from latentloop.images import write_png
from latentloop.ownership import Ours, is_foreign, mark, marked_by, refuse_links, with_entries
from latentloop.training.checkpoint import is_checkpoint, load_checkpoint, restoring, save_checkpoint
from latentloop.training.processes import failing_together
from latentloop.training.run_log import RunLog
from latentloop.training.settings_file import CHECKPOINTS, CODES, LENGTH, SETTINGS, checkpoints_in
from latentloop.training.tensorboard_log import TensorBoardLog
from latentloop.training.trainer import Trainer
from latentloop.training.validation import Validation

KIND = "training"
"""Kind of training that checkpoints record."""
LOG, BEST, LAST = "log.jsonl", "best.safetensors", "last.safetensors"
TENSORBOARD = "tensorboard"
PICTURE, COMMAND = "validation.png", "train"
"""Name of the picture of some reconstructions, and the command whose mark it carries."""
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Saving:
    """Interval between checkpoints, and the number to keep."""

    every: int = 100
    """Number of steps between two checkpoints."""
    keep: int = 2
    """Number of latest checkpoints to keep, besides that of the best network."""


class Progress(NamedTuple):
    """Progress of training after a step."""

    metrics: Figures
    """Number of the step, its loss and the loss's terms, and statistics of the iterator."""
    saved: Figures | None
    """Line of the log, if the run was saved after this step: means over the steps since the last save, and validation
    metrics; otherwise None."""


@dataclass
class TrainJob:
    """A training run in a folder.

    `checkpoints/` holds states to resume from, `codes.cache` the best codes, `log.jsonl` and `tensorboard/` the
    metrics, `validation.png` some reconstructions, `last.safetensors` the network, and `best.safetensors` the network
    with the lowest validation loss so far. Wherever a run is killed, resuming brings all of them in line with the last
    checkpoint. Of several processes the first one writes.
    """

    trainer: Trainer
    validation: Validation | None
    """Measures the network, in the first process; None in the others."""
    folder: Path
    settings: Mapping[str, Any]
    """Stamp of the run: all settings that its course depends on."""
    saving: Saving = Saving()
    stopping: Callable[[], bool] = lambda: False
    """Called after each step; True saves and stops the run."""
    held: ExitStack = field(default_factory=ExitStack)
    """Locks on the folder, released when the run ends."""
    _recent: list[Figures] = field(default_factory=list, init=False)
    """Metrics of the steps since the last line of the log."""

    @property
    def result(self) -> Path:
        """Path of the best network's file."""
        return self.folder / BEST

    @property
    def finished(self) -> bool:
        """True if the run has taken all its steps, or all its time."""
        return self.trainer.finished

    def resume(self, *, longer: bool = False) -> None:
        """Resume from the folder's last checkpoint, if it has one.

        Args:
            longer: The checkpoint may be of a run with another length; it is rewritten with the new length.

        Raises:
            UserError: The checkpoint is damaged, or of a run with other settings; the folder holds foreign files, or
                cannot be written to.
        """
        with failing_together(self.trainer.processes, UserError):
            if checkpoint := last_checkpoint(self.folder):
                but = LENGTH if longer else ()
                state = load_checkpoint(checkpoint, kind=KIND, config=self.settings, but=but, length=LENGTH)
                with restoring(checkpoint):
                    self.trainer.load_state(state)
                    self._recent = state["recent"]
                if longer:
                    self._check_length()
                    self._write_checkpoint()
            if self._first:
                remove_leftovers(self.folder)
                remove_leftovers(self.folder / CHECKPOINTS)
                lines = self._log.lines(self.trainer.step)
                self._log.write(
                    lines
                )  # drops lines after the checkpoint, and shows write errors before the first steps
                self._publish(lines)
            else:
                # Not the first process: it writes nothing, but must drop the codes that the first one now commits.
                self.trainer.collaboration.cache.commit()

    def run(self) -> Iterator[Progress]:
        """Train; yields each step, after the run is saved where that is due.

        Raises:
            UserError: The folder cannot be written to, memory is short, or the loss or the iterator diverged; the run
                is then saved as it was before that step.
        """
        begun = time.perf_counter()
        with self.held, self._explained(), TensorBoardLog(self._tensorboard, self.trainer.step) as tensorboard:
            for metrics in self.trainer.run():
                self._recent.append(metrics)
                tensorboard.scalars(metrics)
                if metrics["step"] < self.trainer.step:  # one of several steps that the trainer reports together
                    yield Progress(metrics, None)
                    continue
                stop, line = self._asked_to_stop(), None
                if self.finished or self.trainer.step % self.saving.every == 0:
                    means = _means(self._recent) | {"seconds": round(time.perf_counter() - begun, 1)}
                    self._recent, begun = [], time.perf_counter()
                    line = self._save(means, tensorboard)
                elif stop:
                    self._write_checkpoint()
                yield Progress(metrics, line)
                if stop:
                    return

    def _check_length(self) -> None:
        if self.finished:
            taken = self.trainer.step
            raise UserError(f"{self.folder}: the run has ended after {taken} steps; give it more", arguments=LENGTH)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NotFiniteError as error:
            # The learner did not take the failing step: this saves the state before it.
            self._write_checkpoint()
            last = self.folder / LAST
            begin, helpful = ("start another run", ["lr"])
            if last.exists():
                begin, helpful = f"start another run from {last}", ["start", "lr"]
            saved = f"{error}; step {self.trainer.step} is saved, {begin} with smaller steps"
            raise UserError(saved, arguments=helpful) from error
        except torch.OutOfMemoryError as error:
            raise UserError("not enough memory on the device; try a smaller batch", arguments="batch") from error
        except _failure_to_compile() as error:
            raise UserError(f"cannot compile: {error}; leave it out", arguments="compile") from error

    def _asked_to_stop(self) -> bool:
        return any(self.trainer.processes.collected([self.stopping()]))

    def _save(self, means: Figures, tensorboard: TensorBoardLog) -> Figures:
        """Write the log, then the checkpoint, then everything that can be rebuilt from these."""
        # A kill after any write must leave a resumable folder: a log that is ahead is cut back to the checkpoint, and
        # networks and cache that are behind are written again. A cache ahead of the checkpoint could not be cut back:
        # the resumed run would start from codes of its own future.
        line = means
        with failing_together(self.trainer.processes, UserError):
            if self.validation:
                line = {**means, **self._measured(self.validation, tensorboard)}
                # Read again: this drops a line of this step that a killed run wrote before its checkpoint.
                lines = [*self._log.lines(self.trainer.step - 1), line]
                self._log.write(lines)
                self._write_checkpoint()
                self._publish(lines)
            else:
                self.trainer.collaboration.cache.commit()
        return line

    def _measured(self, validation: Validation, tensorboard: TensorBoardLog) -> Figures:
        network = self.trainer.result()
        figures = validation.measure(network)
        if not all(map(math.isfinite, figures.values())):
            raise NotFiniteError(f"the validation after step {self.trainer.step} is not finite")
        picture = validation.picture(network)
        tensorboard.scalars({"step": self.trainer.step, **figures})
        tensorboard.picture(picture, self.trainer.step)
        write_png(self.folder / PICTURE, picture, comment=mark(COMMAND))
        return figures

    def _publish(self, lines: Sequence[Figures]) -> None:
        """Commit the codes, write the networks of the last checkpoint, and delete older checkpoints."""
        self.trainer.collaboration.cache.commit()
        if not lines:
            return
        network = self.trainer.result()
        save_embedder(self.folder / LAST, network)
        best = min(lines, key=lambda line: line["val_loss"])["step"]
        if best == self.trainer.step:
            save_embedder(self.result, network)
        # The best network's checkpoint is kept: best.safetensors can be rebuilt from it after a kill.
        kept = {*checkpoints_in(self.folder)[-self.saving.keep :], self._checkpoint_of(best)}
        for path in set(checkpoints_in(self.folder)) - kept:
            if is_checkpoint(path, kind=KIND):
                path.unlink(missing_ok=True)

    def _write_checkpoint(self) -> None:
        if self._first:
            # With the metrics since the last line of the log: a resumed run averages over the same steps.
            path, state = self._checkpoint_of(self.trainer.step), self.trainer.state() | {"recent": self._recent}
            save_checkpoint(path, kind=KIND, config=self.settings, state=state)

    def _checkpoint_of(self, step: float) -> Path:
        return self.folder / CHECKPOINTS / f"step-{int(step):08}.safetensors"

    @property
    def _tensorboard(self) -> Path | None:
        return self.folder / TENSORBOARD if self._first else None

    @property
    def _log(self) -> RunLog:
        return RunLog(self.folder / LOG, figures=("val_loss",))

    @property
    def _first(self) -> bool:
        return self.trainer.processes.index == 0


def _failure_to_compile() -> type[Exception]:
    """Return the exception of failed compilation, imported only after an error: the import takes seconds."""
    from torch._dynamo.exc import BackendCompilerFailed

    return BackendCompilerFailed


def last_checkpoint(folder: Path) -> Path | None:
    """Find the checkpoint that the run in a folder resumes from; None for a new run.

    Raises:
        UserError: The folder holds foreign files that the run would replace.
    """
    checkpoints = checkpoints_in(folder)
    begun = bool(checkpoints) or (folder / LOG).exists()  # a run killed in its first moments leaves a log alone
    # Raises if the file is something else than such a log.
    RunLog(folder / LOG).lines(0)
    ours: dict[str, Ours] = {PICTURE: marked_by(COMMAND), SETTINGS: with_entries("common")} if begun else {}
    ours |= {BEST: is_embedder, LAST: is_embedder} if checkpoints else {}
    for name in (BEST, LAST, PICTURE, SETTINGS):
        if is_foreign(folder / name, ours.get(name, lambda _: False)):
            why = "and not of this run; move it" if checkpoints else "and no checkpoint to go on from"
            raise UserError(f"{folder / name}: in the way, {why}, or choose another folder", arguments="out")
    return checkpoints[-1] if checkpoints else None


def refuse_linked_run(folder: Path, *, own_codes: bool = True) -> None:
    """Check that nothing of a run is a link, through which files elsewhere would be written or replaced.

    Args:
        folder: Folder of the run.
        own_codes: Also check the best codes in the folder; a file named by the user may be a link.

    Raises:
        UserError: Something is a link.
    """
    names = (CHECKPOINTS, TENSORBOARD, LOG, SETTINGS, BEST, LAST, PICTURE)
    refuse_links(*(folder / name for name in names), *checkpoints_in(folder))
    if own_codes:
        refuse_links(*(folder / f"{CODES}{ending}" for ending in ("", "-wal", "-shm")))


def _means(steps: Sequence[Figures]) -> dict[str, float]:
    """Average each metric that all steps have; the step is the last one's."""
    names = [name for name in steps[0] if all(name in step for step in steps)]
    return {name: sum(step[name] for step in steps) / len(steps) for name in names} | {"step": steps[-1]["step"]}
