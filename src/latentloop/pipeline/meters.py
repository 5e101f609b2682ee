"""What a benchmark counts besides seconds: memory, and how often a generator draws."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from latentloop.generators import DrawnBy, Generator

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory in use since it was made: of the process on a CPU, where Linux tells; of tensors on CUDA."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu" and sys.platform == "linux":
            CLEAR.write_text("5")  # of the process's own peak

    def peak(self) -> int | None:
        """Bytes; None where nobody tells."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        if self.device.type != "cpu" or sys.platform != "linux":
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return 1024 * int(found[1]) if found else None


@dataclass
class CallCounter:
    """Counts the images that generators draw."""

    calls: int = 0
    _hooks: list[object] = field(default_factory=list)

    def counted(self, generator: Generator) -> Generator:
        """The generator, whose images (N, 3, R, R) are counted from now on."""
        if isinstance(generator.synthesis, nn.Module):
            self._hooks.append(generator.synthesis.register_forward_hook(self._after))
            return generator

        def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
            self.calls += len(w_plus)
            return generator.synthesis(w_plus, resolution=resolution)

        return DrawnBy(generator, draw)

    def _after(self, _: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        self.calls += len(inputs[0])
