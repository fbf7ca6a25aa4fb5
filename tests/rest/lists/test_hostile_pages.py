"""Lists by id from portals that repeat, drop, hide and contradict: every row once, or an error, and never for ever."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Forbidden,
    OperationTimeLimit,
)
from airflow_provider_bitrix24.methods import METHODS, Method, Rows
from tests.rest.clients import Naps
from tests.rest.hostile import (
    Hostile,
    Page,
    Refusal,
    bound,
    client_of_hostile,
    deals,
    drain,
    incomplete,
    reading,
    some,
    start_of,
)

pytestmark = pytest.mark.usefixtures("each_parallel")

DEALS, ITEMS, TASKS = "crm.deal.list", "crm.item.list", "tasks.task.list"


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 2500, 2501, 2550])
def test_the_hostile_portal_is_read_whole_when_it_is_honest(count: int) -> None:
    with reading(some(count)) as (rows, portal):
        assert [int(row["ID"]) for row in rows] == list(range(1, count + 1))
        assert (rows.report.rows, rows.report.complete) == (count, True)
    assert len(portal.asked) <= -(-count // 2500) + 2


# What does not follow from the cursor.


def test_a_portal_that_ignores_the_cursor_is_not_asked_for_ever() -> None:
    asked = []

    def answer(method: str, params: dict[str, Any]) -> Page:
        asked.append(params)
        return Page(deals(range(1, 51)), 0)

    assert "the id 1 came after 50" in incomplete(answer).reason
    assert len(asked) <= 51


def test_two_alternating_pages_are_noticed() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        return Page(deals(range(51, 101) if bound(params) == 50 else range(1, 51)), 0)

    incomplete(answer)


def test_a_task_list_that_drops_the_filter_is_noticed() -> None:
    """It filters by ``ID``, answers ``id``, and drops a filter key that it does not know."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        left = [number for number in range(1, 151) if number > bound(params)]
        return Page({"tasks": [{"id": str(number)} for number in left[:50]]})

    with reading(answer, TASKS) as (rows, _):
        assert drain(rows) == list(range(1, 151))
    incomplete(lambda *_: Page({"tasks": [{"id": str(n)} for n in range(1, 51)]}), TASKS)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        pytest.param([1, 2, 2, 3], "2 came after 2", id="a row comes twice"),
        pytest.param([3, 2, 1], "2 came after 3", id="descending"),
        pytest.param([0], "0 came after 0", id="an id that was not asked for"),
    ],
)
def test_ids_within_a_page_must_grow(page: list[int], says: str) -> None:
    assert says in incomplete(lambda *_: Page(deals(page), 0)).reason


@pytest.mark.parametrize("row", [{"TITLE": "no id"}, {"ID": None}, {"ID": ""}, {"ID": "x"}, {"ID": 1.5}, {"ID": True}])
def test_a_row_without_a_usable_id_is_an_error(row: dict[str, Any]) -> None:
    assert incomplete(lambda *_: Page([row], 0)).rows == 0


@pytest.mark.parametrize("result", [True, False, None, 7, "rows", {"ID": "1"}, {"items": []}, ["1"], [[]], [None]])
def test_what_is_not_a_list_of_rows_is_not_the_end_of_one(result: Any) -> None:
    incomplete(lambda *_: result)


@pytest.mark.parametrize("result", [{}, {"items": None}, {"items": {"id": 1}}, {"rows": []}, True, {"items": [1]}])
def test_rows_are_looked_for_only_where_the_method_has_them(result: Any) -> None:
    incomplete(lambda *_: result, ITEMS, {"entityTypeId": 2})


@pytest.mark.parametrize(
    ("method", "result", "hint"),
    [
        (ITEMS, {"items": [[], [], []]}, "in 'select' as the method answers them, or set useOriginalUfNames to Y"),
        (ITEMS, {"items": [{"id": 1}, []]}, "useOriginalUfNames"),
        (DEALS, [[]], "write names in 'select' as the method answers them"),
        (TASKS, {"tasks": [[], []]}, "write names in 'select' as the method answers them"),
        ("acme.visit.list", [[], []], "write names in 'select' as the method answers them"),
    ],
)
def test_rows_without_a_field_name_what_selects_them(method: str, result: Any, hint: str) -> None:
    error = incomplete(
        lambda *_: result, method, {"entityTypeId": 2, "select": ["UF_CRM_1"]} if method == ITEMS else {}
    )
    assert "a row is empty: the portal has none of the fields that were asked for" in str(error)
    assert hint in str(error)


def test_items_directly_under_result_are_all_read_or_an_error() -> None:
    """As the sample of "How to Retrieve Large Volumes of Data" has them, against the method's own page."""

    def answer(last: int) -> Callable[[str, dict[str, Any]], Page]:
        return lambda _, params: Page([{"id": number} for number in range(bound(params, ">id") + 1, last + 1)][:50])

    with reading(answer(99), ITEMS, {"entityTypeId": 2}) as (rows, _):
        assert drain(rows) == list(range(1, 100))
    # From here on pages are asked for in one batch, whose references look for rows where the page has them.
    incomplete(answer(120), ITEMS, {"entityTypeId": 2})


