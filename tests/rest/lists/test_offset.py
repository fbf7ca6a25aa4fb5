"""Lists by offset and by cursors of their own, from portals that tell the truth and from others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.methods import METHODS, Method, Rows
from airflow_provider_bitrix24.rest.lists.request_sizes import FEW_PAGES
from tests.rest.hostile import Hostile, Page, client_of_hostile, drain, incomplete, reading, start_of

UNKNOWN = "acme.thing.list"


def by_start(count: int, total: Any = "true", following: Any = "true") -> Callable[[str, dict[str, Any]], Page]:
    """An unknown list of this many rows, with a true ``total`` and ``next`` or the given ones."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        rows = [{"id": number} for number in range(1, count + 1)[offset : offset + 50]]
        true_next = offset + 50 if offset + 50 < count else None
        return Page(rows, count if total == "true" else total, true_next if following == "true" else following)

    return answer


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 1250])
def test_an_unknown_list_is_read_by_offset(count: int) -> None:
    with reading(by_start(count), UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, count + 1))
        assert (rows.report.strategy, rows.report.complete, rows.report.total) == ("start", True, count)


@pytest.mark.parametrize("count", [0, 49, 51, 100, 120])
def test_without_a_total_next_leads_to_the_end(count: int) -> None:
    with reading(by_start(count, total=None), UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, count + 1))


def test_a_full_page_without_total_and_next_is_not_believed_to_be_the_end() -> None:
    """Nobody says whether more rows follow: the portal is asked, and says so by answering something else."""
    with reading(by_start(120, total=None, following=None), UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, 121))
    incomplete(lambda *_: [{"id": number} for number in range(1, 51)], UNKNOWN)


def test_next_beats_a_total_that_says_less() -> None:
    with reading(by_start(120, total=50), UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, 121))


@pytest.mark.parametrize("total", [0, 50, 100])
def test_a_total_of_an_unknown_list_that_says_less_does_not_end_it(total: int) -> None:
    """As that of ``crm.address.list``, which is 50 whatever the number."""
    with reading(by_start(120, total=total, following=None), UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, 121))
        assert rows.report.complete


@pytest.mark.parametrize("total", [0, 20, 49])
def test_the_first_page_again_is_not_an_end_where_the_total_says_less(total: int) -> None:
    incomplete(lambda *_: Page([{"id": number} for number in range(1, 51)], total), UNKNOWN)


@pytest.mark.parametrize("count", [50, 100, 150])
def test_an_unknown_list_that_begins_again_after_its_end_is_read_once(count: int) -> None:
    """As old lists do, with ``next`` 50."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params) if start_of(params) < count else 0
        page = [{"id": number} for number in range(1, count + 1)][offset : offset + 50]
        return Page(page, count, offset + 50 if offset + 50 < count else None)

    with reading(answer, UNKNOWN) as (rows, _):
        assert drain(rows) == list(range(1, count + 1))
        assert rows.report.complete


def test_fewer_rows_than_the_total_are_an_error() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        return Page(
            [{"id": number} for number in range(1, 51)] if offset == 0 else [], 753128, 50 if not offset else None
        )

    assert "50 of 753128" in incomplete(answer, UNKNOWN).reason


@pytest.mark.parametrize("again", [None, -1, "many"])
def test_a_count_that_is_none_the_second_time_does_not_take_the_first_one_back(again: Any) -> None:
    counted = []

    def answer(method: str, params: dict[str, Any]) -> Page:
        if start_of(params) > 0:
            return Page([])
        counted.append(params)
        rows = [{"id": number} for number in range(1, 51)]
        return Page(rows, 753128 if len(counted) == 1 else None, 50 if len(counted) == 1 else None)

    def spoil(body: dict[str, Any], method: str) -> None:
        if len(counted) == 2 and again is not None:
            body["total"] = again

    assert "50 of 753128" in incomplete(answer, UNKNOWN, spoil=spoil).reason
    assert len(counted) == 2


@pytest.mark.parametrize("following", [0, 30, 49, 51, 100, -50])
def test_a_next_that_does_not_grow_by_a_page_is_an_error(following: int) -> None:
    incomplete(by_start(120, following=following), UNKNOWN)


def test_a_portal_that_ignores_the_offset_is_noticed() -> None:
    incomplete(lambda *_: Page([{"id": n} for n in range(1, 51)], 150, 50), UNKNOWN)


def test_rows_deleted_meanwhile_are_noticed() -> None:
    """The rows after them move to pages that have been read."""
    left = list(range(1, 121))

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        page = [{"id": number} for number in left[offset : offset + 50]]
        answer_ = Page(page, len(left), offset + 50 if offset + 50 < len(left) else None)
        del left[0]
        return answer_

    assert incomplete(answer, UNKNOWN).retryable


WITHOUT_IDS = METHODS.adding(Method("acme.pair.list", repeat="read", rows=Rows(at="", unique_id=False)))


@pytest.mark.parametrize("pages", [[0], [0, 1]])
def test_repeated_pages_are_noticed_where_rows_have_no_id(pages: list[int]) -> None:
    """One page again and again, or two by turns."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        number = pages[start_of(params) // 50 % len(pages)]
        return Page([{"PAIR": number}] * 50, None, start_of(params) + 50)

    incomplete(answer, "acme.pair.list", methods=WITHOUT_IDS)


