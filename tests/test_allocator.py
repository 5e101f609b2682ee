import ctypes
import platform
import subprocess
import sys

import pytest

from latentloop.allocator import keep_freed_memory, return_freed_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told anything")

# A process of its own: what it is told cannot be taken back.
SCRIPT = """
import resource
import torch
from latentloop.allocator import keep_freed_memory, return_freed_memory

def page_faults(tensors: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(tensors):
        torch.ones(16 << 20)  # 64 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

page_faults(1)
fresh = page_faults(4)
assert keep_freed_memory() is True
assert keep_freed_memory() is True
page_faults(12)  # until the memory kept has been touched once
print(fresh, page_faults(4))
"""


RETURNING = """
import torch
from pathlib import Path
from latentloop.allocator import keep_freed_memory, return_freed_memory

def pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])

keep_freed_memory()
before = pages()
loop = [torch.ones(32 << 20)]  # 128 MB
loop.append(loop)
del loop
held = pages()
return_freed_memory()
print(before, held, pages())
"""


@glibc
def test_what_was_kept_is_returned_for_another_try() -> None:
    result = subprocess.run([sys.executable, "-c", RETURNING], capture_output=True, text=True, check=True)
    before, held, after = map(int, result.stdout.split())
    assert held - before > 30_000
    assert after - before < 3_000


@glibc
def test_large_tensors_reuse_freed_memory_once_it_is_kept() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    fresh, kept = map(int, result.stdout.split())
    assert fresh >= 4 * 32  # the pages have 2 MB at most
    assert kept < fresh / 10


def test_nothing_is_touched_without_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.delattr(ctypes, "CDLL")
    assert keep_freed_memory() is False
    return_freed_memory()
