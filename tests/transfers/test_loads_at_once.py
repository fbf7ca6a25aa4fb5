"""Several loads into one table: those that do not meet go on side by side, and the others are refused."""

from __future__ import annotations

import inspect
import json
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports.sql import claims
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.transfers.lists import LIST
from tests.transfers.test_to_sql import interval, load, operator, run_of

DAY = datetime(2026, 1, 12, tzinfo=timezone.utc)


def day(number: int, days: int = 1) -> dict[str, Any]:
    start = DAY + timedelta(days=number)
    return interval(number, start, start + timedelta(days=days))


def stopped(portal: Any, run: dict[str, Any], **arguments: Any) -> None:
    """A load that has begun and waits for its retry."""
    fault = portal.fault("error", LIST, times=None)
    with pytest.raises(Bitrix24Error):
        load(run, **arguments)
    assert fault.hits
    portal.clear_faults()


@pytest.fixture
def per_day(portal, connection):
    return [
        portal.add_deals(1, updatedTime=f"{DAY + timedelta(days=number, hours=5):%Y-%m-%dT%H:%M:%S+00:00}")[0]
        for number in range(7)
    ]


def test_days_that_do_not_overlap_are_staged_side_by_side_and_published_one_after_another(portal, per_day, target):
    failed: list[BaseException] = []

    def one(number: int) -> None:
        try:
            task = operator(window="interval")
            # Airflow 2 lets it be called in the first thread of a process only.
            inspect.unwrap(type(task).execute)(task, day(number))
        except BaseException as error:
            failed.append(error)

    # One writer at a time has the file of these.
    if target.kind in ("sqlite", "duckdb"):
        for number in range(7):
            one(number)
    else:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert set(per_day) <= {row[0] for row in target.rows("deals", "id")}
    assert target.tables() == {"deals", "_bitrix24_loads"}


def test_a_day_may_be_written_as_two_moments(portal, per_day, sqlite_alone):
    start, end = DAY + timedelta(days=1), DAY + timedelta(days=2)
    stopped(portal, run_of(1), window=f"{start.isoformat()}/{end.isoformat()}")
    done = load(run_of(2), window=f"{end.isoformat()}/2026-01-15T03:00:00+03:00")
    assert (done["watermark"], {">=updatedTime", "<updatedTime"}) == (None, done["window"].keys())
    ids = {row[0] for row in sqlite_alone.rows("deals", "id")}
    assert (per_day[2] in ids, per_day[1] in ids, per_day[3] in ids) == (True, False, False)
    with pytest.raises(Bitrix24Error, match="another load into deals is under way"):
        load(run_of(3), window=f"{start.isoformat()}/{end.isoformat()}")


@pytest.mark.parametrize(
    "window",
    [
        "2026-01-01T00:00:00+00:00/", "2026-01-01/2026-01-02", "2026-01-01T00:00:00/2026-01-02T00:00:00",
        "2026-01-02T00:00:00+00:00/2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z/P1D",
        "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_are_not_two_moments_is_refused_when_the_dag_is_parsed(window):
    with pytest.raises(AirflowFailException, match=r"two moments with their zones|can hold no row"):
        operator(window=window)


def test_a_day_beside_one_that_waits_for_its_retry_is_loaded(portal, per_day, target):
    stopped(portal, day(1), window="interval")
    assert load(day(2), window="interval")["rows"] >= 1
    assert load(day(1), window="interval")["rows"] >= 1
    assert {per_day[1], per_day[2]} <= {row[0] for row in target.rows("deals", "id")}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"run": day(1), "window": "interval"}, {"run": day(0, days=2), "window": "interval"}),
        ({"run": run_of(1)}, {"run": run_of(2)}),
        ({"run": run_of(1), "window": "all"}, {"run": day(2), "window": "interval"}),
        ({"run": run_of(1), "write": "replace"}, {"run": day(2), "window": "interval"}),
        ({"run": day(2), "window": "interval"}, {"run": run_of(1), "write": "replace"}),
    ],
    ids=["overlapping days", "two watermarks", "all and a day", "replace and a day", "a day and replace"],
)
def test_loads_that_may_have_a_row_in_common_are_refused(first, second, portal, per_day, target):
    stopped(portal, first["run"], **{name: value for name, value in first.items() if name != "run"})
    portal.reset_calls()
    arguments = {name: value for name, value in second.items() if name != "run"}
    with pytest.raises(Bitrix24Error, match=r"another load into deals is under way, of d\.t\[-1\] in ") as refused:
        load(second["run"], **arguments)
    assert refused.value.retryable
    assert [call for call in portal.calls if call.method == LIST] == []
    # Another table is another matter.
    load(second["run"], **{**arguments, "table": "others"})
    assert "others" in target.tables()
    # The first one goes on, and then the second one may.
    load(first["run"], **{name: value for name, value in first.items() if name != "run"})
    load(second["run"], **arguments)


def test_a_load_that_was_killed_holds_the_table_for_an_hour(portal, connection, target, monkeypatch):
    stopped(portal, run_of(1))
    with pytest.raises(Bitrix24Error, match="it holds the table for an hour"):
        load(2)
    monkeypatch.setattr(claims, "_HOLDS_SECONDS", -1)
    assert load(2)["rows"] == 30
    assert target.tables() == {"deals", "_bitrix24_loads"}
    # If it comes back after all, it begins from the start.
    portal.clock.advance(3600)
    assert load(1)["window"] != {}


