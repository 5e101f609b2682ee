"""Cost of a method: seconds, memory, and number of synthesized images."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

import torch
from torch import Tensor, nn

from latentloop.generators import Generator, seamed

P = ParamSpec("P")

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
"""Files of the Linux kernel with this process's memory, and to reset its peak."""


@dataclass
class Watch:
    """Seconds that a block took, known once it has ended."""

    device: torch.device
    seconds: float = 0.0

    def without(self, call: Callable[P, object]) -> Callable[P, None]:
        """Wrap a callback so that the time it takes does not count: an observer may wait for others."""

        def called(*args: P.args, **kwargs: P.kwargs) -> None:
            _wait(self.device)  # what it still computes counts
            begun = time.perf_counter()
            call(*args, **kwargs)
            self.seconds -= time.perf_counter() - begun

        return called


@contextmanager
def stopwatch(device: torch.device) -> Iterator[Watch]:
    """Time a block, including work that it leaves to the device."""
    # CUDA and MPS compute asynchronously: the clock is read when the device has nothing left to do.
    watch = Watch(device)
    _wait(device)
    begun = time.perf_counter()
    yield watch
    _wait(device)
    watch.seconds += time.perf_counter() - begun


class PeakMemory:
    """Peak memory use since its creation: of the process on a CPU (Linux only), of tensors on CUDA."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.known = device, device.type == "cuda"
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif device.type == "cpu" and sys.platform == "linux":
            with suppress(OSError):  # a sandbox may forbid it
                CLEAR.write_text("5")  # resets the process's own peak
                self.known = True

    def peak(self) -> int | None:
        """Return the peak in bytes; None if unknown."""
        if not self.known:
            return None
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        match = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        return 1024 * int(match[1]) if match else None


@dataclass
class CallCounter:
    """Counts the images that generators synthesize."""

    calls: int = 0

    def counted(self, generator: Generator) -> Generator:
        """Return the generator with its images counted from now on, whole ones and those of changed features.

        Raises:
            TypeError: The generator's synthesis is replaced by a function.
        """
        _last_layer(generator).register_forward_hook(self._after)
        return generator

    def __deepcopy__(self, memo: dict[int, object]) -> "CallCounter":
        """Return itself, so that copies of a counted generator, which some methods tune, are counted, too."""
        return self

    def _after(self, _: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        self.calls += len(inputs[0])


def _last_layer(generator: Generator) -> nn.Module:
    """Return the layer that each image passes once, however it is drawn: that of RGB at the highest resolution."""
    synthesis: object = seamed(generator)
    if not isinstance(synthesis, nn.Module):
        raise TypeError(f"{generator.name}: its synthesis must be an nn.Module, got {type(synthesis).__name__}")
    layer = synthesis.get_submodule("to_rgb")
    return layer[-1] if isinstance(layer, nn.ModuleList) else layer


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
