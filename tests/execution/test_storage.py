"""A file that cannot be written is refused before the portal is asked, by every operator that writes one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bitrix24._compat import AirflowFailException, BaseHook, ObjectStoragePath
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.storage import (
    is_same_file,
    make_folder,
    storage_path,
    writable_path,
    write_json_lines,
)
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from tests.operators.context import context

ROWS = {"rows": [{"originId": "1", "title": "Acme"}], "entity_type_id": "company"}
#: Operators that write a file: which argument names it, and what else they need.
OPERATORS: dict[type, tuple[str, dict[str, Any]]] = {
    Bitrix24ListOperator: ("destination", {"method": "crm.deal.list"}),
    Bitrix24ListItemsOperator: ("destination", {"entity_type_id": "deal"}),
    Bitrix24BulkWriteOperator: ("report", ROWS),
    Bitrix24ImportItemsOperator: ("report", ROWS),
    Bitrix24UpsertItemsOperator: ("report", {**ROWS, "key": "originId"}),
    Bitrix24DeletePaymentsOperator: ("report", {"payment_ids": [1001]}),
}


def run(operator: type, address: Any) -> Any:
    argument, others = OPERATORS[operator]
    return operator(task_id="task", **{argument: address}, **others).execute(context())


def failure_of(operator: type, address: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, address)
    return str(caught.value)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("{}/file/x.jsonl", "cannot be written: no file can be created in file://{}/file (a part of it is a file"),
        ("{}/file/more/x.jsonl", "(a part of it is a file, not a folder): give the user"),
        ("{}/folder", "is a folder, file://{}/folder: add the name of a file to it"),
        ("{}/" + 300 * "n", "(File name too long)"),
        ("nosuch://bucket/x.jsonl", "cannot be used (ValueError): install the Airflow provider of this storage"),
        ("s3:/bucket/x.jsonl", "does not name a file, but 's3:/bucket/x.jsonl': write e.g. s3://"),
        (["x.jsonl"], "is not the address of a file, but ['x.jsonl']: write e.g. s3://"),
        (5, "is not the address of a file, but 5: write e.g. s3://"),
    ],
)
def test_a_file_that_cannot_be_written_is_reported_before_the_portal_is_asked(
    operator, address, hint, tmp_path, portal, connection
):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    message = failure_of(operator, address.format(tmp_path) if isinstance(address, str) else address)
    assert message.startswith(OPERATORS[operator][0])
    assert hint.replace("{}", str(tmp_path)) in message
    assert portal.connections == 0
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


class Storage(MemoryFileSystem):
    """An object storage that fails when a file is opened in it."""

    cachable = False
    failure: Exception

    def _open(self, *arguments: Any, **options: Any) -> Any:
        raise self.failure


@pytest.fixture
def storage() -> Storage:
    """The storage behind addresses ``memory://…``, attached as Airflow attaches one."""
    try:
        from airflow.sdk.io.store import attach
    except ImportError:
        from airflow.io.store import attach
    # Airflow keeps the one that was attached first.
    return attach("memory", fs=Storage()).fs


@pytest.mark.parametrize(
    ("failure", "hint"),
    [
        (PermissionError(13, "Access Denied"), "(Access Denied): give the user that Airflow's tasks run as the right"),
        (FileNotFoundError("The specified bucket does not exist"), "(FileNotFoundError): "),
        (NotImplementedError(), "(NotImplementedError): "),
    ],
)
def test_an_object_storage_that_takes_no_file_is_reported_before_the_portal_is_asked(
    failure, hint, storage, portal, connection
):
    storage.failure = failure
    message = failure_of(Bitrix24ListOperator, "memory://bucket/deals.jsonl")
    assert "destination cannot be written: no file can be created in memory:" in message
    assert f"bucket {hint}" in message
    assert portal.connections == 0


