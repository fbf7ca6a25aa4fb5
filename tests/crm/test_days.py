"""Fields of days: a time in them would be lost, so nothing but midnight passes, and midnight is the day written."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pendulum
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context

MOSCOW, NEW_YORK = timezone(timedelta(hours=3)), timezone(timedelta(hours=-5))
SAYS = (
    "and the field holds a day: the time would be lost: write the day alone, e.g. 2026-12-31; in SQL, CAST(… AS DATE)"
)

#: Times of a day, which no field of days holds.
TIMES: list[Any] = [
    datetime(2026, 1, 31, 15, 30),
    datetime(2026, 1, 31, 15, 30, tzinfo=MOSCOW),
    datetime(2026, 1, 30, 21, 0, tzinfo=timezone.utc),  # Midnight, but in another zone than its own.
    datetime(2026, 1, 31, 19, 0, tzinfo=NEW_YORK),  # Midnight UTC, but not its own.
    datetime(2026, 1, 31, 0, 0, 0, 1),
    datetime(2026, 1, 31, 23, 59, 59),
    pd.Timestamp("2026-01-31 09:30"),
    pd.Timestamp("2026-01-31 09:30", tz="Europe/Berlin"),
    pd.Timestamp("2026-01-31 00:00:00.000000001"),
    np.datetime64("2026-01-31T09:30"),
    pendulum.datetime(2026, 1, 31, 9, 30, tz="Europe/Berlin"),
    "2026-01-31T15:30:00",
    "2026-01-31 15:30",
    "2026-01-31T15:30:00+03:00",
    "2026-01-30T21:00:00Z",
    "2026-01-31T00:00:00.5Z",
    "2026-01-31T00:00:01",
]
#: Midnights, and the day that each is.
MIDNIGHTS: list[tuple[Any, str]] = [
    (date(2026, 1, 31), "2026-01-31"),
    (datetime(2026, 1, 31), "2026-01-31"),
    (datetime(2026, 1, 31, tzinfo=MOSCOW), "2026-01-31"),
    (datetime(2026, 1, 31, tzinfo=NEW_YORK), "2026-01-31"),
    (datetime(2026, 7, 31, tzinfo=ZoneInfo("Asia/Vladivostok")), "2026-07-31"),
    (pd.Timestamp("2026-01-31"), "2026-01-31"),
    (pd.Timestamp("2026-01-31", tz="Asia/Tokyo"), "2026-01-31"),
    (np.datetime64("2026-01-31"), "2026-01-31"),
    (np.datetime64("2026-01-31T00:00"), "2026-01-31"),
    (pendulum.datetime(2026, 1, 31, tz="America/New_York"), "2026-01-31"),
    (pendulum.date(2026, 1, 31), "2026-01-31"),
    ("2026-01-31", "2026-01-31"),
    ("2026-01-31T00:00:00", "2026-01-31"),
    ("2026-01-31 00:00", "2026-01-31"),
    ("2026-01-31T00:00:00+10:00", "2026-01-31"),
    ("2026-01-31T00:00:00-05:00", "2026-01-31"),
    ("2026-01-31T00:00:00.000Z", "2026-01-31"),
    # How CRM itself writes a day: midnight UTC in its server's offset.
    ("2026-01-31T03:00:00+03:00", "2026-01-31"),
    ("2026-01-30T19:00:00-05:00", "2026-01-31"),
]


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="a", **arguments).execute(context())
    return str(caught.value)


def stored(portal: Sandbox, deal: int, name: str = "closedate") -> str:
    (value,) = (item[name] for item in portal.items(2) if item["id"] == deal)
    return str(value)[:10]


def in_one(value: Any) -> list[tuple[type, dict[str, Any]]]:
    """Operators that write one object, or a batch of them."""
    fields, raw = {"title": "x", "begindate": value}, {"id": 1, "fields": {"BEGINDATE": value}}
    return [
        (Bitrix24AddItemOperator, {"entity_type_id": "deal", "fields": fields}),
        (Bitrix24UpdateItemOperator, {"entity_type_id": "deal", "item_id": 1, "fields": fields}),
        (Bitrix24Operator, {"method": "crm.deal.update", "method_params": raw}),
        (Bitrix24BatchOperator, {"commands": {"a": ["crm.deal.update", raw]}}),
    ]


def in_rows(value: Any) -> list[tuple[type, dict[str, Any]]]:
    """Operators that write rows: one that can be written, and one with this value."""
    rows = [{"id": 1, "closedate": "2026-01-31"}, {"id": 2, "closedate": value}]
    items = {"entityTypeId": 2, "id": "$id", "fields": {"closedate": "$closedate"}}
    old = {"id": "$id", "fields": {"CLOSEDATE": "$closedate"}}
    new = [{"title": "x", "closedate": row["closedate"], "originId": row["id"]} for row in rows]
    return [
        (Bitrix24BulkWriteOperator, {"entity_type_id": "deal", "operation": "update", "rows": rows}),
        (Bitrix24BulkWriteOperator, {"method": "crm.item.update", "mapping": items, "rows": rows}),
        (Bitrix24BulkWriteOperator, {"method": "crm.deal.update", "mapping": old, "rows": rows}),
        (Bitrix24UpsertItemsOperator, {"entity_type_id": "deal", "key": ["originId"], "rows": new}),
        (Bitrix24ImportItemsOperator, {"entity_type_id": "deal", "rows": new}),
    ]


@pytest.mark.parametrize("number", range(4), ids=lambda number: in_one("")[number][0].__name__)
def test_a_time_is_refused_by_name(number: int, portal: Sandbox, connection: None) -> None:
    for value in TIMES:
        operator, arguments = in_one(value)[number]
        message = failure_of(operator, **arguments)
        assert f"{'begindate' if number < 2 else 'BEGINDATE'} is " in message, value
        assert SAYS in message
    assert sum(portal.executed(method) for method in ("crm.item.add", "crm.item.update", "crm.deal.update")) == 0


@pytest.mark.parametrize("number", range(5))
def test_a_time_fails_its_row(number: int, portal: Sandbox, connection: None) -> None:
    before = [item["closedate"] for item in portal.items(2)]
    for value in TIMES[::4]:
        operator, arguments = in_rows(value)[number]
        message = failure_of(operator, **arguments)
        assert SAYS in message, value
        assert "row 1" in message
    assert [item["closedate"] for item in portal.items(2)] == before


ROWS = [{"id": number, "closedate": value} for number, (value, _) in enumerate(MIDNIGHTS, 1)]


@pytest.mark.parametrize(
    "arguments",
    [
        {"entity_type_id": "deal", "operation": "update"},
        {
            "method": "crm.item.update",
            "mapping": {"entityTypeId": 2, "id": "$id", "fields": {"closedate": "$closedate"}},
        },
        {"method": "crm.deal.update", "mapping": {"id": "$id", "fields": {"CLOSEDATE": "$closedate"}}},
    ],
)
def test_midnight_in_rows_is_the_day_that_is_written(
    arguments: dict[str, Any], portal: Sandbox, connection: None
) -> None:
    Bitrix24BulkWriteOperator(task_id="a", rows=ROWS, **arguments).execute(context())
    assert [stored(portal, row["id"]) for row in ROWS] == [day for _, day in MIDNIGHTS]


@pytest.mark.parametrize("method", ["crm.item.update", "crm.deal.update"])
def test_midnight_in_a_batch_is_the_day_that_is_written(method: str, portal: Sandbox, connection: None) -> None:
    name, kind = ("closedate", {"entityTypeId": 2}) if "item" in method else ("CLOSEDATE", {})
    commands = {
        f"c{row['id']}": [method, {**kind, "id": row["id"], "fields": {name: row["closedate"]}}] for row in ROWS
    }
    Bitrix24BatchOperator(task_id="a", commands=commands).execute(context())
    assert [stored(portal, row["id"]) for row in ROWS] == [day for _, day in MIDNIGHTS]


def test_midnight_in_one_item_is_the_day_that_is_written(portal: Sandbox, connection: None) -> None:
    for deal, (value, day) in enumerate(MIDNIGHTS[1:6], 1):
        fields: dict[str, Any] = {"closedate": value}
        Bitrix24UpdateItemOperator(task_id="a", entity_type_id=2, item_id=deal, fields=fields).execute(context())
        raw = {"id": deal + 10, "fields": {"CLOSEDATE": value}}
        Bitrix24Operator(task_id="b", method="crm.deal.update", method_params=raw).execute(context())
        assert (stored(portal, deal), stored(portal, deal + 10)) == (day, day)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_time_in_a_file_is_refused_with_its_row(form: str, tmp_path: Path, portal: Sandbox, connection: None) -> None:
    path = tmp_path / f"rows.{form}"
    days = ["2026-01-31T00:00:00", "2026-01-31T09:30:00"]
    frame = pd.DataFrame({"id": [1, 2], "begindate": days})
    if form == "csv":
        frame.to_csv(path, index=False)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")), "utf-8")
    else:
        frame.assign(begindate=pd.to_datetime(frame["begindate"])).to_parquet(path)
    arguments = {"entity_type_id": "deal", "operation": "update", "rows": str(path)}
    message = failure_of(Bitrix24BulkWriteOperator, **arguments)
    assert SAYS in message
    assert "id 2" in message
    Bitrix24BulkWriteOperator(task_id="b", max_failures=None, **arguments).execute(context())
    assert stored(portal, 1, "begindate") == "2026-01-31"


def test_a_filter_takes_the_day_of_a_time(portal: Sandbox, connection: None) -> None:
    bounds = {">=begindate": datetime(2026, 1, 31, 9, 30), "<begindate": "2026-02-02T09:30:00+03:00"}
    Bitrix24ListItemsOperator(task_id="a", entity_type_id=2, item_filter=bounds, select=["id"]).execute(context())
    sent = next(call for call in portal.calls if call.method == "crm.item.list").params["filter"]
    assert (sent[">=begindate"], sent["<begindate"]) == ("2026-01-31", "2026-02-02")


OTHERS: list[tuple[str, str]] = [
    ("user.update", "PERSONAL_BIRTHDAY"),
    ("crm.deal.recurring.add", "START_DATE"),
    ("crm.deal.recurring.update", "LIMIT_DATE"),
    ("crm.deal.recurring.update", "START_DATE"),
]


@pytest.mark.parametrize(("method", "name"), OTHERS)
def test_days_of_other_methods_take_no_time_either(method: str, name: str, client: Client) -> None:
    def check(value: Any) -> None:
        given = {name: value}
        FieldNames(client, method).check({"ID": 1, **given} if method == "user.update" else {"id": 1, "fields": given})

    for value in (*TIMES, "31.12.1990 09:30", "12/31/1990 9:30 am", "12/31/1990 9 pm"):
        with pytest.raises(ConfigurationError, match=f"{name} is .* which is not a day without a time"):
            check(value)
    for value in (*(value for value, _ in MIDNIGHTS), "31.12.1990", "12/31/1990 00:00:00", "", None, "$result[day]"):
        check(value)


def test_fields_of_moments_take_times(client: Client) -> None:
    for value in (datetime(2026, 1, 31, 9, 30, tzinfo=MOSCOW), "2026-01-31T09:30:00+03:00"):
        FieldNames(client, "crm.deal.update").check({"id": 1, "fields": {"UF_CRM_1700000007": value}})
        FieldNames(client, "tasks.task.update").check({"taskId": 1, "fields": {"DEADLINE": value}})
        FieldNames(client, "sale.payment.update").check({"id": 1, "fields": {"payReturnDate": value}})
        FieldNames(client, "calendar.event.update").check({"id": 1, "current_date_from": value})
