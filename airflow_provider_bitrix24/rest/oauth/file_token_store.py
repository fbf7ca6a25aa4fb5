"""Token pairs in a file of one host, which nobody but the user of this process may have made or may change."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file


def version_of(text: str | None) -> str:
    """Return a version of a text, for stores that have no versions of their own."""
    return hashlib.sha256((text or "").encode()).hexdigest()


class FileTokenStore:
    """
    A file of one host with mode 0600, replaced as a whole: a reader sees the old or the new one, never half of one.

    File and directory must belong to this user or to root, and nobody but owner and group may write to them: a volume
    of root whose group is ours, as Kubernetes mounts it, will do.

    :param path: the file; its directory must exist and be writable.
    """

    def __init__(self, path: str) -> None:
        # A link stays a link, and the file that it leads to is checked and replaced.
        self._path = os.path.realpath(path)
        self._directory, self._name = os.path.split(self._path)

    def read(self, key: str) -> tuple[str | None, str]:
        text = self._all().get(key)
        return text, version_of(text)

    def write(self, key: str, text: str, version: str) -> bool:
        self._check(self._directory, os.stat(self._directory))
        try:
            with locked_file(f"{self._name}.lock", self._directory):
                texts = self._all()
                if version_of(texts.get(key)) != version:
                    return False
                self._replace(json.dumps({**texts, key: text}))
                return True
        except PermissionError as error:
            failure = ConfigurationError(
                f"{error.filename or self._path} cannot be used ({(error.strerror or '').lower()})",
                next_step=f"give {self._directory} and what is in it to the user that Airflow runs as",
            )
        raise failure

    def _replace(self, content: str) -> None:
        """Replace the file; the lock is held."""
        self._remove_drafts()
        # A new file, under a name that nobody can guess, with mode 0600; a file or a link of that name is not taken.
        file, draft = tempfile.mkstemp(prefix=f"{self._name}.", suffix=".new", dir=self._directory)
        try:
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _remove_drafts(self) -> None:
        """Remove what killed writers left behind, which holds tokens."""
        for name in os.listdir(self._directory):
            if name.startswith(f"{self._name}.") and name.endswith(".new"):
                with suppress(OSError):
                    os.unlink(os.path.join(self._directory, name))

    def _all(self) -> dict[str, str]:
        self._check(self._directory, os.stat(self._directory))
        try:
            # Opening a pipe would wait for a writer.
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return {}
        try:
            status = os.fstat(file)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._path)
            self._check(self._path, status)
            with open(file, "rb", closefd=False) as stream:
                texts = self._texts(stream.read()) if stat.S_ISREG(status.st_mode) else None
        finally:
            os.close(file)
        if texts is None:
            raise ConfigurationError(
                f"the token file {self._path} holds something else than was written to it",
                next_step="restore it from a copy, or delete it and authorize the application again",
            )
        return texts

    @staticmethod
    def _texts(content: bytes) -> dict[str, str] | None:
        try:
            texts: Any = json.loads(content)
        except (ValueError, RecursionError):
            return None
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            return None
        return texts

    @staticmethod
    def _check(path: str, status: os.stat_result) -> None:
        """
        Check that nobody else can have written the file, or put another in its place.

        :raises ConfigurationError: somebody may.
        """
        if status.st_uid not in (os.geteuid(), 0):
            raise ConfigurationError(
                f"{path}, where tokens are kept, belongs to another user (uid {status.st_uid})",
                next_step="give it to the user that Airflow runs as, or name another file in the extra `token_store`",
            )
        if status.st_mode & stat.S_IWOTH:
            raise ConfigurationError(
                f"everybody may write to {path}, where tokens are kept",
                next_step=f"run: chmod o-w {path}, or name a file in another directory in the extra `token_store`",
            )
