"""Speed of a generator, compared with the machine's speed in a large convolution."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from latentloop.devices import describe_device
from latentloop.generators.protocol import Generator
from latentloop.latents import mean_code


@dataclass(frozen=True)
class Speed:
    """Time and number of operations of some work on one image."""

    seconds: float
    """Median time of a run, in seconds."""
    flop: float
    """Number of floating-point operations in convolutions and matrix products."""

    @property
    def rate(self) -> float:
        """Floating-point operations per second."""
        return self.flop / self.seconds


def describe_machine(device: torch.device, dtype: torch.dtype) -> str:
    """Describe PyTorch's version, the device and the precision on one line."""
    return f"torch {torch.__version__}, {describe_device(device)}, {str(dtype).removeprefix('torch.')}"


def convolving(device: torch.device, dtype: torch.dtype = torch.float32) -> Callable[[], None]:
    """Make a function that computes a large convolution, 3x3 on 256 channels of 128x128."""
    x = torch.zeros(1, 256, 128, 128, device=device, dtype=dtype)
    weight = torch.zeros(256, 256, 3, 3, device=device, dtype=dtype)

    @torch.inference_mode()
    def convolve() -> None:
        F.conv2d(x, weight, padding=1)

    return convolve


def reference_speed(device: torch.device, dtype: torch.dtype = torch.float32, *, runs: int) -> Speed:
    """Time the convolution of `convolving`, as the best rate that the machine reaches."""
    convolve = convolving(device, dtype)
    return Speed(median_time(convolve, runs=runs), count_flop(convolve))


def drawing(generator: Generator, *, batch: int, resolution: int) -> Callable[[], None]:
    """Make a function that synthesizes images of the mean latent at a resolution, without gradients."""
    w_plus = mean_code(generator, batch)

    @torch.inference_mode()
    def draw() -> None:
        generator.synthesis(w_plus, resolution=resolution)

    return draw


def drawing_with_gradient(generator: Generator, *, batch: int, resolution: int) -> Callable[[], None]:
    """Make a function that synthesizes images of the mean latent, and computes the codes' gradient."""
    codes = mean_code(generator, batch).clone().requires_grad_()

    def draw() -> None:
        w_plus = codes.clone()  # FlopCounterMode fails on modules if the gradient of a leaf is requested
        torch.autograd.grad(generator.synthesis(w_plus, resolution=resolution).sum(), w_plus)

    return draw


def median_time(work: Callable[[], object], *, runs: int) -> float:
    """Measure the median seconds of some work, after an unmeasured run; waits for the accelerator, if any."""
    times = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        work()
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def count_flop(work: Callable[[], None]) -> float:
    """Count the floating-point operations in convolutions and matrix products of uncompiled work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())
