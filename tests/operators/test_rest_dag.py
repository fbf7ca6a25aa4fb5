"""Any method, a batch, a list and a bulk write, run by Airflow itself."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import (
    Bitrix24BatchOperator,
    Bitrix24ListOperator,
    Bitrix24Operator,
)


def dag_of(name: str, operator: type, **arguments: Any) -> Any:
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="task", **{"retries": 2, **arguments})
    return dag


def test_any_method_answers_into_xcom_with_rendered_params(portal, connection, run_dag, xcom):
    arguments = {"method": "crm.deal.get", "method_params": {"ID": "{{ dag_run.conf['deal'] }}"}, "result_path": "ID"}
    run = run_dag(dag_of("any_method", Bitrix24Operator, **arguments), {"deal": 7})
    assert xcom(run, "task") == "7"
    assert portal.calls[0].params == {"ID": "7"}


def test_any_method_runs_mapped(portal, connection, run_dag, xcom):
    with DAG("any_mapped", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24Operator.partial(task_id="task", method="crm.deal.get", result_path="ID").expand(
            method_params=[{"ID": 1}, {"ID": 2}]
        )
    run = run_dag(dag)
    assert [xcom(run, "task", index) for index in (0, 1)] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "arguments", "tries"),
    [
        ("unknown", {"method": "crm.no.such.method"}, 1),
        ("missing", {"method": "crm.deal.get", "method_params": {"ID": 99999}}, 1),
        ("denied", {"method": "crm.item.payment.pay", "method_params": {"id": 1001}}, 1),
    ],
)
def test_what_no_retry_fixes_fails_on_the_first_try(name, arguments, tries, portal, connect, run_dag, task_instance):
    connect(portal.clerk)
    run = run_dag(dag_of(f"any_{name}", Bitrix24Operator, **arguments))
    task = task_instance(run, "task")
    assert (task.state, task.try_number) == ("failed", tries)


def test_a_limit_passes_with_a_retry(portal, connection, run_dag, xcom, task_instance):
    portal.fault("operation_time_limit", method="profile")
    run = run_dag(dag_of("any_limited", Bitrix24Operator, method="profile", result_path="ID"))
    assert xcom(run, "task") == "1"
    assert task_instance(run, "task").try_number == 2


def test_a_batch_answers_by_name(portal, connection, run_dag, xcom):
    commands = {"deal": ["crm.deal.get", {"ID": "{{ dag_run.conf['deal'] }}"}], "me": ["profile"]}
    run = run_dag(dag_of("batch_named", Bitrix24BatchOperator, commands=commands), {"deal": 3})
    answer = xcom(run, "task")
    assert (answer["results"]["deal"]["ID"], answer["results"]["me"]["ID"], answer["errors"]) == ("3", "1", {})
    assert portal.requests == 1


def test_a_failed_batch_keeps_its_outcome(portal, connection, run_dag, xcom, task_instance):
    commands = {"gone": ["crm.deal.get", {"ID": 99999}], "me": ["profile"]}
    run = run_dag(dag_of("batch_failed", Bitrix24BatchOperator, commands=commands))
    assert (task_instance(run, "task").state, task_instance(run, "task").try_number) == ("failed", 1)
    assert xcom(run, "task", key="bitrix24_batch")["results"]["me"]["ID"] == "1"


def test_a_list_goes_to_xcom_or_to_a_file(portal, connection, run_dag, xcom, tmp_path):
    arguments = {"method": "crm.deal.list", "method_params": {"select": ["ID"]}}
    run = run_dag(dag_of("list_small", Bitrix24ListOperator, **arguments))
    assert [row["ID"] for row in xcom(run, "task")] == [str(number) for number in range(1, 31)]
    run = run_dag(
        dag_of("list_file", Bitrix24ListOperator, destination=f"{tmp_path}/{{{{ run_id }}}}.jsonl", **arguments)
    )
    assert xcom(run, "task")["rows"] == 30
    (file,) = tmp_path.glob("*.jsonl")
    assert len(file.read_text().splitlines()) == 30


def test_rows_of_another_task_are_written(portal, connection, run_dag, xcom, tmp_path):
    with DAG("bulk_rows", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        rows = Bitrix24ListOperator(task_id="rows", method="crm.deal.list", method_params={"select": ["ID", "TITLE"]})
        Bitrix24BulkWriteOperator(
            task_id="task",
            entity_type_id="company",
            rows=rows.output,
            mapping={"title": "$TITLE"},
            report=f"{tmp_path}/report.jsonl",
        )
    run = run_dag(dag)
    assert run.state == "success"
    result = xcom(run, "task")
    assert (result["rows"], result["written"]) == (30, 30)
    report = [json.loads(line) for line in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert {row["outcome"] for row in report} == {"written"}
    assert portal.executed("crm.item.add") == 30


def test_a_bulk_write_with_failures_fails_once_and_tells_how_many(portal, connection, run_dag, xcom, task_instance):
    rows = [{"id": 1}, {"id": 99999}]
    arguments = {"entity_type_id": "deal", "operation": "update", "rows": rows, "mapping": {"title": "x"}}
    run = run_dag(dag_of("bulk_failed", Bitrix24BulkWriteOperator, **arguments))
    assert (task_instance(run, "task").state, task_instance(run, "task").try_number) == ("failed", 1)
    assert xcom(run, "task", key="bitrix24_rows")["failed"] == 1


def test_params_of_the_dag_and_those_that_a_template_takes_are_airflows(portal, connection, run_dag, task_instance):
    default_args = {"params": {"of_default": 1}}
    with DAG("own_params", schedule=None, params={"filter": "x"}, default_args=default_args) as dag:
        Bitrix24ListOperator(task_id="all", method="department.get")
        Bitrix24ListOperator(task_id="some", method="crm.deal.list", limit="{{ params.most }}", params={"most": 3})
        Bitrix24Operator(
            task_id="one", method="crm.deal.get", method_params={"ID": "{{ params.deal }}"}, params={"deal": 1}
        )
    run = run_dag(dag)
    assert {name: task_instance(run, name).state for name in ("all", "some", "one")} == {
        "all": "success", "some": "success", "one": "success",
    }  # fmt: skip


def test_the_conf_of_a_run_is_not_taken_for_params_of_the_task(portal, connection, run_dag, task_instance):
    """Airflow 2 puts it among the params of each task."""
    with DAG("with_conf", schedule=None) as dag:
        Bitrix24ListOperator(task_id="all", method="department.get")
        Bitrix24ListOperator(task_id="own", method="crm.deal.list", params={"filter": {"ID": 7}})
    run = run_dag(dag, {"day": "2026-01-31", "filter": {"ID": 7}})
    assert {name: task_instance(run, name).state for name in ("all", "own")} == {"all": "success", "own": "failed"}
