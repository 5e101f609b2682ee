"""Description of the machine that measures."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
"""File in which Linux names the processor."""


@dataclass(frozen=True)
class Machine:
    """Machine that made some figures."""

    processor: str
    cores: int
    """Number of processors that the system shows."""
    threads: int
    """Number of PyTorch's threads."""
    bfloat16: bool
    """True if the processor has instructions for bfloat16."""
    torch: str
    """Version of PyTorch."""
    load: float | None = None
    """Average number of busy processes in the minute before the measurement; None if unknown."""

    def __str__(self) -> str:
        bfloat16 = "with" if self.bfloat16 else "without"
        threads = f"{self.threads} thread" + "s" * (self.threads > 1)
        load = "" if self.load is None else f", load {self.load:.1f} before"
        processor = f"{self.processor}, {self.cores} virtual processors {bfloat16} bfloat16"
        return f"{processor}, {threads}, PyTorch {self.torch}{load}"


def this_machine() -> Machine:
    """Describe this machine."""
    import torch

    from latentloop.devices import find_precision

    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    bfloat16 = find_precision("auto", torch.device("cpu")) == torch.bfloat16
    version = torch.__version__
    return Machine(processor(), os.cpu_count() or 1, torch.get_num_threads(), bfloat16, version, load)


def processor() -> str:
    """Return the processor's name, or its architecture if the system does not name it."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine_of(record: Any) -> Machine:  # noqa: ANN401 - from JSON
    """Read a machine from the JSON of a record."""
    return Machine(**record["machine"])
