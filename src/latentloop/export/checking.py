"""Comparison of exported graphs with PyTorch."""

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
"""Largest accepted difference from PyTorch for values up to 1; relative to the largest value above that."""
HALF_TOLERANCE = 0.05
"""Largest accepted difference if weights are rounded to float16."""
Arrays = Sequence[npt.NDArray[Any]]
"""Outputs of a network as NumPy arrays."""


def check_graph(part: Part, model: "ModelProto", *, tolerance: float = TOLERANCE) -> float:
    """Compute a part with ONNX Runtime and with PyTorch, for batches of one and two.

    Returns:
        The largest difference, relative to the largest value if that is above 1.

    Raises:
        UserError: The difference is above the tolerance.
    """
    content = model.SerializeToString()
    difference = 0.0
    # A graph whose batch size became a constant fails for one of them.
    for count in (1, 2):
        inputs = {name: one[:count] if one.ndim else one for name, one in part.inputs.items()}
        difference = max(difference, difference_of(run_graph(content, inputs), run_module(part, inputs)))
    if not difference <= tolerance:  # in this form NaN fails, too
        raise UserError(f"{part.name}: the exported graph differs from PyTorch by {difference:.2g}; nothing is written")
    return difference


def run_graph(content: bytes, inputs: Mapping[str, Tensor]) -> Arrays:
    """Compute a graph that contains its weights with ONNX Runtime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # 3: errors only
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    found: Arrays = session.run(None, {name: one.numpy() for name, one in inputs.items()})
    return found


@torch.no_grad()
def run_module(part: Part, inputs: Mapping[str, Tensor]) -> Arrays:
    """Compute a part with PyTorch."""
    found = part.module(*inputs.values())
    return [one.numpy() for one in (found if isinstance(found, tuple) else (found,))]


def difference_of(ours: Arrays, theirs: Arrays) -> float:
    """Return the largest difference of arrays, relative to each one's largest value if above 1; NaN if any value is."""
    each = [np.abs(a - b).max() / max(1.0, float(np.abs(b).max())) for a, b in zip(ours, theirs, strict=True)]
    return float(np.max(each))
