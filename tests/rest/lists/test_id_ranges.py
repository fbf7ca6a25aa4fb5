"""Lists whose ranges of ids are read side by side: as exact as in one chain, and no thread or request is left over."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error, IncompleteList
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.rest.lists import id_ranges
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Watched, client_of, request_threads
from tests.rest.hostile import Hostile, Page, bound, client_of_hostile, deals, start_of

DEALS = "crm.deal.list"
LARGE = 2**40


def honest(ids: Iterable[int]) -> Callable[[str, dict[str, Any]], Page]:
    """An honest ``crm.deal.list`` with these ids, however large they are."""
    known = sorted(ids)

    def answer(method: str, params: dict[str, Any]) -> Page:
        # A text that does not hold a number is read as 0, as PHP reads it.
        first, last = bisect_right(known, bound(params)), bisect_right(known, bound(params, "<=ID") or LARGE)
        if (params.get("order") or {}).get("ID") == "DESC":
            return Page(deals(reversed(known[max(first, last - 50) : last])), total=0)
        return Page(deals(known[first : min(last, first + 50)]), total=last - first if start_of(params) >= 0 else 0)

    return answer


def read(rows: Iterable[dict[str, Any]]) -> list[int]:
    return [int(row["ID"]) for row in rows]


ID_SETS = {
    "dense": range(1, 7_001),
    "random gaps": sorted(random.Random(1).sample(range(1, 20_000), 12_000)),
    "one in a hundred": range(100, 700_000, 100),
    "ids beyond 2**31": range(2**31 + 5, 2**31 + 7_005),
    "two clusters, millions apart": [*range(1, 3_000), *range(10_000_000, 10_003_000)],
    "many clusters": [start + number for start in range(0, 50_000_000, 1_000_000) for number in range(1, 140)],
    "denser and denser": sorted({int(12_000**2 / number) for number in range(1, 12_000)}),
    "beyond 2**31, millions apart": [
        2**31 + start + number for start in range(0, 40_000_000, 4_000_000) for number in range(1, 300)
    ],
    "51": range(1, 52),
    "all on full pages": range(1, 5_001),
}


@pytest.mark.parametrize("parallel", [1, 4, 20])
@pytest.mark.parametrize("ids", ID_SETS.values(), ids=ID_SETS)
def test_every_row_comes_once_in_order_of_id(ids: Any, parallel: int) -> None:
    with Hostile(honest(ids)) as portal, client_of_hostile(portal, parallel=parallel) as client:
        rows = client.list(DEALS)
        assert read(rows) == list(ids)
        assert rows.report.complete
        assert rows.report.requests == len(portal.asked)
    assert request_threads() == 0


def test_few_more_requests_are_sent_than_in_one_chain() -> None:
    with Hostile(honest(range(1, 50_001))) as portal, client_of_hostile(portal) as client:
        assert len(read(client.list(DEALS))) == 50_000
    assert len(portal.asked) <= 33


@pytest.mark.parametrize("name", ["two clusters, millions apart", "many clusters", "denser and denser"])
def test_gaps_cost_few_requests(name: str) -> None:
    with Hostile(honest(ID_SETS[name])) as portal, client_of_hostile(portal) as client:
        read(client.list(DEALS))
    assert len(portal.asked) <= 18


@pytest.mark.parametrize(("parallel", "least", "most"), [(1, 0, 0), (3, 1, 2), (20, 3, 8)])
def test_several_requests_are_under_way_at_once_and_no_more_than_parallel(parallel: int, least: int, most: int) -> None:
    """The only request needs no permit. Four short ranges follow the second one, and then nine at once."""
    bucket = Watched()
    with Sandbox(deals=20_000, latency=0.1) as portal, client_of(portal, parallel=parallel, bucket=bucket) as client:
        assert len(read(client.list(DEALS, {"select": ["ID"]}))) == 20_000
    assert least <= bucket.most_permits <= most
    assert bucket.permits == 0


def test_a_host_without_free_permits_reads_in_one_request_after_the_other() -> None:
    bucket = LocalBucket()
    while bucket.take_permit(19) is not None:
        pass
    with Sandbox(deals=6_000, latency=0.05) as portal, client_of(portal, bucket=bucket) as client:
        assert len(read(client.list(DEALS, {"select": ["ID"]}))) == 6_000
        at = [call.at for call in portal.calls]
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(at))


@pytest.mark.parametrize("kind", ["reset_after", "status_before", "truncated", "query_limit"])
@pytest.mark.parametrize("after", [1, 2, 4, 6])
def test_a_range_that_fails_is_read_when_its_turn_comes(kind: str, after: int) -> None:
    with Sandbox(deals=9_000) as portal, client_of(portal) as client:
        portal.fault(kind, method="batch", after=after, times=2)
        rows = client.list(DEALS, {"select": ["ID"]})
        assert len(set(read(rows))) == 9_000
        assert rows.report.complete


def test_a_portal_that_ignores_the_upper_bound_is_read_in_one_chain() -> None:
    listed = honest(range(1, 20_001))

    def answer(method: str, params: dict[str, Any]) -> Page:
        conditions = {name: value for name, value in params.get("filter", {}).items() if not name.startswith("<=")}
        return listed(method, {**params, "filter": conditions})

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS)) == list(range(1, 20_001))


def test_a_portal_that_ignores_the_direction_is_read_in_one_chain() -> None:
    listed = honest(range(1, 8_001))

    def answer(method: str, params: dict[str, Any]) -> Page:
        return listed(method, {**params, "order": {"ID": "ASC"}})

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS)) == list(range(1, 8_001))


@pytest.mark.parametrize("first", [2, 3, 5])
def test_empty_pages_of_a_portal_in_trouble_lose_no_row(first: int) -> None:
    """A batch whose every page is empty, although there are rows, is not believed."""
    listed = honest(range(1, 20_001))

    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch" and len([name for name, _ in portal.asked if name == "batch"]) == first:
            body["result"]["result"] = {key: [] for key in body["result"]["result"]}

    with Hostile(listed, spoil=spoil) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS)) == list(range(1, 20_001))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_hidden_rows_make_pages_short_and_lose_nothing(share: float) -> None:
    """A page has fewer rows where the user must not see all of them."""
    chance = random.Random(share)
    hidden = {number for number in range(1, 8_001) if chance.random() < share}
    listed = honest(range(1, 8_001))

    def answer(method: str, params: dict[str, Any]) -> Page:
        page = listed(method, params)
        return Page([row for row in page.result if int(row["ID"]) not in hidden], page.total)

    seen = [number for number in range(1, 8_001) if number not in hidden]
    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS)) == seen


def test_rows_that_come_and_go_meanwhile_cost_no_other_row() -> None:
    """Before, inside and behind the ranges under way."""
    chance = random.Random(5)
    with Sandbox(deals=12_000, gaps=0.3) as portal, client_of(portal) as client:
        before = set(read(client.list(DEALS, {"select": ["ID"]})))
        gone: set[int] = set()
        came: list[int] = []
        for number, row in enumerate(client.list(DEALS, {"select": ["ID"]})):
            came.append(int(row["ID"]))
            if number % 500 == 0:
                victim = chance.choice(sorted(before - gone))
                portal.remove_item(2, victim)
                gone.add(victim)
                portal.add_deals(1)
        assert came == sorted(set(came))
        assert before - gone <= set(came)


def test_a_list_that_is_not_read_to_its_end_stops_reading() -> None:
    with Sandbox(deals=10_000, latency=0.02) as portal, client_of(portal) as client:
        rows = iter(client.list(DEALS, {"select": ["ID"]}))
        for _ in range(3_000):
            next(rows)
        assert request_threads() > 0
        del rows
        assert request_threads() == 0
        requests = portal.requests
        time.sleep(0.2)
        assert portal.requests == requests


def test_a_slow_reader_slows_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is under way and unread than the bound says."""
    monkeypatch.setattr(id_ranges, "AHEAD_BYTES", 500_000)
    with Sandbox(deals=30_000) as portal, client_of(portal) as client:
        rows = iter(client.list(DEALS))
        for _ in range(600):
            next(rows)
        time.sleep(0.3)
        asked = sum(len(call.commands) for call in portal.calls)
        assert asked < 30_000 / 50 / 2
        assert 600 + sum(1 for _ in rows) == 30_000


