"""Lists as files: complete, typed, visible only when they are whole."""

from __future__ import annotations

import csv
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator
from tests.operators.context import context
from tests.secrecy import assert_untold
from tests.sleepless import sleepless
from tests.transfers.lists import DEALS, LIST, calls


def load(folder: Path, *, run: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    what = {} if "method" in arguments else {"entity_type_id": "deal"}
    arguments = {**what, "window": "all", "destination": f"file://{folder}/deals", **arguments}
    return sleepless(Bitrix24ToObjectStorageOperator)(task_id="t", **arguments).execute(run or context())


def folder_of(done: dict[str, Any]) -> Path:
    return Path(done["path"].removeprefix("file://"))


def rows_of(done: dict[str, Any]) -> list[dict[str, Any]]:
    """What a reader finds who believes ``_SUCCESS`` and the manifest."""
    folder = folder_of(done)
    assert (folder / "_SUCCESS").exists()
    manifest = json.loads((folder / "_manifest.json").read_text())
    rows: list[dict[str, Any]] = []
    for part in manifest["parts"]:
        file = folder / part["name"]
        assert file.stat().st_size == part["bytes"]
        if file.suffix == ".parquet":
            rows += pyarrow.parquet.ParquetFile(file).read().to_pylist()
        elif file.suffix == ".jsonl":
            rows += map(json.loads, file.read_text().splitlines())
        else:
            with file.open(newline="") as stream:
                rows += csv.DictReader(stream)
    assert len(rows) == manifest["rows"] == done["rows"]
    return rows


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "csv"])
def test_every_row_is_there_once_in_parts_that_a_manifest_names(file_format, to_large, tmp_path, small_parts):
    done = load(tmp_path, file_format=file_format, select=["title", "OPPORTUNITY", "opened", "createdTime"])
    rows = rows_of(done)
    assert [int(row["id"]) for row in rows] == list(range(1, DEALS + 1))
    assert done["parts"] == len(list(folder_of(done).glob(f"part-*.{file_format}"))) > 2
    assert list(rows[0]) == ["id", "title", "opportunity", "opened", "created_time", "_bad"]
    first = to_large.item(2, 1)
    assert rows[0]["title"] == first["title"]
    assert float(rows[0]["opportunity"]) == float(first["opportunity"])
    moment = rows[0]["created_time"]
    if not isinstance(moment, datetime):
        moment = datetime.fromisoformat(moment)
    assert moment == datetime.fromisoformat(first["createdTime"])


def test_both_generations_of_methods_make_one_table(to_large, tmp_path):
    new, old = rows_of(load(tmp_path / "new")), rows_of(load(tmp_path / "old", method="crm.deal.list"))
    for row in (*new, *old):
        # The old list does not have them.
        del row["contact_ids"], row["observers"]
    assert new == old


@pytest.mark.parametrize(
    ("kind", "select"),
    [
        ("deal", ["stageId", "typeId", "updatedTime"]),
        ("lead", ["stageId", "movedBy"]),
        ("contact", ["typeId", "createdBy"]),
        ("company", ["typeId", "createdTime"]),
        ("quote", ["stageId", "updatedBy"]),
    ],
)
def test_both_generations_take_the_same_names_in_select(kind, select, to_large, tmp_path):
    new = rows_of(load(tmp_path / "new", entity_type_id=kind, select=select))
    assert new == rows_of(load(tmp_path / "old", method=f"crm.{kind}.list", select=select))


