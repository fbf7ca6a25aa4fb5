"""``sql="firms.sql"`` names a file of the DAG, as in Airflow's own operators for SQL."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from tests.sqlite import sqlite_connection

ARGUMENTS: dict[str, Any] = {"task_id": "task", "entity_type_id": "company", "sql_conn_id": "firms", "retries": 0}
MAPPING = {"title": "$name", "originId": "$id"}


@pytest.fixture(autouse=True)
def firms(tmp_path, monkeypatch, connection) -> None:
    place = tmp_path / "firms.db"
    with sqlite3.connect(place) as database:
        database.execute("CREATE TABLE firms (id INTEGER, name TEXT)")
        database.executemany("INSERT INTO firms VALUES (?, ?)", [(1, "Firm Oak"), (2, "Firm Elm"), (3, "Firm Ash")])
    database.close()
    monkeypatch.setenv("AIRFLOW_CONN_FIRMS", sqlite_connection(place))


def dag_of(name: str, tmp_path: Any) -> Any:
    folder = tmp_path / "queries"
    (folder / "of_firms").mkdir(parents=True)
    (folder / "firms.sql").write_text(
        "-- {{ params.what }}\nSELECT id, name FROM firms WHERE id < {{ params.below }}\n"
        "{% include 'of_firms/order.sql' %}"
    )
    (folder / "of_firms" / "order.sql").write_text("ORDER BY id")
    (folder / "ash.sql").write_text("SELECT id, name FROM firms WHERE id = 3")
    return DAG(
        name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None, template_searchpath=[str(folder)],
        params={"below": 3, "what": "firms"},
    )  # fmt: skip


def names(portal: Any) -> list[str]:
    return [item["title"] for item in portal.items(4) if str(item["title"]).startswith("Firm ")]


@pytest.mark.parametrize(
    ("operator", "more"),
    [
        (Bitrix24BulkWriteOperator, {}),
        (Bitrix24ImportItemsOperator, {}),
        (Bitrix24UpsertItemsOperator, {"key": "originId"}),
    ],
)
def test_the_file_is_found_and_rendered(operator, more, tmp_path, portal, run_dag):
    with dag_of(f"sql_file_of_{operator.__name__}", tmp_path) as dag:
        operator(sql="firms.sql", mapping=MAPPING, **ARGUMENTS, **more)
    assert run_dag(dag).state == "success"
    assert names(portal) == ["Firm Oak", "Firm Elm"]


def test_mapped_tasks_have_a_file_each(tmp_path, portal, run_dag):
    with dag_of("sql_files_mapped", tmp_path) as dag:
        Bitrix24BulkWriteOperator.partial(mapping=MAPPING, **ARGUMENTS).expand(sql=["firms.sql", "ash.sql"])
    assert run_dag(dag).state == "success"
    assert sorted(names(portal)) == ["Firm Ash", "Firm Elm", "Firm Oak"]


def test_a_file_that_there_is_not_fails_the_task_and_is_named(tmp_path, portal, run_dag, all_output):
    with dag_of("sql_file_missing", tmp_path) as dag:
        Bitrix24BulkWriteOperator(sql="frims.sql", mapping=MAPPING, **ARGUMENTS)
    assert run_dag(dag).state == "failed"
    assert names(portal) == []
    assert "frims.sql" in all_output.records + all_output.printed


def test_a_template_that_was_lost_in_a_file_is_named(tmp_path, portal, run_dag, all_output):
    with dag_of("sql_file_lost", tmp_path) as dag:
        Bitrix24BulkWriteOperator(sql="since.sql", mapping=MAPPING, **ARGUMENTS)
    (tmp_path / "queries" / "since.sql").write_text("SELECT id, name FROM firms WHERE name > '{{ none }}' ORDER BY id")
    assert run_dag(dag).state == "failed"
    assert names(portal) == []
    assert all_output.places_of("sql has '{{ none }}', which came out as 'None'") != []


def test_a_query_is_still_a_query(tmp_path, portal, run_dag):
    with dag_of("sql_text", tmp_path) as dag:
        Bitrix24BulkWriteOperator(
            sql="SELECT id, name FROM firms WHERE id < {{ params.below }}", mapping=MAPPING, **ARGUMENTS
        )
    assert run_dag(dag).state == "success"
    assert names(portal) == ["Firm Oak", "Firm Elm"]
