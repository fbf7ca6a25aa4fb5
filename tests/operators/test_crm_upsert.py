"""CRM items added or updated by a key, one by one and by rows."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from tests.operators.context import context
from tests.sleepless import SleeplessHook
from tests.sqlite import sqlite_connection

ADD, FIELDS, GET, LIST, UPDATE = (f"crm.item.{verb}" for verb in ("add", "fields", "get", "list", "update"))


def run(operator: type, *, given: Any = None, **arguments: Any) -> Any:
    """The operator's result; its client does not wait between attempts."""
    sleepless = type(operator.__name__, (operator,), {"hook": property(lambda self: SleeplessHook())})
    return sleepless(task_id="task", **{"entity_type_id": "company", "key": "originId", **arguments}).execute(
        given or context()
    )


def upsert(**arguments: Any) -> Any:
    return run(Bitrix24UpsertItemOperator, **arguments)


def upsert_rows(**arguments: Any) -> Any:
    return run(Bitrix24UpsertItemsOperator, **arguments)


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    assert caught.value.__cause__ is None
    return str(caught.value)


def by_origin(portal: Any, number: int = 4) -> dict[str, list[str]]:
    """Titles of the items with a foreign key, by it."""
    found: dict[str, list[str]] = {}
    for item in portal.items(number):
        if item.get("originId"):
            found.setdefault(item["originId"], []).append(item["title"])
    return found


# One


def test_the_first_time_adds_and_the_next_updates(portal, connection):
    first = upsert(fields={"ORIGIN_ID": "A-1", "TITLE": "Acme"}, read_back=True)
    assert (first["created"], by_origin(portal)) == (True, {"A-1": ["Acme"]})
    second = upsert(fields={"originId": "A-1", "title": "Acme Ltd"}, read_back=True)
    assert second == {"id": first["id"], "created": False}
    assert by_origin(portal) == {"A-1": ["Acme Ltd"]}
    assert portal.calls[-2].commands[0].params["fields"] == {"title": "Acme Ltd"}


@pytest.mark.parametrize("cleared", [{"observers": []}, {"observers": None}, {"OBSERVERS": ""}, {"contactIds": []}])
def test_a_multiple_field_that_the_portal_did_not_clear_fails_the_task(cleared, portal, connection):
    deal = {"entity_type_id": "deal", "fields": {"originId": "D-1", "title": "Oak", **cleared}}
    first = upsert(**deal)
    assert (first["created"], portal.count(GET)) == (True, 0)
    assert upsert(**deal) == {"id": first["id"], "created": False}
    assert portal.count(GET) == 1
    item = {**portal.item(2, first["id"]), "observers": [1], "contactIds": [1]}
    portal.fault("body", GET, body=json.dumps({"result": {"item": item}}).encode(), times=None)
    message = failure_of(Bitrix24UpsertItemOperator, **deal)
    assert f"deal {first['id']} was written, but not cleared: " in message


@pytest.mark.parametrize(
    ("kind", "key", "spelling"),
    [
        (128, "xmlId", "XML_ID"),
        ("deal", "UF_CRM_MY_FIELD", "ufCrm_MY_FIELD"),
        ("deal", "ufCrm_1700000002", "UF_CRM_1700000002"),
    ],
)
def test_any_field_of_text_or_numbers_can_be_the_key(kind, key, spelling, portal, connection):
    one = upsert(entity_type_id=kind, key=key, fields={spelling: "17", "title": "x"})
    assert one["created"]
    assert upsert(entity_type_id=kind, key=spelling, fields={key: 17, "title": "y"}) == {**one, "created": False}


def test_a_key_may_be_several_fields_together(portal, connection):
    key = ["originatorId", "originId"]
    erp = upsert(key=key, fields={"originatorId": "ERP", "originId": "1", "title": "a"})
    shop = upsert(key=key, fields={"originatorId": "SHOP", "originId": "1", "title": "b"})
    again = upsert(key=json.dumps(key), fields={"originatorId": "ERP", "originId": "1", "title": "c"})
    assert (shop["created"], again) == (True, {"id": erp["id"], "created": False})
    assert by_origin(portal) == {"1": ["c", "b"]}


