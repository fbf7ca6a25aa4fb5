"""
Which events of watched assets are for this run of a DAG: each for one run only, and none left out.

Airflow's list of what triggered a run does not serve for that. It leaves out events that came between the first one and
the creation of the run, until another event starts another run; and after a restart a watcher may fire an event again.
So the events themselves are read from Airflow, and a variable remembers which run has taken which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_bitrix24._compat import Variable
from airflow_provider_bitrix24.exceptions import ConfigurationError

#: Runs whose events are remembered, so that a cleared one gets the same again.
REMEMBERED_RUNS = 300
#: How much later than an event another one may be stored that has an earlier time: two triggerers write at once.
LATE = timedelta(minutes=10)
#: Ids of changes that are remembered. What may come again after a restart of a watcher is what it had not acknowledged,
#: and that is never more than 100 changes of one watcher.
REMEMBERED_CHANGES = 1_000
#: Asset events that are read at once: Airflow looks each of them up for itself, and gives up after five seconds.
PAGE_EVENTS = 100


def new_events(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Return the events that no run before this one has taken, in the order in which they were stored.

    ``@task(inlets=[DEALS])``, then ``for event in new_events(context)``, in a DAG with ``schedule=[DEALS]`` and
    ``max_active_runs=1``. An event is ``{"id": …, "event": …, "object_id": …, "time": …, "redelivered": …,
    "bitrix24_conn_id": …}``, the payload of the trigger. An event of a connection that was delivered twice is returned
    once. A retry, and a run that is cleared, gets the same events again; the events of a run that failed for good are
    its own until it is cleared.

    The variable ``bitrix24_new_events__DAG_ID__TASK_ID`` is the memory. Deleted, a run takes what Airflow says that has
    triggered it, and what came after.

    :param context: the task's.
    :raises ConfigurationError: the task has no such inlets, the DAG may run twice at once, or Airflow is before 3.0.
    """
    inlets = _inlets(context)
    memory = _Memory(f"bitrix24_new_events__{context['dag'].dag_id}__{context['task'].task_id}")
    run_id = str(context["run_id"])
    if run_id in memory.runs:
        ours = memory.ids_of(run_id)
        return memory.first_of(event for event in _stored(inlets, memory.since_of(run_id)) if event.id in ours)
    starts = [event.timestamp for each in context["triggering_asset_events"].values() for event in each]
    if memory.since is not None:
        starts.append(memory.since)
    if not starts:
        # Nothing has ever been taken, and nothing triggered this run: there is no beginning.
        return []
    taken = {number for each in memory.runs for number in memory.ids_of(each)}
    events = [event for event in _stored(inlets, min(starts)) if event.id not in taken]
    found = memory.first_of(events)
    # Before any of them is worked on: if the task dies, its next try gets the same.
    memory.take(run_id, events, min(starts))
    return found


def _inlets(context: Mapping[str, Any]) -> list[Any]:
    """The accessor of the events of each inlet."""
    if "triggering_asset_events" not in context:
        raise ConfigurationError("new_events needs the events of assets, which Airflow has from 3.0 on")
    inlets = context["inlet_events"]
    missing = {asset.uri for asset in context["triggering_asset_events"]} - {asset.uri for asset in inlets}
    if missing or not inlets:
        raise ConfigurationError(
            f"the task has no inlet {', '.join(sorted(missing)) or 'at all'}",
            next_step="write @task(inlets=[…]) with the assets of the DAG's schedule",
        )
    if context["dag"].max_active_runs != 1:
        raise ConfigurationError(
            "two runs of this DAG may run at once, and both could take the same events",
            next_step="give the DAG max_active_runs=1",
        )
    return [inlets[asset] for asset in inlets]


def _stored(inlets: Iterable[Any], since: datetime) -> list[Any]:
    """Events of our triggers that Airflow has stored since a moment, in their order."""
    events = []
    for inlet in inlets:
        events += [event for event in _pages(inlet, since) if _payload(event)]
    return sorted(events, key=lambda event: (event.timestamp, event.id))


def _pages(inlet: Any, since: datetime) -> list[Any]:
    if not hasattr(inlet, "limit"):
        # Airflow 3.0 has no bounds: there all events of the asset are read.
        return [event for event in inlet if event.timestamp >= since]
    found: dict[int, Any] = {}
    limit = PAGE_EVENTS
    while True:
        page = list(inlet.after(since.isoformat()).limit(limit))
        found.update((event.id, event) for event in page)
        if len(page) < limit:
            return list(found.values())
        # Several may have one timestamp, and a page begins with those of the last one.
        last = page[-1].timestamp
        since, limit = last, PAGE_EVENTS if last > since else limit * 2


def _payload(event: Any) -> dict[str, Any]:
    payload = event.extra.get("payload") if isinstance(event.extra, dict) else None
    return payload if isinstance(payload, dict) and isinstance(payload.get("id"), str) else {}


def _identity(payload: Mapping[str, Any]) -> str:
    """Two portals may give one id to two changes: with the connection it is that of one change only."""
    connection = payload.get("bitrix24_conn_id")
    return f"{connection}/{payload['id']}" if isinstance(connection, str) else str(payload["id"])


class _Memory:
    """
    ``{"since": moment, "runs": {run_id: {"since": moment, "ids": "5-9,12"}}, "changes": {connection/id: 5}}``

    Ids of runs, ids of asset events, and for ids of changes the asset event that brought it first.
    """

    def __init__(self, variable: str) -> None:
        self._variable = variable
        stored = json.loads(Variable.get(variable, None) or "{}")
        self.runs: dict[str, dict[str, str]] = stored.get("runs", {})
        self._changes: dict[str, int] = stored.get("changes", {})
        self.since = datetime.fromisoformat(stored["since"]) if stored.get("since") else None

    def ids_of(self, run_id: str) -> set[int]:
        spans = (span.partition("-") for span in filter(None, self.runs[run_id]["ids"].split(",")))
        return {number for first, _, last in spans for number in range(int(first), int(last or first) + 1)}

    def since_of(self, run_id: str) -> datetime:
        return datetime.fromisoformat(self.runs[run_id]["since"])

    def first_of(self, events: Iterable[Any]) -> list[dict[str, Any]]:
        """Leave out what an earlier event has brought: one of another asset, or one before a restart of the watcher."""
        found = []
        for event in events:
            payload = _payload(event)
            # What was remembered before events had their connection has the id alone.
            first = self._changes.get(payload["id"], event.id)
            if self._changes.setdefault(_identity(payload), first) == event.id:
                found.append(dict(payload))
        return found

    def take(self, run_id: str, events: Iterable[Any], since: datetime) -> None:
        events = list(events)
        if events:
            self.since = max(since, events[-1].timestamp - LATE)
        self.runs[run_id] = {"since": since.isoformat(), "ids": _spans(event.id for event in events)}
        self.runs = dict(list(self.runs.items())[-REMEMBERED_RUNS:])
        changes = dict(list(self._changes.items())[-REMEMBERED_CHANGES:])
        stored = {"since": (self.since or since).isoformat(), "runs": self.runs, "changes": changes}
        Variable.set(self._variable, json.dumps(stored), description="Which run has taken which events of Bitrix24")


def _spans(numbers: Iterable[int]) -> str:
    """``5-9,12``: numbers that follow each other are most of them."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
