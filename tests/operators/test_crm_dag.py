"""CRM items read, written, upserted and imported from DAGs that Airflow itself runs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24DeleteItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.rest.client import Client
from tests.secrecy import assert_untold

DEAL, COMPANY = 2, 4
ADD, DELETE, GET, LIST, UPDATE = (f"crm.item.{verb}" for verb in ("add", "delete", "get", "list", "update"))
IMPORT = "crm.item.batchImport"
FIRMS = [{"originId": "F1", "title": "Acme"}, {"originId": "F2", "title": "Berg & Co"}]


def dag_of(name: str, operator: type, **arguments: Any) -> Any:
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="task", **{"retries": 2, "entity_type_id": "deal", **arguments})
    return dag


@pytest.fixture
def untold(portal, all_output):
    """Call it at the end: neither code is in any log, on standard output, or in Airflow's database."""

    def search() -> None:
        for user in (portal.admin, portal.clerk):
            assert_untold(user.code, all_output)

    return search


def sent(portal: Any, method: str) -> list[dict[str, Any]]:
    """What the portal was given, alone or in a batch."""
    commands = [command for call in portal.calls for command in (call.commands or [call])]
    return [command.params for command in commands if command.method == method and command.executed]


def test_an_item_is_read_into_xcom(portal, connection, run_dag, xcom, untold):
    run = run_dag(
        dag_of("item_get", Bitrix24GetItemOperator, item_id="{{ dag_run.conf['deal'] }}", typed=True), {"deal": 7}
    )
    item = xcom(run, "task")
    assert (item["id"], item["title"], item["opened"]) == (7, portal.item(DEAL, 7)["title"], True)
    assert sent(portal, GET) == [{"entityTypeId": DEAL, "id": 7}]
    untold()


def test_a_list_is_read_into_xcom_with_a_templated_filter(portal, connection, run_dag, xcom, untold):
    item_filter = {"@id": "{{ dag_run.conf['ids'] }}", ">=CREATED_TIME": "{{ dag_run.conf['since'] }}"}
    arguments = {"item_filter": item_filter, "select": ["id", "STAGE_ID"]}
    conf = {"ids": 7, "since": "2026-01-01T00:00:00Z"}
    run = run_dag(dag_of("item_list", Bitrix24ListItemsOperator, **arguments), conf)
    assert xcom(run, "task") == [{"id": 7, "stageId": portal.item(DEAL, 7)["stageId"]}]
    asked = {"@id": 7, ">=createdTime": "2026-01-01T00:00:00+00:00"}
    assert asked.items() <= sent(portal, LIST)[0]["filter"].items()
    untold()


def test_an_item_is_added_and_its_id_is_in_xcom(portal, connection, run_dag, xcom, untold):
    fields = {"TITLE": "{{ dag_run.conf['title'] }}", "OPENED": "{{ False }}", "OPPORTUNITY": "{{ 100 * 1.5 }}"}
    run = run_dag(dag_of("item_add", Bitrix24AddItemOperator, fields=fields, read_back=True), {"title": "Oak"})
    item = portal.item(DEAL, xcom(run, "task"))
    assert (item["title"], item["opened"], item["opportunity"]) == ("Oak", "N", 150)
    assert sent(portal, ADD)[0]["fields"] == {"title": "Oak", "opened": "N", "opportunity": "150.0"}
    untold()


