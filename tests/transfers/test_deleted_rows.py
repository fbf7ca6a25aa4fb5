"""Rows that are deleted at the portal: found in few requests, and marked; those that must not be seen stay."""

from __future__ import annotations

import bisect
import re
from array import array
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.exports.deletions import missing_rows
from airflow_provider_bitrix24.exports.sources import source_of
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.sandbox import Page, Sandbox
from tests.rest.clients import client_of
from tests.transfers.lists import LIST
from tests.transfers.test_to_sql import load, operator


def delete(*deals: int) -> None:
    for deal in deals:
        Bitrix24Hook().call("crm.item.delete", {"entityTypeId": 2, "id": deal})


def live(target) -> list[int]:
    return [row[0] for row in target.rows("deals WHERE _deleted_at IS NULL", "id")]


@pytest.mark.parametrize("method", [{}, {"method": "crm.deal.list"}], ids=["new", "old"])
def test_a_deleted_row_is_marked_and_comes_alive_again(method, portal, connection, target):
    portal.add_deals(400)
    first = load(1, **method)
    assert (first["rows"], first["deleted"], first["hidden"]) == (430, 0, 0)
    delete(7, 300, 429)
    portal.clock.advance(3600)
    second = load(2, **method)
    assert (second["rows"], second["deleted"], second["hidden"]) == (0, 3, 0)
    assert live(target) == [i for i in range(1, 431) if i not in (7, 300, 429)]
    assert len(target.rows("deals", "id")) == 430
    # They are counted no longer.
    portal.clock.advance(3600)
    portal.reset_calls()
    assert load(3, **method)["deleted"] == 0
    assert sum(call.method == "batch" for call in portal.calls) <= 2
    target.execute("UPDATE deals SET _deleted_at = updated_time WHERE id = 5")
    load(4, window="all", **method)
    assert 5 in live(target)


def test_deleted_rows_may_be_removed_or_kept(portal, connection, target):
    load(1, deleted="keep")
    delete(7)
    portal.clock.advance(3600)
    assert "deleted" not in load(2, deleted="keep")
    assert len(target.rows("deals", "id")) == 30
    portal.clock.advance(3600)
    assert load(3, deleted="remove")["deleted"] == 1
    assert [row[0] for row in target.rows("deals", "id")] == [i for i in range(1, 31) if i != 7]
    assert "_deleted_at" not in target.columns("deals")


def test_a_row_that_must_not_be_seen_is_never_marked(portal, connect, target):
    portal.clerk.rights.add("read")
    own = [deal["id"] for deal in portal.items(2)][:25]
    for deal in own:
        client_of(portal).call(
            "crm.item.update", {"entityTypeId": 2, "id": deal, "fields": {"assignedById": portal.clerk.id}}
        )
    connect()
    load(1)
    client_of(portal).call("crm.item.delete", {"entityTypeId": 2, "id": own[3]})
    portal.clerk.sees_only_own = True
    connect(portal.clerk)
    portal.clock.advance(3600)
    done = load(2)
    shown = len(list(client_of(portal, portal.clerk).list(LIST, {"entityTypeId": 2})))
    assert (done["deleted"], done["hidden"]) == (1, 29 - shown)
    assert done["hidden"] > 0
    assert live(target) == [i for i in range(1, 31) if i != own[3]]


def test_too_many_missing_rows_fail_and_none_is_marked(portal, connection, target):
    portal.add_deals(270)
    load(1)
    delete(*range(1, 21))
    portal.clock.advance(3600)
    with pytest.raises(AirflowFailException, match="20 of 300 rows are missing at the portal, and none is marked"):
        load(2)
    assert len(live(target)) == 300
    assert load(2, max_deleted_share=0.1)["deleted"] == 20
    assert len(live(target)) == 280


@pytest.mark.parametrize(
    "arguments",
    [
        {"item_filter": {"stageId": "NEW"}},
        {"method": "tasks.task.list"},
        {"method": "crm.deal.list", "method_params": {"filter": {"STAGE_ID": "NEW"}}},
    ],
    ids=["filter", "tasks", "old filter"],
)
def test_where_deleted_and_hidden_look_alike_nothing_is_marked(arguments, portal, connection, target):
    with pytest.raises(AirflowFailException, match="only whole lists of CRM items"):
        load(1, deleted="mark", **arguments)
    assert "deleted" not in load(2, **arguments)
    assert "_deleted_at" not in target.columns("deals")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"write": "append", "deleted": "mark"}, "deleted, with write=\"append\", is 'mark': write one of: 'keep'"),
        ({"write": "replace", "deleted": "remove"}, "deleted, with write=\"replace\", is 'remove'"),
        ({"window": "interval", "deleted": "mark"}, "deleted, with window=\"interval\", is 'mark'"),
        ({"window": "interval", "deleted": "drop"}, "is 'drop'"),
    ],
)
def test_what_cannot_find_deleted_rows_is_refused_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(AirflowFailException, match=re.escape(message)):
        operator(**arguments)


def test_a_retry_looks_for_deleted_rows_without_loading_again(portal, connection, target):
    load(1)
    delete(7)
    portal.clock.advance(3600)
    portal.fault("error", "crm.item.get", times=None)
    with pytest.raises(Bitrix24Error):
        load(2)
    assert len(live(target)) == 30
    portal.clear_faults()
    assert (load(2)["deleted"], live(target)) == (1, [i for i in range(1, 31) if i != 7])


def test_thirty_of_a_million_are_found_in_forty_requests(monkeypatch):
    rows = 1_000_000
    gone = set(range(17, rows, rows // 30))
    assert len(gone) == 30
    # Ids as a portal has them, with gaps of older deletions, and 12 rows that the table does not have.
    known = array("q", (3 * number + 1 for number in range(rows)))
    ids = [number for place, number in enumerate(known) if place not in gone]
    for extra in range(12):
        bisect.insort(ids, 3 * (20_000 + extra) + 2)

    def bounds(conditions: Any, name: str) -> list[int]:
        """Conditions of a list that is read on stand beside the author's."""
        if isinstance(conditions, list):
            return [each for value in conditions for each in bounds(value, name)]
        if not isinstance(conditions, dict):
            return []
        inner = bounds(list(conditions.values()), name)
        if name not in conditions:
            return inner
        # A page that was asked for behind one that was the last.
        text = str(conditions[name])
        return [*inner, int(text) if text.lstrip("-").isdigit() else ids[-1]]

    def page(params: Any) -> Page:
        conditions, start = params["filter"], max(int(params.get("start") or 0), 0)
        low = bisect.bisect_right(ids, max(bounds(conditions, ">id"), default=0))
        high = max(low, bisect.bisect_right(ids, min(bounds(conditions, "<=id"), default=ids[-1])))
        shown = ids[low + start : min(low + start + 50, high)]
        return Page({"items": [{"id": number} for number in shown]}, total=high - low, next=None)

    with Sandbox(deals=1) as portal:
        portal.answers[LIST] = page
        with client_of(portal) as client:
            source = source_of(client, client.method(LIST), {"entityTypeId": 2}, ["title"])
            portal.reset_calls()
            missing = missing_rows(client, source, known)
            requests = len(portal.calls)
    assert sorted(missing.deleted) == sorted(known[place] for place in gone)
    assert missing.hidden == 0
    assert requests <= 40
