"""A lock that the processes of one host share: a file under ``flock``, which the kernel frees when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

#: The first pause between two attempts to get the lock, and the longest: most locks are held for microseconds.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.00005, 0.02


def shared_directory() -> str:
    """
    Return the directory that all processes of this user on this host share. It may not exist yet.

    Not ``XDG_RUNTIME_DIR``: a login has one and a service has none, and they would not share it.
    """
    return os.path.join(tempfile.gettempdir(), f"airflow-provider-bitrix24-{os.geteuid()}")


@contextmanager
def locked_file(
    name: str,
    directory: str,
    *,
    patience_seconds: float = 10.0,
    private: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[int]:
    """
    Open a file, made if missing, and hold its lock.

    The file is opened again each time: threads and forked children must not share an open file, because ``flock`` does
    not keep them apart then, and a cleaner of temporary files may remove it at any time.

    :param private: make the directory if it is missing, take the rights to it from everybody else, and refuse one that
        belongs to another user, or a link.
    :return: the file descriptor, for reading and writing.
    :raises BlockingIOError: somebody else held the lock for longer than ``patience_seconds``.
    :raises PermissionError: it belongs to another user, who could hold the lock for ever.
    :raises OSError: the file cannot be opened.
    """
    file = _open(name, directory, private)
    try:
        _lock(file, patience_seconds, sleep)
        try:
            yield file
        finally:
            # Closing is not enough: a child forked meanwhile has the open file too, and would keep the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)


def _lock(file: int, patience_seconds: float, sleep: Callable[[float], object]) -> None:
    waited_seconds, pause_seconds = 0.0, FIRST_PAUSE_SECONDS
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited_seconds >= patience_seconds:
                raise
        sleep(pause_seconds)
        waited_seconds += pause_seconds
        pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)


def _open(name: str, directory: str, private: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    parent = _open_private(directory) if private else os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = os.open(name, flags, 0o600, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        status = os.fstat(file)
        path = os.path.join(directory, name)
        # Whoever can open the file can hold its lock for ever.
        if status.st_uid != os.geteuid():
            raise PermissionError(errno.EACCES, "it belongs to another user", path)
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(errno.EACCES, "it is not a regular file", path)
        if status.st_mode & 0o077:
            os.fchmod(file, 0o600)
    except BaseException:
        os.close(file)
        raise
    return file


def _open_private(path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        directory = os.open(path, flags)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        directory = os.open(path, flags)
    try:
        status = os.fstat(directory)
        # Anybody may make a directory of this name in a shared place like /tmp.
        if status.st_uid != os.geteuid():
            raise PermissionError(None, f"{path} belongs to another user")
        if status.st_mode & 0o077:
            os.fchmod(directory, 0o700)
    except BaseException:
        os.close(directory)
        raise
    return directory
