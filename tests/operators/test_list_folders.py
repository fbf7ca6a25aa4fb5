"""Lists to a folder: part files that a wait, or another try, goes on with; a file is written again from its start."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.exports.sources import raw_source_of
from airflow_provider_bitrix24.methods import Methods
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.accelerated import Blocks, accelerate_trigger, accelerated
from tests.execution.waits import deferred, resumed
from tests.operators.context import context
from tests.rest.clients import Naps, client_of
from tests.sleepless import sleepless

LIST = "crm.item.list"
#: As good as none: what is tested is not the request bucket.
WIDE_OPEN = {"rate": 100_000, "burst": 100_000}
DEALS = 4000
SELECT = ["title", "opened", "opportunity"]
#: Both operators, for the same rows.
OPERATORS: dict[str, tuple[type, dict[str, Any]]] = {
    "any list": (
        Bitrix24ListOperator,
        {"method": LIST, "method_params": {"entityTypeId": 2, "select": SELECT, "filter": {">id": 3}}},
    ),
    "an old list": (
        Bitrix24ListOperator,
        {"method": "crm.deal.list", "method_params": {"SELECT": ["TITLE"], "FILTER": {">ID": 3}}},
    ),
    "items": (
        Bitrix24ListItemsOperator,
        {"entity_type_id": "deal", "select": SELECT, "item_filter": {">id": 3}, "typed": True},
    ),
}


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    with Sandbox(deals=DEALS) as portal:
        yield portal


@pytest.fixture
def portal(large) -> Sandbox:
    large.clear_faults()
    large.reset_calls()
    return large


@pytest.fixture(autouse=True)
def _connected(portal, connect) -> None:
    connect(**WIDE_OPEN)


@pytest.fixture(params=OPERATORS)
def kind(request) -> tuple[type, dict[str, Any]]:
    return OPERATORS[request.param]


def run(kind: tuple[type, dict[str, Any]], destination: str, given: Any = None, **arguments: Any) -> Any:
    operator, own = kind
    task = sleepless(operator)(task_id="task", destination=destination, **{**own, **arguments})
    return task.execute(given or context())


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """What a reader finds who believes ``_SUCCESS`` and the manifest."""
    (load,) = [file.parent for file in folder.glob("load=*/_SUCCESS")]
    manifest = json.loads((load / "_manifest.json").read_text())
    rows = [json.loads(line) for part in manifest["parts"] for line in (load / part["name"]).read_text().splitlines()]
    assert len(rows) == manifest["rows"]
    return rows


def own_id(row: dict[str, Any]) -> int:
    return int(row["id"] if "id" in row else row["ID"])


def ids(portal: Sandbox) -> list[int]:
    return [deal["id"] for deal in portal.items(2) if deal["id"] > 3]


def test_a_folder_has_the_rows_of_a_file_and_their_ids(kind, portal, tmp_path):
    file = run(kind, f"{tmp_path}/rows.jsonl")
    done = run(kind, f"{tmp_path}/rows/")
    assert done == {"path": done["path"], "rows": file["rows"], "bytes": done["bytes"], "parts": 1}
    assert Path(done["path"].removeprefix("file://")).parent == tmp_path / "rows"
    rows = rows_of(tmp_path / "rows")
    assert [own_id(row) for row in rows] == ids(portal)
    for row in rows:
        # The file has only what was selected.
        row.pop("id", None), row.pop("ID", None)
    assert rows == [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]


def test_nothing_but_the_package_itself_is_needed(portal, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in [name for name in sys.modules if name.startswith("airflow_provider_bitrix24.exports")]:
        monkeypatch.delitem(sys.modules, name)
    assert run(OPERATORS["any list"], f"{tmp_path}/rows/")["rows"] == len(ids(portal))


def test_a_blocked_list_goes_on_behind_what_it_has_read(
    kind, portal, run_dag, task_instance, xcom, monkeypatch, tmp_path
):
    operator, own = kind
    naps = Blocks(portal, own.get("method", LIST), 20, 20, 20)
    triggers = accelerate_trigger(naps, monkeypatch)
    with DAG("listed", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        accelerated(operator, naps)(
            task_id="task", destination=f"{tmp_path}/rows/", wait_for_limits="defer", retries=0, **own
        )
    done = run_dag(dag)
    assert (done.state, task_instance(done, "task").try_number) == ("success", 1)
    assert len(triggers) == 3
    assert (xcom(done, "task")["rows"], xcom(done, "task")["parts"]) == (len(ids(portal)), 4)
    assert [own_id(row) for row in rows_of(tmp_path / "rows")] == ids(portal)


def test_the_log_of_a_wait_says_that_a_file_begins_again_and_a_folder_does_not(portal, tmp_path, caplog):
    caplog.set_level("INFO", logger="airflow_provider_bitrix24")
    for destination, begins in ((f"{tmp_path}/rows.jsonl", True), (f"{tmp_path}/rows/", False)):
        naps = Blocks(portal, LIST, 20)
        _, own = OPERATORS["items"]
        caplog.clear()
        task = accelerated(Bitrix24ListItemsOperator, naps)(task_id="task", destination=destination, **own)
        task.wait_for_limits = "sleep"
        portal.reset_calls()
        assert task.execute(context())["rows"] == len(ids(portal))
        assert ("read again from its start" in caplog.text) is begins
        begun = [int(call.params["filter"][">id"]) for call in portal.calls if call.method == LIST]
        assert (begun[-1] == 3) is begins


def test_another_try_goes_on_behind_the_last_part_and_a_cleared_task_begins_again(portal, tmp_path):
    portal.fault("error", LIST, after=20, times=None)
    with pytest.raises(Bitrix24Error):
        run(OPERATORS["items"], f"{tmp_path}/rows/", context())
    kept = sum(len(file.read_text().splitlines()) for file in tmp_path.glob("rows/load=*/part-*"))
    assert 0 < kept < DEALS
    portal.clear_faults()
    portal.reset_calls()
    done = run(OPERATORS["items"], f"{tmp_path}/rows/", context(try_number=2))
    assert [own_id(row) for row in rows_of(tmp_path / "rows")] == ids(portal)
    first = next(call for call in portal.calls if call.method == LIST)
    assert int(first.params["filter"][">id"]) == ids(portal)[kept - 1]
    again = run(OPERATORS["items"], f"{tmp_path}/rows/", context(retries=5, try_number=3))
    assert again["path"] != done["path"]
    assert again["rows"] == done["rows"]


def test_a_limit_counts_over_the_tries(portal, tmp_path):
    portal.fault("error", LIST, after=20, times=None)
    with pytest.raises(Bitrix24Error):
        run(OPERATORS["items"], f"{tmp_path}/rows/", limit=3500)
    portal.clear_faults()
    assert run(OPERATORS["items"], f"{tmp_path}/rows/", context(try_number=2), limit=3500)["rows"] == 3500
    assert [own_id(row) for row in rows_of(tmp_path / "rows")] == ids(portal)[:3500]


def test_a_list_that_is_not_read_by_id_begins_again_in_a_folder_of_its_own(portal, tmp_path, caplog):
    caplog.set_level("INFO", logger="airflow_provider_bitrix24")
    fields = {"ENTITY_TYPE_ID": 3, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Firm"}
    adds = {number: ("crm.requisite.add", {"fields": fields}) for number in range(60)}
    assert len(client_of(portal).batch(adds).replies) == 60
    naps = Blocks(portal, "crm.requisite.list", 1)
    made = lambda: accelerated(Bitrix24ListOperator, naps)(  # noqa: E731
        task_id="task", method="crm.requisite.list", destination=f"{tmp_path}/rows/", wait_for_limits="defer"
    )
    given = context()
    deferral = deferred(made(), given)
    assert "read again from its start" in caplog.text
    naps(60)
    done = resumed(made(), deferral, given)
    assert done["rows"] == len(list(client_of(portal).list("crm.requisite.list"))) == len(rows_of(tmp_path / "rows"))


def test_a_bound_in_another_case_does_not_stand_beside_the_one_of_a_retry():
    source = raw_source_of(Methods().find("user.get"), {"filter": {">id": 3, "ACTIVE": True}})
    assert source.params_with({">ID": 9}) == {"FILTER": {"ACTIVE": True, ">ID": 9}}
    with pytest.raises(ConfigurationError, match="the same parameter"):
        raw_source_of(Methods().find("user.get"), {"filter": {}, "FILTER": {}})


@pytest.mark.parametrize(
    ("written", "value"),
    [("{{ params.folder }}", "/data/rows/"), ("/data/{{ params.name }}", "/data/")],
    ids=["a template alone", "a template of nothing"],
)
def test_a_slash_that_the_author_has_not_written_is_refused(written, value, portal, tmp_path):
    task = sleepless(Bitrix24ListOperator)(task_id="task", method=LIST, destination=written)
    task.destination = value
    with pytest.raises(AirflowFailException, match=r"destination (does not name a file|has a template that came out)"):
        task.execute(context())
    assert portal.requests == 0


@pytest.mark.parametrize("destination", ["/", "s3://bucket/", "rows/", "file:///"])
def test_what_names_no_folder_is_refused_when_the_dag_is_parsed(destination):
    with pytest.raises(AirflowFailException, match="destination "):
        Bitrix24ListOperator(task_id="task", method=LIST, destination=destination)


def test_mapped_tasks_may_share_a_folder(portal, run_dag, xcom, tmp_path):
    with DAG("mapped_folders", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24ListItemsOperator.partial(task_id="task", select=["id"], destination=f"{tmp_path}/rows/").expand(
            entity_type_id=["deal", "company"]
        )
    done = run_dag(dag)
    assert done.state == "success"
    deals, companies = (xcom(done, "task", index) for index in (0, 1))
    assert deals["path"] != companies["path"]
    assert (deals["rows"], companies["rows"]) == (DEALS, len(portal.items(4)))


def test_waiting_asleep_keeps_the_parts_too(portal, tmp_path):
    naps: Naps = Blocks(portal, LIST, 20, 20)
    operator, own = OPERATORS["any list"]
    task = accelerated(operator, naps)(
        task_id="task", destination=f"{tmp_path}/rows/", wait_for_limits="sleep", patience=700, **own
    )
    # Each of the two waits has a patience of its own, since parts were written in between.
    assert task.execute(context())["parts"] == 3


def test_a_part_that_cannot_be_put_says_why(portal, tmp_path):
    deals = [deal for deal in portal.items(2) if deal["id"] > 3]

    def lose_the_folder(params: dict[str, Any]) -> dict[str, Any]:
        shutil.rmtree(tmp_path / "rows")
        return {"items": deals[:1]}

    portal.answers[LIST] = lose_the_folder
    try:
        with pytest.raises(FileNotFoundError, match="part-00001"):
            run(OPERATORS["items"], f"{tmp_path}/rows/", limit=1)
    finally:
        del portal.answers[LIST]
