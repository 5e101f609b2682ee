"""What a training run computes on: device, precision and processes."""

from typing import NamedTuple

import torch

from latentloop.devices import find_device, find_precision
from latentloop.training.options import TrainOptions
from latentloop.training.processes import Accelerated, Processes, find_processes


class Machine(NamedTuple):
    """Device, precision and processes of a run."""

    device: torch.device
    dtype: torch.dtype
    processes: Processes

    @property
    def precision(self) -> str:
        """The name of the type, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")


def find_machine(options: TrainOptions) -> Machine:
    """Find the device, the precision and the processes of a run.

    Raises:
        UserError: There is no such device; several processes lack Accelerate.
    """
    device = find_device(options.device)
    dtype = find_precision(options.precision, device)
    processes = find_processes(device, dtype)
    return Machine(processes.device if isinstance(processes, Accelerated) else device, dtype, processes)
