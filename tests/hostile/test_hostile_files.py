"""Files that broke this package or another one are read as they should be, or refused in one line."""

import ast
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from hostile_files import BUILT, CASES, FILES
from latentloop.errors import UserError

SECONDS, MEMORY = 30, 500 << 20
"""Seconds, of a machine that may be busy, and bytes of address space that a file may take."""


@contextmanager
def within_bounds() -> Iterator[None]:
    """Limits time and, on Linux, memory while a file is read."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("name", CASES, ids=[f"{case.kind}-{name}" for name, case in CASES.items()])
@torch.inference_mode()
def test_a_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    case, path = CASES[name], tmp_path / name
    shutil.copy(FILES / name, path)  # a database is opened for writing
    content = path.read_bytes()
    if not isinstance(case.right, str):
        case.right(case.read(path))
        return
    with within_bounds(), pytest.raises(UserError, match=case.right) as refusal:
        case.read(path)
    message = str(refusal.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < 600
    assert path.read_bytes() == content


def test_the_table_has_every_file_and_every_kind_a_test() -> None:
    references = {name for name in CASES if (FILES / f"{name}.ref.npz").exists()}
    assert {path.name for path in FILES.iterdir()} == CASES.keys() | {f"{name}.ref.npz" for name in references}
    tests = Path(__file__).parents[1]
    for named in BUILT.values():
        file, _, function = named.partition("::")
        tree = ast.parse((tests / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, named