class Buckets(MemoryFileSystem):
    """Object storage with one bucket, which records what would make or delete one."""

    cachable = False
    protocol = "s3"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = ["", "/there"]

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def mkdir(self, path: str, *arguments: Any, **options: Any) -> None:
        self.made.append(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.made.append(path)

    def rmdir(self, path: str) -> None:
        self.made.append(path)

    def _open(self, path: str, *arguments: Any, **options: Any) -> Any:
        if "there" not in path.split("/"):
            raise FileNotFoundError(2, "The specified bucket does not exist")
        return super()._open(path, *arguments, **options)


@pytest.fixture
def buckets() -> Iterator[Buckets]:
    """The storage behind addresses ``s3://…``."""
    try:
        from airflow.sdk.io.store import _STORE_CACHE, attach
    except ImportError:
        from airflow.io.store import _STORE_CACHE, attach
    kept = dict(_STORE_CACHE)
    _STORE_CACHE.clear()
    yield attach("s3", fs=Buckets()).fs
    _STORE_CACHE.clear()
    _STORE_CACHE.update(kept)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("/s3:/there/x.jsonl", "does not name a file, but '/s3:/there/x.jsonl'"),
        ("s3:there/x.jsonl", "does not name a file"),
        ("/gs:/there/x.jsonl", "does not name a file"),
        ("/tmp/{{ ds }}/x.jsonl", "has a template that was not rendered"),
        ("{% if x %}s3{% endif %}://there/x.jsonl", "has a template that was not rendered"),
        ("/tmp/{ds}/x.jsonl", "has a name that was not filled in"),
        ("s3://there/%(ds)s.jsonl", "has a name that was not filled in"),
        ("$HOME/x.jsonl", "has a name that was not filled in"),
        ("s3://${BUCKET}/x.jsonl", "has a name that was not filled in"),
        ("C:\\data\\x.jsonl", "names no path of this computer"),
        ("file://data/x.jsonl", "names no path of this computer"),
        ("/tmp/None.jsonl", "has a part without a value, 'None.jsonl' in"),
        ("s3://there/nan/x.jsonl", "has a part without a value, 'nan' in"),
        ("file:///tmp/NaT/None/x.jsonl", "has a part without a value, 'NaT' in"),
        ("s3://there", "does not name a file"),
        ("s3://there/", "does not name a"),
        ("s3://conn@there", "does not name a file"),
        ("s3:///x.jsonl", "names no bucket"),
        ("s3://conn@/x.jsonl", "names no bucket"),
        ("s3://misspelt/x.jsonl", "cannot be written: no file can be created in s3:"),
        ("s3://misspelt/a/b/x.jsonl", "cannot be written: no file can be created in s3:"),
    ],
)
def test_an_address_that_is_none_is_refused_and_makes_or_deletes_no_bucket(
    operator, address, hint, buckets, portal, connection, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert hint in failure_of(operator, address)
    assert portal.connections == 0
    assert buckets.made == []
    assert list(tmp_path.iterdir()) == []


RELATIVE = [
    "out/x.jsonl",
    "x.jsonl",
    "./x.jsonl",
    "../x.jsonl",
    "~/x.jsonl",
    "  out/x.jsonl ",
    PurePosixPath("out/x.jsonl"),
]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("address", RELATIVE, ids=str)
def test_a_relative_path_is_refused_since_it_is_another_file_on_each_host(
    operator, address, portal, connection, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    message = failure_of(operator, address)
    assert f"{OPERATORS[operator][0]} is a relative path, {str(address).strip()!r}, and each worker" in message
    assert "write a whole address, e.g. s3://conn_id@bucket/deals.jsonl or file:///data/deals.jsonl" in message
    assert portal.connections == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["firms.csv", "./firms.csv", "in/firms.jsonl", "../firms.parquet"])
@pytest.mark.parametrize(
    "operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator, Bitrix24UpsertItemsOperator]
)
def test_so_is_one_of_rows(operator, name, portal, connection, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "firms.csv").write_text("originId,title\n1,Oak\n")
    more = {"key": "originId"} if operator is Bitrix24UpsertItemsOperator else {}
    with pytest.raises(AirflowFailException, match="rows is a relative path"):
        operator(task_id="task", rows=name, entity_type_id=4, **more).execute(context())
    assert portal.executed("batch") == 0


def test_folders_of_object_storage_are_not_made_since_that_could_make_a_bucket(buckets):
    for address in ("s3://there/x.jsonl", "s3://there/a/b/x.jsonl", "s3://there/a/b/x.jsonl.checkpoint/y"):
        make_folder(storage_path(address, "report").parent)
    assert buckets.made == []


def render(operator: type, address: str, rendered: str) -> Any:
    argument, others = OPERATORS[operator]
    task = operator(task_id="task", **{argument: address}, **others)
    setattr(task, argument, rendered)
    return task.execute(context())


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("gap", ["", "None", "nan", "NaT", "<NA>"])
@pytest.mark.parametrize(
    "written", ["deals_{{ x }}.jsonl", "{{ x }}_deals.jsonl", "a{{ x }}/{{ x }}b.jsonl", "x-{{ y.z | d }}-{{ x }}"]
)
def test_a_template_that_came_out_as_nothing_within_a_name_is_refused(
    operator, gap, written, portal, connection, tmp_path
):
    """Every run wrote the same file."""
    rendered = written.replace("{{ x }}", gap).replace("{{ y.z | d }}", "7")
    with pytest.raises(AirflowFailException, match="has a template that came out as nothing"):
        render(operator, f"{tmp_path}/{written}", f"{tmp_path}/{rendered}")
    assert portal.connections == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "rendered"),
    [
        ("{{ folder }}/{{ ds }}.jsonl", "{}/2026-01-01.jsonl"),
        ("{{ folder }}/a/{{ ds }}{{ x }}.jsonl", "{}/a/2026-01-01.jsonl"),
        ("{{ folder }}/Nonesuch_None.jsonl", "{}/Nonesuch_None.jsonl"),
        ("{{ folder }}/deals_{{ x }}.jsonl", "{}/deals_Nonesuch.jsonl"),
    ],
)
def test_a_name_may_hold_such_a_text_and_templates_may_stand_together(written, rendered, portal, connection, tmp_path):
    done = render(Bitrix24ListOperator, written, rendered.replace("{}", str(tmp_path)))
    assert done["path"].endswith(rendered.replace("{}", ""))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("o.csv", "is 'o.csv', and the file is one of JSON lines: end its name in .jsonl"),
        ("o.PARQUET", "is 'o.PARQUET', and the file is one of JSON lines"),
        ("o.jsonl.gz", "is 'o.jsonl.gz', and the file is one of JSON lines"),
        ("o_<no value>.jsonl", "has a name that was not filled in"),
        ("o_%7Bds%7D.jsonl", "has a name that was not filled in"),
        ("%7b%7b ds %7d%7d.jsonl", "has a name that was not filled in"),
    ],
)
def test_a_name_that_was_not_meant_is_refused(operator, name, hint, portal, connection, tmp_path):
    assert hint in failure_of(operator, f"{tmp_path}/{name}")
    assert portal.connections == 0
    assert list(tmp_path.iterdir()) == []


