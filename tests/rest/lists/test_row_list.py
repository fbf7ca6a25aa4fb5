"""Whole lists over the wire: exact, streamed, in few requests, whatever the method and the filter."""

from __future__ import annotations

import gc
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ConfigurationError,
    Forbidden,
    Invalid,
    NotSent,
    OperationTimeLimit,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.fixtures.output import AllOutput
from tests.rest.clients import client_of

DEALS, ITEMS, TASKS, USERS = "crm.deal.list", "crm.item.list", "tasks.task.list", "user.get"
DEAL = 2
#: Half a page of gaps on average, so that ids and positions differ.
GAPS = 0.3


@pytest.fixture(scope="module")
def many() -> Iterator[Sandbox]:
    """2,501 deals and 130 tasks whose ids have gaps. Only read from."""
    with Sandbox(deals=2501, tasks=130, employees=120, gaps=GAPS, seed=5) as portal:
        yield portal


def ids_of(portal: Sandbox) -> list[int]:
    return [int(deal["id"]) for deal in portal.items(DEAL)]


def bound_for(portal: Sandbox, count: int) -> int:
    """The id after which this many deals are left."""
    ids = ids_of(portal)
    return ids[-count - 1] if count < len(ids) else 0


# Exact, whatever the number.


@pytest.mark.usefixtures("each_parallel")
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 2449, 2450, 2499, 2500, 2501])
@pytest.mark.parametrize(
    ("method", "key", "params"), [(DEALS, "ID", {}), (ITEMS, "id", {"entityTypeId": DEAL})], ids=["old", "universal"]
)
def test_every_row_comes_once_in_order_of_id_in_few_requests(
    many: Sandbox, reader: Client, method: str, key: str, params: dict[str, Any], count: int
) -> None:
    rows = reader.list(method, {**params, "filter": {f">{key}": bound_for(many, count)}, "select": [key]})
    expected = ids_of(many)[len(ids_of(many)) - count :]
    assert [int(row[key]) for row in rows] == expected
    report = rows.report
    assert (report.rows, report.complete, report.proven, report.strategy) == (count, True, True, "keyset")
    assert (report.first_id, report.last_id) == (
        (None, None) if not count else tuple(type(report.first_id)(id_) for id_ in (expected[0], expected[-1]))
    )
    fields = many.count("crm.deal.fields")
    assert many.requests - fields == report.requests <= -(-count // 2500) + 2
    assert fields <= 1


@pytest.mark.parametrize("method", [TASKS, USERS, "crm.type.list", "crm.lead.list", "crm.contact.list"])
def test_every_known_list_is_read_whole(many: Sandbox, reader: Client, method: str) -> None:
    rows = list(reader.list(method))
    ids = [int(row.get("id") or row["ID"]) for row in rows]
    assert ids == sorted(set(ids))
    if method == TASKS:
        assert ids == [task["id"] for task in many.tasks()]
        assert len(ids) == 130
    if method == USERS:
        assert len(ids) == 122


def test_the_callers_own_filter_is_kept_on_every_page(many: Sandbox, reader: Client) -> None:
    """``user.get`` with ``FILTER``: a helper that added its own ``filter`` brought the dismissed back."""
    active = [row["ID"] for row in reader.list(USERS, {"FILTER": {"ACTIVE": "Y"}})]
    assert len(active) == 98
    assert all(row["ACTIVE"] for row in reader.list(USERS, {"filter": {"ACTIVE": True}}))
    assert len(list(reader.list(USERS, {"filter": {"ACTIVE": True}}))) == 98


def test_fields_beside_the_order_filter_on_every_page(many: Sandbox, reader: Client) -> None:
    """As on the page of ``user.get``."""
    rows = list(reader.list(USERS, {"ACTIVE": "Y", "SORT": "ID", "ORDER": "asc"}))
    assert len(rows) == 98
    assert all("ACTIVE" in (call.params or {}).get("FILTER", {"ACTIVE": 1}) for call in many.calls)


def test_a_bound_of_the_caller_narrows_the_list(many: Sandbox, reader: Client) -> None:
    ids = ids_of(many)
    low, high = ids[600], ids[900]
    for low_key, high_key, expected in [
        (">ID", "<ID", ids[601:900]),
        (">=ID", "<=ID", ids[600:901]),
    ]:
        rows = reader.list(DEALS, {"filter": {low_key: low, high_key: high}, "select": ["ID"]})
        assert [int(row["ID"]) for row in rows] == expected
    every_hundredth = [str(id_) for id_ in ids[::100]]
    assert [row["ID"] for row in reader.list(DEALS, {"filter": {"@ID": every_hundredth}})] == every_hundredth


@pytest.mark.parametrize(
    ("field", "value", "holds"),
    [
        ("stageId", "NEW", lambda deal: deal["stageId"] == "NEW"),
        ("=stageId", "NEW", lambda deal: deal["stageId"] == "NEW"),
        ("!stageId", "NEW", lambda deal: deal["stageId"] != "NEW"),
        ("!=stageId", "NEW", lambda deal: deal["stageId"] != "NEW"),
        ("@stageId", ["NEW", "WON"], lambda deal: deal["stageId"] in ("NEW", "WON")),
        ("!@stageId", ["NEW", "WON"], lambda deal: deal["stageId"] not in ("NEW", "WON")),
        ("%title", "door", lambda deal: "door" in deal["title"].lower()),
        ("!%title", "door", lambda deal: "door" not in deal["title"].lower()),
        ("=%title", "Oak%", lambda deal: deal["title"].startswith("Oak")),
        ("%=title", "Oak%", lambda deal: deal["title"].startswith("Oak")),
        (">opportunity", 5000, lambda deal: deal["opportunity"] > 5000),
        (">=opportunity", 5000.5, lambda deal: deal["opportunity"] >= 5000.5),
        ("<opportunity", 5000, lambda deal: deal["opportunity"] < 5000),
        ("<=opportunity", 5000.5, lambda deal: deal["opportunity"] <= 5000.5),
    ],
)
def test_every_operator_means_on_later_pages_what_it_means_on_the_first(
    many: Sandbox, reader: Client, field: str, value: Any, holds: Any
) -> None:
    rows = list(reader.list(ITEMS, {"entityTypeId": DEAL, "filter": {field: value}, "select": ["id"]}))
    expected = [deal["id"] for deal in many.items(DEAL) if holds(deal)]
    assert [row["id"] for row in rows] == expected
    assert len(expected) > 100
    assert many.count("batch") > 0


def test_an_or_of_the_caller_stands_beside_the_cursor(many: Sandbox, reader: Client) -> None:
    either = {"logic": "OR", "0": {"stageId": "NEW"}, "1": {"stageId": "WON"}}
    rows = list(reader.list(ITEMS, {"entityTypeId": DEAL, "filter": either}))
    expected = [deal["id"] for deal in many.items(DEAL) if deal["stageId"] in ("NEW", "WON")]
    assert [row["id"] for row in rows] == expected
    assert len(expected) > 500


def test_rows_of_the_same_second_are_not_lost_at_a_page_edge(portal: Sandbox) -> None:
    moment = "2026-03-01T12:00:00+03:00"
    made = portal.add_deals(120, updatedTime=moment)
    window = {">=DATE_MODIFY": "2026-03-01T10:00:00+01:00", "<=DATE_MODIFY": moment}
    with client_of(portal) as client:
        rows = list(client.list(DEALS, {"filter": window, "select": ["ID", "DATE_MODIFY"]}))
    assert [int(row["ID"]) for row in rows] == made


def test_true_in_a_filter_is_true_on_every_page(many: Sandbox, reader: Client) -> None:
    """In a query string it would be the text ``True``, which finds nothing and says nothing."""
    rows = list(reader.list(USERS, {"FILTER": {"ACTIVE": True}}))
    assert len(rows) == 98
    assert many.count("batch") == 0


def test_text_with_a_plus_a_hash_and_letters_of_other_scripts_filters_on_every_page(portal: Sandbox) -> None:
    title = "Дом + «Ёж» #1 & b=c 😀"
    made = portal.add_deals(160, title=title)
    with client_of(portal) as client:
        for key in ("TITLE", "=TITLE", "%TITLE"):
            rows = client.list(DEALS, {"filter": {key: title}, "select": ["ID"]})
            assert [int(row["ID"]) for row in rows] == made
    assert portal.count("batch") == 3


def test_text_that_looks_like_a_reference_keeps_its_meaning_on_every_page(portal: Sandbox) -> None:
    title = "$result[c0][49][ID]"
    made = portal.add_deals(120, title=title)
    with client_of(portal) as client:
        assert [int(row["ID"]) for row in client.list(DEALS, {"filter": {"TITLE": title}})] == made
    assert portal.count("batch") == 0


# Select.


@pytest.mark.parametrize(
    ("method", "select", "keys"),
    [
        (DEALS, ["TITLE"], {"TITLE"}),
        (DEALS, ["ID", "TITLE"], {"ID", "TITLE"}),
        (ITEMS, ["title"], {"title"}),
        (ITEMS, ["id", "title"], {"id", "title"}),
    ],
)
def test_rows_hold_what_was_selected_and_no_id_of_ours(
    many: Sandbox, reader: Client, method: str, select: list[str], keys: set[str]
) -> None:
    of_items = {"entityTypeId": DEAL} if method == ITEMS else {}
    rows = list(reader.list(method, {**of_items, "select": select}))
    assert len(rows) == 2501
    assert {frozenset(row) for row in rows} == {frozenset(keys)}


# Limit.


@pytest.mark.parametrize("limit", [1, 49, 50, 51, 100, 2500, 2501, 5000])
def test_a_limit_is_cut_exactly(many: Sandbox, reader: Client, limit: int) -> None:
    rows = reader.list(DEALS, {"select": ["ID"]}, limit=limit)
    assert [int(row["ID"]) for row in rows] == ids_of(many)[:limit]
    assert rows.report.complete == (limit > 2501)
    pages = sum(max(1, len(call.commands)) for call in many.calls)
    assert pages <= -(-limit // 50) + 50 * (limit > 2501)
    assert next(rows, None) is None


@pytest.mark.parametrize("limit", [0, -1, -50, 1.5, "50", True, False])
def test_a_limit_that_makes_no_sense_is_refused(many: Sandbox, reader: Client, limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="limit must be a whole number above 0"):
        reader.list(DEALS, limit=limit)
    assert many.requests == 0


# What is refused before anything is sent.


@pytest.mark.parametrize(
    "params",
    [
        {"order": {"DATE_CREATE": "DESC"}},
        {"start": 0},
        {"START": 50},
        {"FILTER": {"ID": 1}, "filter": {"ID": 2}},
        {"filter": {">ID": "many"}},
        {"filter": {"logic": "OR", "TITLE": "x"}},
        {"select": "ID"},
    ],
)
def test_what_cannot_be_read_exactly_is_refused_before_anything_is_sent(
    many: Sandbox, reader: Client, params: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        reader.list(DEALS, params)
    assert many.requests == 0


def test_a_filter_that_a_controller_does_not_know_is_its_own_error(many: Sandbox, reader: Client) -> None:
    with pytest.raises(Invalid, match="nonsense"):
        next(reader.list(ITEMS, {"entityTypeId": DEAL, "filter": {"nonsense": 1}}))


def test_controllers_get_the_order_in_their_own_spelling(many: Sandbox, reader: Client) -> None:
    """``order[ID]`` is the unknown field ``I_D`` to ``crm.type.list``."""
    list(reader.list("crm.type.list"))
    assert many.calls[0].params["order"] == {"id": "ASC"}


def test_a_method_that_is_not_a_list_is_refused(many: Sandbox, reader: Client) -> None:
    with pytest.raises(ConfigurationError, match="not known to be a list"):
        reader.list("crm.deal.add")
    assert many.requests == 0


# Streaming.


def test_rows_come_as_they_are_read(many: Sandbox, reader: Client) -> None:
    rows = reader.list(DEALS, {"select": ["ID"]})
    assert many.requests == 0
    next(rows)
    assert (many.requests, rows.report.rows) == (1, 1)
    for _ in range(50):
        next(rows)
    assert (many.requests, rows.report.rows) == (2, 51)


def test_memory_does_not_grow_with_the_list() -> None:
    with Sandbox(deals=20_000, tasks=0) as portal, client_of(portal) as client:
        rows = client.list(DEALS, {"select": ["ID", "TITLE"]})
        for _ in range(2600):
            next(rows)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in rows:
                pass
            current, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert rows.report.rows == 20_000
    # The server is in this process and takes some of it.
    assert current < 3_000_000
    assert peak < 30_000_000


def test_rows_made_while_a_list_is_read_are_seen_and_none_twice(portal: Sandbox) -> None:
    with client_of(portal) as client:
        ids = []
        for row in client.list(DEALS):
            ids.append(int(row["ID"]))
            if len(ids) <= 60:
                portal.add_deals(1)
    assert ids == sorted(set(ids)) == [deal["id"] for deal in portal.items(DEAL)]


def test_rows_deleted_while_a_list_is_read_may_be_missed_and_no_other(portal: Sandbox) -> None:
    portal.add_deals(300)
    before = [deal["id"] for deal in portal.items(DEAL)]
    gone = before[10:300:7]
    with client_of(portal) as client:
        seen = []
        for row in client.list(DEALS, {"select": ["ID"]}):
            seen.append(int(row["ID"]))
            if len(seen) == 20:
                for id_ in gone:
                    portal.remove_item(DEAL, id_)
    assert seen == sorted(set(seen))
    assert set(before) - set(gone) <= set(seen)


def test_rows_that_the_user_must_not_see_are_left_out_and_the_others_come(portal: Sandbox) -> None:
    portal.add_deals(300)
    portal.clerk.sees_only_own = True
    with client_of(portal, portal.clerk) as client:
        ids = [int(row["ID"]) for row in client.list(DEALS)]
    assert ids == [deal["id"] for deal in portal.items(DEAL) if deal["assignedById"] == portal.clerk.id]
    assert len(ids) > 60


# Faults.


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "close_after", "truncated", "query_limit"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_lost_answer_is_asked_for_again(portal: Sandbox, kind: str, after: int) -> None:
    portal.add_deals(2600)
    portal.fault(kind, after=after, times=2)
    with client_of(portal) as client:
        assert [int(row["ID"]) for row in client.list(DEALS, {"select": ["ID"]})] == ids_of(portal)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("reset_before", {}, AnswerLost),
        ("status_before", {"status": 504}, AnswerLost),
        ("error", {"code": "ACCESS_DENIED", "description": "Доступ запрещен", "status": 200}, Forbidden),
        ("error", {"code": "WRONG_ENCODING", "description": "", "status": 200}, Bitrix24Error),
        ("error", {"code": "INVALID_CREDENTIALS", "status": 401}, Unauthorized),
        ("operation_time_limit", {}, OperationTimeLimit),
    ],
)
def test_a_fault_that_stays_is_raised_and_never_the_end(
    portal: Sandbox, kind: str, options: dict[str, Any], error: type[Bitrix24Error]
) -> None:
    portal.add_deals(2600)
    portal.fault(kind, after=1, times=None, **options)
    with client_of(portal) as client:
        rows = client.list(DEALS, {"select": ["ID"]})
        with pytest.raises(error):
            list(rows)
        assert (rows.report.rows, rows.report.complete) == (50, False)


def test_a_portal_that_goes_away_meanwhile_is_raised() -> None:
    with Sandbox(deals=200) as portal:
        client = client_of(portal)
        rows = client.list(DEALS)
        next(rows)
    with client, pytest.raises((NotSent, AnswerLost)):
        list(rows)


def test_the_report_tells_how_a_list_was_read(many: Sandbox, reader: Client) -> None:
    rows = reader.list(DEALS, {"select": ["ID"]})
    list(rows)
    ids = ids_of(many)
    assert str(rows.report).startswith("crm.deal.list: 2501 rows, complete; 51 pages in 3 requests and ")
    assert str(rows.report).endswith(f" s, by keyset, ids {ids[0]} to {ids[-1]}")
    cut = reader.list(DEALS, limit=10)
    list(cut)
    assert "10 rows, not read to its end" in str(cut.report)


def test_the_progress_of_a_long_list_has_its_share_and_the_time_left(
    reader: Client, all_output: AllOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is read by its ids is not counted: how far it is follows from the largest of them."""
    monkeypatch.setattr("airflow_provider_bitrix24.rest.progress.PROGRESS_SECONDS", 0.0)
    list(reader.list(DEALS, {"select": ["ID"]}))
    shares = [int(share) for share in re.findall(r"a second, about (\d+) %, \d+:\d\d left", all_output.records)]
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[0] <= 50 < 95 <= shares[-1] <= 100


def test_progress_is_reported_without_a_secret(
    portal: Sandbox, all_output: AllOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_bitrix24.rest.progress.PROGRESS_SECONDS", 0.0)
    with client_of(portal) as client:
        list(client.list(DEALS, {"filter": {"!TITLE": "x"}}))
    assert "crm.deal.list: 30 rows, " in all_output.records
    assert all_output.places_of(portal.admin.code) == []
