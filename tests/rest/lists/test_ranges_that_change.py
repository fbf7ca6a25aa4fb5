"""Ranges of ids that break in the middle, and rows that come and go while they are read: no other row is lost."""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from typing import Any

import pytest

from airflow_provider_bitrix24.rest.lists import id_ranges
from tests.rest.clients import request_threads
from tests.rest.hostile import Hostile, Page, Refusal, bound, client_of_hostile, deals
from tests.rest.lists.test_id_ranges import DEALS, honest, read

IDS = range(1, 15_001)


@pytest.mark.parametrize(
    "refusal",
    [Refusal("INTERNAL_SERVER_ERROR", "", 500), Refusal("QUERY_LIMIT_EXCEEDED", "", 503), Refusal("", "", 200)],
    ids=["an error", "a limit", "no code"],
)
@pytest.mark.parametrize("command", [70, 104, 153, 230])
def test_a_page_that_fails_in_the_middle_of_a_range_is_read_again(
    refusal: Refusal, command: int, each_parallel: int
) -> None:
    """And with it the pages that were to follow from it, and no other."""
    listed = honest(IDS)

    def answer(method: str, params: dict[str, Any]) -> Page:
        if len(portal.commands) == command:
            raise refusal
        return listed(method, params)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        rows = client.list(DEALS)
        assert read(rows) == list(IDS)
        assert rows.report.complete
    assert len(portal.commands) <= 2 * len(IDS) / 50
    assert request_threads() == 0


@pytest.mark.parametrize("command", [70, 153])
def test_a_page_that_is_missing_in_the_middle_of_a_range_is_read_again(command: int, each_parallel: int) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch" and len(portal.commands) >= command and not spoiled:
            spoiled.append(body["result"]["result"].pop("c7"))

    spoiled: list[Any] = []
    with Hostile(honest(IDS), spoil=spoil) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS)) == list(IDS)
    assert spoiled


@pytest.mark.parametrize("where", [range(-6_000, -3_000), range(-3_000, 3_000), range(3_000, 9_000)])
def test_rows_that_come_and_go_before_inside_and_behind_the_ranges_cost_no_other(
    where: range, each_parallel: int
) -> None:
    chance = random.Random(where.start)
    # Odd ones come later.
    there = list(range(2, 24_002, 2))
    stay, ever = set(there), set(there)

    def answer(method: str, params: dict[str, Any]) -> Page:
        after, up_to = bound(params), bound(params, "<=ID") or 10**9
        for at in (after + chance.choice(where), after + chance.choice(where)):
            if 0 < at < there[-1]:
                new, gone = at // 2 * 2 + 1, bisect_left(there, at)
                stay.discard(there.pop(gone))
                if new not in ever:
                    insort(there, new)
                    ever.add(new)
        # A text that does not hold a number is read as 0, as PHP reads it.
        left = there[bisect_left(there, after + 1) : bisect_left(there, up_to + 1)]
        if (params.get("order") or {}).get("ID") == "DESC":
            left.reverse()
        return Page(deals(left[:50]), total=0)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        came = read(client.list(DEALS))
    assert came == sorted(set(came))
    assert stay <= set(came) <= ever
    assert len(stay) < 11_900


def test_no_more_is_read_ahead_than_the_bound_where_rows_become_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rows are narrow, and the head is answered last: what has come in meanwhile is measured."""
    monkeypatch.setattr(id_ranges, "AHEAD_BYTES", 2_000_000)
    listed = honest(IDS)

    def answer(method: str, params: dict[str, Any]) -> Page:
        page = listed(method, params)
        return Page([row | {"COMMENTS": "x" * 1_000} if int(row["ID"]) > 2_600 else row for row in page.result], 0)

    with (
        # The second request shows what pages take; the third is the head.
        Hostile(answer, seconds=lambda under_way: 1.5 if len(portal.asked) == 3 else 0.0) as portal,
        client_of_hostile(portal) as client,
    ):
        rows = client.list(DEALS)
        while rows.report.rows < 2_600:
            next(rows)
        assert len(portal.asked) <= 3 + 4
        assert 2_600 + len(read(rows)) == len(IDS)
