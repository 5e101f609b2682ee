"""How fast a generator draws, beside what the machine can do."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from latentloop.generators.protocol import Generator
from latentloop.latents import mean_code


@dataclass(frozen=True)
class Speed:
    """Of some work on one image."""

    seconds: float
    """Median."""
    flop: float
    """Floating-point operations of its convolutions and matrix products."""

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.flop / self.seconds


def reference_speed(device: torch.device, dtype: torch.dtype = torch.float32, *, runs: int) -> Speed:
    """Of a large convolution, 3x3 on 256 channels of 128x128: what the machine reaches at its best."""
    x = torch.zeros(1, 256, 128, 128, device=device, dtype=dtype)
    weight = torch.zeros(256, 256, 3, 3, device=device, dtype=dtype)

    @torch.inference_mode()
    def convolve() -> None:
        F.conv2d(x, weight, padding=1)

    return Speed(median_time(convolve, runs=runs), count_flop(convolve))


def drawing(generator: Generator, *, batch: int, resolution: int) -> Callable[[], None]:
    """The work of drawing mean codes at a resolution, without gradients."""
    w_plus = mean_code(generator, batch)

    @torch.inference_mode()
    def draw() -> None:
        generator.synthesis(w_plus, resolution=resolution)

    return draw


def drawing_with_gradient(generator: Generator, *, batch: int, resolution: int) -> Callable[[], None]:
    """The work of drawing mean codes at a resolution, and of the gradient of the codes."""
    codes = mean_code(generator, batch).clone().requires_grad_()

    def draw() -> None:
        w_plus = codes.clone()  # counting the operations of a module fails where a leaf's gradient is asked for
        torch.autograd.grad(generator.synthesis(w_plus, resolution=resolution).sum(), w_plus)

    return draw


def median_time(work: Callable[[], None], *, runs: int) -> float:
    """Median seconds of some work, after one run that does not count; waits for the accelerator, if there is one."""
    times = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        work()
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def count_flop(work: Callable[[], None]) -> float:
    """Floating-point operations of the convolutions and matrix products of some work that is not compiled."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())
