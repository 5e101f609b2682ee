"""Which device to compute on."""

import torch

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
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: not available with this PyTorch ({reason}); try --device auto") from error
    return torch.device(name)