# What happens inside a batch.


def failing_from(first: int, refusal: Refusal) -> Callable[[str, dict[str, Any]], Any]:
    """Rows 1 to 200; every page after ``first`` is refused."""

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


def test_a_list_that_failed_has_not_ended_for_those_who_ask_on() -> None:
    """A loop around a caught error would take the rows so far for the whole list."""
    with reading(failing_from(50, Refusal("ACCESS_DENIED", "Доступ запрещен", 403))) as (rows, _):
        for _ in range(3):
            with pytest.raises(Forbidden):
                drain(rows)
        assert (rows.report.rows, rows.report.complete) == (50, False)
    with reading(some(120)) as (rows, _):
        assert len(drain(rows)) == 120
        assert drain(rows) == []
        assert rows.report.complete


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
        assert drain(rows) == list(range(1, 121))
        assert rows.report.complete


PAGE = b"<html><head><title>504 Gateway Time-out</title></head></html>"
FAULT = {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}


@pytest.mark.parametrize("method", [DEALS, "acme.visit.list"], ids=["by id", "by offset"])
@pytest.mark.parametrize("instead", [PAGE, b"", FAULT], ids=["page", "nothing", "fault"])
def test_a_list_goes_on_with_smaller_batches_after_one_without_an_answer(method: str, instead: Any) -> None:
    def spoil(body: dict[str, Any], method: str) -> Any:
        return instead if method == "batch" and len(body["result"]["result"]) > 15 else None

    with reading(some(2600), method, spoil=spoil) as (rows, portal):
        assert drain(rows) == list(range(1, 2601))
        assert rows.report.complete
    sizes = [len(params["cmd"]) for name, params in portal.asked if name == "batch"]
    # A portal that was slow at that moment is asked for a few pages and the largest ids first, or for a share of all.
    assert sizes[0] in (4, 5, 15, 50)
    assert sum(size > 15 for size in sizes) <= 5


def test_a_list_whose_rows_are_too_large_for_a_whole_batch_is_read_in_smaller_ones() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        page = some(1500)(method, params)
        # The first rows are small, so that nothing warns of the others.
        return Page(
            [{**row, "COMMENTS": "x" * (0 if int(row["ID"]) <= 50 else 3000)} for row in page.result], page.total
        )

    with reading(answer, max_response_mib=1) as (rows, portal):
        assert drain(rows) == list(range(1, 1501))
        assert rows.report.complete
    assert len(portal.asked) < 25


def test_a_page_that_never_comes_ends_the_list_with_the_error_of_that_page() -> None:
    def spoil(body: dict[str, Any], method: str) -> Any:
        return PAGE if bound(portal.commands[-1][1]) >= 500 else None

    naps = Naps()
    with Hostile(some(2600), spoil=spoil) as portal, client_of_hostile(portal, naps=naps) as client:
        rows = client.list(DEALS)
        with pytest.raises(AnswerLost, match="504 Gateway Time-out"):
            drain(rows)
        assert not rows.report.complete
    assert len(portal.asked) < 25
    assert naps.total <= 7


def test_a_command_that_has_both_a_result_and_an_error_failed() -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch":
            body["result"]["result"] = {"c0": deals([120])}
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


def test_a_long_filter_leaves_room_for_what_a_request_may_carry() -> None:
    """PHP drops a body of more than 8 MiB, and the batch would run without its commands."""
    values = ["x" * 200 + str(number) for number in range(900)]

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"ID": {}, "TITLE": {}} if method == "crm.deal.fields" else some(1300)(method, params)

    with reading(answer, params={"filter": {"@TITLE": values}}) as (rows, portal):
        assert drain(rows) == list(range(1, 1301))
    batches = [len(json.dumps(params)) for method, params in portal.asked if method == "batch"]
    assert len(batches) == 2
    assert max(batches) < 4 * 1024 * 1024


@pytest.mark.parametrize("at", ["", "things", None])
@pytest.mark.parametrize("id_key", ["id", None])
def test_a_list_of_the_user_is_read_by_id_also_where_the_place_of_the_id_is_not_reported(
    at: str | None, id_key: str | None
) -> None:
    rows = Rows(at, id_key=id_key, filter="filter", filter_id="id", order="order", order_id="id", paging="keyset")
    methods = METHODS.adding(Method("acme.visit.list", repeat="read", rows=rows))

    def answer(method: str, params: dict[str, Any]) -> Any:
        page = [{"id": number} for number in range(1, 261) if number > bound(params, ">id")][:50]
        return {"things": page} if at != "" else page

    with reading(answer, "acme.visit.list", methods=methods) as (found, portal):
        assert drain(found) == list(range(1, 261))
    assert any(method == "batch" for method, _ in portal.asked) == (at is not None and id_key is not None)