def test_keys_that_differ_only_in_case_are_two_keys(portal, connection):
    upsert(fields={"originId": "001xA", "title": "small"})
    assert upsert(fields={"originId": "001XA", "title": "large"})["created"]
    assert by_origin(portal) == {"001xA": ["small"], "001XA": ["large"]}


def test_a_whole_number_is_one_key_however_a_data_frame_keeps_it(portal, connection):
    summary = upsert_rows(rows=[{"originId": key, "title": str(key)} for key in (12, 12.0, "12", Decimal(12))])
    assert (summary["created"], summary["updated"]) == (1, 3)
    assert by_origin(portal) == {"12": ["12"]}


def test_a_fraction_is_one_key_however_it_is_written(portal, connection):
    rows = [{"revenue": key, "title": str(key)} for key in (77.5, "77.50", Decimal("77.500"), 78, 78.0, "78.0")]
    summary = upsert_rows(key="revenue", rows=rows)
    assert (summary["created"], summary["updated"]) == (2, 4)


def test_more_than_one_item_with_the_key_is_an_error_and_nothing_is_written(portal, connection):
    ids = portal.add_items(4, 2, originId="A-1", title="twin")
    failure = failure_of(Bitrix24UpsertItemOperator, fields={"originId": "A-1", "title": "x"})
    assert f"2 items have the key originId 'A-1': {ids[0]}, {ids[1]}: merge them in the portal" in failure
    assert portal.executed(ADD) == portal.executed(UPDATE) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fields": {"title": "x"}}, "no value for the key originId"),
        ({"fields": {"title": "x", "originId": None}}, "no value for the key originId"),
        ({"fields": {"title": "x", "originId": "  "}}, "no value for the key originId"),
        ({"fields": {"title": "x", "originId": "None"}}, "no value for the key originId, but the text 'None'"),
        ({"fields": {"title": "x", "originId": "nan"}}, "no value for the key originId, but the text 'nan'"),
        ({"fields": {"title": "x"}, "key": "orignId"}, "key names 'orignId', which is not a field of a company"),
        ({"fields": {"opened": True}, "key": "opened"}, "key names opened, which cannot be a key here"),
        ({"fields": {"observers": 1}, "key": "observers"}, "key names observers, which cannot be a key here"),
        ({"fields": {"title": "x"}, "key": "id"}, "key names id, which cannot be a key here"),
        ({"fields": {"title": "x"}, "key": []}, "key is empty"),
        ({"fields": {}}, "fields is empty"),
        ({"fields": {"originId": "1", "titel": "x"}}, "did you mean title"),
    ],
)
def test_a_key_that_means_every_item_or_none_is_refused(arguments, message, portal, connection):
    assert message in failure_of(Bitrix24UpsertItemOperator, **arguments)
    assert {call.method for call in portal.calls} <= {FIELDS}


@pytest.mark.parametrize("fault", ["close_after", "reset_after"])
def test_after_a_lost_answer_of_the_add_the_item_is_found_by_its_key(fault, portal, connection):
    portal.fault(fault, ADD)
    summary = upsert(fields={"originId": "A-1", "title": "once"})
    assert summary["created"]
    assert (portal.executed(ADD), by_origin(portal)) == (1, {"A-1": ["once"]})


def test_an_add_that_has_not_appeared_after_a_lost_answer_is_not_sent_again(portal, connection):
    portal.fault("close_before", "batch", after=1)
    with pytest.raises(AnswerLost) as caught:
        upsert(fields={"originId": "A-1", "title": "x"})
    # The next try looks first.
    assert (caught.value.ran, caught.value.retryable) == ("unknown", True)
    assert "(0 items have its key now); the next try looks again" in str(caught.value)
    assert (portal.executed(ADD), by_origin(portal)) == (0, {})


def test_a_phone_is_added_once_however_often_it_is_upserted(portal, connection):
    for _ in range(3):
        upsert(fields={"originId": "A-1", "title": "Acme", "PHONE": "+1"}, read_back=True)
    (item,) = [item for item in portal.items(4) if item.get("originId") == "A-1"]
    assert [entry["value"] for entry in item["fm"]] == ["+1"]


