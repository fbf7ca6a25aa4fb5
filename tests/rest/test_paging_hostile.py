"""Lists from portals that repeat, drop, hide and contradict: every row once, or an error. Never fewer, never for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Forbidden,
    IncompleteList,
    OperationTimeLimit,
)
from airflow_provider_bitrix24.rest.methods import KNOWN, Method, Rows
from airflow_provider_bitrix24.rest.paging import RowList
from tests.rest.clients import Naps
from tests.rest.hostile import Hostile, Page, Refusal, bound, client_of_hostile, deals, start_of

DEALS, ITEMS, TASKS = "crm.deal.list", "crm.item.list", "tasks.task.list"
#: A list that is not stopped by then is one without end.
MANY = 2_000


@contextmanager
def reading(
    answer: Callable[[str, dict[str, Any]], Any],
    method: str = DEALS,
    params: dict[str, Any] | None = None,
    *,
    spoil: Any = None,
    **settings: Any,
) -> Iterator[tuple[RowList, Hostile]]:
    with Hostile(answer, spoil=spoil) as portal, client_of_hostile(portal, **settings) as client:
        yield client.list(method, params), portal


def drain(rows: Iterator[dict[str, Any]], key: str = "ID") -> list[int]:
    """Ids of all rows; a list without end fails the test."""
    ids = []
    for row in rows:
        ids.append(int(row[key]))
        assert len(ids) < MANY, "the list has no end"
    return ids


def some(count: int) -> Callable[[str, dict[str, Any]], Page]:
    """An honest ``crm.deal.list`` of so many rows that filters by ``>ID`` and counts where it is asked to."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        left = [number for number in range(1, count + 1) if number > bound(params)]
        offset = start_of(params)
        if offset < 0:
            return Page(deals(left[:50]), total=0)
        following = offset + 50 if offset + 50 < len(left) else None
        return Page(deals(left[offset : offset + 50]), len(left), following)

    return answer


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 2500, 2501, 2550])
def test_the_hostile_portal_is_read_whole_when_it_is_honest(count: int) -> None:
    with reading(some(count)) as (rows, portal):
        assert [int(row["ID"]) for row in rows] == list(range(1, count + 1))
        assert (rows.report.rows, rows.report.complete) == (count, True)
    assert len(portal.asked) <= -(-count // 2500) + 2


# What does not follow from the cursor.


def test_a_portal_that_ignores_the_cursor_is_not_asked_for_ever() -> None:
    with reading(lambda method, params: Page(deals(range(1, 51)), 0)) as (rows, portal):
        with pytest.raises(IncompleteList, match="the id 1 came after 50"):
            drain(rows)
    assert len(portal.asked) <= 3


def test_two_alternating_pages_are_noticed() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        return Page(deals(range(51, 101) if bound(params) == 50 else range(1, 51)), 0)

    with reading(answer) as (rows, portal), pytest.raises(IncompleteList):
        drain(rows)
    assert len(portal.asked) <= 4


def test_a_task_list_that_drops_the_filter_is_noticed() -> None:
    """It filters by ``ID``, answers ``id``, and drops a filter key that it does not know."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        left = [number for number in range(1, 151) if number > bound(params)]
        return Page({"tasks": [{"id": str(number)} for number in left[:50]]})

    with reading(answer, TASKS) as (rows, _):
        assert drain(rows, "id") == list(range(1, 151))
    with reading(lambda *_: Page({"tasks": [{"id": str(n)} for n in range(1, 51)]}), TASKS) as (rows, _):
        with pytest.raises(IncompleteList):
            drain(rows, "id")


@pytest.mark.parametrize(
    ("page", "says"),
    [
        pytest.param([1, 2, 2, 3], "2 came after 2", id="a row comes twice"),
        pytest.param([3, 2, 1], "2 came after 3", id="descending"),
        pytest.param([0], "0 came after 0", id="an id that was not asked for"),
    ],
)
def test_ids_within_a_page_must_grow(page: list[int], says: str) -> None:
    with reading(lambda *_: Page(deals(page), 0)) as (rows, _), pytest.raises(IncompleteList, match=says):
        drain(rows)


@pytest.mark.parametrize("row", [{"TITLE": "no id"}, {"ID": None}, {"ID": ""}, {"ID": "x"}, {"ID": 1.5}, {"ID": True}])
def test_a_row_without_a_usable_id_is_an_error(row: dict[str, Any]) -> None:
    with reading(lambda *_: Page([row], 0)) as (rows, _), pytest.raises(IncompleteList):
        next(rows)


@pytest.mark.parametrize("result", [True, False, None, 7, "rows", {"ID": "1"}, {"items": []}, ["1"], [[]], [None]])
def test_what_is_no_list_of_rows_is_not_the_end_of_one(result: Any) -> None:
    with reading(lambda *_: result) as (rows, _), pytest.raises(IncompleteList):
        drain(rows)


@pytest.mark.parametrize("result", [{}, {"items": None}, {"items": {"id": 1}}, {"rows": []}, True, {"items": [1]}])
def test_rows_are_looked_for_only_where_the_method_has_them(result: Any) -> None:
    with reading(lambda *_: result, ITEMS, {"entityTypeId": 2}) as (rows, _), pytest.raises(IncompleteList):
        drain(rows, "id")


# What happens inside a batch.


def failing_from(first: int, refusal: Refusal) -> Callable[[str, dict[str, Any]], Any]:
    """Rows 1 to 200; every page behind ``first`` is refused."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if bound(params) >= first:
            raise refusal
        return some(200)(method, params)

    return answer


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal("OPERATION_TIME_LIMIT", "Method is blocked", 429), OperationTimeLimit),
        (Refusal("ACCESS_DENIED", "Доступ запрещен", 403), Forbidden),
        (Refusal("", "Not found", 400), Bitrix24Error),
        (Refusal(0, "", 400), Bitrix24Error),
    ],
)
def test_a_refused_command_of_a_batch_is_an_error_and_not_the_end(refusal: Refusal, kind: type[Bitrix24Error]) -> None:
    with reading(failing_from(100, refusal)) as (rows, _):
        with pytest.raises(kind):
            drain(rows)
        assert (rows.report.rows, rows.report.complete) == (100, False)


