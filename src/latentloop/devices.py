"""Which device to compute on."""

import platform
from collections.abc import Mapping

import torch

from latentloop.defaults import Precision
from latentloop.errors import UserError


def repeatable_arithmetic() -> None:
    """Make CUDA convolve in float32, not in TF32, and alike each time. A setting of the process: for programs."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def find_device(name: str) -> torch.device:
    """The device of a name: auto (CUDA, then Apple's MPS, then CPU), or what PyTorch calls it, such as cuda:1.

    Raises:
        UserError: No such device, or this PyTorch or machine lacks it.
    """
    if name == "auto":
        cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        torch.zeros(1, device=torch.device(name)).item()  # which "meta" cannot give
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].split(", ")[0][:120]
        raise UserError(f"--device {name}: not available with this PyTorch ({reason}); try --device auto") from error
    return torch.device(name)


def find_precision(name: Precision, device: torch.device) -> torch.dtype:
    """The type to draw in: auto is bfloat16 on a CPU that multiplies it by itself, else float32.

    Elsewhere a CPU is slower in bfloat16 than in float32; on accelerators the gain is not measured yet.
    """
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    capable = device.type == "cpu" and _cpu_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if capable else torch.float32


def describe_device(device: torch.device) -> str:
    """A device in words, with the threads used if it is the CPU."""
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    return f"{device}: {platform.machine()}, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)


def _cpu_capabilities() -> Mapping[str, object]:
    """What PyTorch knows of the processor; older ones tell nothing."""
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities
