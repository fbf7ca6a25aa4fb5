"""Mapped tasks of one report: each would replace the outcomes of the others."""

from __future__ import annotations

from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator

ROWS = [[{"title": "S1", "originId": "1"}], [{"title": "S2", "originId": "2"}]]


def states(run: Any, task_instance: Any) -> list[str]:
    return [task_instance(run, "task", index).state for index in range(2)]


@pytest.mark.parametrize("name", ["r.jsonl", "{{ run_id }}-{{ params.x }}.jsonl"])
@pytest.mark.parametrize(
    ("operator", "arguments", "each"),
    [
        (Bitrix24BulkWriteOperator, {"entity_type_id": 4, "mapping": {"title": "$title"}}, {"rows": ROWS}),
        (Bitrix24UpsertItemsOperator, {"entity_type_id": 4, "key": "originId"}, {"rows": ROWS}),
        (Bitrix24DeletePaymentsOperator, {}, {"payment_ids": [[1001], [1002]]}),
    ],
)
def test_one_report_of_mapped_tasks_is_refused(
    operator, arguments, each, name, tmp_path, portal, connection, run_dag, task_instance
):
    with DAG("shared_report", schedule=None, params={"x": 1}) as dag:
        operator.partial(task_id="task", report=str(tmp_path / name), **arguments).expand(**each)
    run = run_dag(dag)
    assert sorted(states(run, task_instance)) == ["failed", "success"]
    (report,) = tmp_path.glob("*.jsonl")
    assert len(report.read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["{{ ti.map_index }}.jsonl", "{{ task_instance_key_str }}-{{ ti.map_index }}.jsonl"])
def test_a_report_of_its_own_is_taken(name, tmp_path, portal, connection, run_dag, task_instance):
    with DAG("own_report", schedule=None) as dag:
        Bitrix24BulkWriteOperator.partial(task_id="task", entity_type_id=4, report=str(tmp_path / name)).expand(
            rows=[[{"title": "S1"}], [{"title": "S2"}]]
        )
    assert states(run_dag(dag), task_instance) == ["success", "success"]


def test_a_report_that_is_mapped_is_taken(tmp_path, portal, connection, run_dag, task_instance):
    with DAG("mapped_report", schedule=None) as dag:
        Bitrix24BulkWriteOperator.partial(task_id="task", entity_type_id=4).expand_kwargs(
            [{"rows": [{"title": f"S{place}"}], "report": str(tmp_path / f"{place}.jsonl")} for place in range(2)]
        )
    assert states(run_dag(dag), task_instance) == ["success", "success"]
