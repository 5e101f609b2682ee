"""Cooperation of several training processes, each on its share of every batch."""

import atexit
import importlib.util
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.stamps import Stamp, differences

LETTING_GO = 0.5
"""Seconds that the threads of connections get to finish at exit."""
T = TypeVar("T")
Failure = TypeVar("Failure", bound=Exception)


class Processes(Protocol):
    """Interface of the processes of a training run."""

    index: int
    """Number of this process, from 0."""
    count: int
    """Number of cooperating processes."""

    def total(self, tensor: Tensor) -> Tensor:
        """Sum tensors of the same shape over the processes."""
        ...

    def collected(self, items: Sequence[T]) -> list[T]:
        """Gather the items of all processes, in the order of processes."""
        ...

    def mixed_precision(self) -> AbstractContextManager[object]:
        """Return a context in which the network computes in the run's precision."""
        ...


@contextmanager
def failing_together(processes: Processes, kind: type[Failure]) -> Iterator[None]:
    """Raise an error of a type in every process if it occurs in one, so that none waits for another in vain.

    Collective: every process must enter, and there must be no other collective inside.
    """
    errors: list[Failure] = []
    try:
        yield
    except kind as error:
        errors = [error]
    if errors := processes.collected(errors):
        raise errors[0]


def refuse_unlike(processes: Processes, settings: Stamp) -> None:
    """Check that all processes have the same settings. Collective: every process must call it.

    Args:
        processes: Processes, possibly on several machines.
        settings: Stamp of the run.

    Raises:
        UserError: A process has other photos, networks or options than the first.
    """
    first, *others = processes.collected([dict(settings)])
    for index, other in enumerate(others, start=1):
        if names := differences(first, other):
            what = f"process {index} has another {', '.join(names)} than the first"
            raise UserError(f"{what}; give all machines the same options, photos and files")


def refuse_other_steps(processes: Processes, step: int, folder: Path) -> None:
    """Check that all processes resume from the same checkpoint. Collective: every process must call it.

    Args:
        processes: Processes, possibly on several machines.
        step: Step that this process resumes from.
        folder: Folder of the run.

    Raises:
        UserError: The processes see different checkpoints.
    """
    steps = sorted(set(processes.collected([step])))
    if len(steps) > 1:
        found = ", ".join(map(str, steps))
        raise UserError(f"{folder}: not the same on all machines (steps {found}); share it", arguments="out")


class Alone:
    """A single process: nothing is shared or gathered."""

    index, count = 0, 1

    def __init__(self, autocast: torch.autocast | None = None) -> None:
        """Create a process with an autocast context; None computes in the precision of the weights."""
        self._autocast = autocast

    def total(self, tensor: Tensor) -> Tensor:
        """Return the tensor unchanged."""
        return tensor

    def collected(self, items: Sequence[T]) -> list[T]:
        """Return the items unchanged."""
        return list(items)

    def mixed_precision(self) -> AbstractContextManager[object]:
        """Return the autocast context, if there is one."""
        return self._autocast or nullcontext()


class Accelerated:
    """Processes started by `accelerate launch` or `torchrun`, through Hugging Face Accelerate."""

    def __init__(self, accelerator: Any) -> None:  # noqa: ANN401 - an accelerate.Accelerator, which may be missing
        self._accelerator = accelerator
        if self.device.type == "cpu":
            atexit.register(self._part)
        self.index, self.count = int(accelerator.process_index), int(accelerator.num_processes)

    @property
    def device(self) -> torch.device:
        """PyTorch device of this process."""
        device: torch.device = self._accelerator.device
        return device

    def _part(self) -> None:
        """Close the connections while the interpreter is intact.

        Gloo's threads may still release Python tensors; one that does so while the interpreter is torn down aborts the
        process (pytorch/pytorch#179291).
        """
        self._accelerator.state.destroy_process_group()
        time.sleep(LETTING_GO)

    def total(self, tensor: Tensor) -> Tensor:
        """Sum the tensors of all processes."""
        total: Tensor = self._accelerator.reduce(tensor, reduction="sum")
        return total

    def collected(self, items: Sequence[T]) -> list[T]:
        """Gather the items of all processes."""
        from accelerate.utils import gather_object

        return list(gather_object(list(items)))

    def mixed_precision(self) -> AbstractContextManager[object]:
        """Return Accelerate's autocast context."""
        context: AbstractContextManager[object] = self._accelerator.autocast()
        return context


def find_processes(device: torch.device, dtype: torch.dtype) -> Alone | Accelerated:
    """Determine the processes that run this program: a single one, unless a launcher started several.

    Args:
        device: Device of a single process; if it is the CPU, several processes use the CPU, too.
        dtype: Type of the network's arithmetic; weights and gradients stay in float32.

    Raises:
        UserError: There are several, and Accelerate is not installed.
    """
    # Set by `accelerate launch` and `torchrun`.
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Alone(None if dtype == torch.float32 else torch.autocast(device.type, dtype))
    if importlib.util.find_spec("accelerate") is None:
        raise UserError("several processes need Hugging Face Accelerate: pip install 'latentloop[train]'")
    from accelerate import Accelerator

    mixed = "no" if dtype == torch.float32 else "bf16"
    return Accelerated(Accelerator(cpu=device.type == "cpu", mixed_precision=mixed))
