"""Rows in files of object storage: JSON lines, whole or not at all under their name."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import NOTHING, nothing_hint

log = logging.getLogger(__name__)

_EXAMPLES = {
    "file": "write e.g. s3://conn_id@bucket/deals.jsonl or file:///data/deals.jsonl",
    "folder": "write e.g. s3://conn_id@bucket/deals or file:///data/deals",
}
#: What a retry cannot fix where a file cannot be created; anything else may be the network, or a full disk.
_FINAL = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ValueError)
_FINAL_NUMBERS = frozenset({errno.ENAMETOOLONG, errno.EROFS, errno.EINVAL, errno.ELOOP})
#: Stores of buckets, which have no folders; what looks like making one could make a bucket.
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "r2"})
_LOCAL = ("file", "local")
#: ``s3:/bucket`` and ``/s3:/bucket``: what path libraries make of ``s3://bucket``.
_LOST_SLASH = re.compile(r"/?[A-Za-z][A-Za-z0-9+.-]+:(/?[^/]|$)")
#: What a shell, or Python's formats, would have filled in; ``$web`` is a container of Azure.
_NOT_FILLED_IN = re.compile(r"\{[A-Za-z_]\w*\}|%\([A-Za-z_]\w*\)s|\$\{?[A-Z_][A-Z0-9_]*\b|%7[Bb].*%7[Dd]|<no value>")
#: What a file of JSON lines is not.
_OTHER_FORMATS = (".csv", ".tsv", ".parquet", ".xlsx", ".gz", ".zip")
_DRIVE = re.compile(r"[A-Za-z]:\\")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<store>[^/]*)/?(?P<key>.*)", re.DOTALL)


def storage_path(address: Any, name: str, kind: str = "file") -> Any:
    """
    An Airflow ``ObjectStoragePath``: ``s3://conn_id@bucket/key.jsonl``, ``file:///data/key.jsonl`` or an absolute path.

    :param name: the argument, for messages.
    :param kind: ``"file"`` or ``"folder"``.
    :raises ConfigurationError: it does not name one, or one below the folder that a worker happens to run in.
    """
    # Airflow imports its storage for it.
    from airflow_provider_bitrix24._compat import AirflowNotFoundException, ObjectStoragePath
    from airflow_provider_bitrix24.hooks.missing_connections import has_secrets_backend

    if isinstance(address, (PurePath, ObjectStoragePath)):
        text = check_address(str(address), name, kind)
    else:
        text = check_address(address, name, kind)
    try:
        path = ObjectStoragePath(text if "://" in text else f"file://{text}")
        # Airflow 2.11 looks for the storage only when it is used.
        _ = path.fs
        return path
    except AirflowNotFoundException as error:
        failure = ConfigurationError(
            f"the connection of {name} cannot be used ({error})",
            next_step="add it, or write the id of another one",
            retryable=has_secrets_backend(),
        )
    except (ValueError, ImportError) as error:
        failure = ConfigurationError(
            f"{name} cannot be used ({type(error).__name__})",
            next_step="install the Airflow provider of this storage, and write scheme://conn_id@bucket/key",
        )
    raise failure


def check_folder(address: Any, name: str) -> None:
    """:func:`check_address` of a folder, which may end in a slash."""
    check_address(_without_slash(address), name, "folder")


def check_address(address: Any, name: str, kind: str = "file") -> str:
    """
    The text of an address, as far as it can be checked without the storage.

    :param name: the argument, for messages.
    :param kind: ``"file"`` or ``"folder"``.
    :raises ConfigurationError: it does not name one.
    """
    example = _EXAMPLES[kind]
    text = str(address).strip() if address is not None else ""
    if address is not None and not isinstance(address, str):
        raise ConfigurationError(f"{name} is not the address of a {kind}, but {preview(address)}", next_step=example)
    if "{{" in text or "{%" in text:
        raise ConfigurationError(
            f"{name} has a template that was not rendered, {preview(text)}",
            next_step="give the address as text in an argument that is templated",
        )
    match = _ADDRESS.fullmatch(text)
    if text in NOTHING or text.endswith("/") or _LOST_SLASH.match(text) or (match and not match["key"]):
        raise ConfigurationError(
            f"{name} does not name a {kind}{f', but {text!r}' if text else ''}",
            next_step=nothing_hint(address) or example,
        )
    if match and not match["store"].rpartition("@")[2] and text.lower().startswith(tuple(f"{s}:" for s in _BUCKETS)):
        raise ConfigurationError(f"{name} names no bucket, {text!r}", next_step=example)
    if _NOT_FILLED_IN.search(text):
        raise ConfigurationError(
            f"{name} has a name that was not filled in, {preview(text)}",
            next_step="write a template such as {{ ds }}, or {{ var.value.folder }}",
        )
    if _DRIVE.match(text) or (match and text.startswith("file:") and match["store"] and "@" not in match["store"]):
        raise ConfigurationError(f"{name} names no path of this computer, {preview(text)}", next_step=example)
    if "://" not in text and not text.startswith("/"):
        raise ConfigurationError(
            f"{name} is a relative path, {preview(text)}, and each worker would look below a folder of its own",
            next_step=f"write a whole address, {example.removeprefix('write ')}",
        )
    return text


def writable_path(address: Any, name: str) -> Any:
    """
    The same of a file that is to be written. Writing is tried first: no long list is read, and no row
    written, for nothing.

    :raises ConfigurationError: it cannot be written.
    """
    path = storage_path(address, name)
    if lost := [part for part in PurePath(path.path).parts if part.partition(".")[0] in NOTHING - {"", "null"}]:
        # Every run, or every mapped task, would write the same file.
        raise ConfigurationError(
            f"{name} has a part without a value, {lost[0]!r} in {path}", next_step=nothing_hint(None)
        )
    if path.name.lower().endswith(_OTHER_FORMATS):
        raise ConfigurationError(
            f"{name} is {preview(path.name)}, and the file is one of JSON lines",
            next_step="end its name in .jsonl; Bitrix24ToObjectStorageOperator writes lists as Parquet and CSV",
        )
    try:
        if is_local(path):
            _check_local(Path(path.path), path, name)
        make_folder(path.parent)
        _try_to_create(path)
        return path
    except ConfigurationError:
        raise
    except (OSError, ValueError, NotImplementedError) as error:
        if isinstance(error, OSError) and not isinstance(error, _FINAL) and error.errno not in _FINAL_NUMBERS:
            raise
        failure = ConfigurationError(
            f"{name} cannot be written: no file can be created in {path.parent} ({_why(error)})",
            next_step="give the user that Airflow's tasks run as the right to write there, or name another place",
        )
    raise failure


def is_folder(address: Any) -> bool:
    """Whether an address ends as that of a folder."""
    return isinstance(address, str) and address.strip().endswith("/")


def check_file_or_folder(address: Any, name: str) -> None:
    """:func:`check_address`; what ends in a slash is a folder."""
    check_address(_without_slash(address), name, "folder" if is_folder(address) else "file")


def folder_path(address: Any, name: str) -> Any:
    """
    A folder that files are to be written into, see :func:`writable_path`; it may end in a slash.

    :raises ConfigurationError: nothing can be written there.
    """
    path = storage_path(_without_slash(address), name, "folder")
    return writable_path(f"{path}/_bitrix24.json", name).parent


def _without_slash(address: Any) -> Any:
    return address.rstrip(" /") if is_folder(address) and not address.strip().endswith("://") else address


def _check_local(file: Path, path: Any, name: str) -> None:
    """:raises ConfigurationError: there is something that must not be replaced by a file."""
    if file.is_dir() and not file.is_symlink():
        raise ConfigurationError(f"{name} is a folder, {path}", next_step="add the name of a file to it")
    if file.is_symlink() or (file.exists() and not file.is_file()):
        kind = "a link" if file.is_symlink() else "a device or a pipe"
        raise ConfigurationError(f"{name} is {kind}, {path}, which a file would replace", next_step="name a file")


def is_local(path: Any) -> bool:
    """Whether a path is one of this computer."""
    return path.protocol in _LOCAL


def is_same_file(one: Any, other: Any) -> bool:
    """
    Whether two paths name one file, however each is spelt: a file that is written would replace the one that is read.

    Where a store of objects may tell ``a//b`` and ``a/b`` apart, they count as one; so do paths alike in two stores.
    """
    if is_local(one) != is_local(other):
        return False
    if not is_local(one):
        return _normal(one.path) == _normal(other.path)
    if os.path.realpath(one.path) == os.path.realpath(other.path):
        return True
    # A folder that is mounted twice, or a disk on which upper and lower case are one.
    return Path(one.path).exists() and Path(other.path).exists() and Path(one.path).samefile(other.path)


def _normal(key: str) -> str:
    return posixpath.normpath(key).lstrip("/")


def make_folder(folder: Any) -> None:
    """Make a folder and those above it; never a bucket: a misspelt one would be made."""
    if folder.protocol not in _BUCKETS:
        folder.mkdir(parents=True, exist_ok=True)


def _why(error: Exception) -> str:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return "a part of it is a file, not a folder"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _try_to_create(path: Any) -> None:
    """Create an empty file beside ``path``, and delete it."""
    trial = path.parent / _beside(path)
    with trial.open("wb"):
        pass
    try:
        trial.unlink()
    except PermissionError:
        # A store of files that are written once and kept.
        log.warning("%s cannot be deleted: the connection may write there, but not delete.", trial)


def _beside(path: Any) -> str:
    """A name for a file beside another one, which no other task has."""
    return f"{path.name}.{uuid.uuid4().hex[:12]}.part"


def write_json_lines(path: Any, rows: Iterable[Any]) -> dict[str, Any]:
    """
    Write one JSON document to a line, and return ``{"path": …, "rows": 2, "bytes": 61, "sha256": "…"}``.

    A crash leaves nothing under the final name, and a retry starts over: on a local disk the lines go to a file beside
    the final one, which takes its place at the end; for object storage to a private file of the worker, which is put
    there at the end, since a put is whole or not at all. Nothing is deleted or renamed in object storage.
    """
    make_folder(path.parent)
    write = _write_locally if is_local(path) else _put
    lines = _Lines(rows)
    write(path, lines)
    return {"path": str(path), "rows": lines.count, "bytes": lines.size, "sha256": lines.digest.hexdigest()}


def put_file(file: Path, path: Any) -> None:
    """Put a file of this worker under its final name, on a local disk whole or not at all."""
    if not is_local(path):
        with file.open("rb") as source, path.open("wb") as stream:
            shutil.copyfileobj(source, stream)
        return
    with file.open("rb") as source, _beside_final(path) as stream:
        shutil.copyfileobj(source, stream)


@contextmanager
def _beside_final(path: Any) -> Iterator[IO[bytes]]:
    """A local file beside the final one, which takes its place at the end."""
    final = Path(path.path)
    part = final.with_name(_beside(path))
    try:
        # It must not be there yet: not even as a link to somewhere else.
        with part.open("xb") as stream:
            yield stream
        part.replace(final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def json_line(row: Any) -> bytes:
    """A JSON document on a line of its own."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


class _Lines:
    """Rows as lines of JSON, counted on their way."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self.digest, self.count, self.size = hashlib.sha256(), 0, 0

    def __iter__(self) -> Iterator[bytes]:
        for row in self._rows:
            line = json_line(row)
            self.digest.update(line)
            self.count += 1
            self.size += len(line)
            yield line


def _write_locally(path: Any, lines: _Lines) -> None:
    with _beside_final(path) as stream:
        stream.writelines(lines)


def _put(path: Any, lines: _Lines) -> None:
    with tempfile.TemporaryFile(prefix="bitrix24-lines-") as spool:
        spool.writelines(lines)
        spool.seek(0)
        with path.open("wb") as stream:
            shutil.copyfileobj(spool, stream)
