"""Many rows written: sources, mapping, outcomes, and going on after a crash without writing a row twice."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import StateStore, context

ADD, UPDATE = "crm.item.add", "crm.item.update"


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


def write(*, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
    return Bitrix24BulkWriteOperator(task_id="write", **arguments).execute(given or context())


def failure_of(**arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        write(**arguments)
    return str(caught.value)


def firms(number: int) -> list[dict[str, Any]]:
    return [{"name": f"Firm {index}", "note": None} for index in range(number)]


def titles(portal: Any) -> list[str]:
    """What really was added, in order."""
    added = []
    for call in portal.calls:
        for command in call.commands or [call]:
            if command.method == ADD and command.executed:
                added.append(command.params["fields"]["title"])
    return added


def test_rows_are_written_fifty_to_a_request_in_their_order(portal, connection):
    summary = write(entity_type_id="company", rows=firms(120), mapping={"title": "$name", "opened": "Y"})
    outcomes = summary.pop("outcomes")
    none = dict.fromkeys(("skipped", "cleared", "failed", "unknown", "not_done"), 0)
    assert summary == {"rows": 120, "written": 120, **none, "report": None}
    ids = {item["title"]: item["id"] for item in portal.items(4)}
    assert outcomes == [{"row": row, "outcome": "written", "id": ids[f"Firm {row}"]} for row in range(120)]
    assert [call.method for call in portal.calls] == ["crm.item.fields", "batch", "batch", "batch"]
    assert titles(portal) == [f"Firm {index}" for index in range(120)]


def test_an_update_takes_the_id_from_its_column(portal, connection):
    rows = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]
    write(entity_type_id="deal", operation="update", rows=rows, mapping={"title": "$name"})
    assert [command.params for command in portal.calls[-1].commands] == [
        {"entityTypeId": "2", "id": "1", "fields": {"title": "one"}},
        {"entityTypeId": "2", "id": "2", "fields": {"title": "two"}},
    ]


def test_any_method_is_written_with_a_mapping_of_its_params(portal, connection):
    rows = [{"deal": 7, "price": "$5"}]
    write(
        method="crm.deal.update",
        rows=rows,
        mapping={"id": "$deal", "fields": {"TITLE": "$$deal", "COMMENTS": "$price"}},
    )
    assert portal.calls[-1].commands[0].params == {"id": "7", "fields": {"TITLE": "$deal", "COMMENTS": "$5"}}


def test_the_report_tells_the_outcome_of_every_row(portal, connection, tmp_path):
    rows = [{"id": 1, "t": "x"}, {"id": 99999, "t": "x"}, {"id": 2}]
    summary = write(
        entity_type_id="deal", operation="update", rows=rows, mapping={"title": "$t"}, max_failures=None,
        report=str(tmp_path / "report.jsonl"),
    )  # fmt: skip
    assert (summary["written"], summary["failed"]) == (1, 2)
    report = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [(row["row"], row["outcome"]) for row in report] == [(0, "written"), (1, "failed"), (2, "failed")]
    assert "the row has no column 't': it has: id" in report[2]["message"]
    assert {file.name for file in tmp_path.iterdir()} == {"report.jsonl", "report.jsonl.checkpoint"}


def test_more_failures_than_allowed_stop_the_task_after_their_step(portal, in_turn):
    rows = [{"id": 99999 + index} for index in range(120)]
    failure = failure_of(entity_type_id="deal", operation="update", rows=rows, mapping={"title": "x"}, max_failures=10)
    assert "more than max_failures, 10" in failure
    assert portal.count("batch") == 1


def test_a_limit_is_not_a_failure_of_its_rows_and_the_next_try_writes_them(portal, connection, tmp_path):
    portal.fault("operation_time_limit", "crm.item.add", after=50, times=None)
    arguments = {
        "entity_type_id": "company", "rows": firms(120), "mapping": {"title": "$name"}, "max_failures": None,
        "report": str(tmp_path / "r.jsonl"),
    }  # fmt: skip
    with pytest.raises(OperationTimeLimit):
        write(**arguments)
    portal.clear_faults()
    summary = write(given=context(try_number=2), **arguments)
    assert (summary["written"], summary["failed"]) == (120, 0)
    assert titles(portal) == [f"Firm {index}" for index in range(120)]


def test_a_dry_run_writes_nothing_and_names_rows_that_cannot_be_written(portal, connection):
    rows = [{"t": "fine"}, {"t": datetime.datetime(2026, 1, 1)}, {"u": 1}]
    summary = write(entity_type_id="company", rows=rows, mapping={"title": "$t"}, max_failures=2, dry_run=True)
    assert (summary["rows"], summary["ready"], summary["failed"], summary["dry_run"]) == (3, 1, 2, True)
    assert summary["examples"] == [{"entityTypeId": 4, "fields": {"title": "fine"}}]
    assert [call.method for call in portal.calls] == ["crm.item.fields"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"titel": "Acme"}, "the row names 'titel', which is not a field of a company: did you mean title"),
        ({"id;title": "1;Acme"}, "the row names 'id;title', which is not a field"),
        ({"title": "Acme", "revenue": "12,50"}, "write it without separators"),
        ({"title": "Acme", "createdTime": "2026-01-01T00:00:00+03:00"}, "read-only: the portal would silently drop it"),
    ],
)
def test_fields_that_the_portal_would_drop_fail_their_row(row, message, portal, connection):
    assert message in failure_of(entity_type_id="company", rows=[row])
    assert portal.executed(ADD) == 0


def test_names_and_values_of_fields_are_put_as_the_portal_wants_them(portal, connection):
    row = {"TITLE": "Acme", "OPENED": True, "PHONE": "+4930123", "revenue": Decimal("12.50")}
    write(entity_type_id="company", rows=[row])
    (sent,) = portal.calls[-1].commands or portal.calls[-1:]
    assert sent.params["fields"].pop("fm")
    assert sent.params["fields"] == {"title": "Acme", "opened": "Y", "revenue": "12.50"}


def test_a_whole_row_updates_the_item_of_its_id_as_parquet_keeps_it(portal, connection):
    assert write(entity_type_id="deal", operation="update", rows=[{"id": 1.0, "title": "one"}])["written"] == 1
    assert portal.item(2, 1)["title"] == "one"
    for wrong, message in (
        (1.5, "id must be a whole number"),
        ("None", "not 'None'"),
        (None, "no value in the column"),
    ):
        failure = failure_of(entity_type_id="deal", operation="update", rows=[{"id": wrong, "title": "x"}])
        assert message in failure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": []}, "give either method or entity_type_id"),
        *(
            ({"entity_type_id": 4, "rows": [{"title": "x"}], "mapping": mapping}, message)
            for mapping, message in (
                ("{}", "mapping is empty"),
                ("", "it has no value"),
                ("None", "it has no value"),
                ("[]", "not an object"),
            )
        ),
        ({"rows": [], "method": "m", "entity_type_id": 2}, "give either method or entity_type_id"),
        ({"method": "crm.deal.add"}, "give either rows or sql"),
        (
            {"method": "crm.deal.add", "rows": {"17": {"title": "x"}}},
            "rows is an object of 1 rows by number: give a list",
        ),
        ({"method": "crm.deal.add", "rows": '{"17": {}, "18": {}}'}, "rows is an object of 2 rows by number"),
        ({"method": "crm.deal.add", "rows": b"[]"}, "rows is not a list"),
        ({"method": "crm.deal.add", "rows": [7]}, "row 0 is 7, which is not an object"),
        ({"method": "crm.deal.add", "rows": "/data/x.xlsx"}, "give one of: .csv, .jsonl"),
        ({"method": "crm.deal.add", "rows": "/nowhere/x.csv"}, "does not exist"),
        ({"method": "crm.deal.add", "sql": "SELECT 1"}, "sql_conn_id is missing"),
        ({"entity_type_id": "deals", "operation": "delete", "rows": []}, "operation is 'delete'"),
        ({"entity_type_id": "contract", "rows": []}, "did you mean contact?"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(arguments, message, portal, connection):
    assert message in failure_of(**arguments)
    assert portal.requests == 0


# Crashes


@pytest.mark.parametrize("memory", ["store", "report"])
@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_killed_task_goes_on_and_writes_no_row_twice(memory, killed_after, portal, connection, tmp_path, monkeypatch):
    store = StateStore() if memory == "store" else None
    arguments = {
        "entity_type_id": "company", "rows": firms(200), "mapping": {"title": "$name"},
        **({} if store else {"report": str(tmp_path / "r.jsonl")}),
    }  # fmt: skip
    kill_after(monkeypatch, killed_after)
    with pytest.raises(Killed):
        write(given=context(store=store), **arguments)
    monkeypatch.undo()
    connect_again(portal, monkeypatch)
    unknown = 50
    failure = failure_of(given=context(try_number=2, store=store), **arguments)
    assert "look whether it is there before you write it again" in failure
    assert titles(portal) == [f"Firm {index}" for index in range(50 * killed_after)]
    summary = write(given=context(try_number=3, store=store), **{**arguments, "max_failures": None})
    assert (summary["written"], summary["unknown"]) == (200 - unknown, unknown)
    assert titles(portal) == [f"Firm {index}" for index in range(200)]


def kill_after(monkeypatch: pytest.MonkeyPatch, requests: int) -> None:
    """Kill the task when the answer to its n-th batch has arrived, before it is remembered."""
    from airflow_provider_bitrix24.rest.client import Client

    real, sent = Client.batch, []

    def batch(self: Client, *arguments: Any, **options: Any) -> Any:
        answer = real(self, *arguments, **options)
        sent.append(1)
        if len(sent) == requests:
            raise Killed
        return answer

    monkeypatch.setattr(Client, "batch", batch)


def connect_again(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json())


@pytest.mark.parametrize("method", ["crm.deal.list", "CRM.Item.Get", "user.get", "crm.deal.fields"])
def test_a_method_that_only_reads_is_refused(method, portal, connection):
    failure = failure_of(method=method, mapping={"id": "$id"}, rows=[{"id": 1}])
    assert "it only reads, and a bulk write keeps no results: use Bitrix24ListOperator" in failure
    assert portal.requests == 0


def test_a_row_without_an_id_has_failed_and_is_not_unknown(portal, connection):
    rows = [{"id": 1, "t": "new"}, {"id": None, "t": "lost"}, {"id": "x", "t": "lost"}]
    mapping = {"id": "$id", "fields": {"TITLE": "$t"}}
    summary = write(method="crm.deal.update", mapping=mapping, rows=rows, max_failures=None)
    assert [summary[outcome] for outcome in ("written", "failed", "unknown")] == [1, 2, 0]
    assert portal.executed("crm.deal.update") == 1


def test_a_killed_update_is_simply_repeated(portal, in_turn, monkeypatch):
    store = StateStore()
    rows = [{"id": 1 + index % 30, "t": str(index)} for index in range(100)]
    arguments = {"entity_type_id": "deal", "operation": "update", "rows": rows, "mapping": {"title": "$t"}}
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        write(given=context(store=store), **arguments)
    monkeypatch.undo()
    connect_again(portal, monkeypatch)
    assert write(given=context(try_number=2, store=store), **arguments)["written"] == 100
    # Steps of 30, since no item is twice in one; the first of them twice.
    assert portal.count("batch") == 5


def test_rows_that_a_second_try_repeated_before_it_was_killed_are_not_written_again(portal, connection, monkeypatch):
    store = StateStore()
    arguments = {"entity_type_id": "company", "rows": firms(5), "mapping": {"title": "$name"}}
    portal.fault("operation_time_limit", ADD, times=None)
    with pytest.raises(Bitrix24Error):
        write(given=context(store=store), **arguments)
    portal.clear_faults()
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        write(given=context(try_number=2, store=store), **arguments)
    monkeypatch.undo()
    connect_again(portal, monkeypatch)
    failure = failure_of(given=context(try_number=3, store=store), **arguments)
    assert "look whether it is there before you write it again" in failure
    assert titles(portal) == [f"Firm {index}" for index in range(5)]


def test_rows_that_may_have_been_added_stay_unknown_in_another_order(portal, connection, monkeypatch):
    store = StateStore()
    kill_after(monkeypatch, 1)
    with pytest.raises(Killed):
        write(given=context(store=store), entity_type_id="company", rows=firms(60), mapping={"title": "$name"})
    monkeypatch.undo()
    connect_again(portal, monkeypatch)
    given = context(try_number=2, store=store)
    failure = failure_of(given=given, entity_type_id="company", rows=firms(60)[::-1], mapping={"title": "$name"})
    assert "an earlier try was killed while it wrote this row" in failure
    assert "{'not_done': 10, 'unknown': 40}" in failure
    assert titles(portal) == [f"Firm {index}" for index in range(50)]


def test_without_memory_a_second_try_adds_nothing(portal, connection):
    failure = failure_of(
        given=context(try_number=2), entity_type_id="company", rows=firms(3), mapping={"title": "$name"}
    )
    assert "nothing remembers which" in failure
    assert portal.requests == 0


def test_a_cleared_task_begins_again(portal, connection):
    cleared = context(try_number=2)
    cleared["ti"].max_tries = 1 + 3
    assert write(given=cleared, entity_type_id="company", rows=firms(3), mapping={"title": "$name"})["written"] == 3


@pytest.mark.parametrize("memory", ["store", "report"])
def test_a_try_after_all_is_written_returns_the_same_and_writes_nothing(memory, portal, connection, tmp_path):
    """The task was killed between its last answer and the end of its try."""
    store = StateStore() if memory == "store" else None
    arguments = {
        "entity_type_id": "company", "rows": firms(60), "mapping": {"title": "$name"},
        "report": str(tmp_path / "r.jsonl"),
    }  # fmt: skip
    summary = write(given=context(store=store), **arguments)
    assert write(given=context(try_number=2, store=store), **arguments) == summary
    assert portal.executed(ADD) == 60


def test_a_lost_answer_of_an_add_leaves_its_rows_unknown(portal, connection):
    portal.fault("reset_after", method="batch", times=1)
    with pytest.raises((AirflowFailException, Bitrix24Error)) as caught:
        write(given=context(store=StateStore()), entity_type_id="company", rows=firms(60), mapping={"title": "$name"})
    assert isinstance(caught.value, AirflowFailException)
    assert titles(portal) == [f"Firm {index}" for index in range(50)]


# Sources


def test_rows_that_end_in_the_middle_fail_the_task_and_what_was_written_is_reported(portal, connection, tmp_path):
    given, report = context(), tmp_path / "r.jsonl"
    rows = iter([*firms(70), "not a row"])
    failure = failure_of(
        given=given, entity_type_id="company", rows=rows, mapping={"title": "$name"}, max_failures=None,
        report=str(report),
    )  # fmt: skip
    assert "row 70 is 'not a row', which is not an object" in failure
    assert "({'written': 50, 'not_done': 20} before; nothing after them was written)" in failure
    assert len(titles(portal)) == given["ti"].pushed["bitrix24_rows"]["written"] == 50
    assert len(report.read_text().splitlines()) == 70


@pytest.mark.parametrize("arguments", [{"entity_type_id": "deal"}, {"method": "crm.deal.add"}])
@pytest.mark.parametrize(
    ("result", "outcome"),
    [(False, "failed"), *((result, "unknown") for result in (None, True, {}, {"item": {}}, ""))],
)
def test_an_add_that_answers_no_id_is_unknown_and_false_is_a_refusal(arguments, result, outcome, portal, connection):
    answer = {"result": {"result": {"c0": result, "c1": 901}, "result_error": []}}
    portal.fault("body", "batch", body=json.dumps(answer), content_type="application/json")
    mapping = {"title": "$t"} if "entity_type_id" in arguments else {"fields": {"TITLE": "$t"}}
    given = context()
    says = "refused without a reason" if result is False else r"and not an (id|object): .*look with .*list"
    with pytest.raises(AirflowFailException, match=says):
        write(given=given, rows=[{"t": "a"}, {"t": "b"}], mapping=mapping, **arguments)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["written"], summary[outcome]) == (1, 1)


@pytest.mark.parametrize("operation", ["add", "update"])
def test_an_operation_beside_a_method_is_refused(operation, portal, connection):
    with pytest.raises(AirflowFailException, match="operation is for entity_type_id, and method says itself"):
        write(method="crm.deal.add", operation=operation, rows=[{"fields": {"TITLE": "x"}}])
