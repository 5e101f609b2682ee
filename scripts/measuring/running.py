"""Runs of Python for measurements, each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence

from latentloop.errors import UserError
from measuring.sources import ROOT


def run_python(words: Sequence[str], *, codes: Sequence[int] = (0,), threads: int | None = None) -> str:
    """Run Python with some arguments in the repository's folder; returns what it printed.

    Args:
        words: Arguments of Python.
        codes: Exit codes of success.
        threads: Number of threads for PyTorch; None for its own choice.

    Raises:
        UserError: It ended with another exit code.
    """
    environment = os.environ | ({} if threads is None else {"OMP_NUM_THREADS": str(threads)})
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode not in codes:
        raise UserError(f"python {' '.join(words)}: ended with exit code {done.returncode}")
    return done.stdout