def test_a_list_without_ids_is_read_by_offset_and_says_that_it_proves_nothing() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        return Page([{"PAIR": n} for n in range(120)][offset : offset + 50], 120, offset + 50 if offset < 100 else None)

    with reading(answer, "acme.pair.list", methods=WITHOUT_IDS) as (rows, _):
        assert [row["PAIR"] for row in rows] == list(range(120))
        assert (rows.report.complete, rows.report.proven) == (True, False)
        assert "cannot be proven" in str(rows.report)


ADDRESSES = "crm.address.list"


@pytest.mark.parametrize("count", [0, 49, 51, 100, 120, 150])
def test_a_total_that_is_always_fifty_ends_no_list(count: int) -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        return Page([{"ADDRESS_1": n} for n in range(count)][offset : offset + 50], 50)

    with reading(answer, ADDRESSES) as (rows, _):
        assert [row["ADDRESS_1"] for row in rows] == list(range(count))


@pytest.mark.parametrize("count", [100, 150])
def test_the_first_page_again_after_the_last_one_is_the_end(count: int) -> None:
    """Old lists begin again after their end, with ``next`` 50."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params) if start_of(params) < count else 0
        return Page([{"ADDRESS_1": n} for n in range(count)][offset : offset + 50], 50, 50 if not offset else None)

    with reading(answer, ADDRESSES) as (rows, _):
        assert [row["ADDRESS_1"] for row in rows] == list(range(count))


def test_the_first_page_again_at_once_may_hide_the_others() -> None:
    """Fifty rows, or a portal that ignores the offset: nothing tells."""
    incomplete(lambda *_: Page([{"ADDRESS_1": n} for n in range(50)], 50), ADDRESSES)


# One page, or other cursors.


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(Page([{"ID": n} for n in range(50)]), id="exactly a full page"),
        pytest.param(Page([{"ID": n} for n in range(60)]), id="more than a page"),
        pytest.param(Page([{"ID": 1}], 2), id="a larger total"),
        pytest.param(Page([{"ID": 1}], 1, 50), id="a next page"),
        pytest.param(Page([{"ID": 1}, {"ID": 1}]), id="a row twice"),
    ],
)
def test_a_list_whose_paging_nobody_documents_is_not_shortened(page: Page) -> None:
    incomplete(lambda *_: page, "calendar.section.get")


@pytest.mark.parametrize("page", [Page([{"STATUS_ID": 1}], 60, 50), Page([{"STATUS_ID": 1}], 60)])
def test_a_list_in_one_answer_that_says_there_is_more_is_an_error(page: Page) -> None:
    single = METHODS.adding(Method("acme.one.list", repeat="read", rows=Rows(at="", unique_id=False, paging="single")))
    incomplete(lambda *_: page, "acme.one.list", methods=single)


CURSORS = METHODS.adding(
    Method("acme.offset.list", repeat="read", rows=Rows("", paging="limit-offset", limit="LIMIT", cursor="OFFSET")),
    Method("acme.last.list", repeat="read", rows=Rows("", paging="last-id", limit="LIMIT", cursor="LAST_ID")),
    Method("acme.page.list", repeat="read", rows=Rows("", paging="page", cursor="page")),
    Method("acme.nameless.list", repeat="read", rows=Rows("", paging="page", cursor="page", unique_id=False)),
)


def by_cursor(method: str, params: dict[str, Any]) -> list[dict[str, int]]:
    """120 rows, 40 to a page whatever was asked for."""
    ids = list(range(1, 121))
    if "LAST_ID" in params:
        ids = [number for number in ids if number > params["LAST_ID"]]
    offset = params.get("OFFSET", 40 * (params.get("page", 1) - 1))
    return [{"id": number} for number in ids[offset : offset + 40]]


@pytest.mark.parametrize("method", ["acme.offset.list", "acme.last.list", "acme.page.list", "acme.nameless.list"])
def test_other_cursors_end_only_at_an_empty_page(method: str) -> None:
    with reading(by_cursor, method, methods=CURSORS) as (rows, _):
        assert drain(rows) == list(range(1, 121))
        assert rows.report.complete


@pytest.mark.parametrize("method", ["acme.offset.list", "acme.last.list", "acme.page.list", "acme.nameless.list"])
def test_other_cursors_that_the_portal_ignores_are_noticed(method: str) -> None:
    incomplete(lambda *_: [{"id": n} for n in range(40)], method, methods=CURSORS)


def test_pages_by_turns_without_ids_are_noticed() -> None:
    def answer(method: str, params: dict[str, Any]) -> list[dict[str, int]]:
        return [{"id": params["page"] % 2}] * 40

    incomplete(answer, "acme.nameless.list", methods=CURSORS)


@pytest.mark.parametrize("total", ["many", -1, True, [], None])
def test_a_total_that_is_not_a_number_ends_nothing(total: Any) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if "total" in body:
            body["total"] = total

    with reading(by_start(120), UNKNOWN, spoil=spoil) as (rows, _):
        assert drain(rows) == list(range(1, 121))


# Several requests under way.


@pytest.mark.parametrize("parallel", [1, 4, 20])
@pytest.mark.parametrize("count", [50, 51, 2_550, 2_551, 20_000])
def test_pages_under_way_at_once_come_in_their_order(count: int, parallel: int) -> None:
    with reading(by_start(count), UNKNOWN, parallel=parallel) as (rows, portal):
        assert [int(row["id"]) for row in rows] == list(range(1, count + 1))
        assert rows.report.complete
        assert rows.report.requests == len(portal.asked)
    # A computer that is busy makes a slow portal, of which more requests are sent.
    assert len(portal.asked) <= 1.5 * -(-count // 2_500) + 3


@pytest.mark.parametrize("first", [2, 3, 6])
def test_a_request_ahead_that_fails_is_sent_when_its_turn_comes(first: int) -> None:
    def spoil(body: dict[str, Any], method: str) -> Any:
        return b"<html>" if len(portal.asked) == first else None

    with reading(by_start(20_000), UNKNOWN, spoil=spoil) as (rows, portal):
        assert [int(row["id"]) for row in rows] == list(range(1, 20_001))


def test_what_a_slow_portal_counts_is_shared_out_among_the_requests_that_may_be_under_way() -> None:
    """Short ones first, then all of the others at once."""
    with (
        Hostile(by_start(20_000), seconds=lambda under_way: 0.15) as portal,
        client_of_hostile(portal) as client,
    ):
        assert [int(row["id"]) for row in client.list(UNKNOWN)] == list(range(1, 20_001))
    pages = [len(body["cmd"]) for method, body in portal.asked if method == "batch"]
    assert len(portal.asked) <= 1.5 * 8 + 3
    assert max(pages[:4]) <= FEW_PAGES < min(pages[4:-1])
    assert max(portal.together) >= 5


def test_a_limit_asks_for_no_more_pages_than_it_needs() -> None:
    with Hostile(by_start(20_000)) as portal, client_of_hostile(portal) as client:
        assert len(list(client.list(UNKNOWN, limit=6_000))) == 6_000
    assert len(portal.commands) <= 6_000 / 50