def test_an_error_ends_the_request_threads() -> None:
    with Sandbox(deals=10_000) as portal, client_of(portal) as client:
        rows = client.list(DEALS, {"select": ["ID"]})
        next(iter(rows))
        portal.fault("error", method="*", code="ACCESS_DENIED", status=403, times=None)
        with pytest.raises(Bitrix24Error):
            read(rows)
        assert request_threads() == 0


def test_no_more_is_sent_at_once_than_the_bucket_holds() -> None:
    with Sandbox(deals=10_000, rate=2, burst=8) as portal:
        with client_of(portal, portal_bucket=Bucket(rate=2.0, burst=6.0)) as client:
            assert len(read(client.list(DEALS, {"select": ["ID"]}))) == 10_000
        assert not [call for call in portal.calls if call.error]


def test_a_limit_asks_for_few_more_pages_than_it_needs() -> None:
    with Hostile(honest(range(1, 50_001))) as portal, client_of_hostile(portal) as client:
        assert read(client.list(DEALS, limit=12_000)) == list(range(1, 12_001))
    # Beside the pages of rows, each range asks for its largest ids.
    assert len(portal.commands) <= 1.1 * 12_000 / 50


def test_a_closed_list_sends_no_more_and_does_not_pass_for_the_whole() -> None:
    with Hostile(honest(range(1, 20_001))) as portal, client_of_hostile(portal) as client:
        rows = client.list(DEALS)
        for _ in range(600):
            next(rows)
        rows.close()
        assert request_threads() == 0
        requests = len(portal.asked)
        with pytest.raises(IncompleteList, match="closed before its end"):
            next(rows)
        assert (len(portal.asked), rows.report.complete) == (requests, False)


def test_to_close_a_list_at_its_end_changes_nothing() -> None:
    with Hostile(honest(range(1, 8))) as portal, client_of_hostile(portal) as client:
        rows = client.list(DEALS)
        assert read(rows) == list(range(1, 8))
        rows.close()
        assert (read(rows), rows.report.complete) == ([], True)
