"""What a benchmark counts besides seconds: memory, and how often a generator draws."""

import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from latentloop.generators import DrawnBy, Generator

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The most memory in use since it was made: of the process on a CPU, where Linux tells; of tensors on CUDA."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.known = device, device.type == "cuda"
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu" and sys.platform == "linux":
            with suppress(OSError):  # where a sandbox forbids it
                CLEAR.write_text("5")  # of the process's own peak
                self.known = True

    def peak(self) -> int | None:
        """Bytes; None where nobody tells."""
        if not self.known:
            return None
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return 1024 * int(found[1]) if found else None


@dataclass
class CallCounter:
    """Counts the images that generators draw."""

    calls: int = 0

    def counted(self, generator: Generator) -> Generator:
        """The generator, whose images (N, 3, R, R) are counted from now on."""
        if isinstance(generator.synthesis, nn.Module):
            generator.synthesis.register_forward_hook(self._after)
            return generator

        def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
            self.calls += len(w_plus)
            return generator.synthesis(w_plus, resolution=resolution)

        return DrawnBy(generator, draw)

    def _after(self, _: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        self.calls += len(inputs[0])
