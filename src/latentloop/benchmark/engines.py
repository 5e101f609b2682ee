"""Drawing in other runtimes than PyTorch, from the graph that `latentloop export` writes."""

from collections.abc import Callable

import torch

from latentloop.benchmark.options import Engine
from latentloop.errors import UserError
from latentloop.export.checking import check_graph
from latentloop.export.graph import export_graph
from latentloop.export.modules import generator_part
from latentloop.extras import require_extra
from latentloop.generators import Generator
from latentloop.latents import mean_code

PACKAGES = {"onnx": ("onnxruntime", "latentloop[onnx]"), "openvino": ("openvino", "openvino latentloop[onnx]")}
"""Module of each engine, and the packages to install for it."""


def check_engines(engines: tuple[Engine, ...], device: torch.device, dtype: torch.dtype) -> None:
    """Check that engines are installed and can be compared with PyTorch, on the CPU in float32.

    Raises:
        UserError: An engine is not installed, or PyTorch would use another device or precision.
    """
    for engine in engines:
        for module in (PACKAGES[engine][0], "onnx", "onnxscript"):
            require_extra(module, f"the engine {engine} needs {PACKAGES[engine][0]} and ONNX", PACKAGES[engine][1])
    if engines and dtype != torch.float32:
        raise UserError("engines are compared in float32", arguments="precision")
    if engines and device.type != "cpu":
        raise UserError(f"engines are compared on the CPU, not on {device.type}", arguments="engines")


def graph_of(generator: Generator) -> bytes:
    """Export a generator's graph, and compare it with PyTorch.

    Raises:
        UserError: The images differ.
    """
    part = generator_part(generator)
    model = export_graph(part)
    check_graph(part, model)
    content: bytes = model.SerializeToString()
    return content


def engine_drawing(engine: Engine, graph: bytes, generator: Generator, *, batch: int) -> Callable[[], None]:
    """Make a function that draws images of the mean latent with an engine, on PyTorch's number of threads."""
    w_plus, threads = mean_code(generator, batch).numpy(), torch.get_num_threads()
    if engine == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(["image"], {"w_plus": w_plus})
    import openvino

    core = openvino.Core()
    # Float32, as in PyTorch: by default OpenVINO uses the processor's fastest precision, such as bfloat16.
    wanted = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(graph), "CPU", wanted)
    return lambda: compiled({"w_plus": w_plus})
