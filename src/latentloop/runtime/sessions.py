"""Networks in ONNX files, run by ONNX Runtime and loaded when they are first used."""

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latentloop.errors import UserError, in_one_line
from latentloop.extras import load_extra
from latentloop.files import refuse_no_file

QUIET = 4
"""ONNX Runtime's log level that prints fatal messages only; its errors come as exceptions anyway."""
Shape = tuple[int | None, ...]
"""Sizes of an output after the batch axis; None for any size."""


class Session:
    """A network in an ONNX file, callable with NumPy arrays."""

    def __init__(self, path: Path, outputs: Mapping[str, Shape], *, threads: int | None = None) -> None:
        """Note the network's file; nothing is read yet.

        Args:
            path: ONNX file.
            outputs: Names of the outputs that a call returns, in order, with their shapes after the batch axis.
            threads: Number of threads; None for as many as there are cores.
        """
        self.path, self.outputs, self.threads = path, outputs, threads
        self._loading = threading.Lock()

    def __call__(self, **inputs: npt.NDArray[Any]) -> list[npt.NDArray[np.float32]]:
        """Run the network on inputs given by name, which are converted to float32.

        Raises:
            UserError: The file is missing or damaged, or its network has other inputs or outputs.
        """
        session = self.load()
        contiguous = {name: np.ascontiguousarray(one, np.float32) for name, one in inputs.items()}
        try:
            found: list[npt.NDArray[np.float32]] = session.run(list(self.outputs), contiguous)
        except self._errors as error:
            raise UserError(f"{self.path}: the network cannot be run: {in_one_line(error)}") from error
        for (name, shape), one in zip(self.outputs.items(), found, strict=True):
            self._check(name, one, (len(next(iter(contiguous.values()))), *shape))
        return found

    def _check(self, name: str, output: npt.NDArray[Any], shape: Shape) -> None:
        """Raise a UserError unless an output has the expected type, shape and finite values."""
        fits = len(output.shape) == len(shape) and all(b in (a, None) for a, b in zip(output.shape, shape, strict=True))
        if not fits or output.dtype != np.float32:
            raise UserError(f"{self.path}: returns {name} of shape {output.shape}, expected {shape}")
        if not np.isfinite(output).all():
            raise UserError(f"{self.path}: returns {name} with numbers that are not finite")

    def load(self) -> Any:  # noqa: ANN401 - ONNX Runtime has no types
        """Load the network unless it is loaded; safe to call from several threads.

        Raises:
            UserError: The file is missing or damaged, or ONNX Runtime is not installed.
        """
        with self._loading:
            return self._session

    @cached_property
    def _session(self) -> Any:  # noqa: ANN401
        runtime = onnx_runtime()
        refuse_no_file(self.path, what="a network")
        options = runtime.SessionOptions()
        options.log_severity_level = QUIET
        options.intra_op_num_threads = self.threads or 0
        # Idle threads would spin, and take cores from other work such as the networks of other sessions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return runtime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except self._errors as error:
            raise UserError(f"{self.path}: ONNX Runtime cannot read this network: {in_one_line(error)}") from error

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        """Exceptions that ONNX Runtime raises for files and inputs that it cannot use."""
        state = load_extra("onnxruntime.capi.onnxruntime_pybind11_state", "", "onnxruntime")
        names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
        return (ValueError, RuntimeError, *(getattr(state, name) for name in (*names, "RuntimeException")))


def onnx_runtime() -> Any:  # noqa: ANN401
    """Import ONNX Runtime.

    Raises:
        UserError: ONNX Runtime is not installed.
    """
    return load_extra("onnxruntime", "networks in ONNX files need ONNX Runtime", "onnxruntime")
