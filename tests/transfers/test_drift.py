"""Fields that are new, that are gone, and that have another type than their column: nothing is ever dropped."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports import part_files
from tests.transfers.lists import LIST, calls
from tests.transfers.test_to_sql import load, run_of


@pytest.fixture
def fields(portal, connection):
    """``fields(sort="integer", name="string")`` sets what the portal says of its fields, and ``rows`` what it has."""

    class Fields:
        def __call__(self, *rows: dict[str, Any], **types: str) -> None:
            described = {
                name: {"type": type_, "upperName": name.upper(), "title": name}
                for name, type_ in {"id": "integer", **types}.items()
            }
            portal.answers["crm.item.fields"] = {"fields": described}
            portal.answers[LIST] = lambda params: {
                "items": [row for row in rows if row["id"] > int(params["filter"].get(">id", 0))]
            }

    return Fields()


def test_a_new_field_is_a_new_column(fields, target):
    fields({"id": 1, "sort": 5}, sort="integer")
    assert load(1, window="all")["new_columns"] == []
    fields({"id": 1, "sort": 6, "name": "x"}, sort="integer", name="string")
    assert load(2, window="all")["new_columns"] == ["name"]
    assert target.rows("deals", "id, sort, name") == [(1, 6, "x")]
    assert load(3, window="all")["new_columns"] == []


def test_a_new_field_that_nothing_describes_is_one_too(fields, target):
    fields({"id": 1, "sort": 5}, sort="integer")
    load(1, window="all")
    fields({"id": 1, "sort": 6, "extra": "x"}, sort="integer")
    assert load(2, window="all")["new_columns"] == ["extra"]
    assert target.rows("deals", "sort, extra") == [(6, "x")]


@pytest.mark.parametrize("described", [True, False])
def test_a_new_field_may_be_left_out_or_fail(described, fields, target, portal):
    fields({"id": 1, "sort": 5}, sort="integer")
    load(1, window="all")
    types = {"sort": "integer", **({"name": "string"} if described else {})}
    fields({"id": 1, "sort": 6, "name": "x"}, **types)
    before = calls(portal, LIST)
    with pytest.raises(AirflowFailException, match="the field name is new, and deals has no column for it"):
        load(2, window="all", on_new_field="fail")
    assert target.rows("deals", "sort") == [(5,)]
    if described:
        assert calls(portal, LIST) == before
    done = load(3, window="all", on_new_field="ignore")
    assert (done["new_columns"], done["ignored_columns"]) == ([], ["name"])
    assert target.rows("deals", "sort") == [(6,)]
    assert "name" not in target.columns("deals")


def test_a_field_that_is_gone_keeps_its_column_and_its_values(fields, target):
    fields({"id": 1, "sort": 5, "name": "x"}, {"id": 2, "sort": 5, "name": "y"}, sort="integer", name="string")
    load(1, window="all")
    fields({"id": 1, "sort": 6}, {"id": 3, "sort": 6}, sort="integer")
    load(2, window="all")
    assert target.rows("deals", "id, sort, name") == [(1, 6, "x"), (2, 5, "y"), (3, 6, None)]


def test_a_changed_type_gets_a_column_beside_the_old_one(fields, target):
    fields({"id": 1, "sum": 5}, {"id": 2, "sum": 7}, sum="integer")
    load(1, window="all")
    fields({"id": 1, "sum": "x"}, {"id": 3, "sum": "y"}, sum="string")
    assert load(2, window="all")["changed_columns"] == {"sum": "sum__text"}
    assert target.rows("deals", "id, sum, sum__text") == [(1, 5, "x"), (2, 7, None), (3, None, "y")]
    fields({"id": 1, "sum": "2026-01-31"}, sum="date")
    assert load(3, window="all")["changed_columns"] == {"sum": "sum__date"}
    fields({"id": 1, "sum": 6}, sum="integer")
    assert load(4, window="all")["changed_columns"] == {}
    (row,) = target.rows("deals WHERE id = 1", "sum, sum__text, sum__date")
    assert (row[0], row[1], str(row[2])) == (6, "x", "2026-01-31")


def test_changed_types_may_share_one_column_of_text(fields, target):
    fields({"id": 1, "sum": 5}, sum="integer")
    load(1, window="all", on_type_change="text")
    for run, type_, value, text in (
        (2, "string", "x", "x"), (3, "date", "2026-01-31", "2026-01-31"), (4, "double", 2.5, "2.5000"),
        (5, "datetime", "2026-01-31T03:00:00+03:00", "2026-01-31 00:00:00.000000Z"),
    ):  # fmt: skip
        fields({"id": 1, "sum": value}, sum=type_)
        done = load(run, window="all", on_type_change="text")
        assert done["changed_columns"] == {"sum": "sum__text"}
        assert target.rows("deals", "sum, sum__text") == [(5, text)]


def test_a_changed_type_may_fail_before_a_row_is_read(fields, target, portal):
    fields({"id": 1, "sum": 5}, sum="integer")
    load(1, window="all")
    fields({"id": 1, "sum": "x"}, sum="string")
    before = calls(portal, LIST)
    with pytest.raises(
        AirflowFailException,
        match=r"the column sum of deals is (?i:bigint(\(20\))?|INTEGER|Nullable\(Int64\)), and the field is text",
    ):
        load(2, window="all", on_type_change="fail")
    assert calls(portal, LIST) == before


def test_columns_that_the_author_has_added_stay_as_they_are(fields, target):
    fields({"id": 1, "sort": 5}, sort="integer")
    load(1, window="all")
    target.execute("ALTER TABLE deals ADD COLUMN segment varchar(9)")
    target.execute("UPDATE deals SET segment = 'gold'")
    fields({"id": 1, "sort": 6}, sort="integer")
    load(2, window="all")
    assert target.rows("deals", "sort, segment") == [(6, "gold")]


def test_a_table_without_a_key_is_refused_before_a_row_is_read(fields, target, portal):
    target.execute("CREATE TABLE deals (id bigint, sort bigint)")
    fields({"id": 1, "sort": 5}, sort="integer")
    if target.kind == "mysql":
        # Its rows are merged without an index.
        for run in (1, 2):
            load(run, window="all")
        assert target.rows("deals", "id, sort") == [(1, 5)]
        return
    refused = "deals has no unique index on id"
    if target.kind == "clickhouse":
        refused = "deals is a table of the engine MergeTree .* ENGINE = ReplacingMergeTree ORDER BY id"
    with pytest.raises(AirflowFailException, match=refused):
        load(1, window="all")
    assert calls(portal, LIST) == 0


def test_a_key_of_another_type_is_refused_and_gets_no_column_beside_it(fields, target, portal):
    target.execute("CREATE TABLE deals (id varchar(20) PRIMARY KEY)")
    fields({"id": 1})
    with pytest.raises(AirflowFailException, match=r"the column id of deals is .*, and the ids are integer"):
        load(1, window="all")
    assert calls(portal, LIST) == 0


# A later try reports what an earlier one has come upon.


def tried_again(portal, monkeypatch, rows: list[dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """The report of a second try; the first one has put the first fifty rows, and more pages fail."""
    monkeypatch.setattr(part_files, "ROWS_OF_A_PART", 50)
    portal.answers[LIST] = lambda params: {
        "items": [row for row in rows if row["id"] > int(params["filter"].get(">id", 0))][:50]
    }
    arguments = {"window": "all", "deleted": "keep", **arguments}
    portal.fault("error", LIST, times=None, after=1)
    with pytest.raises(Bitrix24Error):
        load(run_of(2, try_number=1), **arguments)
    portal.clear_faults()
    portal.reset_calls()
    done = load(run_of(2, try_number=2), **arguments)
    assert (done["rows"], done["parts"] > 1) == (len(rows), True)
    bounds = [command.params["filter"].get(">id") for call in portal.calls for command in (call.commands or [call])
              if command.method == LIST]  # fmt: skip
    assert {int(bound) for bound in bounds if str(bound).isdecimal()} >= {50}
    assert not {int(bound) for bound in bounds if str(bound).isdecimal()} & set(range(50))
    return done


def rows_with(**first: Any) -> list[dict[str, Any]]:
    """Rows of which the first fifty have something that the others have not."""
    return [{"id": number, "sort": 5, **(first if number <= 50 else {})} for number in range(1, 121)]


def test_a_field_that_only_an_earlier_try_has_seen_is_reported_as_new(fields, target, portal, monkeypatch):
    fields({"id": 1, "sort": 5}, sort="integer")
    load(1, window="all")
    done = tried_again(portal, monkeypatch, rows_with(extra="x"))
    assert done["new_columns"] == ["extra"]
    assert target.rows("deals", "count(extra)", "1") == [(50,)]
    assert load(3, window="all")["new_columns"] == []


def test_a_field_that_only_an_earlier_try_has_left_out_is_reported(fields, target, portal, monkeypatch):
    fields({"id": 1, "sort": 5}, sort="integer")
    load(1, window="all")
    done = tried_again(portal, monkeypatch, rows_with(extra="x"), on_new_field="ignore")
    assert (done["new_columns"], done["ignored_columns"]) == ([], ["extra"])
    assert "extra" not in target.columns("deals")


def test_a_change_of_type_that_only_an_earlier_try_has_seen_is_reported(fields, target, portal, monkeypatch):
    fields({"id": 1, "sort": 5, "extra": "x"}, sort="integer")
    load(1, window="all")
    done = tried_again(portal, monkeypatch, rows_with(extra=7))
    assert (done["new_columns"], done["changed_columns"]) == ([], {"extra": "extra__integer"})
    assert target.rows("deals", "count(extra__integer)", "1") == [(50,)]


def test_columns_that_a_try_has_added_before_it_failed_to_publish_are_reported_as_new(portal, connection, target):
    """MySQL and ClickHouse change tables outside of transactions, so the next try finds them there."""
    load(1, window="all", select=["title"])
    title = portal.item(2, 7)["title"]
    target.refuse("deals", "title", title)
    arguments = {"window": "all", "select": ["title", "opportunity"]}
    with pytest.raises(AirflowFailException, match="refused INSERT INTO"):
        load(run_of(2, try_number=1), **arguments)
    assert ("opportunity" in target.columns("deals")) == (target.kind in ("mysql", "clickhouse"))
    target.take("deals")
    assert load(run_of(2, try_number=2), **arguments)["new_columns"] == ["opportunity"]
