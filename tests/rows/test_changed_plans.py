"""Rows that differ from those of the try before: seen by their content, and never doubled."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN
from tests.operators.context import StateStore, context
from tests.rows.operators import ADDS, KINDS, REPEATABLE, Kind
from tests.sqlite import sqlite_connection


class Tries:
    """The tries of one task, remembered in Airflow's store or beside a report."""

    def __init__(self, kind: Kind, portal: Any, memory: str, report: Any) -> None:
        self.kind, self.portal, self.report = kind, portal, report
        self.store = StateStore() if memory == "store" else None
        self.number = 0

    def _next(self) -> dict[str, Any]:
        self.number += 1
        self.given = context(try_number=self.number, store=self.store)
        return {"given": self.given, "report": str(self.report)}

    def stopped(self, rows: Any, *, after: int) -> None:
        """A try that a limit stops after so many commands."""
        self.portal.fault("operation_time_limit", self.kind.method, after=after, times=None)
        with pytest.raises(OperationTimeLimit):
            self.kind.run(rows, **self._next())
        self.portal.clear_faults()

    def run(self, rows: Any) -> Any:
        return self.kind.run(rows, **self._next())

    def failure(self, rows: Any) -> str:
        return self.kind.failure(rows, **self._next())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.report.read_text().splitlines()]

    def outcomes(self) -> list[str]:
        return [line["outcome"] for line in self.lines() if line["row"] is not None]


@pytest.fixture(params=[("store", 20), ("report", 1), ("report", 4)], ids=lambda param: f"{param[0]}-{param[1]}")
def tries(request, portal, connect, tmp_path):
    memory, parallel = request.param
    connect(parallel=parallel)
    return lambda name: Tries(KINDS[name], portal, memory, tmp_path / "report.jsonl")


def counts_in(summary: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in summary.items() if isinstance(value, int) and value and name != "rows"}


# Deletions


def test_corrected_ids_are_deleted_and_none_of_those_taken_out(tries, portal):
    tries = tries("delete")
    wrong, right = KINDS["delete"].rows(portal, 120), KINDS["delete"].rows(portal, 70)
    tries.stopped(wrong, after=50)
    summary = tries.run(right)
    # Two steps that were sent one after the other, or three that were under way at once.
    sent = summary["taken_out"]
    assert sent in (100, 120)
    assert counts_in(summary) == {"deleted": 70, "taken_out": sent}
    left = {payment["id"] for payment in portal.payments()}
    assert left.isdisjoint(right)
    assert len(left.intersection(wrong)) == 70
    taken_out = [line for line in tries.lines() if line["row"] is None]
    assert [line["id"] for line in taken_out] == wrong[:sent]
    assert [line["id"] for line in taken_out if line["outcome"] == "deleted"] == [
        id_ for id_ in wrong if id_ not in left
    ]
    assert [line["outcome"] for line in taken_out].count("not_done") == sent - 50


@pytest.mark.parametrize("change", ["one more", "one less", "another order", "another one first"])
def test_a_list_that_has_changed_a_little_is_done_to_its_end_and_nothing_twice(change, tries, portal):
    tries = tries("delete")
    payments = KINDS["delete"].rows(portal, 121)
    first = payments[:120]
    changed = {
        "one more": [*first, payments[120]],
        "one less": first[1:],
        "another order": first[::-1],
        "another one first": [payments[120], *first],
    }[change]
    tries.stopped(first, after=50)
    left = {payment["id"] for payment in portal.payments()}
    before = portal.executed("crm.item.payment.delete")
    summary = tries.run(changed)
    assert summary["rows"] == summary["deleted"] == len(changed)
    assert portal.executed("crm.item.payment.delete") - before == len(left.intersection(changed))
    assert [line["id"] for line in tries.lines() if line["row"] is not None] == changed


def test_a_changed_list_is_remembered_as_well(tries, portal):
    """The second try is stopped as well, and the third finds what both have done."""
    tries = tries("delete")
    payments = KINDS["delete"].rows(portal, 200)
    tries.stopped(payments[:120], after=50)
    tries.stopped(payments[100:], after=50)
    summary = tries.run(payments[90:])
    assert counts_in(summary) == {"deleted": 110, "taken_out": 90}
    left = {payment["id"] for payment in portal.payments()}.intersection(payments)
    assert left < set(payments[:90])
    assert portal.executed("crm.item.payment.delete") == 200 - len(left)


