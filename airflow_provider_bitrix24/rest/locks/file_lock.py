"""A lock that the processes of one host share: a file under ``flock``, which the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PAUSE_SECONDS = 0.02


@contextmanager
def locked(
    name: str,
    *,
    directory: str,
    patience_seconds: float = 10.0,
    private: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[None]:
    """
    Hold a lock.

    :param name: name of the lock's file.
    :param private: make the directory if it is missing, and refuse one that belongs to somebody else.
    :raises BlockingIOError: somebody else held it for longer than ``patience_seconds``.
    :raises OSError: the file cannot be made.
    """
    file = _open(name, directory, private)
    try:
        waited_seconds = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited_seconds >= patience_seconds:
                    raise
            sleep(_PAUSE_SECONDS)
            waited_seconds += _PAUSE_SECONDS
        try:
            yield
        finally:
            # Closing is not enough: a child forked meanwhile has the open file too, and would keep the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)


def _open(name: str, directory: str, private: bool) -> int:
    if private:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        # Anybody may make a directory of this name in a shared place like /tmp.
        if os.stat(directory, follow_symlinks=False).st_uid != os.geteuid():
            raise PermissionError(None, f"{directory} belongs to another user")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(os.path.join(directory, name), flags, 0o600)
