"""Standard streams that are closed, full, or no longer read."""

import io
import os
import sys


def open_closed_streams() -> None:
    """Open closed streams (`>&-`) on the null device, and escape characters that stdout cannot encode."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may contain any bytes


def output_fails() -> bool:
    """Tell whether standard output rejects a line, as on a full disk."""
    try:
        print(flush=True)  # noqa: T201 - a flush alone does not fail if the output is unbuffered
    except OSError:
        return True
    return False


def drop_output() -> None:
    """Discard buffered output; otherwise Python reports an error at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
