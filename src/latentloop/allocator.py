"""Keeping freed memory in the process, for CPU speed, and returning it when memory is short."""

import ctypes
import gc
import platform

# glibc's parameters of mallopt (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
GROWTH = 256 << 20
"""Size by which the heap grows at a time, in bytes."""


def keep_freed_memory() -> bool:
    """Make glibc reuse large blocks instead of returning them to the system; return whether that is in effect.

    PyTorch's CPU allocator requests memory anew for every large tensor. By default glibc maps and unmaps each of them,
    and touching the fresh pages costs more than the arithmetic: a step of the iterator at 1024 takes twice as long.

    This is a setting of the whole process. `load`, `train`, `distill` and the command line call it; modules used by
    themselves do not. Without glibc it does nothing.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_ARENA_MAX, 1)  # one arena for all threads: memory that one freed serves another; servers have dozens
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(M_TOP_PAD, GROWTH))


def return_freed_memory() -> None:
    """Return freed memory to the system, before retrying an operation that ran out of memory.

    Memory that the process keeps cannot serve everything: oneDNN's generated code and new threads need fresh pages.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