def test_a_template_in_an_object_storage_path_is_refused(portal, connection):
    path = ObjectStoragePath("file:///tmp/{{ ds }}/x.jsonl")
    assert "has a template that was not rendered" in failure_of(Bitrix24ListOperator, path)
    assert portal.connections == 0


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_is_not_a_file_is_not_replaced_by_one(operator, portal, connection, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name, hint in {"link": "is a link", "dangling": "is a link", "pipe": "is a device or a pipe"}.items():
        assert hint in failure_of(operator, str(tmp_path / name))
        assert hint in failure_of(operator, f"file://{tmp_path}/{name}")
    assert "is a device or a pipe" in failure_of(operator, "/dev/null")
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file", "link", "pipe"]
    assert portal.connections == 0


def test_an_object_storage_that_is_out_of_reach_is_left_to_the_retries(storage, portal, connection):
    storage.failure = ConnectionError("no route to the storage")
    with pytest.raises(ConnectionError):
        run(Bitrix24ListOperator, "memory://bucket/deals.jsonl")
    assert portal.connections == 0


def test_a_connection_of_the_storage_that_is_not_there_is_reported(portal, connection, monkeypatch):
    try:
        from airflow.sdk.io.fs import _register_filesystems
    except ImportError:
        from airflow.io import _register_filesystems
    # As the providers of storages look their connections up.
    monkeypatch.setitem(_register_filesystems(), "s3", lambda conn_id, options: BaseHook.get_connection(conn_id))
    wrong = r"the connection of destination cannot be used .*: add it, or"
    with pytest.raises(AirflowFailException, match=wrong):
        run(Bitrix24ListOperator, "s3://nowhere@bucket/deals.jsonl")
    # Airflow says so too where the store of connections is out of reach.
    monkeypatch.setenv("AIRFLOW__WORKERS__SECRETS_BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    with pytest.raises(ConfigurationError, match=wrong) as raised:
        run(Bitrix24ListOperator, "s3://nowhere@bucket/deals.jsonl")
    assert raised.value.retryable
    assert portal.connections == 0


def test_trying_keeps_the_file_that_is_there(tmp_path, portal, connection):
    (tmp_path / "deals.jsonl").write_text("old")
    portal.fault("error", "crm.deal.list", code="ACCESS_DENIED", status=403, times=None)
    failure_of(Bitrix24ListOperator, str(tmp_path / "deals.jsonl"))
    assert (tmp_path / "deals.jsonl").read_text() == "old"


def test_a_dry_run_leaves_its_report_and_nothing_else(tmp_path, portal, connection):
    arguments = OPERATORS[Bitrix24BulkWriteOperator][1]
    report = tmp_path / "report.jsonl"
    Bitrix24BulkWriteOperator(task_id="task", report=str(report), dry_run=True, **arguments).execute(context())
    assert list(tmp_path.iterdir()) == [report]
    assert '"outcome": "ready"' in report.read_text()


@pytest.mark.parametrize(
    "operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator, Bitrix24UpsertItemsOperator]
)
@pytest.mark.parametrize(
    ("rows", "report"),
    [
        ("{}/firms.jsonl", "{}/firms.jsonl"),
        ("{}/firms.jsonl", "file://{}/firms.jsonl"),
        ("{}/firms.jsonl", "{}/./firms.jsonl"),
        ("{}/firms.jsonl", "file://{}/./firms.jsonl"),
        ("{}/firms.jsonl", "{}/linked/../data/firms.jsonl"),
        ("{}/firms.jsonl", "{}//firms.jsonl"),
        ("file://{}//firms.jsonl", "{}/firms.jsonl"),
        ("{}/firms.jsonl", "{}/linked/firms.jsonl"),
        ("file://{}/linked/firms.jsonl", "{}/firms.jsonl"),
        ("{}/link.jsonl", "{}/firms.jsonl"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_report_does_not_overwrite_the_rows(operator, rows, report, dry_run, tmp_path, portal, connection):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "linked").symlink_to(folder)
    (folder / "link.jsonl").symlink_to(folder / "firms.jsonl")
    (folder / "firms.jsonl").write_text('{"originId": "1", "title": "Acme"}\n')
    arguments = {
        **OPERATORS[operator][1],
        "rows": rows.replace("{}", str(folder)),
        "report": report.replace("{}", str(folder)),
    }
    with pytest.raises(AirflowFailException, match="report names the file of the rows, which it would overwrite: give"):
        operator(task_id="task", dry_run=dry_run, **arguments).execute(context())
    assert "Acme" in (folder / "firms.jsonl").read_text()
    assert portal.connections == 0


@pytest.mark.parametrize(
    ("rows", "report", "is_same"),
    [
        ("memory://bucket/a/x.jsonl", "memory://bucket/a/x.jsonl", True),
        ("memory://bucket/a/x.jsonl", "memory://bucket/a//x.jsonl", True),
        ("memory://bucket/a/./x.jsonl", "memory://bucket/a/x.jsonl", True),
        ("memory://bucket/b/../a/x.jsonl", "memory://bucket/a/x.jsonl", True),
        ("memory://bucket/a/x.jsonl", "memory://bucket/b/x.jsonl", False),
        ("memory://bucket/a/x.jsonl", "/bucket/a/x.jsonl", False),
        ("/data/a/x.jsonl", "/data/b/x.jsonl", False),
        ("/data/a/x.jsonl", "file:///data/b/../a/x.jsonl", True),
    ],
)
def test_two_addresses_of_one_file_are_seen(rows, report, is_same, storage):
    assert is_same_file(storage_path(rows, "rows"), storage_path(report, "report")) is is_same


@pytest.mark.parametrize(
    "operator", [Bitrix24BulkWriteOperator, Bitrix24ImportItemsOperator, Bitrix24UpsertItemsOperator]
)
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"rows": "{}/nowhere.jsonl"}, "the file that rows names does not exist"),
        ({"rows": "{}/firms.xlsx"}, "a file that ends in .xlsx"),
        ({"rows": "{}/day.csv"}, "rows names a folder, .*/day.csv: give the address of one file in it"),
        ({"rows": '{"title": "x"'}, "rows is not JSON"),
        ({"sql": "SELECT 1", "sql_conn_id": "bitrix24_default"}, "is not one of a database"),
        ({"sql": "SELECT 1", "sql_conn_id": "no_such_db"}, "connection 'no_such_db' is not defined: correct the id"),
        ({"sql": "SELECT 1", "sql_conn_id": "of_no_type"}, "'of_no_type' has the type 'nosuch', for which there is no"),
    ],
)
def test_rows_that_are_not_there_are_reported_before_the_portal_is_asked_and_by_every_try(
    operator, source, message, tmp_path, portal, connection, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_OF_NO_TYPE", "nosuch://host/db")
    (tmp_path / "day.csv").mkdir()
    found = {name: value.replace("{}", str(tmp_path)) if name == "rows" else value
             for name, value in source.items()}  # fmt: skip
    task = operator(
        task_id="task", **{name: value for name, value in OPERATORS[operator][1].items() if name != "rows"}, **found
    )
    for number in (1, 2):
        with pytest.raises(AirflowFailException, match=message):
            task.execute(context(try_number=number))
    assert portal.connections == 0


# Several writers, and stores of files that are kept


def test_two_writers_of_one_file_do_not_share_what_they_have_not_finished(tmp_path):
    path = storage_path(str(tmp_path / "rows.jsonl"), "destination")

    def rows() -> Iterator[dict[str, int]]:
        yield {"first": 1}
        # Another task writes the same destination meanwhile.
        other = write_json_lines(path, [{"second": number} for number in range(3)])
        assert other["sha256"] == hashlib.sha256((tmp_path / "rows.jsonl").read_bytes()).hexdigest()
        yield {"first": 2}

    written = write_json_lines(path, rows())
    content = (tmp_path / "rows.jsonl").read_bytes()
    assert content == b'{"first": 1}\n{"first": 2}\n'
    assert written["sha256"] == hashlib.sha256(content).hexdigest()
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("error", [OSError("network"), KeyboardInterrupt()], ids=repr)
def test_what_fails_in_the_middle_leaves_the_old_file_and_nothing_else(error, tmp_path):
    (tmp_path / "rows.jsonl").write_text("old")

    def rows() -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(type(error)):
        write_json_lines(storage_path(str(tmp_path / "rows.jsonl"), "destination"), rows())
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"rows.jsonl": "old"}


