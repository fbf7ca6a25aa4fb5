"""
What a task remembers over its tries, so that a crash does no work twice and loses no outcome.

It is kept in Airflow's task state store (3.3 and later), or in files beside a report that the user asked for; without
either, nothing outlives a try but its own waits for limits. All tries of one series share it. Clearing a task begins a
new series, which remembers nothing of the one before.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.storage import is_local, make_folder

#: Numbers kept in one value: Airflow warns of values above 64 KiB.
_NUMBERS = 5000
#: Most characters that a try remembers by itself.
_MOST_CHARACTERS = 4 * 1024 * 1024
#: ... and that travel with a deferral: MySQL keeps 64 KiB of a trigger, encrypted.
_MOST_PACKED_CHARACTERS = 32 * 1024
#: Where the running try keeps its memory in the task's context.
MEMORY_IN_CONTEXT = "bitrix24_memory"
#: Characters of a digest.
DIGEST_LENGTH = 16


def digest_of(*parts: Any, other: Callable[[Any], str] = str) -> str:
    """
    The same for the same JSON values, whenever and wherever it is made.

    :param other: the text of anything else.
    """
    return digest_of_text(text_of(*parts, other=other))


def text_of(*parts: Any, other: Callable[[Any], str] = str) -> str:
    """The text whose digest is :func:`digest_of`."""
    try:
        return json.dumps(parts, default=other, ensure_ascii=False)
    except (TypeError, ValueError):
        # Keys that JSON has no form for, or a value that holds itself.
        return repr(parts)


def digest_of_text(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_LENGTH // 2).hexdigest()


class Checkpoint:
    """
    Remembers nothing; the base of those that do.

    Nothing is ever deleted from it, and a value is replaced as a whole. The key ``done`` is the last one put.
    """

    #: Whether the next try finds what this one puts.
    lasting = False
    #: Whether it is found by the name of the report alone.
    is_beside_report = False

    def get(self, key: str) -> Any:
        """What was put under a key, in this try or an earlier one of the series; None if nothing."""
        return None

    def put(self, key: str, value: Any) -> None:
        """Remember a JSON value, other than None, before this returns."""

    def numbers(self, key: str) -> list[int] | None:
        """What :meth:`put_numbers` put under a key; None if nothing, or if a crash came in between."""
        pages = self.get(key)
        return None if pages is None else [number for page in range(pages) for number in self.get(f"{key}_{page}")]

    def put_numbers(self, key: str, numbers: Sequence[int]) -> None:
        """Remember numbers, such as ids, however many."""
        starts = range(0, len(numbers), _NUMBERS)
        for page, start in enumerate(starts):
            self.put(f"{key}_{page}", list(numbers[start : start + _NUMBERS]))
        self.put(key, len(starts))


class TryMemory(Checkpoint):
    """
    What one try remembers by itself, over its waits for limits; the next try finds nothing of it.

    It takes 4 MiB at most: what is more is forgotten, all of it.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = {key: json.dumps(value) for key, value in (values or {}).items()}
        self._size = sum(map(len, self._values.values()))
        #: Whether it was too much to remember.
        self.is_full = False

    def get(self, key: str) -> Any:
        return json.loads(self._values[key]) if key in self._values else None

    def put(self, key: str, value: Any) -> None:
        if self.is_full:
            return
        text = json.dumps(value)
        self._size += len(text) - len(self._values.get(key, ""))
        self._values[key] = text
        if self._size > _MOST_CHARACTERS:
            self._values, self.is_full = {}, True

    def packed(self) -> str | None:
        """A text that travels with a deferral; None if it would be too long."""
        if self.is_full:
            return None
        text = base64.b64encode(zlib.compress(json.dumps(self._values).encode())).decode()
        return text if len(text) <= _MOST_PACKED_CHARACTERS else None

    @classmethod
    def unpacked(cls, text: str) -> TryMemory:
        """
        The memory of a text.

        :raises ValueError: it is not what :meth:`packed` makes.
        """
        try:
            values = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
            return cls({key: json.loads(value) for key, value in values.items()})
        except (zlib.error, AttributeError, TypeError) as error:
            raise ValueError("not a packed memory") from error


class StateStoreCheckpoint(Checkpoint):
    """
    Airflow's task state store: shared by all tries of a task, gone with its dag run. It is not encrypted.

    :param series: the number of the series, part of each key.
    """

    lasting = True

    def __init__(self, store: Any, series: int) -> None:
        self._store = store
        self._prefix = f"bitrix24_{series}_"

    def get(self, key: str) -> Any:
        return self._store.get(f"{self._prefix}{key}", None)

    def put(self, key: str, value: Any) -> None:
        self._store.set(f"{self._prefix}{key}", value)