@pytest.mark.parametrize(
    ("arguments", "rows", "columns"),
    [
        ({"entity_type_id": "contact"}, None, {"birthdate": "date32[day]", "phone": "string", "photo": "int64"}),
        ({"method": "tasks.task.list"}, 60, {"changed_date": "timestamp[us, tz=UTC]", "accomplices": "string"}),
        ({"method": "user.get"}, None, {"active": "bool", "uf_department": "string"}),
        ({"method": "crm.activity.list"}, None, {"owner_type_id": "int64", "last_updated": "timestamp[us, tz=UTC]"}),
        ({"method": "voximplant.statistic.get"}, None, {"cost": "decimal128(24, 4)", "call_duration": "int64"}),
        ({"method": "crm.status.list"}, None, {"status_id": "string", "sort": "int64"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_objects_of_other_kinds_have_their_types(arguments, rows, columns, to_large, tmp_path):
    done = load(tmp_path, **arguments)
    manifest = json.loads((folder_of(done) / "_manifest.json").read_text())
    assert columns.items() <= manifest["columns"].items()
    found = rows_of(done)
    assert len(found) == (rows or len(found)) > 0
    assert done["bad"] == {}


def test_a_file_is_its_id_and_no_address_with_a_token_is_written(portal, connection, tmp_path):
    hook = Bitrix24Hook()
    hook.call("crm.item.update", {"entityTypeId": 3, "id": 1, "fields": {"photo": ["face.png", "iVBORw0KGgo="]}})
    photo = hook.call("crm.item.get", {"entityTypeId": 3, "id": 1})["item"]["photo"]
    assert photo["urlMachine"]
    done = load(tmp_path, entity_type_id="contact", file_format="jsonl")
    assert rows_of(done)[0]["photo"] == int(photo["id"])
    assert photo["urlMachine"].rpartition("token=")[2] not in folder_of(done).joinpath("_manifest.json").read_text()
    assert "token=" not in "".join(path.read_text() for path in folder_of(done).iterdir())


# What a person gets wrong.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"select": ["titel"]}, "select names 'titel', which is not a field of crm.deal: did you mean title?"),
        ({"select": None}, "select is None"),
        ({"item_filter": {"titel": "x"}}, "item_filter names 'titel'"),
        ({"item_filter": None}, "item_filter is None"),
        ({"method": "crm.deal.list", "entity_type_id": "deal"}, "give either entity_type_id or method"),
        ({"method": "crm.deal.list", "item_filter": {"id": 1}}, "item_filter belongs to entity_type_id"),
        ({"method_params": {"filter": {}}}, "method_params belongs to method"),
        ({"method": "crm.deal.list", "method_params": {"select": ["ID"]}}, "give the argument select instead"),
        ({"method": "crm.deal.list", "method_params": {"filter": "None"}}, "filter"),
        ({"method": "crm.deal.add"}, "not known to be a list"),
        ({"method": "crm.status.list", "window": "watermark"}, 'set window="all" to load every row each time'),
        ({"destination": "s3:///deals"}, "destination"),
        ({"destination": ""}, "destination does not name a folder"),
        ({"window": "interval"}, "the data interval of this run is None to None, and can hold no row"),
        ({"window": "interval", "item_filter": {">=updatedTime": "2026-01-01T00:00:00+00:00"}}, "can hold no row"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_wrong_arguments_are_named_before_any_row_is_read(arguments, message, to_large, tmp_path):
    with pytest.raises(AirflowFailException) as refused:
        load(tmp_path, **arguments)
    assert message in str(refused.value)
    assert calls(to_large, LIST) == calls(to_large, "crm.deal.list") == 0
    assert not list(tmp_path.rglob("part-*"))


@pytest.mark.parametrize("rendered", ["None", "", "nan"])
def test_a_template_without_a_value_in_the_destination_is_refused(rendered, to_large, tmp_path):
    operator = Bitrix24ToObjectStorageOperator(
        task_id="t", entity_type_id="deal", window="all", destination=f"{tmp_path}/deals_{{{{ day }}}}"
    )
    operator.destination = f"{tmp_path}/deals_{rendered}"
    with pytest.raises(AirflowFailException, match="destination"):
        operator.execute(context())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"window": "yesterday"}, {"file_format": "xlsx"}, {"max_bad_share": 2}, {"max_bad_share": "1%"},
        {"overlap_seconds": -1}, {"dry_run": "false"}, {"overlap_seconds": True},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_arguments_fail_when_the_dag_is_parsed(arguments):
    with pytest.raises(AirflowFailException, match=next(iter(arguments))):
        Bitrix24ToObjectStorageOperator(task_id="t", destination="/data", entity_type_id="deal", **arguments)


# Windows.


def interval(start: datetime, end: datetime) -> dict[str, Any]:
    return {**context(), "data_interval_start": start, "data_interval_end": end}


def test_an_interval_takes_what_was_changed_in_it(to_large, tmp_path):
    times = sorted(datetime.fromisoformat(deal["updatedTime"]) for deal in to_large.items(2))
    start, end = times[100], times[200]
    meant = sum(start <= moment < end for moment in times)
    done = load(tmp_path, window="interval", run=interval(start, end))
    assert done["rows"] == len(rows_of(done)) == meant > 0
    assert done["watermark"] is None
    for wrong in (interval(end, start), interval(start, start)):
        with pytest.raises(AirflowFailException, match="CronDataIntervalTimetable"):
            load(tmp_path, window="interval", run=wrong)


def run_of(number: int, **more: Any) -> dict[str, Any]:
    run = context(**more)
    run["ti"].run_id = f"scheduled__{number}"
    return run


def test_a_watermark_brings_what_was_changed_since_the_load_before(portal, connection, tmp_path):
    hook = Bitrix24Hook()
    first = load(tmp_path, window="watermark", run=run_of(1))
    assert (first["rows"], first["window"]) == (30, {})
    portal.clock.advance(3600)
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
    added = hook.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "New"}})["item"]["id"]
    second = load(tmp_path, window="watermark", run=run_of(2))
    assert sorted(row["id"] for row in rows_of(second)) == [7, added]
    assert datetime.fromisoformat(second["window"][">=updatedTime"]) == datetime.fromisoformat(
        first["watermark"]
    ) - timedelta(seconds=600)
    # What was changed shortly before comes again: it may have become visible after the load before had begun.
    portal.clock.advance(60)
    assert sorted(row["id"] for row in rows_of(load(tmp_path, window="watermark", run=run_of(3)))) == [7, added]
    for number, rows in ((4, 2), (5, 0)):
        portal.clock.advance(3600)
        assert load(tmp_path, window="watermark", run=run_of(number))["rows"] == rows


def test_each_filter_has_a_watermark_of_its_own_and_none_moves_back(portal, connection, tmp_path):
    load(tmp_path, window="watermark", run=run_of(1))
    other = load(tmp_path, window="watermark", item_filter={"stageId": "NEW"}, run=run_of(1))
    assert (other["window"], other["rows"] > 0) == ({}, True)
    kept = json.loads((tmp_path / "deals" / "_bitrix24.json").read_text())
    assert len(kept) == 2
    for window in ("all", "interval"):
        portal.clock.advance(600)
        now = datetime.now(timezone.utc)
        load(tmp_path, window=window, run={**run_of(2), **interval(now - timedelta(days=900), now)})
        assert json.loads((tmp_path / "deals" / "_bitrix24.json").read_text()) == kept


def test_a_condition_on_the_field_of_the_window_is_refused(portal, connection, tmp_path):
    load(tmp_path, window="watermark", run=run_of(1))
    with pytest.raises(AirflowFailException, match="the window sets bounds of the same field"):
        load(
            tmp_path, method="crm.deal.list", window="interval",
            method_params={"filter": {">=DATE_MODIFY": "2026-01-01T00:00:00+00:00"}},
            run=interval(datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone.utc)),
        )  # fmt: skip


