"""Training the embedding network into a folder, from wherever an earlier run stopped."""

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
LOG, BEST, LAST = "log.jsonl", "best.safetensors", "last.safetensors"
TENSORBOARD = "tensorboard"
PICTURE, COMMAND = "validation.png", "train"
"""Name of the picture of some reconstructions, and the command whose mark it carries."""
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Saving:
    """Interval between checkpoints, and the number that are kept."""

    every: int = 100
    """Steps between two checkpoints."""
    keep: int = 2
    """Number of latest checkpoints to keep, beside that of the best network."""


class Progress(NamedTuple):
    """Progress of training after a step."""

    metrics: Figures
    """Number of the step, its loss and the loss's terms, and what the iterator did for the photos."""
    saved: Figures | None
    """Line of the log, if the run was saved after this step: means over the steps since the last save, and the
    validation's figures; else None."""


@dataclass
class TrainJob:
    """A training run in a folder.

    `checkpoints/` holds the states that it goes on from, `codes.cache` the best codes, `log.jsonl` and `tensorboard/`
    its figures, `validation.png` some reconstructions, `last.safetensors` the network, and `best.safetensors` that
    with the lowest validation loss so far. Wherever a run is killed, all are brought in line with the last checkpoint
    when it goes on. Of several processes the first one writes.
    """

    trainer: Trainer
    validation: Validation | None
    """Measures the network, in the first process; None in the others."""
    folder: Path
    settings: Mapping[str, Any]
    """The stamp of the run: all that its course depends on."""
    saving: Saving = Saving()
    stopping: Callable[[], bool] = lambda: False
    """Called after each step; True saves and stops the run."""
    held: ExitStack = field(default_factory=ExitStack)
    """What keeps others from using the folder, until the run ends."""
    _recent: list[Figures] = field(default_factory=list, init=False)
    """Metrics of the steps since the last line of the log."""

    @property
    def result(self) -> Path:
        """Path of the best network's file."""
        return self.folder / BEST

    @property
    def finished(self) -> bool:
        """Return whether the run has taken all its steps, or all its time."""
        return self.trainer.finished

    def resume(self, *, longer: bool = False) -> None:
        """Go on from the folder's last checkpoint, if it has one.

        Args:
            longer: It may be of a run of another length; it is written anew as one of this.

        Raises:
            UserError: The checkpoint is damaged, or of a run with other settings; the folder holds files that are not
                such a run's, or cannot be written to.
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
                self._log.write(lines)  # what cannot be written shall show now, not after the first steps
                self._publish(lines)
            else:
                self.trainer.collaboration.cache.commit()

    def run(self) -> Iterator[Progress]:
        """Train on; yields each step, and where the run is saved after it, once that is safely on disk.

        Raises:
            UserError: The folder cannot be written to, or memory is short; the loss or the iterator diverged, then the
                run is saved as it was before that step.
        """
        begun = time.perf_counter()
        with self.held, self._explained(), TensorBoardLog(self._tensorboard, self.trainer.step) as tensorboard:
            for metrics in self.trainer.run():
                self._recent.append(metrics)
                tensorboard.scalars(metrics)
                if metrics["step"] < self.trainer.step:  # the trainer tells of several steps at a time
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
            raise UserError(f"{self.folder}: over after {taken} steps; give it more", arguments=LENGTH)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NotFiniteError as error:
            self._write_checkpoint()
            last = self.folder / LAST
            begin, helpful = ("begin another run", ["lr"])
            if last.exists():
                begin, helpful = f"begin another run from {last}", ["start", "lr"]
            saved = f"{error}; step {self.trainer.step} is saved, {begin} with smaller steps"
            raise UserError(saved, arguments=helpful) from error
        except torch.OutOfMemoryError as error:
            raise UserError("not enough memory on the device; try a smaller batch", arguments="batch") from error
        except _failure_to_compile() as error:
            raise UserError(f"cannot compile: {error}; do without", arguments="compile") from error

    def _asked_to_stop(self) -> bool:
        return any(self.trainer.processes.collected([self.stopping()]))

    def _save(self, means: Figures, tensorboard: TensorBoardLog) -> Figures:
        """Log, then checkpoint, then all that can be made again from these."""
        line = means
        with failing_together(self.trainer.processes, UserError):
            if self.validation:
                line = {**means, **self._measured(self.validation, tensorboard)}
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
            raise NotFiniteError(f"what the network draws after step {self.trainer.step} is not finite")
        picture = validation.picture(network)
        tensorboard.scalars({"step": self.trainer.step, **figures})
        tensorboard.picture(picture, self.trainer.step)
        write_png(self.folder / PICTURE, picture, comment=mark(COMMAND))
        return figures

    def _publish(self, lines: Sequence[Figures]) -> None:
        """Write the networks of the last checkpoint, and delete older ones."""
        self.trainer.collaboration.cache.commit()
        if not lines:
            return
        network = self.trainer.result()
        save_embedder(self.folder / LAST, network)
        best = min(lines, key=lambda line: line["val_loss"])["step"]
        if best == self.trainer.step:
            save_embedder(self.result, network)
        kept = {*checkpoints_in(self.folder)[-self.saving.keep :], self._checkpoint_of(best)}
        for path in set(checkpoints_in(self.folder)) - kept:
            if is_checkpoint(path, kind=KIND):
                path.unlink(missing_ok=True)

    def _write_checkpoint(self) -> None:
        if self._first:
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
    """Look it up only once something has failed: the import takes seconds."""
    from torch._dynamo.exc import BackendCompilerFailed

    return BackendCompilerFailed


def last_checkpoint(folder: Path) -> Path | None:
    """Find the checkpoint that the run in a folder goes on from; None for a new run.

    Raises:
        UserError: The folder holds files that the run would replace, and that are not its own.
    """
    checkpoints = checkpoints_in(folder)
    begun = bool(checkpoints) or (folder / LOG).exists()  # a run that was killed in its first moments has a log alone
    RunLog(folder / LOG).lines(0)
    ours: dict[str, Ours] = {PICTURE: marked_by(COMMAND), SETTINGS: with_entries("common")} if begun else {}
    ours |= {BEST: is_embedder, LAST: is_embedder} if checkpoints else {}
    for name in (BEST, LAST, PICTURE, SETTINGS):
        if is_foreign(folder / name, ours.get(name, lambda _: False)):
            why = "and not of this run; move it" if checkpoints else "and no checkpoint to go on from"
            raise UserError(f"{folder / name}: in the way, {why}, or choose another folder", arguments="out")
    return checkpoints[-1] if checkpoints else None


def refuse_linked_run(folder: Path, *, own_codes: bool = True) -> None:
    """Check that nothing of the run in a folder is a link, through which it would write or replace files elsewhere.

    Args:
        folder: The run's folder.
        own_codes: Its best codes are in the folder, too; where the user names another file, that may be a link.

    Raises:
        UserError: Something is.
    """
    names = (CHECKPOINTS, TENSORBOARD, LOG, SETTINGS, BEST, LAST, PICTURE)
    refuse_links(*(folder / name for name in names), *checkpoints_in(folder))
    if own_codes:
        refuse_links(*(folder / f"{CODES}{ending}" for ending in ("", "-wal", "-shm")))


def _means(steps: Sequence[Figures]) -> dict[str, float]:
    """The mean of each figure that all have, and the last step."""
    names = [name for name in steps[0] if all(name in step for step in steps)]
    return {name: sum(step[name] for step in steps) / len(steps) for name in names} | {"step": steps[-1]["step"]}