def test_a_command_refused_once_is_asked_for_again() -> None:
    refused = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        if bound(params) == 100 and not refused:
            refused.append(params)
            raise Refusal("INTERNAL_SERVER_ERROR", "", 500)
        return some(200)(method, params)

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 201))


def without(*keys: str) -> Callable[[dict[str, Any], str], None]:
    """Takes commands out of the answer of a batch."""

    def spoil(body: dict[str, Any], method: str) -> None:
        for part in body["result"].values() if method == "batch" else ():
            for key in keys:
                if isinstance(part, dict):
                    part.pop(key, None)

    return spoil


@pytest.mark.parametrize("keys", [("c0",), ("c1",), ("c0", "c1", "c2")])
def test_a_command_that_did_not_come_back_is_asked_for_again(keys: tuple[str, ...]) -> None:
    with reading(some(320), spoil=without(*keys)) as (rows, _):
        assert drain(rows) == list(range(1, 321))


@pytest.mark.parametrize("body", [{"result": []}, {"result": True}, {"result": {}}, {"result": None}])
def test_a_batch_without_an_answer_is_not_the_end(body: dict[str, Any]) -> None:
    with reading(some(120), spoil=lambda whole, method: body if method == "batch" else None) as (rows, _):
        with pytest.raises(AnswerLost):
            drain(rows)
        assert rows.report.complete is False


def test_a_command_that_has_both_a_result_and_an_error_failed() -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch":
            body["result"]["result"] = {"c0": []}
            body["result"]["result_error"] = {"c0": {"error": "OPERATION_TIME_LIMIT", "error_description": ""}}

    with reading(some(120), spoil=spoil) as (rows, _):
        assert drain(rows) == list(range(1, 121))


def test_references_that_the_portal_does_not_resolve_lose_nothing() -> None:
    """An unresolved reference is an array or stays text: the command then answers rows that were not asked for."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if not str(params["filter"][">ID"]).isdecimal():
            return Page(deals(range(1, 51)), 0)
        return some(130)(method, params)

    with reading(answer, spoil=None) as (rows, _):
        assert drain(rows) == list(range(1, 131))


@pytest.mark.parametrize("size", [20, 49, 51, 100, 1000])
def test_a_portal_with_other_pages_than_documented_is_read_whole(size: int) -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        return Page(deals([number for number in range(1, 301) if number > bound(params)][:size]), 0)

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 301))


def test_rows_that_the_user_must_not_see_do_not_end_the_list() -> None:
    """The server takes them out of a page after it has been cut: the page is short, and the list goes on."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        page = [number for number in range(1, 401) if number > bound(params)][:50]
        return Page(deals(number for number in page if number % 7), 0)

    with reading(answer) as (rows, _):
        assert drain(rows) == [number for number in range(1, 401) if number % 7]


# What the portal's own count says.