class WriteOnce(MemoryFileSystem):
    """A store where files may be put, but neither deleted nor renamed."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False

    def _rm(self, path: str, **options: Any) -> None:
        raise PermissionError("AccessDenied")

    rm_file = rm = mv = move = _rm


@pytest.fixture
def write_once() -> dict[str, Any]:
    """What is in the storage behind ``memory://once@…``."""
    try:
        from airflow.sdk.io.store import attach
    except ImportError:
        from airflow.io.store import attach
    WriteOnce.store.clear()
    attach("memory", conn_id="once", fs=WriteOnce())
    return WriteOnce.store


def test_a_store_that_keeps_its_files_is_written_directly(write_once, caplog):
    path = writable_path("memory://once@bucket/rows.jsonl", "destination")
    assert "the connection may write there, but not delete" in caplog.text
    written = write_json_lines(path, [{"row": number} for number in range(3)])
    content = write_once["/bucket/rows.jsonl"].getvalue()
    assert (written["rows"], written["sha256"]) == (3, hashlib.sha256(content).hexdigest())


def test_what_fails_in_the_middle_puts_nothing_into_a_store(write_once):
    def rows() -> Iterator[int]:
        yield 1
        raise OSError("network")

    with pytest.raises(OSError, match="network"):
        write_json_lines(storage_path("memory://once@bucket/other.jsonl", "destination"), rows())
    assert "/bucket/other.jsonl" not in write_once
