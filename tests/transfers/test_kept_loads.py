"""The ledger of a table keeps few of the loads that have ended, and a retry of one that it has forgotten is safe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exports.sql import claims
from airflow_provider_bitrix24.exports.sql.deleted_rows import DeletedRows
from tests.transfers.lists import LIST, calls
from tests.transfers.test_loads_at_once import stopped
from tests.transfers.test_to_sql import load, run_of

#: As a load with few columns, so that many of them take no time.
ARGUMENTS = {"select": ["title"], "window": "all", "deleted": "keep"}


def kept(target: Any, table: str = "deals") -> list[dict[str, Any]]:
    where = f"WHERE kind = 'load' AND target = '{table}' AND value IS NOT NULL"
    return [json.loads(value) for (value,) in target.rows(f"_bitrix24_loads {where}", "value", "1")]


def made_of(portal: Any, *rows: int) -> None:
    portal.answers[LIST] = lambda params: {
        "items": [{"id": row, "title": "x"} for row in rows if row > int(params["filter"].get(">id", 0))]
    }


@pytest.mark.parametrize("target", ["sqlite", "postgres"], indirect=True)
def test_the_last_loads_are_kept(portal, connect, target, monkeypatch):
    assert claims._KEEPS == 50
    monkeypatch.setattr(claims, "_KEEPS", 5)
    connect(rate=100_000, burst=100_000)
    made_of(portal, 1)
    load(0, **ARGUMENTS, table="others")
    for number in range(9):
        done = load(number, **ARGUMENTS)
    # The one that has ended last is counted by the one after it.
    assert len(kept(target)) == 6
    assert {entry["task"] for entry in kept(target)} == {f"d.t[-1] in scheduled__{number}" for number in range(3, 9)}
    assert {entry["state"] for entry in kept(target)} == {"done"}
    assert len(kept(target, "others")) == 1
    # Those of recent runs have their reports.
    portal.reset_calls()
    for number in (4, 8):
        assert load(run_of(number, try_number=2), **ARGUMENTS) == done
    assert calls(portal, LIST) == 0


def test_a_load_that_is_under_way_and_one_that_was_published_are_not_forgotten(portal, connection, target, monkeypatch):
    monkeypatch.setattr(claims, "_KEEPS", 0)
    made_of(portal, 1)
    stopped(portal, run_of(1), **ARGUMENTS, table="others")
    for number in (2, 3):
        load(number, **ARGUMENTS)
    assert [entry["state"] for entry in kept(target, "others")] == ["staging"]
    assert load(run_of(1, try_number=2), **ARGUMENTS, table="others")["rows"] == 1
    # A retry never forgets its own load.
    portal.reset_calls()
    assert load(run_of(3, try_number=2), **ARGUMENTS)["rows"] == 1
    assert calls(portal, LIST) == 0


def test_a_retry_of_a_load_that_is_forgotten_adds_nothing_twice(portal, connection, target, monkeypatch):
    monkeypatch.setattr(claims, "_KEEPS", 1)
    arguments = {**ARGUMENTS, "write": "append"}
    made_of(portal, 1, 2)
    for number in range(4):
        load(number, **arguments)
    before = target.rows("deals", "id, _load")
    portal.reset_calls()
    with pytest.raises(AirflowFailException, match=r"an earlier try .* added its rows to deals, .*mark the task as"):
        load(run_of(0, try_number=2), **arguments)
    assert calls(portal, LIST) == 0
    assert sorted(target.rows("deals", "id, _load")) == sorted(before)
    # It holds no table, and a task that was cleared adds its rows as it always does.
    assert load(run_of(0, try_number=3, retries=5), **arguments)["rows"] == 2
    assert len(target.rows("deals", "id")) == 10


def test_a_retry_that_finds_no_load_and_no_rows_of_its_own_begins(portal, connection, target):
    arguments = {**ARGUMENTS, "write": "append"}
    made_of(portal, 1, 2)
    load(1, **arguments)
    assert load(run_of(2, try_number=2), **arguments)["rows"] == 2
    assert target.rows("deals", "id", "1") == [(1,), (1,), (2,), (2,)]


@pytest.mark.parametrize("write", ["upsert", "replace"])
def test_a_retry_of_a_load_that_is_forgotten_loads_what_there_is_now(write, portal, connection, target, monkeypatch):
    monkeypatch.setattr(claims, "_KEEPS", 1)
    arguments = {**ARGUMENTS, "write": write}
    made_of(portal, 1, 2)
    for number in range(4):
        load(number, **arguments)
    made_of(portal, 1, 2, 3)
    assert load(run_of(0, try_number=2), **arguments)["rows"] == 3
    assert target.rows("deals", "id") == [(1,), (2,), (3,)]


def test_a_load_that_is_forgotten_while_deleted_rows_are_found_returns_its_report(
    portal, connection, target, monkeypatch
):
    load(1, window="all")

    def forgetting(*_: Any) -> dict[str, Any]:
        target.execute("DELETE FROM _bitrix24_loads WHERE kind = 'load'")
        return {"deleted": 0, "hidden": 0}

    monkeypatch.setattr(DeletedRows, "bring_up_to_date", forgetting)
    done = load(2, window="all")
    assert (done["rows"], done["deleted"]) == (30, 0)
