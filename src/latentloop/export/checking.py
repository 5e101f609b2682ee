"""Holding exported graphs against PyTorch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.export.modules import Part

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1e-4
"""Largest difference from PyTorch that is accepted, of numbers up to 1 in size; of larger ones in proportion."""
HALF_TOLERANCE = 0.05
"""The same of weights that were rounded to float16."""
Arrays = Sequence[npt.NDArray[Any]]


def check_graph(part: Part, model: "ModelProto", *, tolerance: float = TOLERANCE) -> float:
    """Compute a part with ONNX Runtime and with PyTorch, for a batch of one and of two.

    Returns:
        The largest difference, relative to the largest number where that is above 1.

    Raises:
        UserError: It is above the tolerance.
    """
    content = model.SerializeToString()
    difference = 0.0
    for count in (1, 2):
        inputs = {name: one[:count] if one.ndim else one for name, one in part.inputs.items()}
        difference = max(difference, difference_of(run_graph(content, inputs), run_module(part, inputs)))
    if not difference <= tolerance:
        raise UserError(f"{part.name}: the exported graph differs from PyTorch by {difference:.2g}; nothing is written")
    return difference


def run_graph(content: bytes, inputs: Mapping[str, Tensor]) -> Arrays:
    """Compute a graph whose weights are inside with ONNX Runtime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found: Arrays = session.run(None, {name: one.numpy() for name, one in inputs.items()})
    return found


@torch.no_grad()
def run_module(part: Part, inputs: Mapping[str, Tensor]) -> Arrays:
    """Compute a part with PyTorch."""
    found = part.module(*inputs.values())
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


def difference_of(ours: Arrays, theirs: Arrays) -> float:
    """The largest difference of arrays, relative to the largest number of each where that is above 1; NaN if any is."""
    each = [np.abs(a - b).max() / max(1.0, float(np.abs(b).max())) for a, b in zip(ours, theirs, strict=True)]
    return float(np.max(each))