def test_each_mapped_item_is_changed_by_a_task_of_its_own(portal, connection, run_dag, xcom):
    with DAG("item_update_mapped", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24UpdateItemOperator.partial(task_id="task", entity_type_id="deal").expand_kwargs(
            [{"item_id": 3, "fields": {"title": "three"}}, {"item_id": 4, "fields": {"title": "four"}}]
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert [xcom(run, "task", index) for index in (0, 1)] == [True, True]
    assert [portal.item(DEAL, number)["title"] for number in (3, 4)] == ["three", "four"]


def test_each_mapped_item_is_deleted_and_one_that_is_missing_is_fine(portal, connection, run_dag, xcom):
    with DAG("item_delete_mapped", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24DeleteItemOperator.partial(task_id="task", entity_type_id="deal", missing_ok=True).expand(
            item_id=[3, 999]
        )
    run = run_dag(dag)
    assert [xcom(run, "task", index) for index in (0, 1)] == [True, False]
    assert portal.item(DEAL, 3) is None


def test_an_item_is_upserted_by_a_key(portal, connection, run_dag, xcom):
    arguments = {"entity_type_id": "company", "key": "ORIGIN_ID"}
    first = run_dag(dag_of("item_upsert_1", Bitrix24UpsertItemOperator, fields=FIRMS[0], **arguments))
    changed = {**FIRMS[0], "title": "Acme Ltd"}
    second = run_dag(dag_of("item_upsert_2", Bitrix24UpsertItemOperator, fields=changed, **arguments))
    result = xcom(first, "task")
    assert result["created"] is True
    assert xcom(second, "task") == {"id": result["id"], "created": False}
    assert portal.item(COMPANY, result["id"])["title"] == "Acme Ltd"


def test_rows_of_another_task_are_upserted(portal, connection, run_dag, xcom, tmp_path):
    arguments = {"entity_type_id": "company", "key": "originId", "rows": json.dumps(FIRMS)}
    report = str(tmp_path / "{{ dag_run.conf['name'] }}.jsonl")
    run = run_dag(dag_of("rows_upsert", Bitrix24UpsertItemsOperator, report=report, **arguments), {"name": "firms"})
    result = xcom(run, "task")
    assert (result["rows"], result["created"], result["failed"], result["report"]["rows"]) == (2, 2, 0, 2)
    assert [item["title"] for item in portal.items(COMPANY)][-2:] == ["Acme", "Berg & Co"]
    assert len((tmp_path / "firms.jsonl").read_text().splitlines()) == 2


def test_rows_are_imported(portal, connection, run_dag, xcom, untold):
    run = run_dag(dag_of("rows_import", Bitrix24ImportItemsOperator, entity_type_id="company", rows=FIRMS))
    result = xcom(run, "task")
    ids = [item["id"] for item in portal.items(COMPANY)][-2:]
    assert [(outcome["outcome"], outcome["id"]) for outcome in result["outcomes"]] == [
        ("imported", ids[0]),
        ("imported", ids[1]),
    ]
    assert sent(portal, IMPORT) == [{"entityTypeId": "4", "data": FIRMS}]
    untold()


# Failures


HOPELESS: dict[str, tuple[type, dict[str, Any], str]] = {
    "get_missing": (Bitrix24GetItemOperator, {"item_id": 999}, "crm.item.list gives the ids"),
    "list_name": (Bitrix24ListItemsOperator, {"item_filter": {"titel": 1}}, "did you mean title"),
    "add_value": (Bitrix24AddItemOperator, {"fields": {"begindate": "31.01.2026"}}, "write e.g. 2026-01-31"),
    "add_denied": (Bitrix24AddItemOperator, {"fields": {"title": "x"}}, "ACCESS_DENIED"),
    "update_denied": (Bitrix24UpdateItemOperator, {"item_id": 3, "fields": {"title": "x"}}, "ACCESS_DENIED"),
    "delete_denied": (Bitrix24DeleteItemOperator, {"item_id": 3}, "ACCESS_DENIED"),
    "upsert_denied": (Bitrix24UpsertItemOperator, {"key": "originId", "fields": FIRMS[0]}, "ACCESS_DENIED"),
    "upsert_rows_denied": (Bitrix24UpsertItemsOperator, {"key": "originId", "rows": FIRMS}, "ACCESS_DENIED"),
    "import_denied": (Bitrix24ImportItemsOperator, {"rows": FIRMS}, "ACCESS_DENIED"),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_a_retry_cannot_fix_fails_on_the_first_try(
    name, portal, connect, run_dag, task_instance, all_output, untold
):
    """The clerk may read CRM items and not change them."""
    connect(portal.clerk)
    operator, arguments, message = HOPELESS[name]
    run = run_dag(dag_of(f"item_{name}", operator, **arguments))
    task = task_instance(run, "task")
    assert (task.state, task.try_number, task.max_tries) == ("failed", 1, 2)
    assert message in all_output.printed + all_output.records
    untold()


@pytest.mark.parametrize(
    ("operator", "arguments", "method"),
    [
        (Bitrix24GetItemOperator, {"item_id": 3}, GET),
        (Bitrix24AddItemOperator, {"fields": {"title": "x"}}, ADD),
        (Bitrix24UpsertItemOperator, {"key": "originId", "fields": FIRMS[0]}, ADD),
        (Bitrix24UpsertItemsOperator, {"key": "originId", "rows": FIRMS}, ADD),
    ],
)
def test_a_limit_passes_with_a_retry(
    operator, arguments, method, portal, connection, run_dag, task_instance, monkeypatch
):
    # A retry looks twice for an item whose add may still be on its way: see `tests/rows/test_lost_upserts.py`.
    monkeypatch.setattr(Client, "sleep", lambda self, seconds: None)
    portal.fault("operation_time_limit", method, times=len(arguments.get("rows", [1])))
    run = run_dag(dag_of(f"limited_{operator.__name__}", operator, **arguments))
    assert (run.state, task_instance(run, "task").try_number) == ("success", 2)
    assert len([item for item in portal.items(DEAL) if item["title"] in ("x", "Acme", "Berg & Co")]) == {
        GET: 0, ADD: len(arguments.get("rows", [1]))
    }[method]  # fmt: skip


def test_an_import_that_a_limit_stopped_goes_on_with_a_retry(
    portal, connection, run_dag, xcom, task_instance, tmp_path
):
    portal.fault("operation_time_limit", IMPORT)
    report = str(tmp_path / "report.jsonl")
    arguments = {"entity_type_id": "company", "rows": FIRMS, "report": report}
    run = run_dag(dag_of("import_limited", Bitrix24ImportItemsOperator, **arguments))
    assert (run.state, task_instance(run, "task").try_number) == ("success", 2)
    assert (xcom(run, "task")["imported"], len(sent(portal, IMPORT))) == (2, 1)
