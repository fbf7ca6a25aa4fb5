"""Each event for one run of a DAG, and every event for one, however Airflow puts them together."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_bitrix24.events import new_events
from airflow_provider_bitrix24.events.new_events import PAGE_EVENTS, REMEMBERED_CHANGES, REMEMBERED_RUNS
from airflow_provider_bitrix24.exceptions import ConfigurationError

START = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Asset:
    uri: str


@dataclass(frozen=True)
class AssetEvent:
    """One of Airflow, as a task sees it."""

    id: int
    timestamp: datetime
    extra: Any


class Inlet:
    """The events of an asset, as Airflow 3.1 and newer narrow them down."""

    def __init__(self, events):
        self._events, self._after, self._limit, self.read = events, None, None, 0

    def after(self, moment):
        self._after = datetime.fromisoformat(moment)
        return self

    def limit(self, limit):
        self._limit = limit
        return self

    def __iter__(self):
        found = [event for event in self._events if self._after is None or event.timestamp >= self._after]
        self.read += len(found[: self._limit])
        return iter(found[: self._limit])


class Airflow:
    """Asset events, and which run Airflow says they triggered: those up to the first that was not consumed."""

    def __init__(self, *names):
        self.assets = [Asset(f"bitrix24://portal/{name}") for name in names or ("deals",)]
        self.events = {asset: [] for asset in self.assets}
        self.waiting: dict[Asset, datetime] = {}
        self.max_active_runs = 1
        self.inlets = list(self.assets)
        self._clock, self._next_id, self._runs = START, 1, 0
        self._consumed_to = START - timedelta(days=1)

    def store(self, name, redelivered=False, asset=0, changed_at=None, extra=None, conn=None):
        self._clock += timedelta(milliseconds=3)
        at = (changed_at or self._clock).strftime("%Y-%m-%dT%H:%M:%SZ")
        payload = {"id": name, "object_id": 7, "time": at, "redelivered": redelivered}
        payload |= {"bitrix24_conn_id": conn} if conn else {}
        extra = {"from_trigger": True, "payload": payload} if extra is None else extra
        self.events[self.assets[asset]].append(AssetEvent(self._next_id, self._clock, extra))
        self._next_id += 1
        # As Airflow does it: a second event while the first waits is not queued.
        self.waiting.setdefault(self.assets[asset], self._clock)

    def wait(self, seconds):
        self._clock += timedelta(seconds=seconds)

    def run(self):
        """The context of a new run."""
        until = max(self.waiting.values()) if self.waiting else self._consumed_to
        triggering = {
            asset: [event for event in events if self._consumed_to < event.timestamp <= until]
            for asset, events in self.events.items()
        }
        self.waiting.clear()
        self._consumed_to = until
        self._runs += 1
        return self.context(f"run {self._runs}", triggering)

    def context(self, run_id, triggering):
        accessors = {asset: Inlet(self.events[asset]) for asset in self.inlets}
        return {
            "dag": SimpleNamespace(dag_id="on_deals", max_active_runs=self.max_active_runs),
            "task": SimpleNamespace(task_id="write"),
            "run_id": run_id,
            "triggering_asset_events": {asset: events for asset, events in triggering.items() if events},
            "inlet_events": accessors,
        }


@pytest.fixture(autouse=True)
def variables(airflow_db, monkeypatch):
    """Airflow's variables, in its database: only a task of Airflow 3 reaches them by the name that tasks use."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).delete()
    # The package has a function of the same name.
    monkeypatch.setattr(sys.modules[new_events.__module__], "Variable", Variable)


def names(events):
    return [event["id"] for event in events]


def test_a_run_gets_what_airflow_left_out_of_it_and_the_next_run_does_not():
    airflow = Airflow()
    for name in ("a", "b", "c"):
        airflow.store(name)
    first = airflow.run()
    # Only one of them is what Airflow calls the trigger.
    (triggering,) = first["triggering_asset_events"].values()
    assert len(triggering) == 1
    assert names(new_events(first)) == ["a", "b", "c"]
    airflow.store("d")
    second = airflow.run()
    (triggering,) = second["triggering_asset_events"].values()
    assert len(triggering) == 3
    assert names(new_events(second)) == ["d"]


def test_a_retry_and_a_cleared_run_get_the_same_again():
    airflow = Airflow()
    airflow.store("a")
    first = airflow.run()
    assert names(new_events(first)) == ["a"]
    airflow.store("b")
    assert names(new_events(first)) == ["a"]
    second = airflow.run()
    assert names(new_events(second)) == ["b"]
    assert names(new_events(first)) == ["a"]


def test_an_event_that_is_delivered_again_after_a_restart_is_dropped():
    airflow = Airflow()
    airflow.store("a")
    assert names(new_events(airflow.run())) == ["a"]
    airflow.wait(3 * 3600)
    airflow.store("a", redelivered=True, changed_at=START)
    airflow.store("b", redelivered=True)
    second = airflow.run()
    assert names(new_events(second)) == ["b"]
    assert names(new_events(second)) == ["b"]


def test_an_event_that_is_delivered_twice_to_one_run_is_returned_once():
    airflow = Airflow()
    airflow.store("a")
    airflow.store("a", redelivered=True)
    assert names(new_events(airflow.run())) == ["a"]


def test_an_event_of_two_assets_is_returned_once():
    airflow = Airflow("deals", "won")
    airflow.store("a", asset=0)
    assert names(new_events(airflow.run())) == ["a"]
    airflow.store("a", asset=1)
    airflow.store("b", asset=1)
    assert names(new_events(airflow.run())) == ["b"]