def test_other_deals_are_listed_again(tries, portal):
    for deal in (2, 3, 4):
        for _ in range(30):
            portal.add_payment(deal)
    tries = tries("delete")
    arguments = {"payment_ids": NOT_GIVEN, "entity_type_id": "deal", "payment_filter": {"=paid": "N"}}
    portal.fault("operation_time_limit", "crm.item.payment.delete", after=20, times=None)
    with pytest.raises(OperationTimeLimit):
        KINDS["delete"].run(None, entity_ids=[2], **arguments, **tries._next())
    portal.clear_faults()
    there = {deal: [p["id"] for p in portal.payments() if p["dealId"] == deal and p["paid"] == "N"] for deal in (2, 3)}
    summary = KINDS["delete"].run(None, entity_ids=[3], **arguments, **tries._next())
    assert summary["deleted"] == len(there[3])
    assert {payment["id"] for payment in portal.payments()}.issuperset(there[2])


# The order of columns


def _as_csv(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{','.join(row)}\n" for row in (list(rows[0]), *(map(str, row.values()) for row in rows)))


def _as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def _in_list(rows: list[dict[str, Any]], place: Any) -> Any:
    return rows


def _in_csv(rows: list[dict[str, Any]], place: Any) -> Any:
    return _in_file(place / "rows.csv", _as_csv(rows))


def _in_lines(rows: list[dict[str, Any]], place: Any) -> Any:
    return _in_file(place / "rows.jsonl", _as_lines(rows))


def _in_parquet(rows: list[dict[str, Any]], place: Any) -> Any:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), place / "rows.parquet")
    return str(place / "rows.parquet")


def _in_file(file: Any, text: str) -> str:
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("source", [_in_list, _in_csv, _in_lines, _in_parquet])
@pytest.mark.parametrize("name", [*ADDS, "update", "upsert"])
def test_another_order_of_the_columns_changes_nothing(name, source, tries, portal, tmp_path):
    tries, kind = tries(name), KINDS[name]
    rows = [{**row, "comments": "x"} for row in kind.rows(portal, 120)]
    tries.stopped(source(rows, tmp_path), after=2 if name == "import" else 50)
    summary = tries.run(source([dict(reversed(row.items())) for row in rows], tmp_path))
    assert counts_in(summary) == {kind.word: 120}
    assert sorted(kind.done(portal)) == sorted(f"Firm {index}" for index in range(120))


def test_nor_is_the_order_of_names_within_a_value(tries, portal):
    tries = tries("add")
    phone = {"typeId": "PHONE", "valueType": "WORK", "value": "+7"}
    rows = [{"title": f"Firm {index}", "fm": [phone]} for index in range(120)]
    tries.stopped(rows, after=50)
    other = [{"fm": [dict(reversed(phone.items()))], "title": row["title"]} for row in rows]
    assert counts_in(tries.run(other)) == {"written": 120}
    assert sorted(KINDS["add"].done(portal)) == sorted(f"Firm {index}" for index in range(120))


# Updates and upserts


