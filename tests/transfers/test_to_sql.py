"""Lists as tables: complete, typed, and seen before or after a load only."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.transfers.to_sql import Bitrix24ToSqlOperator
from tests.operators.context import context
from tests.secrecy import assert_untold
from tests.sleepless import sleepless
from tests.transfers.databases import CONN_ID, Reader
from tests.transfers.lists import DEALS, LIST, calls


def run_of(number: int, **more: Any) -> dict[str, Any]:
    run = context(**more)
    run["ti"].run_id = f"scheduled__{number}"
    return run


def interval(number: int, start: datetime, end: datetime) -> dict[str, Any]:
    return {**run_of(number), "data_interval_start": start, "data_interval_end": end}


def operator(task_id: str = "t", **arguments: Any) -> Bitrix24ToSqlOperator:
    what = {} if "method" in arguments else {"entity_type_id": "deal"}
    arguments = {"sql_conn_id": CONN_ID, "table": "deals", **what, **arguments}
    return sleepless(Bitrix24ToSqlOperator)(task_id=task_id, **arguments)


def load(run: int | dict[str, Any] = 1, **arguments: Any) -> dict[str, Any]:
    return operator(**arguments).execute(run_of(run) if isinstance(run, int) else run)


def utc(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


@pytest.mark.parametrize("write", ["upsert", "replace", "append"])
def test_every_row_is_there_once_after_a_load_and_after_the_next_one(write, to_large, target, small_parts):
    for run in (1, 2):
        done = load(run, write=write, window="all", select=["title", "OPPORTUNITY", "opened", "createdTime"])
        assert (done["rows"], done["parts"] > 2, done["bad"]) == (DEALS, True, {})
        times = run if write == "append" else 1
        rows = target.rows("deals", "id, title, opportunity, opened, created_time")
        assert [row[0] for row in rows] == [i for i in range(1, DEALS + 1) for _ in range(times)]
    first, meant = rows[0], to_large.item(2, 1)
    assert (first[1], Decimal(str(first[2]))) == (meant["title"], Decimal(str(meant["opportunity"])))
    assert bool(first[3]) == (meant["opened"] in ("Y", True))
    assert utc(first[4]) == datetime.fromisoformat(meant["createdTime"])
    assert ("_load" in target.columns("deals")) == (write == "append")
    assert not [name for name in target.tables() if "stage" in name]


def test_a_watermark_brings_what_was_changed_since_the_load_before(portal, connection, target):
    hook = Bitrix24Hook()
    first = load(1)
    assert (first["rows"], first["window"]) == (30, {})
    portal.clock.advance(3600)
    hook.call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": "Changed"}})
    added = hook.call("crm.item.add", {"entityTypeId": 2, "fields": {"title": "New"}})["item"]["id"]
    second = load(2)
    assert second["rows"] == 2
    assert datetime.fromisoformat(second["window"][">=updatedTime"]) == datetime.fromisoformat(
        first["watermark"]
    ) - timedelta(seconds=600)
    titles = dict(target.rows("deals", "id, title"))
    assert (len(titles), titles[7], titles[added]) == (31, "Changed", "New")
    # What was changed shortly before comes again: it may have become visible after the load before had begun.
    for number, seconds, rows in ((3, 60, 2), (4, 3600, 2), (5, 3600, 0)):
        portal.clock.advance(seconds)
        assert load(number)["rows"] == rows
    # Another filter has a watermark of its own.
    assert load(6, item_filter={"stageId": "NEW"})["window"] == {}


def test_both_generations_of_methods_fill_one_table(to_large, target):
    load(1, window="all")
    columns = target.columns("deals")
    # The old list does not have them.
    shared = ", ".join(name for name in columns if name not in ("contact_ids", "observers"))
    new = target.rows("deals", shared)
    done = load(2, window="all", method="crm.deal.list", task_id="old")
    assert (done["new_columns"], done["changed_columns"]) == ([], {})
    assert target.rows("deals", shared) == new
    assert target.columns("deals") == columns


NASTY = "Emoji 🎉, \"quotes\", \\N \\. % ; '' \t comma,\nline\r\nend €"


def test_values_survive(portal, connection, target):
    described = {
        name: {"type": type_, "upperName": name.upper(), "title": name}
        for name, type_ in {
            "id": "integer", "title": "string", "zero": "string", "empty": "string", "big": "integer",
            "amount": "double", "flag": "boolean", "day": "date", "moment": "datetime", "money": "money",
        }.items()
    }  # fmt: skip
    described["money"]["upperName"] = "UF_CRM_MONEY"
    portal.answers["crm.item.fields"] = {"fields": described}
    rows = [
        {
            "id": 1, "title": NASTY, "zero": "0", "empty": "", "big": 2**63 - 1, "amount": 12345678901234567.8901,
            "flag": "Y", "day": "2026-03-29", "moment": "2026-10-25T02:30:00+03:00", "money": "1999.5|RUB",
        },
        {
            "id": 2, "title": "", "zero": 0, "empty": None, "big": -(2**63), "amount": "99999999999999999999.9999",
            "flag": "N", "day": "", "moment": "2026-10-25T02:30:00-11:00", "money": "",
        },
    ]  # fmt: skip
    portal.answers[LIST] = lambda params: {
        "items": [row for row in rows if row["id"] > int(params["filter"].get(">id", 0))]
    }
    load(1, window="all", max_bad_share=0)
    names = "id, title, zero, empty, big, amount, flag, day, moment, uf_crm_money, uf_crm_money_currency, _bad"
    first, second = target.rows("deals", names)
    assert first[:5] == (1, NASTY, "0", None, 2**63 - 1)
    assert second[:5] == (2, None, "0", None, -(2**63))
    assert [Decimal(str(row[5])) for row in (first, second)] == [
        Decimal("12345678901234568"), Decimal("99999999999999999999.9999"),
    ]  # fmt: skip
    assert [bool(row[6]) for row in (first, second)] == [True, False]
    assert [row[7] and date.fromisoformat(str(row[7])) for row in (first, second)] == [date(2026, 3, 29), None]
    assert [utc(row[8]) for row in (first, second)] == [
        datetime(2026, 10, 24, 23, 30, tzinfo=timezone.utc), datetime(2026, 10, 25, 13, 30, tzinfo=timezone.utc),
    ]  # fmt: skip
    assert (Decimal(str(first[9])), first[10], second[9], second[10]) == (Decimal("1999.5"), "RUB", None, None)
    assert [row[11] for row in (first, second)] == [None, None]


def test_a_text_that_the_database_cannot_hold_is_kept_as_one_that_does_not_fit(portal, connection, target):
    portal.answers["crm.status.list"] = [[{"ID": "1", "NAME": "a\x00b"}, {"ID": "2", "NAME": "b"}]]
    done = load(1, method="crm.status.list", window="all", max_bad_share=0.5)
    (first, second) = target.rows("deals", "name, _bad")
    assert second == ("b", None)
    if target.kind == "postgres":
        assert (done["bad"], first) == ({"name": 1}, (None, '{"name": "a\\u0000b"}'))
    else:
        assert (done["bad"], first) == ({}, ("a\x00b", None))


# One publish.


@pytest.mark.parametrize("write", ["upsert", "replace"])
def test_a_reader_sees_the_table_before_or_after_a_load(write, portal, connection, target, small_parts):
    load(1, write=write, window="all")
    seen = f"SELECT count(*), max(title), min(title) FROM {target.newest('deals')}"
    reader = Reader(target, seen)
    before = tuple(target.execute(seen)[0])
    reader.start()
    portal.add_deals(3000, title="Ω")
    for deal in range(1, 31):
        Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"title": "Ω"}})
    portal.clock.advance(3600)
    load(2, write=write, window="all")
    reader.end()
    assert reader.looks > 10
    assert reader.seen == {before, (3030, "Ω", "Ω")}


def test_replace_keeps_rights_indexes_and_views(portal, connection, postgres):
    load(1, write="replace")
    postgres.execute("CREATE INDEX by_title ON deals (title)", "CREATE VIEW titles AS SELECT title FROM deals")
    postgres.execute("DROP ROLE IF EXISTS analyst", "CREATE ROLE analyst", "GRANT SELECT ON deals TO analyst")
    number = postgres.execute("SELECT 'deals'::regclass::oid")
    Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": 3})
    load(2, write="replace")
    assert [row[0] for row in postgres.rows("deals", "id")] == [i for i in range(1, 31) if i != 3]
    assert postgres.execute("SELECT count(*) FROM titles") == [(29,)]
    assert postgres.execute("SELECT has_table_privilege('analyst', 'deals', 'SELECT')") == [(True,)]
    assert postgres.execute("SELECT 'deals'::regclass::oid") == number
    assert postgres.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_title'") == [(1,)]
    postgres.execute("DROP OWNED BY analyst", "DROP ROLE analyst")


def test_an_older_row_never_takes_the_place_of_a_newer_one(portal, connection, target):
    load(1, window="all")
    later = "UPDATE deals SET title = 'Later', updated_time = '2099-01-01 00:00:00' WHERE id = 5"
    if target.kind == "clickhouse":
        later = "INSERT INTO deals (id, title, updated_time) VALUES (5, 'Later', '2099-01-01 00:00:00')"
    target.execute(later)
    target.execute("UPDATE deals SET title = 'Earlier' WHERE id = 6")
    load(2, window="all", select=["title"])
    titles = dict(target.rows("deals", "id, title"))
    assert (titles[5], titles[6]) == ("Later", portal.item(2, 6)["title"])


def test_rows_without_an_id_replace_or_are_added_but_not_merged(portal, connection, target):
    portal.answers["crm.currency.list"] = [[{"CURRENCY": "RUB", "AMOUNT": "1"}, {"CURRENCY": "USD", "AMOUNT": "80"}]]
    arguments = {"method": "crm.currency.list", "window": "all"}
    with pytest.raises(AirflowFailException, match=r'have no column id, by which .* set write="replace" or "append"'):
        load(1, **arguments)
    assert "deals" not in target.tables()
    for run in (2, 3):
        assert load(run, write="replace", **arguments)["rows"] == 2
    assert target.rows("deals", "currency", "1") == [("RUB",), ("USD",)]


# Tries.


def failing(portal: Sandbox, monkeypatch, after: int) -> None:
    # One request at a time, so that rows are there before one fails.
    monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(parallel=1))
    portal.fault("error", LIST, after=after, times=None)


def test_a_retry_goes_on_behind_the_last_part_under_the_window_of_the_first_try(target, small_parts, monkeypatch):
    arguments = {"select": ["title"], "deleted": "keep"}
    with Sandbox(deals=6000) as portal:
        failing(portal, monkeypatch, 80)
        with pytest.raises(Bitrix24Error):
            load(context(try_number=1), **arguments)
        assert "deals" not in target.tables()
        (stage,) = (name for name in target.tables() if "stage" in name)
        (before,) = target.execute(f"SELECT max(id) FROM {stage}")[0]
        assert 1000 < before < 6000
        portal.clear_faults()
        portal.reset_calls()
        portal.clock.advance(600)
        done = load(context(try_number=2), **arguments)
        assert [row[0] for row in target.rows("deals", "id")] == list(range(1, 6001))
        commands = [command for call in portal.calls for command in (call.commands or [call])]
        bounds = [command.params["filter"][">id"] for command in commands if command.method == LIST]
        assert min(int(bound) for bound in bounds if isinstance(bound, (int, str))) == before
        # A third try finds it published.
        portal.reset_calls()
        assert load(context(try_number=3), **arguments) == done
        assert calls(portal, LIST) == 0


def test_a_cleared_task_begins_a_load_of_its_own_and_nothing_is_left_of_the_load_before(
    target, small_parts, monkeypatch
):
    with Sandbox(deals=6000) as portal:
        failing(portal, monkeypatch, 80)
        with pytest.raises(Bitrix24Error):
            load(context(try_number=1))
        portal.clear_faults()
        portal.reset_calls()
        assert load(context(try_number=2, retries=4))["rows"] == 6000
    assert [row[0] for row in target.rows("deals", "id")] == list(range(1, 6001))
    assert target.tables() == {"deals", "_bitrix24_loads"}


def test_values_that_do_not_fit_fail_the_load_before_it_is_published(portal, connection, target):
    rows = [{"ID": str(number), "SORT": "first" if number == 1 else "10"} for number in range(1, 41)]
    portal.answers["crm.status.list"] = lambda params: rows
    arguments = {"method": "crm.status.list", "window": "all"}
    with pytest.raises(AirflowFailException, match=r"1 of 40 values of sort do not fit .* _bitrix24_stage_"):
        load(1, **arguments)
    assert "deals" not in target.tables()
    done = load(2, max_bad_share=0.05, **arguments)
    assert (done["rows"], done["bad"]) == (40, {"sort": 1})
    assert target.rows("deals", "sort, _bad")[0] == (None, '{"sort": "first"}')


def test_a_list_that_cannot_be_proven_whole_is_not_published(to_large, target):
    to_large.fault("error", LIST, after=5, times=None, code="ACCESS_DENIED", status=403)
    with pytest.raises(AirflowFailException):
        load(1)
    assert "deals" not in target.tables()
    # It holds the table no longer.
    to_large.clear_faults()
    assert load(2)["rows"] == DEALS


def test_no_value_of_a_customer_and_no_secret_is_logged_where_the_database_refuses_rows(
    portal, connection, target, all_output
):
    secret = "anna@customer.example"
    Bitrix24Hook().call("crm.item.update", {"entityTypeId": 2, "id": 7, "fields": {"title": secret}})
    load(1, window="all", select=["title"])
    target.refuse("deals", "title", secret)
    with pytest.raises(AirflowFailException, match="refused INSERT INTO") as refused:
        load(2, window="all", select=["title"])
    assert secret not in str(refused.value)
    assert_untold(secret, all_output)
    assert_untold(portal.admin.code, all_output)
    assert portal.admin.code not in json.dumps(target.rows("_bitrix24_loads", "value", "1"))


def test_replacing_takes_all_rows_and_refuses_a_window_that_the_author_names():
    assert operator(write="replace").window == "all"
    for where in ({"window": "watermark"}, {"default_args": {"window": "interval"}}):
        with pytest.raises(AirflowFailException, match='window, with write="replace", is'):
            operator(write="replace", **where)


def test_a_dot_names_a_schema_only_where_the_database_has_them(portal, connection, target):
    if target.kind == "sqlite":
        with pytest.raises(AirflowFailException, match="SQLite has no schemas: leave it out"):
            load(1, table="crm.deals")
        return
    target.execute("CREATE SCHEMA crm")
    try:
        assert load(1, table="crm.deals")["table"] == "crm.deals"
        assert len(target.rows("crm.deals")) == 30
        assert target.rows("crm._bitrix24_loads", "count(*)", "1") != [(0,)]
    finally:
        target.execute("DROP SCHEMA crm" if target.kind in ("mysql", "clickhouse") else "DROP SCHEMA crm CASCADE")


def test_a_dry_run_counts_and_makes_nothing(to_large, target):
    assert load(1, dry_run=True) == {"rows": DEALS, "requests": 3, "window": {}}
    assert target.tables() == set()
    assert calls(to_large, LIST) == 1


def test_a_connection_that_is_not_defined_fails_at_once(portal, connection):
    with pytest.raises(AirflowFailException, match="connection 'no_such_db' is not defined: correct the id, or create"):
        load(sql_conn_id="no_such_db")


def test_a_connection_that_a_secrets_backend_may_know_is_left_to_retries(portal, connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "airflow.secrets.local_filesystem.LocalFilesystemBackend")
    with pytest.raises(ConfigurationError, match=r"connection 'no_such_db' is not defined.*does not answer") as caught:
        load(sql_conn_id="no_such_db")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("rendered", "arguments", "message"),
    [
        ({"window": "all", "write": "replace"}, {}, None),
        ({"window": "watermark", "write": "upsert"}, {"deleted": "remove"}, None),
        ({"window": "week", "write": "upsert"}, {}, "window is 'week'"),
        ({"window": "", "write": "upsert"}, {}, "window is ''"),
        ({"window": "None", "write": "append"}, {}, "window is 'None'"),
        ({"window": "all", "write": "merge"}, {}, "write is 'merge'"),
        ({"window": "watermark", "write": "replace"}, {}, "window, with write=\"replace\", is 'watermark'"),
        ({"window": "all", "write": "append"}, {"deleted": "mark"}, "deleted, with write=\"append\", is 'mark'"),
        ({"window": "interval", "write": "upsert"}, {"deleted": "mark"}, 'deleted, with window="interval"'),
    ],
)
def test_window_and_write_may_be_templates_and_are_checked_before_anything_is_sent(
    rendered, arguments, message, portal, connection, sqlite_alone
):
    one = operator(window="{{ params.window }}", write="{{ params.write }}", **arguments)
    one.render_template_fields({"params": rendered})
    if message is None:
        assert one.execute(run_of(1))["rows"] == 30
        assert [row[0] for row in sqlite_alone.rows("deals", "id")] == [deal["id"] for deal in portal.items(2)]
        return
    with pytest.raises(AirflowFailException, match=message):
        one.execute(run_of(1))
    assert portal.calls == []


def test_a_template_of_write_alone_leaves_no_window_to_guess():
    with pytest.raises(AirflowFailException, match="write is a template, and window is not given"):
        operator(write="{{ params.write }}")
    for wrong in ({"write": "merge"}, {"window": "week"}, {"window": None}):
        with pytest.raises(AirflowFailException, match=f"{next(iter(wrong))} is "):
            operator(**wrong)