def test_a_window_holds_beside_every_alternative_of_the_author(portal, connection, tmp_path):
    either = {"logic": "OR", "0": {"id": 7}, "1": {"id": 8}}
    arguments = {"window": "watermark", "item_filter": either}
    assert [row["id"] for row in rows_of(load(tmp_path, run=run_of(1), **arguments))] == [7, 8]
    portal.clock.advance(3600)
    for deal in (8, 9):
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"title": "Changed"}})
    assert [row["id"] for row in rows_of(load(tmp_path, run=run_of(2), **arguments))] == [8]


@pytest.mark.parametrize("own", [[["ID", "=", 7]], {"LOGIC": "OR", "0": {"ID": 7}, "1": {"ID": 8}}], ids=str)
def test_a_filter_that_leaves_no_room_for_a_window_is_refused_and_not_replaced(own, to_large, tmp_path):
    day = interval(datetime(2026, 1, 12, tzinfo=timezone.utc), datetime(2026, 1, 13, tzinfo=timezone.utc))
    with pytest.raises(AirflowFailException, match=r"is not an object|cannot be combined"):
        load(tmp_path, method="crm.deal.list", method_params={"filter": own}, window="interval", run=day)
    assert calls(to_large, "crm.deal.list") == 0


def test_a_dry_run_counts_and_writes_nothing(to_large, tmp_path):
    assert load(tmp_path, dry_run=True) == {"rows": DEALS, "requests": 3, "window": {}}
    assert list(tmp_path.rglob("*")) == [tmp_path / "deals"]
    assert calls(to_large, LIST) == 1