@pytest.mark.parametrize("name", ["update", "upsert"])
def test_a_corrected_row_is_written_and_the_others_are_not_written_again(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    tries.stopped(rows, after=50)
    corrected = [{**row, "title": "Firm corrected"} if index == 7 else row for index, row in enumerate(rows)]
    done = kind.done(portal)
    portal.reset_calls()
    summary = tries.run(corrected)
    assert summary["rows"] == 120
    assert summary["taken_out"] == 1
    assert sorted(kind.done(portal)) == sorted(
        "Firm corrected" if index == 7 else f"Firm {index}" for index in range(120)
    )
    assert portal.executed(kind.method) == (70 + ("Firm 7" in done) if name == "update" else 70)
    assert tries.outcomes().count(kind.word) == (120 if name == "update" else 119)


@pytest.mark.parametrize("name", ["update", "upsert"])
def test_equal_rows_are_counted_each_for_itself(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = [row for row in kind.rows(portal, 8) for _ in range(2)]
    tries.stopped(rows, after=5)
    summary = tries.run([*rows[1:], rows[0], rows[0]])
    assert summary["rows"] == 17
    assert summary["failed"] == summary["unknown"] == summary["not_done"] == 0
    assert sorted(set(kind.done(portal))) == sorted(f"Firm {index}" for index in range(8))


def test_another_key_is_another_plan(tries, portal):
    """What was looked for by one key is not done by another."""
    tries = tries("upsert")
    rows = [{**row, "originatorId": row["originId"]} for row in KINDS["upsert"].rows(portal, 120)]
    tries.stopped(rows, after=50)
    # Another item has what the second key looks for.
    (other,) = portal.add_items(4, 1, originatorId="7", title="Other")
    summary = KINDS["upsert"].run(rows, key="originatorId", max_failures=1, **tries._next())
    assert (summary["rows"], summary["failed"]) == (120, 1)
    assert portal.item(4, other)["title"] == "Other"


# Adds


def changed_rows(rows: list[Any], change: str) -> list[Any]:
    return {
        "a row is corrected": [{**rows[0], "title": "Firm corrected"}, *rows[1:]],
        "a row is taken out": rows[1:],
        "a late row is corrected": [*rows[:15], {**rows[15], "title": "Firm corrected"}, *rows[16:]],
    }[change]


@pytest.mark.parametrize("name", ADDS)
@pytest.mark.parametrize(
    "change",
    ["a row is corrected", "a row is taken out", "a late row is corrected"],
)
def test_adds_of_other_rows_are_refused_and_those_not_done_are_named(name, change, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    tries.stopped(rows, after=1 if name == "import" else 50)
    there = kind.done(portal)
    message = tries.failure(changed_rows(rows, change))
    assert "differ from those of the try before" in message
    assert "a task that is cleared writes all of them again" in message
    assert kind.done(portal) == there
    changed = changed_rows(rows, change)
    added = rows[: len(there)]
    # What may be another version of a row that was added is not said to be not done.
    doubtful = {
        "a row is corrected": [0],
        "a late row is corrected": [15],
        # The rows of the step that the limit stopped are remembered, and are not new.
        "a row is taken out": range(119 if name == "import" else 99, 119),
    }.get(change, ())
    outcomes = [kind.word if row in added else "not_done" for row in changed]
    assert tries.outcomes() == ["unknown" if n in doubtful else word for n, word in enumerate(outcomes)]
    not_done = tries.outcomes().count("not_done")
    assert (f"not done: {tries.outcomes().index('not_done')}" if not_done else "not done: none") in message
    assert tries.given["ti"].pushed["bitrix24_rows"]["not_done"] == not_done
    # With the rows of the first try, the next one goes on as if nothing had happened.
    assert tries.run(rows)[kind.word] == 120
    assert kind.done(portal) == [f"Firm {index}" for index in range(120)]


@pytest.mark.parametrize("name", ADDS)
def test_rows_that_were_not_sent_yet_may_change(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    tries.stopped(rows, after=1 if name == "import" else 50)
    first = 20 if name == "import" else 100
    changed = [*rows[:first], *({**row, "title": "Firm late"} for row in rows[first:]), {"title": "Firm last"}]
    assert tries.run(changed)["rows"] == 121
    assert sorted(kind.done(portal)) == sorted(row["title"] for row in changed)


@pytest.mark.parametrize("name", ADDS)
@pytest.mark.parametrize("change", ["reversed", "shuffled", "one put in front", "one that was not sent is corrected"])
def test_what_was_added_is_known_by_its_content_and_the_rest_is_added_once(change, name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 120)
    tries.stopped(rows, after=1 if name == "import" else 50)
    done = len(kind.done(portal))
    changed = {
        "reversed": rows[::-1],
        "shuffled": random.Random(7).sample(rows, len(rows)),
        "one put in front": [{"title": "Firm new"}, *rows],
        "one that was not sent is corrected": [{"title": "Firm 119, corrected"}, *rows[:119]],
    }[change]
    before = portal.executed(kind.method)
    summary = tries.run(changed)
    assert counts_in(summary).pop(kind.word) == len(changed)
    assert sorted(kind.done(portal)) == sorted(row["title"] for row in changed)
    if name != "import":
        assert portal.executed(kind.method) - before == len(changed) - done
    assert [line["row"] for line in tries.lines() if line["row"] is not None] == list(range(len(changed)))


@pytest.mark.parametrize("name", ADDS)
def test_of_equal_rows_each_is_added(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = [row for row in kind.rows(portal, 40) for _ in range(2)]
    tries.stopped(rows, after=1 if name == "import" else 50)
    more = {"title": "Firm 0"}
    assert tries.run([more, *rows[::-1]])[kind.word] == 81
    assert Counter(kind.done(portal)) == Counter(row["title"] for row in [more, *rows])


@pytest.mark.parametrize("name", ADDS)
def test_one_of_two_equal_rows_that_were_added_is_missed(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = [row for row in kind.rows(portal, 60) for _ in range(2)]
    tries.stopped(rows, after=1 if name == "import" else 50)
    there = kind.done(portal)
    assert "differ from those of the try before" in tries.failure([{"title": "Firm other"}, *rows[:0:-1]])
    assert kind.done(portal) == there


@pytest.mark.parametrize("name", ADDS)
def test_another_method_or_kind_is_another_plan(name, tries, portal):
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 60)
    tries.stopped(rows, after=1 if name == "import" else 50)
    other = (
        {"mapping": {"fields": {"TITLE": "$title", "COMMENTS": "x"}}}
        if "mapping" in kind.arguments
        else {"entity_type_id": 2}
    )
    message = kind.failure(rows, **other, **tries._next())
    assert "the rows from 0 on differ from those of the try before" in message


# What is remembered


@pytest.mark.parametrize("name", KINDS)
def test_a_step_costs_two_calls_of_the_store(name, portal, connection):
    kind, store = KINDS[name], StateStore()
    steps = 2 if name == "import" else 3
    kind.run(kind.rows(portal, 120), given=context(store=store))
    # Besides the steps, only that all is done is put; only whether an earlier try has been there is asked.
    assert (store.sets, store.gets) == (2 * steps + 1, 2)
    assert max(map(len, store.values.values())) < 65_536
    assert set(store.values) == {*(f"bitrix24_3_{number}" for number in range(steps)), "bitrix24_3_done"}


@pytest.mark.parametrize("name", REPEATABLE)
def test_a_plan_that_has_changed_after_all_was_done_is_noticed(name, tries, portal):
    """The task was killed between its last answer and the end of its try."""
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 61)
    tries.run(rows[:60])
    portal.reset_calls()
    summary = tries.run(rows)
    assert summary["rows"] == 61
    assert portal.executed(kind.method) == 1
    portal.reset_calls()
    assert tries.run(rows) == summary
    assert portal.requests == 0


@pytest.mark.parametrize("name", [name for name in KINDS if name != "delete"])
@pytest.mark.parametrize("source", ["file", "query"])
def test_a_source_that_has_changed_after_all_was_done_is_read_again(source, name, tries, portal, tmp_path, monkeypatch):
    """The same: the arguments name the file or the query, and not what is in it."""
    tries = tries(name)
    kind = KINDS[name]
    rows = kind.rows(portal, 61)
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(tmp_path / "firms.db"))

    def named(rows: list[Any]) -> dict[str, Any]:
        if source == "file":
            (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            return {"rows": str(tmp_path / "rows.jsonl")}
        with sqlite3.connect(tmp_path / "firms.db") as database:
            database.execute("DROP TABLE IF EXISTS firms")
            database.execute(f"CREATE TABLE firms (nr INTEGER PRIMARY KEY, {', '.join(rows[0])})")
            for row in rows:
                columns, signs = ", ".join(row), ", ".join("?" * len(row))
                database.execute(f"INSERT INTO firms ({columns}) VALUES ({signs})", list(row.values()))
        columns = ", ".join(rows[0])
        return {"rows": NOT_GIVEN, "sql": f"SELECT {columns} FROM firms ORDER BY nr", "sql_conn_id": "firms"}

    def run(rows: list[Any]) -> Any:
        given = named(rows)
        return kind.run(given.pop("rows"), **given, **tries._next())

    summary = run(rows[:60])
    portal.reset_calls()
    again = run(rows[:60])
    assert {**again, "report": None} == {**summary, "report": None}
    assert portal.executed(kind.method) == 0
    portal.reset_calls()
    # A query without ORDER BY.
    again = run(rows[59::-1])
    assert counts_in(again) == counts_in(summary)
    assert portal.executed(kind.method) == 0
    changed = [{**rows[0], "title": "Firm corrected"}, *rows[1:60]]
    if name in ADDS:
        given = named(changed)
        message = kind.failure(given.pop("rows"), **given, **tries._next())
        assert "look first at the rows that are unknown (0" in message
        assert "Firm corrected" not in kind.done(portal)
    else:
        assert run(changed)["rows"] == 60
        assert "Firm corrected" in kind.done(portal)


@pytest.mark.parametrize("ends", ["failed", "limited"])
def test_what_the_try_before_did_is_reported_by_a_try_with_other_rows_that_fails(ends, tries, portal):
    tried = tries("update")
    rows = tried.kind.rows(portal, 60)
    tried.stopped(rows, after=50)
    assert tried.outcomes().count("written") == 50
    if ends == "limited":
        tried.portal.fault("operation_time_limit", tried.kind.method, times=None)
        with pytest.raises(OperationTimeLimit):
            tried.run(tried.kind.rows(portal, 100)[90:])
    else:
        tried.failure([{**row, "id": 10**6 + number} for number, row in enumerate(rows[:3])])
    reported = [line["outcome"] for line in tried.lines() if line["row"] is None]
    assert reported.count("written") == 50