# What the portal's own count says.


def test_empty_pages_after_a_full_one_are_counted_before_they_are_believed() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        first = bound(params) == 0 and start_of(params) <= 0
        return Page(deals(range(1, 51)) if first else [], 753128 if start_of(params) >= 0 else 0)

    failure = incomplete(answer)
    assert (failure.rows, failure.method, failure.retryable) == (50, DEALS, True)
    assert "50 of 753128" in str(failure)


def test_a_count_that_contradicts_its_own_answer_proves_no_end() -> None:
    """Pages of a batch come empty, and 7 rows are counted beside the 50 of the first page."""

    def answer(method: str, params: dict[str, Any]) -> Page:
        first = bound(params) == 0 and start_of(params) <= 0
        return Page(deals(range(1, 51)) if first else [], 7 if start_of(params) >= 0 else 0)

    failure = incomplete(answer)
    assert (failure.rows, failure.retryable) == (50, True)
    assert "the portal counts 7 rows in an answer that has 50" in str(failure)


def test_a_count_that_comes_unasked_is_held_against_the_rows() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        page = some(90)(method, params)
        return Page(page.result, 1234)

    assert "90 of 1234" in incomplete(answer).reason


def test_a_count_of_what_is_left_after_the_cursor_is_not_the_count_of_the_list() -> None:
    def answer(method: str, params: dict[str, Any]) -> Page:
        left = [number for number in range(1, 101) if number > bound(params)]
        return Page(deals(left[:40]), len(left))

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 101))
    assert (rows.report.total, rows.report.complete) == (100, True)


def test_rows_made_while_the_end_was_counted_are_read_too() -> None:
    known = 100

    def answer(method: str, params: dict[str, Any]) -> Any:
        nonlocal known
        if start_of(params) >= 0:
            known = 103
        return some(known)(method, params)

    with reading(answer, parallel=1) as (rows, _):
        assert drain(rows) == list(range(1, 104))


def test_a_portal_that_cannot_count_does_not_spoil_the_list() -> None:
    def answer(method: str, params: dict[str, Any]) -> Any:
        if start_of(params) >= 0:
            raise Refusal("OPERATION_TIME_LIMIT", "Method is blocked", 429)
        return some(100)(method, params)

    with reading(answer) as (rows, _):
        assert drain(rows) == list(range(1, 101))


@pytest.mark.parametrize(
    "time", [{"duration": 10**400}, {"duration": -5}, {"duration": "long"}, {"duration": 1e308}, []]
)
def test_a_duration_that_cannot_be_true_changes_nothing(time: Any) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        body["time"] = time
        if method == "batch":
            body["result"]["result_time"] = dict.fromkeys(body["result"]["result"], time)

    with reading(some(2600), spoil=spoil) as (rows, portal):
        assert sum(1 for _ in rows) == 2600
    assert len(portal.asked) <= 5


def operating_until(naps: Naps, reset_at: float) -> Callable[[], dict[str, Any]]:
    """The ``time`` of a method that has used ten seconds, until the minute drops out and the next one counts."""

    def time() -> dict[str, Any]:
        later = max(0, math.ceil((naps.now() - reset_at) / 60)) * 60
        return {"finish": naps.now(), "duration": 0.1, "operating": 10, "operating_reset_at": reset_at + later}

    return time


def test_batches_that_are_refused_again_and_again_are_given_up() -> None:
    """A portal may count commands apart from calls: the pages that go alone would hide it, at fifty rows a request."""

    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch":
            refused = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
            body["result"]["result_error"] = dict.fromkeys(body["result"]["result"], refused)
            body["result"]["result"] = []

    naps = Naps()
    time = operating_until(naps, naps.now() + 20)
    with Hostile(some(2000), spoil=spoil, time=time) as portal, client_of_hostile(portal, naps=naps) as client:
        with pytest.raises(OperationTimeLimit):
            drain(client.list(DEALS))
        assert len(portal.asked) < 12


def test_a_blocked_method_within_a_batch_is_waited_for_and_the_list_goes_on() -> None:
    naps, refused = Naps(), []

    def answer(method: str, params: dict[str, Any]) -> Any:
        if bound(params) >= 100 and naps.total < 15 and start_of(params) < 0:
            refused.append(params)
            raise Refusal("OPERATION_TIME_LIMIT", "Method is blocked", 429)
        return some(300)(method, params)

    time = operating_until(naps, naps.now() + 20)
    with Hostile(answer, time=time) as portal, client_of_hostile(portal, naps=naps) as client:
        assert drain(client.list(DEALS)) == list(range(1, 301))
    assert len(refused) <= 52