# Failures.


def test_a_retry_goes_on_behind_the_last_part_under_the_window_of_the_first_try(tmp_path, small_parts, monkeypatch):
    with Sandbox(deals=6000) as portal:
        # One request at a time, so that rows are there before one fails.
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(parallel=1))
        arguments = {"window": "watermark", "select": ["title"]}
        portal.fault("error", LIST, after=80, times=None)
        with pytest.raises(Bitrix24Error):
            load(tmp_path, run=context(try_number=1), **arguments)
        folder = next((tmp_path / "deals").glob("load=*"))
        before = {path.name for path in folder.glob("part-*")}
        assert len(before) > 3
        assert not (folder / "_SUCCESS").exists()
        assert not (tmp_path / "deals" / "_bitrix24.json").exists()
        plan = json.loads((folder / "_load.json").read_text())
        portal.clear_faults()
        portal.reset_calls()
        portal.clock.advance(600)
        done = load(tmp_path, run=context(try_number=2), **arguments)
        assert folder_of(done) == folder
        assert [row["id"] for row in rows_of(done)] == list(range(1, 6001))
        assert before < {path.name for path in folder.glob("part-*")}
        assert done["watermark"] == plan["watermark"]
        commands = [command for call in portal.calls for command in (call.commands or [call])]
        bounds = [command.params["filter"][">id"] for command in commands if command.method == LIST]
        # The others refer to the page before them.
        bounds = [int(bound) for bound in bounds if isinstance(bound, (int, str))]
        assert min(bounds) == 500 * len(before)
        # A third try finds it published.
        portal.reset_calls()
        assert load(tmp_path, run=context(try_number=3), **arguments) == done
        assert calls(portal, LIST) == 0


def test_a_cleared_task_begins_a_load_of_its_own(to_large, tmp_path):
    first, cleared = load(tmp_path), load(tmp_path, run=context(try_number=2, retries=4))
    assert first["path"] != cleared["path"]
    assert rows_of(first) == rows_of(cleared)


def test_a_list_that_cannot_be_proven_whole_is_not_published(to_large, tmp_path):
    to_large.fault("error", LIST, after=5, times=None, code="ACCESS_DENIED", status=403)
    with pytest.raises(AirflowFailException):
        load(tmp_path)
    assert not list(tmp_path.rglob("_SUCCESS"))
    assert not list(tmp_path.rglob("_manifest.json"))


def test_values_that_do_not_fit_fail_the_load_before_it_is_published(portal, connection, tmp_path):
    rows = [{"ID": str(number), "SORT": "first" if number == 1 else "10"} for number in range(1, 41)]
    portal.answers["crm.status.list"] = lambda params: rows
    with pytest.raises(AirflowFailException, match="1 of 40 values of sort do not fit its type"):
        load(tmp_path, method="crm.status.list")
    assert not list(tmp_path.rglob("_SUCCESS"))
    done = load(tmp_path, method="crm.status.list", max_bad_share=0.05, run=run_of(2))
    assert done["bad"] == {"sort": 1}
    assert rows_of(done)[0]["_bad"] == '{"sort": "first"}'


def test_a_name_that_no_field_has_is_a_column(portal, connection, tmp_path, caplog):
    portal.answers["crm.status.list"] = [[{"ID": "1", "UF_NEW": "x"}]]
    done = load(tmp_path, method="crm.status.list")
    assert rows_of(done)[0]["uf_new"] == "x"
    assert "Columns for names that the fields do not have: uf_new" in caplog.text


def test_no_secret_is_written(to_large, tmp_path, all_output):
    done = load(tmp_path)
    assert_untold(to_large.admin.code, all_output)
    files = [path.read_text() for path in folder_of(done).iterdir() if path.suffix == ".json"]
    assert to_large.admin.code not in json.dumps(done) + "".join(files)


def test_a_worker_without_pyarrow_says_what_to_install(to_large, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(AirflowFailException, match=r"pip install 'airflow-provider-bitrix24\[parquet\]'"):
        load(tmp_path)
