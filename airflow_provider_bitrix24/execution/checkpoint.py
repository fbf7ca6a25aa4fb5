"""
What a bulk task remembers over its tries, so that a crash in the middle does no work twice and loses no outcome.

What is remembered: the plan, the intent of each step before it is sent, its outcome after. Kept in Airflow's task state
store (3.3 and later), or in files beside a report that the user asked for; without either, nothing outlives a try.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError

_PREFIX = "bitrix24_"
#: Keys written down in one value of the store.
_PAGE = 100
#: Numbers kept in one value: Airflow warns of values above 64 KiB.
_NUMBERS = 5000


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

    def numbers(self, key: str) -> list[int] | None:
        """What :meth:`put_numbers` put under a key; None if nothing, or if a crash came in between."""
        pages = self.get(key)
        return None if pages is None else [one for page in range(pages) for one in self.get(f"{key}_{page}")]

    def put_numbers(self, key: str, numbers: Sequence[int]) -> None:
        """Remember numbers, such as ids, however many."""
        starts = range(0, len(numbers), _NUMBERS)
        for page, start in enumerate(starts):
            self.put(f"{key}_{page}", numbers[start : start + _NUMBERS])
        self.put(key, len(starts))

    def finish(self, result: Any) -> None:
        """
        Remember under ``done`` that the work is done and what came of it, and nothing else any more.

        A task that is killed between this and the end of its try is tried again, and must not begin anew.
        """
        self.put("done", result)
        self._keep(("series", "done"))

    def forget(self) -> None:
        """Remember nothing any more."""
        self._keep(())

    def _keep(self, kept: tuple[str, ...]) -> None:
        self._values = {key: value for key, value in self._values.items() if key in kept}


class StateStoreCheckpoint(Checkpoint):
    """
    Airflow's task state store: shared by all tries of a task, gone with its dag run. It is not encrypted.

    The store does not tell its keys, so they are written down in it, before their values, by pages: one growing list
    would be written anew with each key.
    """

    lasting = True

    def __init__(self, store: Any) -> None:
        super().__init__()
        self._store = store
        self._pages: list[list[str]] = []
        while (page := store.get(f"{_PREFIX}keys_{len(self._pages)}", None)) is not None:
            self._pages.append(page)
        self._keys = {key for page in self._pages for key in page}

    def get(self, key: str) -> Any:
        return self._store.get(f"{_PREFIX}{key}", None)

    def put(self, key: str, value: Any) -> None:
        if key not in self._keys:
            self._keys.add(key)
            if not self._pages or len(self._pages[-1]) >= _PAGE:
                self._pages.append([])
            self._pages[-1].append(key)
            self._store.set(f"{_PREFIX}keys_{len(self._pages) - 1}", self._pages[-1])
        self._store.set(f"{_PREFIX}{key}", value)

    def _keep(self, kept: tuple[str, ...]) -> None:
        for key in self._keys.difference(kept):
            self._store.delete(f"{_PREFIX}{key}")
        self._keys.intersection_update(kept)
        for number in range(len(self._pages) - 1, 0 if self._keys else -1, -1):
            self._store.delete(f"{_PREFIX}keys_{number}")
        self._pages = [sorted(self._keys)] if self._keys else []
        if self._keys:
            self._store.set(f"{_PREFIX}keys_0", self._pages[0])


class ObjectCheckpoint(Checkpoint):
    """Small files in a folder beside the report: object storage has no way to append to a file."""

    lasting = True

    def __init__(self, folder: Any) -> None:
        super().__init__()
        self._folder = folder

    def get(self, key: str) -> Any:
        # What was killed while it renamed has left the whole value under the other name.
        for ending in ("json", "part"):
            try:
                return json.loads((self._folder / f"{key}.{ending}").read_text())
            except (FileNotFoundError, ValueError):
                # A file that a crash left half written was not yet remembered.
                continue
        return None

    def put(self, key: str, value: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{key}.part"
        part.write_text(json.dumps(value))
        target = self._folder / f"{key}.json"
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        part.rename(target)

    def _keep(self, kept: tuple[str, ...]) -> None:
        if not kept and self._folder.exists():
            self._folder.rmdir(recursive=True)
        for file in list(self._folder.iterdir()) if kept else []:
            if file.name.partition(".")[0] not in kept:
                file.unlink()


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
    :raises ConfigurationError: another mapped task keeps its own beside this report.
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
    earlier = found.get("series")
    if earlier != series:
        if earlier and earlier[:3] == series[:3] and earlier[3] != series[3]:
            # Each would take away what the other remembers, and do work of an earlier try again.
            raise ConfigurationError(
                f"report is also that of the mapped task {earlier[3]} of this run",
                next_step="give each its own: put {{ ti.map_index }} into the name",
            )
        found.forget()
        found.put("series", series)
    return found
