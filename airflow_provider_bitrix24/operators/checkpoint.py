"""
What a bulk task remembers over its tries, so that a crash in the middle does no work twice and loses no outcome.

What is remembered: the plan, the intent of each step before it is sent, its outcome after. Kept in Airflow's task state
store (3.3 and later), or in files beside a report that the user asked for; without either, nothing outlives a try.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

_PREFIX = "bitrix24_"


class Checkpoint:
    """
    Remembers nothing beyond this try; the base of those that do.

    ``lasting`` tells which.
    """

    lasting = False

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """What was put under a key, in this try or an earlier one; None if nothing."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Remember a JSON value durably."""
        self._values[key] = value

    def forget(self) -> None:
        """Remember nothing any more: the work is done, and a task that is cleared begins anew."""
        self._values.clear()


class StateStoreCheckpoint(Checkpoint):
    """Airflow's task state store: shared by all tries of a task, gone with its dag run. It is not encrypted."""

    lasting = True

    def __init__(self, store: Any) -> None:
        super().__init__()
        self._store = store
        self._keys: set[str] = set(store.get(f"{_PREFIX}keys", []) or [])

    def get(self, key: str) -> Any:
        return self._store.get(f"{_PREFIX}{key}", None)

    def put(self, key: str, value: Any) -> None:
        if key not in self._keys:
            self._keys.add(key)
            self._store.set(f"{_PREFIX}keys", sorted(self._keys))
        self._store.set(f"{_PREFIX}{key}", value)

    def forget(self) -> None:
        for key in self._keys:
            self._store.delete(f"{_PREFIX}{key}")
        self._store.delete(f"{_PREFIX}keys")
        self._keys.clear()


class ObjectCheckpoint(Checkpoint):
    """Small files in a folder beside the report: object storage has no way to append to a file."""

    lasting = True

    def __init__(self, folder: Any) -> None:
        super().__init__()
        self._folder = folder

    def get(self, key: str) -> Any:
        try:
            return json.loads((self._folder / f"{key}.json").read_text())
        except (FileNotFoundError, ValueError):
            # A file that a crash left half written was not yet remembered.
            return None

    def put(self, key: str, value: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{key}.part"
        part.write_text(json.dumps(value))
        target = self._folder / f"{key}.json"
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        part.rename(target)

    def forget(self) -> None:
        if self._folder.exists():
            self._folder.rmdir(recursive=True)


def is_repeated(context: Any) -> bool:
    """
    Whether an earlier try of this series may have done work. Clearing a task begins a new series: it raises
    ``max_tries`` by what had been used up.
    """
    ti, task = context["ti"], context.get("task")
    retries, most = getattr(task, "retries", None), getattr(ti, "max_tries", None)
    if retries is None or most is None:
        return bool(ti.try_number > 1)
    return bool(ti.try_number > most - retries + 1)


def checkpoint(context: Any, report: Any = None) -> Checkpoint:
    """
    The checkpoint of a running task.

    Tries of one series share it. A task that a person cleared is another series, told by ``max_tries``, which clearing
    raises; it begins anew.

    :param report: path of the report file, where the user asked for one.
    """
    store = context.get("task_state_store") if hasattr(context, "get") else None
    found: Checkpoint
    if store is not None:
        found = StateStoreCheckpoint(store)
    elif report is not None:
        found = ObjectCheckpoint(report.parent / f"{report.name}.checkpoint")
    else:
        return Checkpoint()
    ti = context["ti"]
    series = [ti.dag_id, ti.run_id, ti.task_id, ti.map_index, getattr(ti, "max_tries", None)]
    if found.get("series") != series:
        found.forget()
        found.put("series", series)
    return found
