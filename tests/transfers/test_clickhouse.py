"""What ClickHouse has in place of transactions and unique keys; all other tests of loads into tables take it too."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports import part_files
from airflow_provider_bitrix24.exports.sql import load_table
from airflow_provider_bitrix24.exports.sql.attached_load import AttachedLoadTable
from airflow_provider_bitrix24.exports.sql.ledger import PART, Ledger
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from tests.operators.context import context
from tests.transfers.clickhouse import IS_ASKED_FOR
from tests.transfers.databases import VARIABLE, Target, clickhouse_target
from tests.transfers.test_to_sql import load

pytestmark = pytest.mark.skipif(not IS_ASKED_FOR, reason="asked for by BITRIX24_CLICKHOUSE=1")

EVERY = list(range(1, 31))


@pytest.fixture
def clickhouse(clickhouse_server, monkeypatch, portal, connection) -> Target:
    made = clickhouse_target(clickhouse_server)
    monkeypatch.setenv(VARIABLE, made.connection_json)
    return made


def ids(clickhouse: Target) -> list[int]:
    return [row[0] for row in clickhouse.rows("deals", "id")]


def once(monkeypatch, owner: type, name: str, *, before: bool = False, only: str | None = None) -> None:
    """Let a method fail once, after its work or before it."""
    real, left = getattr(owner, name), [1]

    def failing(self, *args, **kwargs):
        fails = left and (only is None or args[0] == only)
        if fails and before:
            left.clear()
            raise KeyboardInterrupt
        done = real(self, *args, **kwargs)
        if fails:
            left.clear()
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize(
    ("columns", "engine", "write", "refused"),
    [
        ("", "MergeTree ORDER BY id", "upsert", "ReplacingMergeTree(updated_time) ORDER BY id"),
        ("", "ReplacingMergeTree ORDER BY id", "upsert", "ReplacingMergeTree(updated_time) ORDER BY id"),
        ("", "ReplacingMergeTree(other) ORDER BY id", "upsert", "ReplacingMergeTree(updated_time) ORDER BY id"),
        ("", "ReplacingMergeTree(updated_time) ORDER BY (id, other)", "upsert", "in the order of"),
        # Rows that are to be added would replace each other.
        ("", "ReplacingMergeTree(updated_time) ORDER BY id", "append", "make it with ENGINE = MergeTree"),
        ("", "SummingMergeTree ORDER BY id", "append", "make it with ENGINE = MergeTree"),
        ("", "ReplacingMergeTree ORDER BY other", "replace", "in the order of other"),
        ("", "Memory", "replace", "of the engine Memory"),
        ("", "MergeTree ORDER BY id PARTITION BY other", "append", "is partitioned by other"),
    ],
)
def test_a_table_of_another_engine_is_refused_before_a_row_is_read(columns, engine, write, refused, portal, clickhouse):
    clickhouse.execute(
        f"CREATE TABLE deals (id Int64, updated_time DateTime64(6, 'UTC'), other UInt8, x Int64) ENGINE = {engine}"
    )
    with pytest.raises(AirflowFailException) as caught:
        load(1, write=write, window="all")
    assert refused in str(caught.value)
    assert not [call for call in portal.calls if call.method == "crm.item.list"]


def test_a_table_of_ones_own_keeps_its_columns_and_their_defaults(portal, clickhouse):
    clickhouse.execute(
        "CREATE TABLE deals (id Int64, title LowCardinality(String), updated_time DateTime64(6, 'UTC'), "
        "segment String DEFAULT 'new') ENGINE = ReplacingMergeTree(updated_time) ORDER BY id"
    )
    load(1, window="all", select=["title"])
    assert clickhouse.rows("deals", "DISTINCT segment", "1") == [("new",)]
    clickhouse.execute("UPDATE deals SET segment = 'gold' WHERE id = 5")
    portal.add_deals(1)
    assert load(2, window="all", select=["title", "opportunity"])["changed_columns"] == {}
    assert clickhouse.rows("deals WHERE id IN (4, 5, 31)", "segment, opportunity > 0") == [
        ("new", 1), ("gold", 1), ("new", 1),
    ]  # fmt: skip


def test_what_is_null_never_becomes_a_value(portal, clickhouse):
    clickhouse.execute(
        "CREATE TABLE deals (id Int64, comments String, updated_time DateTime64(6, 'UTC')) "
        "ENGINE = ReplacingMergeTree(updated_time) ORDER BY id"
    )
    with pytest.raises(AirflowFailException, match=r"refused INSERT INTO .* CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN"):
        load(1, window="all", select=["comments"])


@pytest.mark.parametrize("write", ["upsert", "replace", "append"])
@pytest.mark.parametrize("step", ["_copied", "_attach", "_done"])
def test_a_load_that_ends_at_any_step_of_its_publish_is_there_once_after_the_next_try(
    step, write, portal, clickhouse, monkeypatch
):
    if write != "append":
        load(context(try_number=1, retries=7), write=write, window="all")
        Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": 3})
    with monkeypatch.context() as patched:
        once(patched, AttachedLoadTable, step, before=step == "_done")
        with pytest.raises(KeyboardInterrupt):
            load(context(try_number=1), write=write, window="all")
    done = load(context(try_number=2), write=write, window="all")
    assert done["rows"] == len(portal.items(2))
    assert ids(clickhouse) == (EVERY if write != "replace" else [number for number in EVERY if number != 3])
    assert clickhouse.tables() == {"deals", "_bitrix24_loads"}


def test_rows_of_a_part_that_the_ledger_does_not_name_are_left_out(portal, clickhouse, monkeypatch):
    monkeypatch.setattr(part_files, "ROWS_OF_A_PART", 10)
    with monkeypatch.context() as patched:
        once(patched, Ledger, "add", before=True, only=PART)
        with pytest.raises(KeyboardInterrupt):
            load(context(try_number=1), write="append", window="all")
    (stage,) = (name for name in clickhouse.tables() if "stage" in name)
    assert clickhouse.execute(f"SELECT count() > 0 FROM {stage}") == [(1,)]
    assert load(context(try_number=2), write="append", window="all")["rows"] == 30
    assert ids(clickhouse) == EVERY


def test_of_two_loads_that_begin_at_the_same_moment_one_is_refused(portal, clickhouse, monkeypatch):
    real, left = load_table.check_claims, [1]

    def then_another_begins(*args):
        over = real(*args)
        if left:
            left.clear()
            portal.fault("error", "crm.item.list", times=None)
            with pytest.raises(Bitrix24Error):
                load(1, window="all")
            portal.clear_faults()
        return over

    monkeypatch.setattr(load_table, "check_claims", then_another_begins)
    with pytest.raises(Bitrix24Error, match=r"another load into deals is under way, of d\.t\[-1\] in scheduled__1"):
        load(2, window="all")
    monkeypatch.undo()
    # It has left nothing behind, and the other one goes on.
    assert "deals" not in clickhouse.tables()


def test_a_copy_of_a_process_that_was_overtaken_is_never_attached(portal, clickhouse, monkeypatch):
    """It comes back after the retry has published, with all that it needs but its copy."""
    real = AttachedLoadTable._attach

    def late(self, copy, rows):
        monkeypatch.setattr(AttachedLoadTable, "_attach", real)
        assert load(context(try_number=2), write="append", window="all")["rows"] == 30
        real(self, copy, rows)

    monkeypatch.setattr(AttachedLoadTable, "_attach", late)
    with pytest.raises(AirflowFailException, match="refused ALTER TABLE"):
        load(context(try_number=1), write="append", window="all")
    assert ids(clickhouse) == EVERY
