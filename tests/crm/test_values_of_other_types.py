"""Values that the documented type of their field cannot hold, and ids that are none: refused by name."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from tests.operators.context import context

DAY = datetime.date(2026, 1, 31)
MOMENT = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)
ADDRESSED = {
    "crm.deal.update": "id",
    "crm.contact.update": "id",
    "crm.activity.update": "id",
    "tasks.task.update": "taskId",
}
WRONG: dict[str, dict[str, list[Any]]] = {
    "crm.deal.update": {
        "OPPORTUNITY": [DAY, MOMENT, np.datetime64("2026-01-31"), b"5", True, "\uff15", "\u0663"],
        "COMPANY_ID": [DAY, MOMENT, "\uff15", b"5"],
    },
    "crm.contact.update": {"PHONE": [[{"VALUE": value}] for value in (["+1", "+2"], {"a": 1}, True, DAY)]},
    "crm.activity.update": {"SUBJECT": [["a"], {"a": 1}]},
    "tasks.task.update": {
        "TITLE": [["a"], {"a": 1}],
        "PRIORITY": [[1], {"a": 1}],
        "DEADLINE": [5, [1], "2026-02-30", "2026-02-30T10:00:00+03:00"],
        "RESPONSIBLE_ID": ["1E5", "1E0", [2], {"a": 2}, "1.5"],
    },
    "user.update": {"PERSONAL_BIRTHDAY": [5, -1, [1], "2026-02-30"]},
}


def refused(method: str, params: dict[str, Any]) -> str:
    with pytest.raises(AirflowFailException) as caught:
        Bitrix24Operator(task_id="call", method=method, method_params=params).execute(context())
    return str(caught.value)


@pytest.mark.parametrize("method", WRONG)
def test_what_a_type_cannot_hold_is_refused_by_name(method, portal, connection):
    for name, values in WRONG[method].items():
        rows = []
        for value in values:
            own = {"ID": 1, name: value} if method == "user.update" else {ADDRESSED[method]: 1, "fields": {name: value}}
            assert name in refused(method, own)
            rows.append(own)
        for dry_run in (True, False):
            operator = Bitrix24BulkWriteOperator(
                task_id="write", method=method, rows=rows, max_failures=None, dry_run=dry_run
            )
            outcomes = operator.execute(context())["outcomes"]
            assert [(given["outcome"], name in given["message"]) for given in outcomes] == [("failed", True)] * len(
                rows
            )
    assert portal.executed(method) == 0


@pytest.mark.parametrize(
    ("method", "name"),
    [("crm.deal.update", "id"), ("crm.deal.delete", "id"), ("tasks.task.delete", "taskId"), ("crm.item.delete", "id")],
)
def test_what_is_not_an_id_is_refused(method, name, portal, connection):
    more = {"fields": {"TITLE": "x"}} if method == "crm.deal.update" else {}
    more |= {"entityTypeId": 2} if method == "crm.item.delete" else {}
    rows = [{name: value, **more} for value in ("1E5", "1E0", [2], {"a": 2}, 0, -1, "1.5", "2.0")]
    for row in rows:
        assert f"{name} is " in refused(method, row)
    for dry_run in (True, False):
        operator = Bitrix24BulkWriteOperator(
            task_id="write", method=method, rows=rows, max_failures=None, dry_run=dry_run
        )
        assert operator.execute(context())["failed"] == len(rows)
    assert portal.executed(method) == 0


def test_blanks_around_an_id_are_dropped(portal, connection):
    rows = [{"id": "  2 ", "fields": {"TITLE": "Two"}}, {"id": "\u00a03\u00a0", "fields": {"TITLE": "Three"}}]
    Bitrix24BulkWriteOperator(task_id="write", method="crm.deal.update", rows=rows).execute(context())
    commands = [command for call in portal.calls for command in call.commands]
    assert [command.params["id"] for command in commands if command.method == "crm.deal.update"] == ["2", "3"]


def test_what_types_hold_is_sent(portal, connection):
    rows = [
        {"taskId": 1, "fields": {"DEADLINE": value, "PRIORITY": "2", "TITLE": "x", "RESPONSIBLE_ID": "1"}}
        for value in ("2026-12-31", "31.12.2026 18:00", MOMENT, "")
    ]
    write = Bitrix24BulkWriteOperator(task_id="write", method="tasks.task.update", rows=rows, dry_run=True)
    assert write.execute(context())["ready"] == len(rows)
