"""One process at a time in a folder of results."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latentloop.errors import UserError

LOCK = ".latentloop.lock"
"""Name of the file that is locked, which is there as long as a folder is in use."""
NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Errors of file systems that know no locks."""


@contextmanager
def sole_use(folder: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep others from using a folder until the block ends, or the process, however it does.

    Two processes that write results of the same names would mix them up. Where a file system knows no locks, nobody is
    kept away.

    Args:
        folder: The folder; it is made if it is missing, and goes again if nothing is written to it.
        on_wait: Called with a message if the folder is in use, before it is waited for; None to refuse it instead.

    Raises:
        UserError: The folder is in use, or cannot be written to.
    """
    from filelock import FileLock, Timeout  # takes a tenth of a second, which --help need not wait for

    path = folder / LOCK
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if on_wait is None:
                raise
            on_wait(f"{folder}: waiting until another latentloop is done here")
            lock.acquire()
    except (Timeout, RuntimeError) as error:  # the latter where this process would wait for itself
        in_use = "another latentloop is at work here; let it finish, or choose another folder"
        raise UserError(f"{folder}: {in_use}", arguments="out") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise UserError(f"{folder}: cannot write here: {error.strerror or error}") from error
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows keeps a file that is open
                path.unlink()
            lock.release()
        if new:
            with suppress(OSError):  # it holds results
                folder.rmdir()