def test_empty_pages_behind_a_full_one_are_counted_before_they_are_believed() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        first = bound(params) == 0 and start_of(params) <= 0
        return Page(deals(range(1, 51)) if first else [], 753128 if start_of(params) >= 0 else 0)

    with reading(answer) as (rows, _), pytest.raises(IncompleteList, match="50 of 753128") as incomplete:
        drain(rows)
    assert (incomplete.value.rows, incomplete.value.method) == (50, DEALS)


def test_a_count_that_comes_unasked_is_held_against_the_rows() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        page = some(90)(method, params)
        return Page(page.result, 1234)

    with reading(answer) as (rows, _), pytest.raises(IncompleteList, match="90 of 1234"):
        drain(rows)


def test_rows_made_while_the_end_was_counted_are_read_too() -> None:
    known = 100

    def answer(method: str, params: dict[str, Any]) -> Any:
        nonlocal known
        if start_of(params) >= 0:
            known = 103
        return some(known)(method, params)

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 104))


def test_a_portal_that_cannot_count_does_not_spoil_the_list() -> None:
    def answer(method: str, params: dict[str, Any]) -> Any:
        if start_of(params) >= 0:
            raise Refusal("OPERATION_TIME_LIMIT", "Method is blocked", 429)
        return some(100)(method, params)

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 101))


# By offset.

STATUSES = "sale.status.list"
UNKNOWN = "acme.thing.list"


