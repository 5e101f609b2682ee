"""A lock that gives one process at a time the use of a folder of results."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latentloop.errors import UserError

LOCK = ".latentloop.lock"
"""Name of the lock file, which exists as long as a folder is in use."""
NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Errors of file systems that do not support locks."""


@contextmanager
def sole_use(folder: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes from using a folder until the block or the process ends.

    Two processes that write results of the same names would mix them up. On file systems without locks, others are not
    kept out.

    Args:
        folder: Folder to lock; created if it is missing, and removed again if it stays empty.
        on_wait: Called with a message before waiting for a folder that is in use; None to raise an error instead.

    Raises:
        UserError: The folder is in use, or cannot be written.
    """
    from filelock import FileLock, Timeout  # here, since the import takes 0.1 s, for which --help should not wait

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
    except (Timeout, RuntimeError) as error:  # RuntimeError if this process would wait for itself
        in_use = "another latentloop is at work here; let it finish, or choose another folder"
        raise UserError(f"{folder}: {in_use}", arguments="out") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise UserError(f"{folder}: cannot write here: {error.strerror or error}") from error
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows does not delete an open file
                path.unlink()
            lock.release()
        if new:
            with suppress(OSError):  # fails if the folder has results
                folder.rmdir()
