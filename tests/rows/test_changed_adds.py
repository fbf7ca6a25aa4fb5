"""
Adds whose rows were changed between two tries: nobody who does what report and message say adds anything twice.

A row is one firm, whatever its values are: ``Firm 7`` and ``Firm 7, corrected`` are the same one.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rows import changed_adds
from tests.operators.context import StateStore, context
from tests.operators.deleting_process import StoreOnDisk
from tests.rows.operators import ADDS, KINDS
from tests.sqlite import sqlite_connection

#: More for a longer run: ``BITRIX24_SCHEDULES=200`` for each operator.
SCHEDULES = int(os.environ.get("BITRIX24_SCHEDULES", "15"))
#: Rows that the first try adds: those of a request.
ADDED = {"add": 50, "add by method": 50, "import": 20}
Row = dict[str, Any]


def stopped(kind: str, rows: Any, portal: Any, given: Any, **arguments: Any) -> None:
    """A first try that a limit stops when some rows are added."""
    portal.fault(
        "operation_time_limit", KINDS[kind].method, after=1 if kind == "import" else ADDED[kind], times=None
    )  # fmt: skip
    with pytest.raises(OperationTimeLimit):
        KINDS[kind].run(rows, given=given, **arguments)
    portal.clear_faults()


def refused(kind: str, rows: Any, given: Any, **arguments: Any) -> tuple[str, list[Row]]:
    """The message of a second try, and the lines of what became of its rows."""
    message = KINDS[kind].failure(rows, given=given, **arguments)
    report = arguments.get("report")
    if report:
        return message, [json.loads(line) for line in Path(report).read_text().splitlines()]
    lines: list[Row] = given["ti"].pushed["bitrix24_rows"]["outcomes"]
    return message, lines


def c(row: Row) -> Row:
    """The row, corrected."""
    return {**row, "title": f"{row['title']}, corrected"}


def line_of(lines: list[Row], row: int | None) -> Row:
    (line,) = [line for line in lines if line["row"] == row]
    return line


def ids_of(portal: Any) -> dict[str, int]:
    """Ids of the firms by their titles."""
    return {str(item["title"]): item["id"] for item in [*portal.items(4), *portal.items(2)]}


# What is said


@pytest.mark.parametrize("memory", ["store", "report"])
@pytest.mark.parametrize("kind", ADDS)
def test_a_corrected_row_names_the_item_of_its_earlier_version(kind, memory, portal, in_turn, tmp_path):
    store = StateStore() if memory == "store" else None
    report = {} if memory == "store" else {"report": str(tmp_path / "r.jsonl")}
    rows = KINDS[kind].rows(portal, 120)
    stopped(kind, rows, portal, context(store=store), **report)
    there = ids_of(portal)["Firm 7"]
    rows[7] = {"title": "Firm 7, corrected"}
    message, lines = refused(kind, rows, context(try_number=2, store=store), **report)
    line = line_of(lines, 7)
    assert (line["outcome"], line["id"], line["final"]) == ("unknown", there, True)
    assert (
        f"has added the row that stood in this place, with other values, as id {there}: look for id" in line["message"]
    )
    before = line_of(lines, None)
    assert (before["outcome"], before["id"]) == (KINDS[kind].word, there)
    assert before["message"] == "row 7 stands in its place now"
    assert (
        f"look first at the rows that are unknown (7; ids of what was added: {there}): update what is there" in message
    )
    assert f"(not done: {ADDED[kind]} to 119; " in message
    assert len(ids_of(portal)) == len(ids_of(portal) | {"Firm 7": 0})
    assert [line["outcome"] for line in lines if line["row"] != 7][:-1] == (
        [KINDS[kind].word] * (ADDED[kind] - 1) + ["not_done"] * (120 - ADDED[kind])
    )


@pytest.mark.parametrize("kind", ADDS)
@pytest.mark.parametrize(
    ("change", "unknown", "ids"),
    [
        pytest.param(lambda r: [c(r[0]), c(r[1]), *r[2:]], [0, 1], [0, 1], id="two corrected"),
        pytest.param(lambda r: [c(r[0]), *r[1:9], c(r[9]), *r[10:]], [0, 9], [0, 9], id="two corrected apart"),
        pytest.param(lambda r: [{"title": "new"}, *r[:5], c(r[5]), *r[6:]], [0, 6], [5], id="put in and corrected"),
        pytest.param(lambda r: [r[4], *r[:2], c(r[2]), r[3], *r[5:]], [3], [2], id="moved and corrected"),
    ],
)
def test_rows_are_found_by_what_stands_around_them(change, unknown, ids, kind, portal, in_turn):
    store = StateStore()
    rows = KINDS[kind].rows(portal, 70)
    stopped(kind, rows, portal, context(store=store))
    there = ids_of(portal)
    message, lines = refused(kind, change(rows), context(try_number=2, store=store))
    assert [line["row"] for line in lines if line["outcome"] == "unknown" and line["row"] is not None] == unknown
    named = [line["id"] for line in lines if line["row"] in unknown and "id" in line]
    assert named == [there[f"Firm {number}"] for number in ids]
    assert [line["id"] for line in lines if line["row"] is None and line["outcome"] != "not_done"] == [
        there[f"Firm {number}"] for number in ids
    ]
    assert ("look first at" in message) == bool(unknown)


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        pytest.param(lambda r: [*r[:3], *r[4:]], range(49, 69), id="taken out"),
        pytest.param(lambda r: [*r[:3], *r[4:9], c(r[3]), *r[9:]], [8, *range(50, 70)], id="moved and corrected"),
        pytest.param(lambda r: [*r[:3], {"title": "new"}, c(r[3]), *r[4:]], [3, 4, *range(51, 71)], id="put in beside"),
    ],
)
def test_where_it_cannot_be_seen_every_new_row_is_to_be_looked_at(change, unknown, portal, in_turn):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 70)
    # The rows behind the first fifty were not read yet: nothing is remembered of them.
    portal.fault("operation_time_limit", "crm.item.add", after=50, times=None)
    with pytest.raises(OperationTimeLimit):
        KINDS["add"].run(rows, given=context(store=store))
    portal.clear_faults()
    del store.values["bitrix24_3_1"]
    there = ids_of(portal)["Firm 3"]
    message, lines = refused("add", change(rows), context(try_number=2, store=store))
    assert [line["row"] for line in lines if line["outcome"] == "unknown"] == list(unknown)
    for row in unknown:
        text = line_of(lines, row)["message"]
        assert f"of those, id {there} are not among the rows as they were: look at them first" in text
        assert "write this row by itself only if it is none of them" in text
    assert line_of(lines, None) == {
        "row": None, "outcome": "written", "id": there, "message": "not among the rows as it was",
    }  # fmt: skip
    assert f"ids of what was added: {there})" in message
    assert "(not done: none; " in message


def test_a_row_that_was_under_way_when_the_try_ended_is_to_be_looked_for(portal, in_turn, monkeypatch):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 20)
    with monkeypatch.context() as patch:
        killed_after_sending(patch)
        with pytest.raises(Killed):
            KINDS["add"].run(rows, given=context(store=store))
    # As after SIGKILL: what became of them is not remembered.
    store.values = {name: text for name, text in store.values.items() if name == "bitrix24_3_0"}
    step = json.loads(store.values["bitrix24_3_0"])
    store.values["bitrix24_3_0"] = json.dumps({**step, "outcomes": [None] * 20})
    rows[4] = c(rows[4])
    message, lines = refused("add", rows, context(try_number=2, store=store))
    assert {line["outcome"] for line in lines} == {"unknown"}
    assert (
        "may have added the row that stood in this place, with other values: look for it"
        in line_of(lines, 4)["message"]
    )
    assert line_of(lines, None) == {
        "row": None, "outcome": "unknown", "message": "row 4 stands in its place now",
    }  # fmt: skip
    assert "look first at the rows that are unknown (0 to 19)" in message


def test_a_corrected_row_that_cannot_be_sent_is_not_called_failed(portal, in_turn):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 70)
    stopped("add", rows, portal, context(store=store))
    rows[7] = {"title": "Firm 7", "begindate": "31.31.2027"}
    _, lines = refused("add", rows, context(try_number=2, store=store))
    assert line_of(lines, 7)["outcome"] == "unknown"


def test_rows_without_a_value_take_no_part(portal, in_turn):
    store = StateStore()
    rows = [{}, {}, *KINDS["add"].rows(portal, 70)]
    stopped("add", rows, portal, context(store=store))
    there = ids_of(portal)["Firm 5"]
    _, lines = refused("add", [{}, *rows[2:7], {}, c(rows[7]), *rows[8:]], context(try_number=2, store=store))
    assert [line["row"] for line in lines if line["outcome"] == "unknown"] == [7]
    assert line_of(lines, 7)["id"] == there
    # Only blank rows were there: nothing may have been added.
    store = StateStore()
    blank = [{}, {}, {"title": "Firm blank"}]
    portal.fault("operation_time_limit", "crm.item.add", times=None)
    with pytest.raises(OperationTimeLimit):
        KINDS["add"].run(blank, given=context(store=store))
    portal.clear_faults()
    summary = KINDS["add"].run([{}, {"title": "Firm other"}], given=context(try_number=2, store=store))
    assert (summary["written"], summary["skipped"]) == (1, 1)


def test_more_rows_than_are_compared_are_to_be_looked_at(portal, in_turn, monkeypatch, tmp_path):
    monkeypatch.setattr(changed_adds, "LEAST_COMPARED", 10)
    store = StateStore()
    rows = KINDS["add"].rows(portal, 70)
    stopped("add", rows, portal, context(store=store))
    new = [{"title": f"new {number}"} for number in range(300)]
    report = str(tmp_path / "r.jsonl")
    _, lines = refused("add", [*new, c(rows[0]), *rows[1:]], context(try_number=2, store=store), report=report)
    lines = [line for line in lines if line["row"] is not None]
    assert {line["outcome"] for line in lines[:301]} == {"unknown"}
    assert {line["outcome"] for line in lines[301:350]} == {"written"}


# Rows that are all there


def test_rows_that_are_unknown_stay_so_in_another_order(portal, in_turn, monkeypatch):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 70)
    with monkeypatch.context() as patch:
        killed_after_sending(patch)
        with pytest.raises(Killed):
            KINDS["add"].run(rows, given=context(store=store))
    store.values = {"bitrix24_3_0": store.values["bitrix24_3_0"]}
    step = json.loads(store.values["bitrix24_3_0"])
    store.values["bitrix24_3_0"] = json.dumps({**step, "outcomes": [None] * 50})
    given = context(try_number=2, store=store)
    mixed = random.Random(3).sample(rows, 70)
    # Any number may fail: the rows that were not under way are added, and no other.
    summary = KINDS["add"].run(mixed, given=given, max_failures=None)
    assert (summary["written"], summary["unknown"]) == (20, 50)
    assert sorted(KINDS["add"].done(portal)) == sorted(row["title"] for row in rows)
    unknown = {mixed[line["row"]]["title"] for line in summary["outcomes"] if line["outcome"] == "unknown"}
    assert unknown == {row["title"] for row in rows[:50]}


def test_a_row_that_failed_and_was_corrected_is_added(portal, in_turn):
    store = StateStore()
    rows = [*KINDS["add"].rows(portal, 60), {"title": "Firm late"}]
    wrong = [*rows[:5], {**rows[5], "begindate": "31.31.2027"}, *rows[6:]]
    portal.fault("operation_time_limit", "crm.item.add", after=49, times=None)
    with pytest.raises(OperationTimeLimit):
        KINDS["add"].run(wrong, given=context(store=store), max_failures=1)
    portal.clear_faults()
    summary = KINDS["add"].run(rows, given=context(try_number=2, store=store))
    assert (summary["written"], summary["failed"]) == (61, 0)
    assert sorted(KINDS["add"].done(portal)) == sorted(row["title"] for row in rows)


def test_a_source_that_ends_before_all_of_them_are_found_is_tried_again(portal, in_turn):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 70)
    stopped("add", rows, portal, context(store=store))
    there = ids_of(portal)
    # The next try has another order, and its source dies before what was added has come.
    given = context(try_number=2, store=store)
    with pytest.raises(OSError, match="gone"):
        KINDS["add"].run(dying(rows[::-1], 30), given=given)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["rows"], summary["not_done"] + summary["written"]) == (30, 30)
    assert ids_of(portal) == there
    assert KINDS["add"].run(rows[::-1], given=context(try_number=3, store=store))["written"] == 70
    assert sorted(KINDS["add"].done(portal)) == sorted(row["title"] for row in rows)


def dying(rows: list[Row], after: int) -> Any:
    yield from rows[:after]
    raise OSError("gone")


def test_a_third_try_finds_what_two_have_added_in_other_orders(portal, in_turn):
    store = StateStore()
    rows = KINDS["add"].rows(portal, 170)
    stopped("add", rows, portal, context(store=store))
    stopped("add", random.Random(1).sample(rows, 170), portal, context(try_number=2, store=store))
    summary = KINDS["add"].run(random.Random(2).sample(rows, 170), given=context(try_number=3, store=store))
    assert summary["written"] == 170
    assert sorted(KINDS["add"].done(portal)) == sorted(row["title"] for row in rows)
    assert portal.executed("crm.item.add") == 170


# Sources, mapped tasks, processes


def source_of(kind: str, rows: list[Row], folder: Path) -> tuple[Any, dict[str, Any]]:
    """``rows`` and further arguments that name the rows: each call replaces the source of the call before."""
    titles = [row["title"] for row in rows]
    if kind == "csv":
        with (folder / "rows.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["title"], *([title] for title in titles)])
        return str(folder / "rows.csv"), {}
    if kind == "jsonl":
        (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return str(folder / "rows.jsonl"), {}
    if kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({"title": titles}), folder / "rows.parquet")
        return str(folder / "rows.parquet"), {}
    if kind == "json text":
        return json.dumps(rows), {}
    with sqlite3.connect(folder / "firms.db") as database:
        database.execute("DROP TABLE IF EXISTS firms")
        database.execute("CREATE TABLE firms (id INTEGER PRIMARY KEY, title TEXT)")
        database.executemany("INSERT INTO firms (title) VALUES (?)", [(title,) for title in titles])
    return NOT_GIVEN, {"sql": "SELECT title FROM firms ORDER BY id", "sql_conn_id": "firms"}


@pytest.mark.parametrize("kind", ADDS)
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "json text", "sql"])
def test_it_is_so_whatever_the_rows_come_from(source, kind, portal, in_turn, tmp_path, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_FIRMS", sqlite_connection(tmp_path / "firms.db")
    )  # fmt: skip
    store = StateStore()
    rows = KINDS[kind].rows(portal, 60)
    read, more = source_of(source, rows, tmp_path)
    stopped(kind, read, portal, context(store=store), **more)
    there = ids_of(portal)["Firm 3"]
    rows[3] = c(rows[3])
    read, more = source_of(source, rows, tmp_path)
    message, lines = refused(kind, read, context(try_number=2, store=store), **more)
    line = line_of(lines, 3)
    assert (line["outcome"], line["id"]) == ("unknown", there)
    assert line.get("line") == {"csv": 5, "jsonl": 4}.get(source)
    assert ("(3 (lines 5); ids" in message) == (source == "csv")


@pytest.mark.parametrize("kind", ADDS)
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "json text", "sql"])
def test_another_order_changes_no_row_whatever_they_come_from(source, kind, portal, in_turn, tmp_path, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_FIRMS", sqlite_connection(tmp_path / "firms.db")
    )  # fmt: skip
    store = StateStore()
    rows = KINDS[kind].rows(portal, 60)
    read, more = source_of(source, rows, tmp_path)
    stopped(kind, read, portal, context(store=store), **more)
    read, more = source_of(source, rows[::-1], tmp_path)
    assert KINDS[kind].run(read, given=context(try_number=2, store=store), **more)[KINDS[kind].word] == 60
    assert sorted(KINDS[kind].done(portal)) == sorted(row["title"] for row in rows)


@pytest.mark.parametrize("kind", ADDS)
def test_each_mapped_task_remembers_rows_of_its_own(kind, portal, in_turn, tmp_path):
    stores = [StateStore(), StateStore()]
    for index, store in enumerate(stores):
        rows = [{"title": f"Firm {index}-{number}"} for number in range(60)]
        stopped(kind, rows, portal, context(store=store, map_index=index))
    there = ids_of(portal)["Firm 1-3"]
    for index, store in enumerate(stores):
        rows = [{"title": f"Firm {index}-{number}"} for number in range(60)]
        rows[3] = c(rows[3]) if index else rows[3]
        given = context(try_number=2, store=store, map_index=index)
        if index:
            _, lines = refused(kind, rows, given)
            assert line_of(lines, 3)["id"] == there
        else:
            assert KINDS[kind].run(rows, given=given)[KINDS[kind].word] == 60


@pytest.mark.parametrize("memory", ["store", "report"])
@pytest.mark.parametrize("kind", ADDS)
def test_a_process_that_is_killed_in_the_middle(kind, memory, portal, in_turn, tmp_path):
    store = tmp_path / "store" if memory == "store" else None
    # With the store, nothing is remembered beside the report.
    report = {"report": str(tmp_path / "r.jsonl")}
    rows = KINDS[kind].rows(portal, 200)
    order = {"kind": kind, "store": store and str(store), "rows": rows, "arguments": report}
    # The second request is done, and its answer is on its way for long.
    portal.fault("slow", "batch", after=1, seconds=60, executed=True)
    environment = {**os.environ, "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection_json(parallel=1)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rows.writing_process", json.dumps(order)],
        cwd=Path(__file__).parents[2],
        env=environment,
    )
    until = time.monotonic() + 60
    while len(KINDS[kind].done(portal)) < 2 * ADDED[kind] and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    portal.clear_faults()
    there, size = ids_of(portal), ADDED[kind]
    rows[3], rows[size + 3] = c(rows[3]), c(rows[size + 3])
    given = context(try_number=2, store=StoreOnDisk(store) if store else None)
    message, lines = refused(kind, rows, given, **report)
    assert (line_of(lines, 3)["outcome"], line_of(lines, 3)["id"]) == ("unknown", there["Firm 3"])
    under_way = line_of(lines, size + 3)
    assert (under_way["outcome"], "id" in under_way) == ("unknown", False)
    assert "may have added the row that stood in this place" in under_way["message"]
    # The second request of an import has several commands.
    done = len(KINDS[kind].done(portal))
    assert [line["outcome"] for line in lines[size:done]] == ["unknown"] * (done - size)
    assert f"(not done: {f'{done} to 199' if done < 200 else 'none'}; " in message
    assert ids_of(portal) == there


# Whatever is changed


class Killed(BaseException):
    """Ends a try behind a request."""


def killed_after_sending(patch: pytest.MonkeyPatch, left: int = 1) -> None:
    real = Client.batch

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        nonlocal left
        answer = real(self, *arguments, **options)
        left -= 1
        if left == 0:
            raise Killed
        return answer

    patch.setattr(Client, "batch", batch)


def firm(title: str) -> str:
    return title.partition(",")[0]


def edited(rows: list[Row], chance: random.Random) -> list[Row]:
    """Rows after some edits at random places: corrected, moved, taken out, put in."""
    rows = list(rows)
    for number in range(chance.choice((1, 1, 2, 3, 8))):
        place = chance.randrange(len(rows))
        edit = chance.choice(("correct", "correct", "move", "move and correct", "take out", "put in"))
        if "correct" in edit:
            rows[place] = c(rows[place])
        if "move" in edit:
            rows.insert(chance.randrange(len(rows)), rows.pop(place))
        if edit == "take out" and len(rows) > 1:
            del rows[place]
        if edit == "put in":
            rows.insert(place, {"title": f"Firm new {number}-{chance.randrange(10**9)}"})
    return rows


@pytest.mark.parametrize("kind", ADDS)
def test_who_does_what_is_said_adds_nothing_twice_and_forgets_nothing(kind, portal, connect, monkeypatch):
    for number in range(SCHEDULES):
        seed = random.randrange(10**9)
        chance = random.Random(seed)
        connect(parallel=chance.choice((1, 4, 20)), rate=100, burst=500)
        store = StateStore()
        rows = [{"title": f"Firm {number}-{index}"} for index in range(chance.choice((8, 60, 130)))]
        ordered = {"ordered": chance.choice((None, False)), "max_failures": None}
        with monkeypatch.context() as patch:
            if chance.random() < 0.5:
                killed_after_sending(patch, chance.randrange(1, 4))
            after = chance.choice((0, 5, 30, 70)) if kind != "import" else chance.choice((0, 1, 2))
            portal.fault("operation_time_limit", KINDS[kind].method, after=after, times=None)
            with suppress(OperationTimeLimit, AirflowFailException, Killed):
                KINDS[kind].run(rows, given=context(store=store), **ordered)
        portal.clear_faults()
        changed = edited(rows, chance)
        given = context(try_number=2, store=store)
        try:
            lines = KINDS[kind].run(changed, given=given, **ordered)["outcomes"]
        except AirflowFailException:
            lines = given["ti"].pushed["bitrix24_rows"]["outcomes"]
        items = portal.items(2 if kind == "add by method" else 4)
        follow(lines, changed, {item["id"]: firm(str(item["title"])) for item in items}, f"seed {seed}")


def follow(lines: list[Row], rows: list[Row], there: dict[int, str], place: str) -> None:
    """
    Do what is said of each row, and see whether every firm is there once.

    :param there: firms by the ids of their items.
    """
    assert len(lines) >= len(rows), place
    unknown = [line for line in lines if line["row"] is not None and line["outcome"] == "unknown"]
    # What is named is looked at first, wherever its new version stands among the rows now.
    updated = {there[line["id"]] for line in unknown if line.get("id") in there}
    others = {firm(rows[line["row"]]["title"]) for line in unknown if "stood in this place" in line["message"]}
    # "If not, look whether another row here is its new version before you write any of them."
    looks = not others <= set(there.values())
    added = []
    for line in lines:
        if line["row"] is None:
            continue
        name = firm(rows[line["row"]]["title"])
        if line["outcome"] in ("not_done", "failed"):
            assert looks or name in updated or name not in there.values(), f"{place}: {line} is there"
        elif line["outcome"] != "unknown":
            assert name in there.values(), f"{place}: {line} is not there"
            continue
        added += [name] * (name not in there.values())
    counts = Counter([*there.values(), *added])
    for row in rows:
        assert counts[firm(row["title"])] == 1, f"{place}: {row} is there {counts[firm(row['title'])]} times"
