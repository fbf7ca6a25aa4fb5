"""The ready-made group: the whole CRM in tables or files, incremental by night, complete on one day of the week."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pendulum
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.transfers.crm import CRM_OBJECTS, bitrix24_crm_to
from tests.transfers.databases import CONN_ID
from tests.whole_airflow import IS_2

try:
    from airflow.sdk import DAG, task_group
except ImportError:
    from airflow import DAG
    from airflow.decorators import task_group

#: What each table holds, as the portal lists it.
LISTS: dict[str, tuple[str, dict[str, Any]]] = {
    "deals": ("crm.item.list", {"entityTypeId": 2}),
    "contacts": ("crm.item.list", {"entityTypeId": 3}),
    "companies": ("crm.item.list", {"entityTypeId": 4}),
    "leads": ("crm.item.list", {"entityTypeId": 1}),
    "deal_stage_history": ("crm.stagehistory.list", {"entityTypeId": 2}),
    "lead_stage_history": ("crm.stagehistory.list", {"entityTypeId": 1}),
    "activities": ("crm.activity.list", {}),
    "tasks": ("tasks.task.list", {}),
    "users": ("user.get", {}),
    "deal_product_rows": ("crm.item.productrow.list", {}),
    "deal_payments": ("crm.item.payment.list", {}),
    "payments": ("sale.payment.list", {}),
    "statuses": ("crm.status.list", {}),
    "deal_funnels": ("crm.category.list", {"entityTypeId": 2}),
    "departments": ("department.get", {}),
}
#: From the id of a deal to the parameters of what belongs to it.
OF_A_DEAL = {
    "deal_product_rows": lambda deal: {"filter": {"=ownerType": "D", "=ownerId": deal}},
    "deal_payments": lambda deal: {"entityTypeId": 2, "entityId": deal},
}
ITEMS = {"deals", "contacts", "companies", "leads"}
WHOLE = {"payments", "statuses", "deal_funnels", "departments"}


def dag_of(schedule: Any = "0 3 * * *", zone: Any = timezone.utc, **arguments: Any) -> Any:
    start = datetime(2026, 1, 1, tzinfo=zone)
    with DAG("crm", schedule=schedule, start_date=start, catchup=False, max_active_runs=1) as dag:
        bitrix24_crm_to(**arguments)
    return dag


def at_portal(name: str) -> set[int]:
    method, params = LISTS[name]
    with Bitrix24Hook().get_conn() as client:
        if name in OF_A_DEAL:
            deals = [row["id"] for row in client.list(*LISTS["deals"])]
            return {int(row["id"]) for _, row in client.children(method, deals, OF_A_DEAL[name])}
        return {int(row.get("id", row.get("ID"))) for row in client.list(method, params)}


def in_table(target: Any, name: str) -> set[int]:
    live = " WHERE _deleted_at IS NULL" if name in ITEMS else ""
    return {int(row[0]) for row in target.rows(f"bitrix24_{name}{live}", "id")}


@pytest.fixture
def reports(xcom):
    """``reports(run)``: what each task returned, by its name in the group."""
    return lambda run, group="bitrix24_crm", names=CRM_OBJECTS: {name: xcom(run, f"{group}.{name}") for name in names}


def test_it_loads_what_it_names():
    assert LISTS.keys() == set(CRM_OBJECTS)


def scheduled_for(day: int) -> datetime:
    """Midnight before the run that is due at 03:00 of a day in January: Airflow 2 names it after the day before."""
    return datetime(2026, 1, day - 1 if IS_2 else day, tzinfo=timezone.utc)


def test_tables_equal_the_portal_each_night_and_in_all_after_a_sunday(
    portal, connection, run_scheduled, sqlite_alone, reports
):
    hook = Bitrix24Hook()
    for title in ("One", "Two"):
        hook.call("crm.item.add", {"entityTypeId": 1, "fields": {"title": title}})
    for deal in (7, 8):
        portal.add_product_row(deal, price=5)
    dag = dag_of(sql_conn_id=CONN_ID)

    def night(day: int) -> dict[str, Any]:
        portal.clock.advance(24 * 3600)
        run = run_scheduled(dag, scheduled_for(day))
        assert run.state == "success"
        done = reports(run)
        assert {name: report["bad"] for name, report in done.items()} == {name: {} for name in CRM_OBJECTS}
        return done

    # Wednesday.
    assert {name: done["window"] for name, done in night(14).items()} == {name: {} for name in CRM_OBJECTS}
    for name in CRM_OBJECTS:
        assert in_table(sqlite_alone, name) == at_portal(name) != set(), name
    portal.clock.advance(3600)
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "New", "stageId": "WON"}})
    portal.add_product_row(7, price=6)
    hook.call("crm.item.delete", {"entityTypeId": 2, "id": 8})
    hook.call("crm.item.delete", {"entityTypeId": 3, "id": portal.items(3)[0]["id"]})
    hook.call("crm.item.add", {"entityTypeId": 4, "fields": {"title": "Late Ltd"}})
    hook.call("tasks.task.update", {"taskId": 3, "fields": {"TITLE": "Later"}})
    hook.call("tasks.task.delete", {"taskId": 4})
    hook.call("crm.activity.delete", {"id": 5})
    payment = portal.payments()[0]["id"]
    hook.call("crm.item.payment.delete", {"id": payment})
    hook.call("crm.status.add", {"fields": {"ENTITY_ID": "SOURCE", "STATUS_ID": "FAIR", "NAME": "Fair", "SORT": 900}})

    done = night(15)
    assert {name for name, report in done.items() if report["window"]} == set(CRM_OBJECTS) - WHOLE
    rows = {name: done[name]["rows"] for name in CRM_OBJECTS if name not in WHOLE | {"users"}}
    changed = {
        "deals": 1,
        "companies": 1,
        "tasks": 1,
        "deal_stage_history": 1,
        "deal_product_rows": 2,
        "deal_payments": 2,
    }
    assert rows == {name: changed.get(name, 0) for name in rows}
    assert {name: done[name]["deleted"] for name in ITEMS} == {"deals": 1, "contacts": 1, "companies": 0, "leads": 0}
    # Deleted rows of other lists are found by the full run alone.
    late: dict[str, set[int]] = {"tasks": {4}, "deal_payments": {payment}}
    for name, where in (("deal_stage_history", "owner_id = 8"), ("activities", "id = 5 OR owner_id = 8")):
        late[name] = {row[0] for row in sqlite_alone.rows(f"bitrix24_{name} WHERE {where}", "id")}
    for name in CRM_OBJECTS:
        assert in_table(sqlite_alone, name) - late.get(name, set()) == at_portal(name), name
        assert in_table(sqlite_alone, name) >= late.get(name, set())
    assert payment not in in_table(sqlite_alone, "payments")
    assert dict(sqlite_alone.rows("bitrix24_deals", "id, title"))[7] == "New"
    assert dict(sqlite_alone.rows("bitrix24_tasks", "id, title"))[3] == "Later"

    # Sunday.
    done = night(18)
    assert {name: report["window"] for name, report in done.items()} == {name: {} for name in CRM_OBJECTS}
    for name in CRM_OBJECTS:
        assert in_table(sqlite_alone, name) == at_portal(name), name
        assert done[name]["rows"] == len(at_portal(name)), name
    assert 8 in {row[0] for row in sqlite_alone.rows("bitrix24_deals WHERE _deleted_at IS NOT NULL", "id")}
    # And on with what has changed since the night before it.
    assert {name for name, report in night(19).items() if report["window"]} == set(CRM_OBJECTS) - WHOLE
    with hook.get_conn() as client:
        paid = {row["id"]: row["sum"] for row in client.list("sale.payment.list")}
    assert {row[0]: float(row[1]) for row in sqlite_alone.rows("bitrix24_payments", "id, sum")} == paid


def test_files_are_those_of_changes_and_on_one_day_of_all(portal, connection, run_scheduled, reports, tmp_path):
    names = ["deals", "activities", "payments", "statuses"]
    dag = dag_of(
        destination=f"file://{tmp_path}/crm/",
        objects={**{name: {} for name in names}, "deals": {"select": ["title"], "labels": False}},
        full_on="friday",
        group_id="mine",
        file_format="jsonl",
    )
    windows = {}
    for day in (15, 16, 17):
        portal.clock.advance(24 * 3600)
        run = run_scheduled(dag, scheduled_for(day))
        assert run.state == "success"
        windows[day] = {name: list(reports(run, "mine", names)[name]["window"]) for name in names}
    changes = {"deals": [">=updatedTime"], "activities": [">=LAST_UPDATED"], "payments": [], "statuses": []}
    everything: dict[str, Any] = {name: [] for name in names}
    assert windows == {15: everything, 16: everything, 17: changes}
    assert sorted(path.name for path in (tmp_path / "crm").iterdir()) == sorted(names)
    for name in names:
        loads = sorted((tmp_path / "crm" / name).glob("load=*/_SUCCESS"), key=lambda path: path.stat().st_mtime_ns)
        assert len(loads) == 3
        lines = [json.loads(line) for file in loads[1].parent.glob("part-*") for line in file.read_text().splitlines()]
        assert {line["id"] for line in lines} == at_portal(name)
        assert name != "deals" or lines[0].keys() == {"id", "title", "_bad"}


@pytest.mark.parametrize(("hour", "is_full"), [(20, False), (22, True)])
def test_the_day_is_that_of_the_timezone_of_the_dag(
    hour, is_full, portal, connection, run_scheduled, reports, sqlite_alone
):
    """Sunday in Moscow begins at 21:00 of Saturday in UTC."""
    zone = pendulum.timezone("Europe/Moscow")
    dag = dag_of(f"0 {(hour + 3) % 24} * * *", zone, sql_conn_id=CONN_ID, objects=["leads", "users"])
    for day in (15, 17):
        portal.clock.advance(24 * 3600)
        due = datetime(2026, 1, day - 1 if IS_2 else day, hour, tzinfo=timezone.utc)
        run = run_scheduled(dag, due)
        assert run.state == "success"
        windows = [bool(report["window"]) for report in reports(run, names=["leads", "users"]).values()]
    assert windows == [not is_full] * 2


def test_a_run_by_hand_does_what_its_day_asks_for(portal, connection, run_dag, reports, sqlite_alone):
    dag = dag_of(None, sql_conn_id=CONN_ID, table_prefix="", objects=["users", "statuses"], full_on=today())
    for _ in range(2):
        run = run_dag(dag)
        assert run.state == "success"
    assert [report["window"] for report in reports(run, names=["users", "statuses"]).values()] == [{}, {}]
    assert {row[0] for row in sqlite_alone.rows("users", "id")} == at_portal("users")


def test_a_backfill_has_what_tells_when_it_was_changed():
    dag = dag_of(sql_conn_id=CONN_ID, window="interval")
    assert set(dag.task_dict) == {f"bitrix24_crm.{name}" for name in CRM_OBJECTS if name not in WHOLE}
    assert {(task.window, task.write) for task in dag.tasks} == {("interval", "upsert")}


def test_a_backfill_of_seven_mapped_days_brings_what_a_week_without_runs_has_missed(
    portal, connection, run_dag, reports, sqlite_alone
):
    hook = Bitrix24Hook()
    names = ["deals", "deal_product_rows", "tasks"]
    run = run_dag(dag_of(None, sql_conn_id=CONN_ID, objects=names, full_on=today()))
    assert run.state == "success"
    first = pendulum.from_timestamp(portal.clock.now())
    for day in range(1, 8):
        portal.clock.advance(20 * 3600)
        hook.call("crm.item.update", {"entityTypeId": 2, "id": day, "fields": {"title": f"Of day {day}"}})
        portal.add_product_row(day, price=day)
        hook.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": f"Of day {day}"}})
        hook.call("tasks.task.update", {"taskId": 3, "fields": {"TITLE": f"Of day {day}"}})
        portal.clock.advance(4 * 3600)
    days = [first.add(days=number) for number in range(8)]

    with DAG("week", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:

        @task_group
        def day(window: Any) -> None:
            bitrix24_crm_to(sql_conn_id=CONN_ID, window=window, objects=names)

        day.expand(window=[f"{start.isoformat()}/{end.isoformat()}" for start, end in pairwise(days)])

    run = run_dag(dag)
    assert run.state == "success"
    assert {name for name in names if in_table(sqlite_alone, name) != at_portal(name)} == set()
    titles = dict(sqlite_alone.rows("bitrix24_deals", "id, title"))
    assert [titles[day] for day in range(1, 8)] == [f"Of day {day}" for day in range(1, 8)]
    assert dict(sqlite_alone.rows("bitrix24_tasks", "id, title"))[3] == "Of day 7"


def today() -> str:
    return f"{datetime.now(timezone.utc):%A}".lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either sql_conn_id or destination"),
        ({"sql_conn_id": "x", "destination": "file:///x"}, "give either sql_conn_id or destination"),
        ({"destination": "file:///x", "table_prefix": "a"}, "table_prefix belongs to sql_conn_id"),
        ({"sql_conn_id": "x", "full_on": "sun"}, "full_on"),
        ({"sql_conn_id": "x", "objects": ["deal"]}, "objects has 'deal'.*deals"),
        ({"sql_conn_id": "x", "objects": ["product_rows"]}, "objects has 'product_rows'"),
        ({"sql_conn_id": "x", "objects": "deals"}, "objects is 'deals'"),
        ({"sql_conn_id": "x", "objects": []}, "objects is \\[\\]"),
        ({"sql_conn_id": "x", "objects": {"deals": ["title"]}}, "objects has no arguments under 'deals'"),
        ({"sql_conn_id": "x", "write": "append"}, "sets write itself"),
        ({"sql_conn_id": "x", "window": "all"}, "window is 'all', which the group sets itself"),
        ({"sql_conn_id": "x", "objects": {"deals": {"window": "all"}}}, "sets window itself"),
        ({"sql_conn_id": "x", "window": "interval", "objects": ["deals", "statuses"]}, "objects has 'statuses', which"),
        ({"sql_conn_id": "x", "window": "interval", "full_on": "monday"}, "full_on and window are given"),
        ({"sql_conn_id": "x", "window": "2026-01-01/2026-01-02"}, "not two moments with their zones"),
        ({"sql_conn_id": "x", "objects": {"deals": {"item_filter": {"id": 1}}}}, "sets item_filter itself"),
        ({"sql_conn_id": "x", "children": "payments"}, "sets children itself"),
        ({"sql_conn_id": "x", "table_prefix": "a.b."}, "a.b.deals"),
        ({"sql_conn_id": "x", "max_bad_share": 2}, "max_bad_share"),
        ({"sql_conn_id": "x", "table_prefix": None}, "table_prefix is None, which is not a text"),
        ({"sql_conn_id": None}, "sql_conn_id is None, which is not a text"),
        ({"destination": None}, "destination is None, which is not a text"),
        ({"destination": ["file:///x"]}, "destination is .*, which is not a text"),
        ({"sql_conn_id": "x", "objects": {"deals": {"sql_conn_id": "y"}}}, "sets sql_conn_id itself"),
        ({"destination": "file:///x", "objects": {"deals": {"destination": "y"}}}, "sets destination itself"),
    ],
)
def test_wrong_arguments_are_refused_when_the_file_is_parsed(arguments, message):
    with pytest.raises(AirflowFailException, match=message):
        dag_of(**arguments)


def test_a_group_without_a_dag_is_refused():
    # Airflow's own sentence; its class differs between 2.11 and 3.3.
    with pytest.raises(Exception, match="only be used inside a dag"):
        bitrix24_crm_to(sql_conn_id="x")


def test_two_groups_stand_in_one_dag_and_nothing_is_read_when_it_is_parsed(portal, connection):
    with DAG("both", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
        first = bitrix24_crm_to(sql_conn_id="{{ params.to }}", table_prefix="{{ params.schema }}.", retries=3)
        first >> bitrix24_crm_to(destination="{{ params.folder }}", group_id="files", objects=["deals"])
    assert len(dag.tasks) == len(CRM_OBJECTS) + 1
    deals = dag.get_task("bitrix24_crm.deals")
    assert (deals.table, deals.retries) == ("{{ params.schema }}.deals", 3)
    assert dag.get_task("files.deals").upstream_task_ids == {f"bitrix24_crm.{name}" for name in CRM_OBJECTS}
    assert portal.calls == []
