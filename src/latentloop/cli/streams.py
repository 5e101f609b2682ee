"""Standard output that is closed, full, or that nobody reads any more."""

import io
import os
import sys


def open_closed_streams() -> None:
    """Send to nowhere what would go to streams that were closed (`>&-`), and escape what the others cannot encode."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may have any bytes


def output_fails() -> bool:
    """Return whether standard output rejects a line, such as on a full disk."""
    try:
        print(flush=True)  # noqa: T201 - flushing alone would not tell where output is unbuffered
    except OSError:
        return True
    return False


def drop_output() -> None:
    """Send what is left of the output to nowhere, or Python would complain at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
