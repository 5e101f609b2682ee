"""Keeping freed memory in the process, for CPU speed, and giving it back where memory is short."""

import ctypes
import gc
import platform

# glibc's names for its knobs (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
GROWTH = 256 << 20
"""Bytes by which the process grows at a time."""


def keep_freed_memory() -> bool:
    """Make glibc reuse large blocks instead of returning them to the system; returns whether it is in effect.

    PyTorch's CPU allocator asks for every large tensor anew. By default glibc maps and unmaps each, and touching the
    fresh pages costs more than the arithmetic: a step of the iterator at 1024 takes twice as long. It is a setting of
    the whole process: the doors that load everything call it (`load`, `train`, `distill`, the command line), parts used
    by themselves do not. Does nothing without glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_ARENA_MAX, 1)  # what one thread has freed another one takes; a server has dozens
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(M_TOP_PAD, GROWTH))


def return_freed_memory() -> None:
    """Hand freed memory back to the system, for another try of what failed for want of memory.

    What the process keeps is not at hand for all: the code that oneDNN writes, and new threads, need fresh pages.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