def test_what_can_only_be_set_at_adding_is_left_out_of_an_update(portal, connection):
    fields = {name: dict(field) for name, field in portal_fields(portal).items()}
    fields["industry"]["isImmutable"] = True
    portal.fault("body", FIELDS, body=json.dumps({"result": {"fields": fields}}).encode(), times=None)
    for title in ("a", "b"):
        upsert(fields={"originId": "A-1", "title": title, "industry": "IT"})
    sent = [
        command.params["fields"]
        for call in portal.calls
        for command in call.commands
        if command.method in (ADD, UPDATE)
    ]
    assert sent == [{"originId": "A-1", "title": "a", "industry": "IT"}, {"title": "b"}]


def portal_fields(portal: Any) -> dict[str, Any]:
    result = SleeplessHook().call(FIELDS, {"entityTypeId": 4})
    portal.reset_calls()
    return result["fields"]


def test_a_missing_right_fails_without_retry(portal, connect):
    connect(portal.clerk)
    assert "ACCESS_DENIED" in failure_of(Bitrix24UpsertItemOperator, fields={"originId": "A-1", "title": "x"})
    assert portal.executed(ADD) == 0


@pytest.mark.parametrize("method", [LIST, ADD])
def test_a_limit_is_left_to_the_tasks_retries(method, portal, connection):
    portal.fault("operation_time_limit", method, times=None)
    with pytest.raises(OperationTimeLimit):
        upsert(fields={"originId": "A-1", "title": "x"})
    portal.clear_faults()
    assert upsert(fields={"originId": "A-1", "title": "x"})["created"]


def test_a_lost_network_is_left_to_the_tasks_retries(portal, connection):
    portal.fault("close_before", FIELDS, times=None)
    with pytest.raises(AnswerLost):
        upsert(fields={"originId": "A-1", "title": "x"})


# Rows


def firms(first: int, last: int, title: str = "Firm") -> list[dict[str, Any]]:
    return [{"originId": f"F{number}", "title": f"{title} {number}"} for number in range(first, last)]


def test_fifty_rows_are_looked_up_by_one_request_and_written_by_the_next(portal, connection):
    first = upsert_rows(rows=firms(0, 100))
    counts = {"rows": 100, "created": 100, "updated": 0, "failed": 0, "unknown": 0, "report": None}
    assert {name: first[name] for name in counts} == counts
    assert portal.requests == 1 + 2 * 2
    portal.reset_calls()
    second = upsert_rows(rows=firms(50, 150, "New"))
    assert (second["created"], second["updated"], portal.requests) == (50, 50, 5)
    expected = {f"F{n}": [f"{'New' if n >= 50 else 'Firm'} {n}"] for n in range(150)}
    assert by_origin(portal) == expected
    ids = {item["originId"]: item["id"] for item in portal.items(4) if item.get("originId")}
    assert second["outcomes"][0] == {"row": 0, "outcome": "updated", "id": ids["F50"]}
    assert [outcome["id"] for outcome in second["outcomes"]] == [ids[f"F{n}"] for n in range(50, 150)]


def test_of_two_rows_with_one_key_the_later_wins_and_one_item_is_there(portal, connection):
    rows = [*firms(0, 3), {"originId": "F1", "title": "later"}, {"originId": "F9", "title": "last"}]
    summary = upsert_rows(rows=rows)
    assert (summary["created"], summary["updated"]) == (4, 1)
    assert by_origin(portal) == {"F0": ["Firm 0"], "F1": ["later"], "F2": ["Firm 2"], "F9": ["last"]}


def test_rows_come_from_sql_through_a_mapping(portal, connection, tmp_path, monkeypatch):
    database = tmp_path / "firms.db"
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE firm (number INTEGER, name TEXT, phone TEXT)")
        db.executemany("INSERT INTO firm VALUES (?, ?, ?)", [(1, "Acme", "+1"), (2, "Berg & Co", None)])
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(database))
    pytest.importorskip("airflow.providers.sqlite")
    summary = upsert_rows(
        sql="SELECT * FROM firm ORDER BY number",
        sql_conn_id="firms",
        mapping={"originId": "$number", "title": "$name", "PHONE": "$phone", "opened": True},
    )
    assert summary["created"] == 2
    acme, berg = [item for item in portal.items(4) if item.get("originId")]
    assert (acme["originId"], acme["title"], acme["fm"][0]["value"], acme["opened"]) == ("1", "Acme", "+1", "Y")
    assert (berg["title"], berg.get("fm")) == ("Berg & Co", None)


