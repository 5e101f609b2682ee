"""Hardware of a training run: device, precision and processes."""

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
        """Name of the floating-point type, such as "float32"."""
        return str(self.dtype).removeprefix("torch.")


def find_machine(options: TrainOptions) -> Machine:
    """Determine device, precision and processes of a run.

    Raises:
        UserError: The device does not exist, or there are several processes without Accelerate.
    """
    device = find_device(options.device)
    dtype = find_precision(options.precision, device)
    processes = find_processes(device, dtype)
    return Machine(processes.device if isinstance(processes, Accelerated) else device, dtype, processes)
