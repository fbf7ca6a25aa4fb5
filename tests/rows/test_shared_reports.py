"""Mapped tasks of one report: each would replace the outcomes of the others."""

from __future__ import annotations

from typing import Any

import pytest
from airflow import DAG
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from tests.operators.context import StateStore, context

try:
    from airflow.sdk import task
    from airflow.sdk.io.store import attach
except ImportError:
    from airflow.decorators import task
    from airflow.io.store import attach

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


def bulk(**arguments: Any) -> Any:
    return Bitrix24BulkWriteOperator.partial(task_id="task", entity_type_id=4, **arguments)


def expanded(way: str, report: str) -> None:
    """Two mapped tasks with one report, in the given way."""
    rows = [[{"title": "S1"}], [{"title": "S2"}]]
    if way == "equal values":
        bulk(rows=rows[0]).expand(report=[report, report])
    elif way == "pairs":
        bulk().expand_kwargs([{"rows": each, "report": report} for each in rows])
    elif way == "combinations":
        bulk().expand(rows=rows, report=[report])
    elif way == "a template of the task":
        bulk(report=report.replace("r.jsonl", "{{ ti.task_id }}.jsonl")).expand(rows=rows)
    elif way == "a dry run":
        bulk(rows=rows[0], dry_run=True).expand(report=[report, report])
    else:

        @task
        def reports() -> list[Any]:
            return [report, report] if way == "another task" else [{"rows": each, "report": report} for each in rows]

        if way == "another task":
            bulk(rows=rows[0]).expand(report=reports())
        else:
            bulk().expand_kwargs(reports())


WAYS = [
    "equal values", "pairs", "combinations", "a template of the task", "a dry run", "another task",
    "pairs of another task",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_however_two_mapped_tasks_come_to_one_report_the_second_is_refused(
    way, tmp_path, portal, connection, run_dag, task_instance
):
    with DAG("shared_report", schedule=None) as dag:
        expanded(way, str(tmp_path / "r.jsonl"))
    run = run_dag(dag)
    assert sorted(states(run, task_instance)) == ["failed", "success"]
    (report,) = tmp_path.glob("*.jsonl")
    assert len(report.read_text().splitlines()) == 1
    assert len([item for item in portal.items(4) if item["title"] in ("S1", "S2")]) == (way != "a dry run")


def test_in_object_storage_too(portal, connection, run_dag, task_instance):
    """It has no exclusive create."""
    attach("memory", "reports", fs=MemoryFileSystem())
    with DAG("shared_report", schedule=None) as dag:
        bulk(rows=[{"title": "S1"}]).expand(report=["memory://reports@bucket/shared.jsonl"] * 2)
    assert sorted(states(run_dag(dag), task_instance)) == ["failed", "success"]


@pytest.mark.parametrize("way", ["one", "equal values", "combinations", "pairs"])
@pytest.mark.parametrize(
    ("operator", "name", "values"),
    [
        (Bitrix24ListOperator, "method", ["crm.deal.list", "crm.lead.list"]),
        (Bitrix24ListItemsOperator, "entity_type_id", ["deal", "lead"]),
    ],
)
def test_one_destination_of_mapped_tasks_is_refused(
    operator, name, values, way, tmp_path, portal, connection, run_dag, task_instance
):
    file = str(tmp_path / "r.jsonl")
    with DAG("shared_destination", schedule=None) as dag:
        if way == "one":
            operator.partial(task_id="task", destination=file).expand(**{name: values})
        elif way == "equal values":
            operator.partial(task_id="task", **{name: values[0]}).expand(destination=[file, file])
        elif way == "combinations":
            operator.partial(task_id="task").expand(**{name: values}, destination=[file])
        else:
            operator.partial(task_id="task").expand_kwargs([{name: value, "destination": file} for value in values])
    assert states(run_dag(dag), task_instance) == ["success", "failed"]


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


# A report of its own for each try


@pytest.mark.parametrize(
    "name",
    [
        "r-{{ ti.try_number }}.jsonl",
        "r-{{ task_instance.try_number }}.jsonl",
        "{{ macros.datetime.now().isoformat() }}.jsonl",
        "r-{{ ti.start_date | ts_nodash }}.jsonl",
        "{% if true %}{{ macros.uuid.uuid4() }}{% endif %}.jsonl",
        "r-{{macros.time.time()}}.jsonl",
    ],
)
@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (Bitrix24BulkWriteOperator, {"entity_type_id": 4, "rows": ROWS[0]}),
        (Bitrix24UpsertItemsOperator, {"entity_type_id": 4, "key": "originId", "rows": ROWS[0]}),
        (Bitrix24DeletePaymentsOperator, {"payment_ids": [1001]}),
    ],
)
def test_a_report_that_the_next_try_would_not_find_is_refused(operator, arguments, name, tmp_path, portal, connection):
    written = f"{tmp_path}/{name}"
    operator = operator(task_id="task", report=written, **arguments)
    # As Airflow renders it in this try.
    operator.report = f"{tmp_path}/r-1.jsonl"
    with pytest.raises(AirflowFailException, match="in its name, which is another one in each try"):
        operator.execute(context())
    assert portal.count("batch") == 0
    # With the store, the report is nothing but a report.
    operator.execute(context(store=StateStore()))


@pytest.mark.parametrize(
    "name",
    [
        "r-{{ ds }}.jsonl",
        "{{ macros.uuid.uuid5(macros.uuid.NAMESPACE_DNS, ds) }}.jsonl",
        "r-{{ data_interval_start.time() }}.jsonl",
        "r-{{ ts_nodash }}-{{ run_id }}.jsonl",
        "r-{{ ti.map_index }}.jsonl",
        "r-{{ dag_run.start_date }}-{{ dag.start_date }}.jsonl",
        "try_number-now().jsonl",
        "{{ params.known }}-{{ data_interval_start.timestamp() }}.jsonl",
    ],
)
def test_a_report_of_a_run_is_taken(name, tmp_path, portal, connection):
    operator = Bitrix24BulkWriteOperator(
        task_id="task", report=f"{tmp_path}/{name}", entity_type_id=4, rows=ROWS[0], params={"known": 1}
    )
    operator.report = f"{tmp_path}/r-1.jsonl"
    assert operator.execute(context())["written"] == 1