def test_a_bad_row_stops_the_task_before_its_step_is_written(portal, connection):
    given = context()
    rows = [*firms(0, 10), {"originId": "", "title": "none"}]
    failure = failure_of(Bitrix24UpsertItemsOperator, rows=rows, given=given)
    assert "no value for the key originId" in failure
    assert "more than max_failures, 0" in failure
    assert by_origin(portal) == {}
    assert given["ti"].pushed["bitrix24_rows"]["failed"] == 1


def test_failures_within_max_failures_are_reported_and_the_others_written(portal, connection, tmp_path):
    portal.add_items(4, 2, originId="F1", title="twin")
    rows = [*firms(0, 3), {"originId": "F3", "titel": "x"}, {"originId": "F4", "begin": 1}]
    summary = upsert_rows(rows=rows, max_failures=3, report=str(tmp_path / "report.jsonl"))
    assert (summary["created"], summary["failed"], summary["outcomes"], summary["report"]["rows"]) == (2, 3, None, 5)
    lines = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["created", "failed", "created", "failed", "failed"]
    assert "2 items have the key originId 'F1'" in lines[1]["message"]
    assert "did you mean title" in lines[3]["message"]
    assert lines[4]["final"] is True


def test_a_lost_answer_of_many_adds_is_looked_after(portal, connection):
    portal.fault("close_after", ADD)
    summary = upsert_rows(rows=firms(0, 60))
    assert (summary["created"], summary["unknown"]) == (60, 0)
    assert by_origin(portal) == {f"F{n}": [f"Firm {n}"] for n in range(60)}


def test_a_retry_adds_nothing_twice(portal, connection):
    portal.fault("operation_time_limit", ADD, after=30, times=None)
    with pytest.raises(Bitrix24Error) as caught:
        upsert_rows(rows=firms(0, 80))
    assert caught.value.retryable
    portal.clear_faults()
    summary = upsert_rows(rows=firms(0, 80), given=context(try_number=2))
    assert summary["created"] + summary["updated"] == 80
    assert by_origin(portal) == {f"F{n}": [f"Firm {n}"] for n in range(80)}


def test_a_dry_run_writes_nothing_and_shows_what_would_be_sent(portal, connection):
    rows = [*firms(0, 4), {"titel": "x"}]
    summary = upsert_rows(rows=rows, dry_run=True, max_failures=1)
    assert (summary["rows"], summary["ready"], summary["failed"], summary["dry_run"]) == (5, 4, 1, True)
    assert summary["examples"] == [{"entityTypeId": 4, "fields": firm} for firm in firms(0, 3)]
    assert [call.method for call in portal.calls] == [FIELDS]


def test_outcomes_that_do_not_fit_into_xcom_are_left_to_a_report(portal, connection):
    summary = upsert_rows(rows=firms(0, 1200))
    assert (summary["created"], summary["outcomes"]) == (1200, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either rows or sql"),
        ({"rows": firms(0, 1), "key": "orignId"}, "key names 'orignId'"),
        ({"rows": firms(0, 1), "max_failures": -1}, "max_failures must be a whole number"),
        ({"rows": firms(0, 1), "mapping": "[1]"}, "mapping is not an object"),
        ({"rows": firms(0, 1), "mapping": {"title": "$name"}}, "the row has no column 'name': it has: originId, title"),
        ({"rows": firms(0, 1), "entity_type_id": "firm"}, "entity_type_id is 'firm'"),
    ],
)
def test_arguments_that_mean_nothing_fail_and_nothing_is_written(arguments, message, portal, connection):
    assert message in failure_of(Bitrix24UpsertItemsOperator, **arguments)
    assert portal.executed(ADD) == 0