def test_events_of_two_portals_with_one_id_are_two():
    airflow = Airflow("north", "south")
    airflow.store("a", asset=0, conn="north")
    airflow.store("a", asset=1, conn="south")
    first = airflow.run()
    assert [event["bitrix24_conn_id"] for event in new_events(first)] == ["north", "south"]
    # A retry gets the same, and what comes again is known for each.
    assert [event["bitrix24_conn_id"] for event in new_events(first)] == ["north", "south"]
    airflow.store("a", asset=1, redelivered=True, conn="south")
    airflow.store("b", asset=1, conn="south")
    airflow.store("a", asset=0, redelivered=True, conn="north")
    assert names(new_events(airflow.run())) == ["b"]


def test_what_was_remembered_without_its_connection_is_known():
    airflow = Airflow()
    airflow.store("a")
    first = airflow.run()
    assert names(new_events(first)) == ["a"]
    airflow.store("a", redelivered=True, conn="north")
    airflow.store("b", conn="north")
    second = airflow.run()
    for _ in range(2):
        assert names(new_events(second)) == ["b"]
    assert names(new_events(first)) == ["a"]


def test_an_event_that_was_stored_late_is_not_lost():
    """Two triggerers write at once: what is stored first is not always what is seen first."""
    airflow = Airflow()
    airflow.store("a")
    airflow.wait(1)
    airflow.store("a2")
    late = AssetEvent(99, START + timedelta(seconds=0.5), {"payload": {"id": "late", "time": "2026-01-31T09:00:00Z"}})
    assert names(new_events(airflow.run())) == ["a", "a2"]
    airflow.events[airflow.assets[0]].insert(1, late)
    airflow.store("b")
    assert names(new_events(airflow.run())) == ["late", "b"]


def test_events_of_others_are_not_ours():
    airflow = Airflow()
    airflow.store("x", extra={})
    airflow.store("x", extra={"payload": "text"})
    airflow.store("a")
    assert names(new_events(airflow.run())) == ["a"]


def test_a_run_that_nothing_triggered_and_that_is_the_first_has_none():
    assert new_events(Airflow().run()) == []


def test_a_run_reads_only_what_came_after_the_one_before():
    airflow = Airflow()
    for number in range(500):
        airflow.store(str(number))
    new_events(airflow.run())
    for name in ("later", "latest"):
        airflow.wait(3600)
        airflow.store(name)
        context = airflow.run()
        assert names(new_events(context)) == [name]
    assert [inlet.read for inlet in context["inlet_events"].values()] == [2]


@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_changes_over_five_restarts_are_each_returned_once(seed):
    """At every restart what was on its way comes again, up to a hundred events."""
    airflow, chance, seen = Airflow(), random.Random(seed), []
    stored, restarts = 0, sorted(chance.sample(range(10_000), 5))
    while stored < 10_000:
        for _ in range(chance.randrange(1, 400)):
            if stored == 10_000:
                break
            airflow.store(f"change {stored}")
            stored += 1
            if restarts and stored > restarts[0]:
                restarts.pop(0)
                again = chance.randrange(1, 100)
                for number in range(max(0, stored - again), stored):
                    airflow.store(f"change {number}", redelivered=True, changed_at=START)
        if chance.random() < 0.8:
            seen += names(new_events(airflow.run()))
    airflow.store("the last")
    seen += names(new_events(airflow.run()))
    assert len(seen) == len(set(seen)) == 10_001


def test_many_events_are_read_in_pages_also_where_they_have_one_time():
    airflow = Airflow()
    airflow.store("first")
    events = airflow.events[airflow.assets[0]]
    for number in range(5 * PAGE_EVENTS):
        at = START + timedelta(seconds=1 if number < 3 * PAGE_EVENTS else 2 + number)
        events.append(AssetEvent(1000 + number, at, {"payload": {"id": str(number), "time": "2026-01-31T09:00:00Z"}}))
    assert names(new_events(airflow.run())) == ["first", *map(str, range(5 * PAGE_EVENTS))]


def test_airflow_3_0_reads_all_events():
    class Unbounded(list):
        pass

    airflow = Airflow()
    for name in ("a", "b"):
        airflow.store(name)
    context = airflow.run()
    context["inlet_events"] = {asset: Unbounded(events) for asset, events in airflow.events.items()}
    assert names(new_events(context)) == ["a", "b"]


def test_the_memory_stays_small():
    from airflow.models.variable import Variable

    airflow = Airflow()
    for run in range(REMEMBERED_RUNS + 20):
        airflow.store(f"{run} a")
        airflow.store(f"{run} b")
        new_events(airflow.run())
    text = Variable.get("bitrix24_new_events__on_deals__write")
    assert len(json.loads(text)["runs"]) == REMEMBERED_RUNS
    assert len(json.loads(text)["changes"]) == min(REMEMBERED_CHANGES, 2 * (REMEMBERED_RUNS + 20))
    assert len(text) < 60_000


def test_without_the_inlet_it_says_what_to_write():
    airflow = Airflow()
    airflow.store("a")
    airflow.inlets = []
    with pytest.raises(ConfigurationError, match=r"no inlet bitrix24://portal/deals: write @task\(inlets="):
        new_events(airflow.run())


def test_runs_side_by_side_are_refused():
    airflow = Airflow()
    airflow.store("a")
    airflow.max_active_runs = 16
    with pytest.raises(ConfigurationError, match="give the DAG max_active_runs=1"):
        new_events(airflow.run())


def test_airflow_2_is_refused_by_name():
    with pytest.raises(ConfigurationError, match=r"from 3\.0 on"):
        new_events({"run_id": "manual"})