class ObjectCheckpoint(Checkpoint):
    """
    Small files in a folder beside the report, one for each time that a value is put.

    Object storage cannot append to a file, and a local file may be left half written by a crash: the newest one that
    is whole counts, since nothing is sent before its file is whole.

    :param folder: ``<report>.checkpoint``.
    :param series: begins the name of each file of the series.
    """

    lasting = True
    is_beside_report = True

    def __init__(self, folder: Any, series: str) -> None:
        self._folder = folder
        self._prefix = f"{series}."
        self._versions: dict[str, int] = {}
        self._made = False
        for name in _names_in(folder):
            found = re.fullmatch(rf"{re.escape(series)}\.(\w+)\.(\d+)\.json", name)
            if found:
                self._made = True
                self._versions[found[1]] = max(self._versions.get(found[1], 0), int(found[2]))

    def get(self, key: str) -> Any:
        for version in range(self._versions.get(key, 0), 0, -1):
            with contextlib.suppress(FileNotFoundError, ValueError):
                return json.loads(self._file(key, version).read_text())
        return None

    def put(self, key: str, value: Any) -> None:
        if not self._made:
            make_folder(self._folder)
            self._made = True
        version = self._versions.get(key, 0) + 1
        file = self._file(key, version)
        if is_local(file):
            # Nobody has a file of that name yet, not even a link to somewhere else.
            try:
                stream = Path(file.path).open("x", encoding="utf-8")  # noqa: SIM115 - closed below
            except FileExistsError:
                raise ConfigurationError(
                    f"another process of this task writes the same report: {file.path} is there already",
                    next_step="end one of them; a retry goes on after what both have done",
                    retryable=True,
                ) from None
            with stream:
                stream.write(json.dumps(value))
        else:
            file.write_text(json.dumps(value))
        self._versions[key] = version

    def _file(self, key: str, version: int) -> Any:
        return self._folder / f"{self._prefix}{key}.{version}.json"


def _names_in(folder: Any) -> list[str]:
    try:
        return [file.name for file in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        # The second is what a folder that is not there raises in some storages.
        return []


def _check_own(folder: Any) -> None:
    """:raises ConfigurationError: the folder is a link or another user's, and its files decide what is sent."""
    try:
        status = os.lstat(folder.path)
    except OSError:
        return
    owner = f"belongs to the user {status.st_uid}" if status.st_uid not in (0, os.geteuid()) else ""
    if os.path.islink(folder.path) or owner:
        raise ConfigurationError(
            f"the memory of the report, {folder}, {owner or 'is a link'}", next_step="delete it, or name another report"
        )


def is_repeated(context: Any) -> bool:
    """
    Whether an earlier try of this series may have done work.

    Clearing a task raises ``max_tries`` by the tries that had been used up.
    """
    ti, task = context["ti"], context.get("task")
    retries, most = getattr(task, "retries", None), getattr(ti, "max_tries", None)
    if retries is None or most is None:
        return bool(ti.try_number > 1)
    return bool(ti.try_number > most - retries + 1)


def is_last_try(context: Any) -> bool:
    """Whether Airflow does not try the task again if this try fails, whatever it fails with."""
    ti = context["ti"]
    return bool(ti.try_number > int(getattr(ti, "max_tries", None) or 0))


def quiet_seconds(operator: Any) -> float:
    """
    How long before a try of a task the one before it has ended, at least.

    With a retry policy (Airflow 3.3), a failure may be tried again at once.
    """
    if getattr(operator, "retry_policy", None) is not None:
        return 0.0
    return float(operator.retry_delay.total_seconds())


def checkpoint(context: Any, report: Any = None) -> Checkpoint:
    """
    The checkpoint of a running task.

    :param report: path of the report file, where the user asked for one.
    :raises ConfigurationError: the folder beside it is not ours.
    """
    ti = context["ti"]
    # Clearing a task raises it, and nothing else does.
    series = int(getattr(ti, "max_tries", None) or 0)
    store = context.get("task_state_store") if hasattr(context, "get") else None
    if store is not None:
        return StateStoreCheckpoint(store, series)
    if report is None:
        own = context.get(MEMORY_IN_CONTEXT) if hasattr(context, "get") else None
        return own if own is not None else Checkpoint()
    folder = _beside(report)
    if is_local(folder):
        _check_own(folder)
    return ObjectCheckpoint(folder, f"{_run_of(ti)}.{ti.map_index}.{series}")


def claim_report(context: Any, report: Any) -> None:
    """
    Say that a report is that of this mapped task alone: the report of one would replace that of the other.

    Object storage has no exclusive create. So each task writes a name of its own into the folder beside the report and
    then looks for others there: of two that begin at the same time, at least one sees the other.

    :raises ConfigurationError: another mapped task of this run has it too, or the folder is not ours.
    """
    ti = context["ti"]
    folder, run, own = _beside(report), _run_of(ti), str(getattr(ti, "map_index", -1))
    if own == "-1":
        return
    if is_local(folder):
        _check_own(folder)
    make_folder(folder)
    claim = folder / f"{run}.{own}.claim"
    if is_local(folder):
        with contextlib.suppress(FileExistsError), Path(claim.path).open("x"):
            pass
    else:
        claim.write_text("claimed")
    for name in _names_in(folder):
        other, _, rest = name.partition(".")
        index = rest.partition(".")[0]
        if other == run and index != own:
            raise ConfigurationError(
                f"report is also that of the mapped task {index} of this run",
                next_step="give each its own: put {{ ti.map_index }} into the name",
            )


def _beside(report: Any) -> Any:
    return report.parent / f"{report.name}.checkpoint"


def _run_of(ti: Any) -> str:
    """Stands for a task in a run of its DAG, in the name of a file."""
    return hashlib.sha256(json.dumps([ti.dag_id, ti.run_id, ti.task_id]).encode()).hexdigest()[:16]