def timeout_of_airflow() -> type[BaseException]:
    try:
        from airflow.sdk.exceptions import AirflowTaskTimeout
    except ImportError:
        from airflow.exceptions import AirflowTaskTimeout
    return AirflowTaskTimeout


def last(number: int) -> dict[str, Any]:
    return run_of(number, try_number=3, retries=2)


@pytest.mark.parametrize("target", ["sqlite", "postgres", "mysql"], indirect=True)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "close_before", "method": LIST},
        {"kind": "error", "method": LIST},
        # It comes before the task has the name of its load.
        {"kind": "close_before", "method": "crm.item.fields"},
        {"kind": "error", "method": LIST, "code": "ACCESS_DENIED", "status": 403},
        {"kind": "error", "method": "crm.item.fields", "code": "ACCESS_DENIED", "status": 403},
    ],
    ids=["network", "portal", "portal away", "right", "right for its fields"],
)
def test_the_last_try_lets_go_of_the_table_whatever_it_fails_with(fault, portal, connection, target):
    stopped(portal, run_of(1, retries=2))
    stopped(portal, run_of(1, try_number=2, retries=2))
    with pytest.raises(Bitrix24Error, match="another load into deals is under way"):
        load(2)
    wanted = dict(fault)
    portal.fault(wanted.pop("kind"), wanted.pop("method"), times=None, **wanted)
    with pytest.raises((Bitrix24Error, AirflowFailException)):
        load(last(1))
    portal.clear_faults()
    assert load(2)["rows"] == 30
    # The task that has failed is cleared.
    portal.clock.advance(3600)
    assert load(run_of(1, try_number=4, retries=5))["window"] != {}
    assert target.tables() == {"deals", "_bitrix24_loads"}


@pytest.mark.parametrize("target", ["sqlite", "postgres"], indirect=True)
def test_a_cleared_task_goes_before_the_load_that_its_last_try_has_let_go_of(portal, connection, target):
    fault = portal.fault("error", LIST, times=None)
    with pytest.raises(Bitrix24Error):
        load(run_of(1, retries=0), write="append")
    assert fault.hits
    portal.clear_faults()
    assert load(run_of(1, try_number=2, retries=1), write="append")["rows"] == 30
    assert [row[0] for row in target.rows("deals", "id")] == list(range(1, 31))
    assert target.tables() == {"deals", "_bitrix24_loads"}


def test_a_timeout_of_the_last_try_lets_go_too(portal, connection, target):
    def timed_out(done: int) -> None:
        raise timeout_of_airflow()("Timeout")

    for run in (run_of(1, retries=1), run_of(1, try_number=2, retries=1)):
        task = operator()
        task.count = timed_out
        with pytest.raises(timeout_of_airflow()):
            task.execute(run)
        if run["ti"].try_number == 1:
            with pytest.raises(Bitrix24Error, match="another load into deals is under way"):
                load(2)
    assert load(2)["rows"] == 30


def test_a_try_lets_go_of_nothing_that_another_task_or_a_later_try_holds(portal, connection, target):
    stopped(portal, run_of(1, try_number=2))
    for other in (run_of(1, try_number=1), last(2)):
        portal.fault("error", "crm.item.fields", times=None, code="ACCESS_DENIED", status=403)
        with pytest.raises(AirflowFailException):
            load(other)
        portal.clear_faults()
        with pytest.raises(Bitrix24Error, match="another load into deals is under way"):
            load(3)


def test_where_the_table_cannot_be_let_go_of_the_failure_stays_what_it_is(portal, connection, target, all_output):
    stopped(portal, run_of(1))
    target.execute("UPDATE _bitrix24_loads SET value = 'broken' WHERE kind = 'load'")
    portal.fault("error", "crm.item.fields", times=None)
    with pytest.raises(Bitrix24Error, match=r"crm\.item\.fields"):
        load(last(1))
    assert all_output.places_of("Whether this task still holds its table for an hour is not known: JSONDecodeError")


def test_a_process_whose_load_another_one_has_taken_over_puts_nothing(portal, connection, target):
    """A worker that was taken for dead comes back while the retry works."""

    def overtaken(params: Any) -> Any:
        target.execute("UPDATE _bitrix24_loads SET value = replace(value, '\"writer\":', '\"before\":')")
        return {"items": [{"id": 1, "title": "stale"}] if int(params["filter"].get(">id", 0)) < 1 else []}

    portal.answers[LIST] = overtaken
    with pytest.raises(AirflowFailException, match="another process has taken over the load into deals"):
        load(1)
    assert "deals" not in target.tables()


def test_a_backfill_never_moves_the_watermark(portal, per_day, target):
    load(1)
    marks = target.rows("_bitrix24_loads WHERE value IS NOT NULL", "value", "1")
    marks = [json.loads(value)["watermark"] for (value,) in marks if "watermark" in value and "state" not in value]
    portal.clock.advance(3600)
    Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": per_day[2], "fields": {"title": "Changed"}})
    load(day(3), window="interval")
    assert load(2)["window"] == {
        ">=updatedTime": (datetime.fromisoformat(marks[0]) - timedelta(seconds=600)).isoformat()
    }
    assert ("Changed",) in target.rows("deals", "title")
