"""Conversion of a PyTorch network to an ONNX graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import torch

from latentloop.export.modules import BATCH, Part

if TYPE_CHECKING:
    import onnx_ir as ir
    from onnx import GraphProto, ModelProto

OPSET = 20
"""Version of the ONNX operators (ONNX 1.15, 2023); ONNX Runtime reads our files from 1.18 on."""


def export_graph(part: Part) -> "ModelProto":
    """Trace a network in float32, with a free batch dimension and named inputs and outputs.

    Raises:
        RuntimeError: The network has operations that ONNX cannot express.
    """
    batch = torch.export.Dim(BATCH)
    free = {axis: torch.export.Dim(name) for axis, name in part.free.items()}
    shapes = {name: {0: batch} | free if one.ndim else {} for name, one in part.inputs.items()}
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            part.module,
            tuple(part.inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=tuple(shapes.values()),
            input_names=list(part.inputs),
            output_names=list(part.outputs),
            verbose=False,
            # The optimizer's rewriting treats small constants as 0, such as LPIPS's 1e-20 against division by zero.
            optimize=False,
        )
        if program is None:
            raise RuntimeError("the exporter returned nothing")
        _simplify(program.model)
    model: ModelProto = program.model_proto
    # PyTorch before 2.9 converts to the opset only when it writes a file itself.
    if (found := next(one.version for one in model.opset_import if not one.domain)) != OPSET:
        raise RuntimeError(f"the exporter of PyTorch {torch.__version__} wrote opset {found}, not {OPSET}")
    _strip(model.graph)
    return model


def _simplify(model: "ir.Model") -> None:
    """Fold constants, and inline the functions of the exporter's library."""
    from onnx_ir.passes.common import InlinePass, RemoveUnusedNodesPass
    from onnxscript.optimizer import fold_constants

    InlinePass()(model)
    fold_constants(model)
    RemoveUnusedNodesPass()(model)


def _strip(graph: "GraphProto") -> None:
    """Remove the exporter's records of each node's place in the source, which would contain local paths."""
    for node in graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*graph.value_info, *graph.input, *graph.output):
        value.ClearField("metadata_props")
    for tensor in graph.initializer:
        tensor.ClearField("metadata_props")
    graph.ClearField("value_info")
    graph.ClearField("metadata_props")


@contextmanager
def _quiet() -> Iterator[None]:
    """Discard the output, warnings and logs of the exporter and its libraries."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
