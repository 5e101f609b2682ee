"""Choice of device and precision, and process-wide arithmetic settings."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from latentloop.defaults import Precision
from latentloop.errors import UserError
from latentloop.options import check_kind

CONTAINER = Path("/sys/fs/cgroup/memory.max")
"""File with the memory limit of a container, in bytes, or "max"."""
UNKNOWN_MEMORY = 4 << 30
"""Memory to assume if the system does not report it, in bytes."""


def host_memory() -> int:
    """Return the memory of the machine, or of the container, in bytes."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return UNKNOWN_MEMORY
    try:
        return min(memory, int(CONTAINER.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return memory


def repeatable_arithmetic() -> None:
    """Make CUDA use full float32 instead of TF32, and deterministic convolutions.

    This is a setting of the whole process. The jobs' entry points call it, so that results do not depend on the entry
    point; modules used by themselves do not.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("highest")


def quick_arithmetic() -> None:
    """Let CUDA use TF32 and non-deterministic convolutions, for work whose rounding does not matter.

    This is a setting of the whole process, which `repeatable_arithmetic` reverts.
    """
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.benchmark = False  # its search for the fastest algorithm took over 45 s on an H200
    torch.set_float32_matmul_precision("high")


def find_device(name: str) -> torch.device:
    """Return the PyTorch device with a given name, such as auto or cuda:1.

    Args:
        name: "auto" for CUDA if available, else Apple's MPS, else the CPU; or PyTorch's name of a device.

    Raises:
        UserError: The device does not exist, or is not available on this machine or with this PyTorch.
        ValueError: `name` is not a text.
    """
    check_kind("device", name, str, "a text such as auto, cpu or cuda:1")
    if name == "auto":
        cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        torch.zeros(1, device=torch.device(name)).item()  # fails for "meta", too, which has no values
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].split(". ")[0].split(", ")[0][:120]
        message = f"device {name} is not available with this PyTorch ({reason}); auto finds one that is"
        raise UserError(message, arguments="device") from error
    return torch.device(name)


def as_device(device: torch.device | str) -> torch.device:
    """Return a PyTorch device, given as one or by its name as in `find_device`.

    Raises:
        UserError: The device does not exist or is not available.
        ValueError: The argument is neither a device nor a text.
    """
    return device if isinstance(device, torch.device) else find_device(device)


def find_precision(name: Precision, device: torch.device) -> torch.dtype:
    """Return the type for image synthesis; "auto" is bfloat16 on a CPU with instructions for it, else float32.

    Without such instructions a CPU is slower in bfloat16 than in float32. On CUDA, "auto" stays with float32 (and
    `repeatable_arithmetic` with full precision instead of TF32) until the gain of less has been measured there.

    Raises:
        ValueError: The precision is unknown.
    """
    if name not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {name}")
    if name != "auto":
        return torch.float32 if name == "float32" else torch.bfloat16
    capable = device.type == "cpu" and _cpu_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if capable else torch.float32


def onto(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device without waiting for CUDA, which continues its work meanwhile."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def describe_device(device: torch.device) -> str:
    """Describe a device: the name of a GPU, or the architecture of a CPU and the number of threads used."""
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    return f"{device}: {platform.machine()}, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)


def _cpu_capabilities() -> Mapping[str, object]:
    """Instruction sets of the CPU that PyTorch detects; empty in old releases."""
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities
