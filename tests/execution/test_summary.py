"""The line at a task's end, and the warning of rows that failed in a task that succeeds."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24GetItemOperator, Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from tests.operators.context import context

DEALS = [{"id": number, "title": f"Deal {number}"} for number in range(1, 31)]


def summaries(output: Any) -> list[str]:
    return re.findall(r"In all: (.*?)(?=\s+\[airflow|\s*$)", output.printed + output.records, re.MULTILINE)


def test_a_list_says_what_it_has_asked_and_read(portal, connection, all_output):
    Bitrix24ListItemsOperator(task_id="task", entity_type_id="deal", select=["id"]).execute(context())
    (line,) = set(summaries(all_output))
    assert re.fullmatch(r"[1-9] requests, 30 rows read, 0\.0 s waited(, operating time \d+ %)?", line)


def test_a_write_says_how_many_rows_it_has_written(portal, connection, all_output):
    operator = Bitrix24BulkWriteOperator(task_id="task", entity_type_id="deal", operation="update", rows=DEALS)
    assert operator.execute(context())["written"] == 30
    (line,) = set(summaries(all_output))
    assert ", 30 rows written, " in line


def test_a_task_that_fails_says_it_too(portal, connection, all_output):
    with pytest.raises(Exception, match=r"crm\.item\.payment\.delete"):
        Bitrix24DeletePaymentOperator(task_id="task", payment_id=999_999).execute(context())
    (line,) = set(summaries(all_output))
    assert "request" in line


def test_repetitions_and_waits_are_in_it(portal, connection, all_output, monkeypatch):
    portal.fault("query_limit", times=1)
    Bitrix24GetItemOperator(task_id="task", entity_type_id="deal", item_id=3).execute(context())
    (line,) = set(summaries(all_output))
    assert line.startswith("2 requests, 1 of them repeated, ")
    assert float(re.search(r"([\d.]+) s waited", line)[1]) >= 1.0


def test_a_task_that_has_sent_nothing_says_nothing(connection, all_output):
    operator = Bitrix24GetItemOperator(task_id="task", entity_type_id="deal", item_id=3)
    operator.item_id = "None"
    with pytest.raises(Exception, match="item_id"):
        operator.execute(context())
    assert summaries(all_output) == []


def test_a_sensor_does_not_say_it_with_each_look(portal, connection, all_output):
    sensor = Bitrix24PaymentSensor(task_id="task", payment_id=1001)
    for _ in range(3):
        sensor.poke(context())
    assert summaries(all_output) == []


# Rows that failed in a task that succeeds


def warnings(output: Any) -> str:
    text: str = output.printed + output.records
    return "\n".join(line for line in text.splitlines() if "warning" in line.lower())


def test_rows_that_failed_in_a_task_that_succeeds_are_a_warning(portal, connection, all_output, tmp_path):
    rows = [*DEALS[:3], {"id": 999_999, "title": "x"}, {"id": 999_998, "title": "x"}]
    arguments = {"entity_type_id": "deal", "operation": "update", "rows": rows, "max_failures": 2}
    report = f"{tmp_path}/report.jsonl"
    summary = Bitrix24BulkWriteOperator(task_id="task", report=report, **arguments).execute(context())
    assert (summary["written"], summary["failed"]) == (3, 2)
    line = "2 of 5 rows have failed; the task succeeds, since max_failures allows it. See report, "
    assert line in warnings(all_output)


def test_payments_that_failed_too(portal, connection, all_output):
    operator = Bitrix24DeletePaymentsOperator(task_id="task", payment_ids=[1001, 999_999], on_error="continue")
    assert operator.execute(context())["missing"] == 1
    line = '1 of 2 rows have failed; the task succeeds, since on_error is "continue". See outcomes, in XCom'
    assert line in warnings(all_output)


def test_commands_that_failed_too(portal, connection, all_output):
    commands = {"a": ["crm.deal.get", {"ID": 3}], "b": ["crm.deal.get", {"ID": 999_999}]}
    Bitrix24BatchOperator(task_id="task", commands=commands, on_error="continue").execute(context())
    assert "batch: 1 done, 1 failed, 0 not run" in warnings(all_output)


def test_without_failed_rows_there_is_no_warning(portal, connection, all_output):
    arguments = {"entity_type_id": "deal", "operation": "update", "rows": DEALS, "max_failures": 2}
    Bitrix24BulkWriteOperator(task_id="task", **arguments).execute(context())
    assert "have failed" not in all_output.printed + all_output.records
