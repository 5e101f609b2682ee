"""Several processes that train together, each on its share of every batch."""

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
"""Seconds that the threads of connections get to finish."""
T = TypeVar("T")
Failure = TypeVar("Failure", bound=Exception)


class Processes(Protocol):
    """The processes that a training run runs in."""

    index: int
    """Number of this process, from 0."""
    count: int
    """Number of cooperating processes."""

    def total(self, tensor: Tensor) -> Tensor:
        """Add up the tensors, of one shape, that the processes hold."""
        ...

    def collected(self, items: Sequence[T]) -> list[T]:
        """Gather the items of all processes, those of the first one first."""
        ...

    def mixed_precision(self) -> AbstractContextManager[object]:
        """A context in which the network computes in the run's precision."""
        ...


@contextmanager
def failing_together(processes: Processes, kind: type[Failure]) -> Iterator[None]:
    """Raise an error of a type in every process if it occurs in one, so that none waits for another in vain.

    Collective: every process must enter, and none may wait for another inside.
    """
    errors: list[Failure] = []
    try:
        yield
    except kind as error:
        errors = [error]
    if errors := processes.collected(errors):
        raise errors[0]


def refuse_unlike(processes: Processes, settings: Stamp) -> None:
    """Check that all processes were given the same. Collective: every process must.

    Args:
        processes: The processes, which may be on several machines.
        settings: What the run depends on.

    Raises:
        UserError: One has other photos, networks or options than the first.
    """
    first, *others = processes.collected([dict(settings)])
    for index, other in enumerate(others, start=1):
        if names := differences(first, other):
            what = f"process {index} has another {', '.join(names)} than the first"
            raise UserError(f"{what}; give all machines the same options, photos and files")


def refuse_other_steps(processes: Processes, step: int, folder: Path) -> None:
    """Check that all processes go on from one checkpoint. Collective: every process must.

    Args:
        processes: The processes, which may be on several machines.
        step: The step that this one goes on from.
        folder: The run's folder.

    Raises:
        UserError: They see different ones.
    """
    steps = sorted(set(processes.collected([step])))
    if len(steps) > 1:
        found = ", ".join(map(str, steps))
        raise UserError(f"{folder}: not the same on all machines (steps {found}); share it", arguments="out")


class Alone:
    """A single process: nothing is shared or gathered."""

    index, count = 0, 1

    def __init__(self, autocast: torch.autocast | None = None) -> None:
        """Compute in the mixed precision of a context; None in that of the weights."""
        self._autocast = autocast

    def total(self, tensor: Tensor) -> Tensor:
        """Return the tensor unchanged."""
        return tensor

    def collected(self, items: Sequence[T]) -> list[T]:
        """Return the items unchanged."""
        return list(items)

    def mixed_precision(self) -> AbstractContextManager[object]:
        """A context of PyTorch's mixed precision."""
        return self._autocast or nullcontext()


class Accelerated:
    """The processes that `accelerate launch` or `torchrun` started, through Hugging Face Accelerate."""

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
        """Close the connections while the interpreter is whole.

        Gloo's threads may still be letting go of Python's tensors; one that does so in an interpreter that is being
        torn down aborts the process (pytorch/pytorch#179291).
        """
        self._accelerator.state.destroy_process_group()
        time.sleep(LETTING_GO)

    def total(self, tensor: Tensor) -> Tensor:
        """Add up all processes' tensors."""
        total: Tensor = self._accelerator.reduce(tensor, reduction="sum")
        return total

    def collected(self, items: Sequence[T]) -> list[T]:
        """Gather all processes' items."""
        from accelerate.utils import gather_object

        return list(gather_object(list(items)))

    def mixed_precision(self) -> AbstractContextManager[object]:
        """A context of Accelerate's mixed precision."""
        context: AbstractContextManager[object] = self._accelerator.autocast()
        return context


def find_processes(device: torch.device, dtype: torch.dtype) -> Alone | Accelerated:
    """Find the processes that run this program: a single one, unless a launcher started several.

    Args:
        device: Of one by itself; if it is the CPU, several compute there, too.
        dtype: Of the network's arithmetic; weights and gradients stay in float32.

    Raises:
        UserError: There are several, and Accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Alone(None if dtype == torch.float32 else torch.autocast(device.type, dtype))
    if importlib.util.find_spec("accelerate") is None:
        raise UserError("several processes need Hugging Face Accelerate: pip install 'latentloop[train]'")
    from accelerate import Accelerator

    mixed = "no" if dtype == torch.float32 else "bf16"
    return Accelerated(Accelerator(cpu=device.type == "cpu", mixed_precision=mixed))