def by_start(count: int, total: Any = "true", following: Any = "true") -> Callable[[str, dict[str, Any]], Page]:
    """An unknown list of so many rows, with a true ``total`` and ``next`` or the given ones."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        rows = [{"id": number} for number in range(1, count + 1)][offset : offset + 50]
        true_next = offset + 50 if offset + 50 < count else None
        return Page(rows, count if total == "true" else total, true_next if following == "true" else following)

    return answer


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 1250])
def test_an_unknown_list_is_read_by_offset(count: int) -> None:
    with reading(by_start(count), UNKNOWN) as (rows, _):
        assert drain(rows, "id") == list(range(1, count + 1))
        assert (rows.report.strategy, rows.report.complete) == ("start", True)


@pytest.mark.parametrize("count", [0, 49, 51, 100, 120])
def test_without_a_total_next_leads_to_the_end(count: int) -> None:
    with reading(by_start(count, total=None), UNKNOWN) as (rows, _):
        assert drain(rows, "id") == list(range(1, count + 1))


def test_a_full_page_without_total_and_next_is_not_believed_to_be_the_end() -> None:
    """Nobody says whether more rows follow: the portal is asked, and says so by answering something else."""
    with reading(by_start(120, total=None, following=None), UNKNOWN) as (rows, _):
        assert drain(rows, "id") == list(range(1, 121))
    with reading(lambda *_: [{"id": number} for number in range(1, 51)], UNKNOWN) as (rows, _):
        with pytest.raises(IncompleteList):
            drain(rows, "id")


def test_next_beats_a_total_that_says_less() -> None:
    with reading(by_start(120, total=50), UNKNOWN) as (rows, _):
        assert drain(rows, "id") == list(range(1, 121))


def test_fewer_rows_than_the_total_are_an_error() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        return Page(
            [{"id": number} for number in range(1, 51)] if offset == 0 else [], 753128, 50 if not offset else None
        )

    with reading(answer, UNKNOWN) as (rows, _), pytest.raises(IncompleteList, match="50 of 753128"):
        drain(rows, "id")


@pytest.mark.parametrize("following", [0, 30, 49, 51, 100, -50])
def test_a_next_that_does_not_grow_by_a_page_is_an_error(following: int) -> None:
    with reading(by_start(120, following=following), UNKNOWN) as (rows, _), pytest.raises(IncompleteList):
        drain(rows, "id")


def test_a_portal_that_ignores_the_offset_is_noticed() -> None:
    with reading(lambda *_: Page([{"id": n} for n in range(1, 51)], 150, 50), UNKNOWN) as (rows, _):
        with pytest.raises(IncompleteList):
            drain(rows, "id")


def test_rows_deleted_meanwhile_are_noticed() -> None:
    """Those behind them move to pages that have been read."""
    left = list(range(1, 121))

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params)
        page = [{"id": number} for number in left[offset : offset + 50]]
        answer_ = Page(page, len(left), offset + 50 if offset + 50 < len(left) else None)
        del left[0]
        return answer_

    with reading(answer, UNKNOWN) as (rows, _), pytest.raises(IncompleteList) as incomplete:
        drain(rows, "id")
    assert incomplete.value.retryable


WITHOUT_IDS = KNOWN.adding(Method("acme.pair.list", repeat="read", rows=Rows(at="", unique_id=False)))


@pytest.mark.parametrize("pages", [[0], [0, 1]])
def test_repeated_pages_are_noticed_where_rows_have_no_id(pages: list[int]) -> None:
    """One page again and again, or two by turns."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        number = pages[start_of(params) // 50 % len(pages)]
        return Page([{"PAIR": number}] * 50, None, start_of(params) + 50)

    with reading(answer, "acme.pair.list", methods=WITHOUT_IDS) as (rows, _), pytest.raises(IncompleteList):
        for count, _ in enumerate(rows):
            assert count < MANY, "the list has no end"


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
def test_the_first_page_again_behind_the_last_one_is_the_end(count: int) -> None:
    """Old lists begin again behind their end, with ``next`` 50."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        offset = start_of(params) if start_of(params) < count else 0
        return Page([{"ADDRESS_1": n} for n in range(count)][offset : offset + 50], 50, 50 if not offset else None)

    with reading(answer, ADDRESSES) as (rows, _):
        assert [row["ADDRESS_1"] for row in rows] == list(range(count))


def test_the_first_page_again_at_once_may_hide_the_others() -> None:
    """Fifty rows, or a portal that ignores the offset: nothing tells."""
    with reading(lambda *_: Page([{"ADDRESS_1": n} for n in range(50)], 50), ADDRESSES) as (rows, _):
        with pytest.raises(IncompleteList):
            list(rows)


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
    with reading(lambda *_: page, "calendar.section.get") as (rows, _), pytest.raises(IncompleteList):
        list(rows)


@pytest.mark.parametrize("page", [Page([{"STATUS_ID": 1}], 60, 50), Page([{"STATUS_ID": 1}], 60)])
def test_a_list_in_one_answer_that_says_there_is_more_is_an_error(page: Page) -> None:
    single = KNOWN.adding(Method("acme.one.list", repeat="read", rows=Rows(at="", unique_id=False, paging="single")))
    with reading(lambda *_: page, "acme.one.list", methods=single) as (rows, _), pytest.raises(IncompleteList):
        list(rows)


CURSORS = KNOWN.adding(
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
        assert drain(rows, "id") == list(range(1, 121))
        assert rows.report.complete


@pytest.mark.parametrize("method", ["acme.offset.list", "acme.last.list", "acme.page.list", "acme.nameless.list"])
def test_other_cursors_that_the_portal_ignores_are_noticed(method: str) -> None:
    with reading(lambda *_: [{"id": n} for n in range(40)], method, methods=CURSORS) as (rows, _):
        with pytest.raises(IncompleteList):
            drain(rows, "id")


def test_pages_by_turns_without_ids_are_noticed() -> None:
    def answer(method: str, params: dict[str, Any]) -> list[dict[str, int]]:
        return [{"id": params["page"] % 2}] * 40

    with reading(answer, "acme.nameless.list", methods=CURSORS) as (rows, _), pytest.raises(IncompleteList):
        drain(rows, "id")


# Values that are no numbers.


@pytest.mark.parametrize(
    "time", [{"duration": 10**400}, {"duration": -5}, {"duration": "long"}, {"duration": 1e308}, []]
)
def test_a_duration_that_cannot_be_true_changes_nothing(time: Any) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        body["time"] = time
        if method == "batch":
            body["result"]["result_time"] = {key: time for key in body["result"]["result"]}

    with reading(some(2600), spoil=spoil) as (rows, portal):
        assert sum(1 for _ in rows) == 2600
    assert len(portal.asked) <= 5


@pytest.mark.parametrize("total", ["many", -1, True, [], None])
def test_a_total_that_is_no_number_ends_nothing(total: Any) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if "total" in body:
            body["total"] = total

    with reading(by_start(120), UNKNOWN, spoil=spoil) as (rows, _):
        assert drain(rows, "id") == list(range(1, 121))


def test_a_blocked_method_within_a_batch_is_waited_for_and_the_list_goes_on() -> None:
    naps, refused = Naps(), []

    def answer(method: str, params: dict[str, Any]) -> Any:
        if bound(params) >= 100 and naps.total < 15 and start_of(params) < 0:
            refused.append(params)
            raise Refusal("OPERATION_TIME_LIMIT", "Method is blocked", 429)
        return some(300)(method, params)

    time = {"finish": naps.now(), "duration": 0.1, "operating": 10, "operating_reset_at": naps.now() + 20}
    with Hostile(answer, time=time) as portal, client_of_hostile(portal, naps=naps) as client:
        assert drain(client.list(DEALS)) == list(range(1, 301))
    assert len(refused) <= 52
