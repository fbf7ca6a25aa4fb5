"""Rows and payments that may fail: the log says why, also where no report is written."""

from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from tests.operators.context import context

ROWS = [{"originId": str(number), "title": "Acme"} for number in range(60)]


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24BulkWriteOperator, {"entity_type_id": 4, "rows": ROWS, "max_failures": None}),
        (Bitrix24ImportItemsOperator, {"entity_type_id": 4, "rows": ROWS, "max_failures": None}),
        (Bitrix24UpsertItemsOperator, {"entity_type_id": 4, "rows": ROWS, "max_failures": None, "key": "originId"}),
        (Bitrix24DeletePaymentsOperator, {"on_error": "continue"}),
    ],
)
def test_the_first_failures_are_logged_with_their_cause(operator: Any, arguments, portal, connect, all_output):
    if operator is Bitrix24DeletePaymentsOperator:
        arguments = {**arguments, "payment_ids": [portal.add_payment(1) for _ in ROWS]}
    connect(portal.clerk)
    result = operator(task_id="task", **arguments).execute(context())
    assert {result.get("failed"), result.get("denied")} & {60}
    said = f"{all_output.records}\n{all_output.printed}"
    named = r"Row (\d+)(?:, id \d+|, originId .\d+.)?: "
    logged = re.findall(named + r"[^\n]*ACCESS_DENIED[^\n]*(?:does not have the right|needs the right)", said)
    assert len(set(logged)) == 20
