"""A list per parent: each row with its parent, fifty parents to a request, and no list cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    ConfigurationError,
    Forbidden,
    IncompleteList,
    NotFound,
)
from airflow_provider_bitrix24.methods import METHODS, Method, Rows
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of
from tests.rest.hostile import Hostile, Page, Refusal, bound, client_of_hostile, deals, some

PRODUCT_ROWS, PAYMENTS, COMMENTS = "crm.item.productrow.list", "crm.item.payment.list", "crm.timeline.comment.list"
DEAL = 2


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


def rows_of_deal(deal: int) -> dict[str, Any]:
    return {"filter": {"=ownerType": "D", "=ownerId": deal}}


def payments_of(deal: int) -> dict[str, Any]:
    return {"entityTypeId": DEAL, "entityId": deal}


def comments_of(deal: int) -> dict[str, Any]:
    return {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}}


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (50, 1), (51, 2), (120, 3)])
def test_each_row_comes_with_its_parent_fifty_parents_to_a_request(
    portal: Sandbox, client: Client, count: int, requests: int
) -> None:
    parents = (portal.add_deals(count))[::-1]
    for deal in parents[::2]:
        portal.add_payment(deal)
        portal.add_payment(deal)
    portal.reset_calls()
    found = [(deal, row["id"]) for deal, row in client.children(PAYMENTS, parents, payments_of)]
    order = {deal: number for number, deal in enumerate(parents)}
    expected = sorted(
        ((payment["dealId"], payment["id"]) for payment in portal.payments() if payment["dealId"] in order),
        key=lambda pair: (order[pair[0]], pair[1]),
    )
    assert found == expected
    assert portal.requests == requests


def test_parents_without_rows_yield_none_and_a_parent_twice_yields_once(portal: Sandbox, client: Client) -> None:
    empty, full, *others = portal.add_deals(62)
    payment = portal.add_payment(full)
    found = list(client.children(PAYMENTS, [empty, full, full, *others, full], payments_of))
    assert [(deal, row["id"]) for deal, row in found] == [(full, payment)]


def test_a_list_longer_than_a_page_is_read_to_its_end(portal: Sandbox, client: Client) -> None:
    (long, short) = portal.add_deals(2)
    for deal, count in ((long, 120), (short, 2)):
        for start in range(0, count, 40):
            client.batch(
                {
                    n: (
                        "crm.timeline.comment.add",
                        {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": deal, "COMMENT": f"comment {n}"}},
                    )
                    for n in range(start, min(start + 40, count))
                }
            ).all_results()
    portal.reset_calls()
    found = list(client.children(COMMENTS, [short, long], comments_of))
    texts = [f"comment {n}" for n in range(120)]
    assert [(deal, row["COMMENT"]) for deal, row in found] == [
        *((short, text) for text in texts[:2]),
        *((long, text) for text in texts),
    ]


@pytest.mark.parametrize(("parallel", "second"), [(1, 50), (4, 200), (20, 350)])
def test_parents_are_taken_only_when_they_are_needed(portal: Sandbox, parallel: int, second: int) -> None:
    """They may themselves come from a list that is being read. After the first request, several may go out at once."""
    taken = []

    def parents() -> Iterator[int]:
        for deal in portal.add_deals(500):
            portal.add_payment(deal)
            taken.append(deal)
            yield deal

    with client_of(portal, parallel=parallel) as client:
        found = client.children(PAYMENTS, parents(), payments_of)
        next(found)
        assert len(taken) == 50
        for _ in range(50):
            next(found)
        assert len(taken) == 50 + second
        assert [parent for parent, _ in found] == taken[51:]


def test_the_error_of_one_parent_is_raised_after_the_rows_of_those_before(portal: Sandbox, client: Client) -> None:
    good, bad = portal.add_deals(2)
    payment = portal.add_payment(good)
    portal.fault("error", method=PAYMENTS, after=1, code="NOT_FOUND", description="gone", status=400)
    found = client.children(PAYMENTS, [good, bad], payments_of)
    assert next(found)[1]["id"] == payment
    for _ in range(3):
        # Whoever asks on must not take it for the end.
        with pytest.raises(NotFound):
            next(found)


def test_what_ends_the_parents_ends_no_list_of_children(portal: Sandbox, client: Client) -> None:
    def parents() -> Iterator[int]:
        for deal in portal.add_deals(50):
            portal.add_payment(deal)
            yield deal
        raise KeyError("the rest of the deals")

    found = client.children(PAYMENTS, parents(), payments_of)
    with pytest.raises(KeyError):
        list(found)
    for _ in range(2):
        with pytest.raises(IncompleteList, match="KeyError interrupted the list: read it again"):
            next(found)


def test_a_refused_scope_is_raised(portal: Sandbox, client: Client) -> None:
    portal.scopes = {"user"}
    with pytest.raises(Forbidden, match='tick "crm"'):
        list(client.children(PRODUCT_ROWS, [1], rows_of_deal))


def test_the_id_is_selected_and_taken_out_again(portal: Sandbox, client: Client) -> None:
    client.call("crm.timeline.comment.add", {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}})
    found = list(client.children(COMMENTS, [1], lambda deal: {**comments_of(deal), "select": ["COMMENT"]}))
    assert [set(row) for _, row in found] == [{"COMMENT"}]


@pytest.mark.parametrize("params", [{"order": {"ID": "DESC"}}, {"start": 0}, {"FILTER": {}, "filter": {}}])
def test_what_cannot_be_read_exactly_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, params: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        next(client.children(COMMENTS, [1], lambda _: params))
    assert portal.requests == 0


@pytest.mark.parametrize("parents", [None, 5, "12", [{"id": 1}], [[1]]])
def test_what_are_not_parents_is_refused(portal: Sandbox, client: Client, parents: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"parents? (are|is) .*: (write|give) "):
        next(client.children(COMMENTS, parents, comments_of))
    assert portal.requests == 0


def test_a_misspelt_parent_in_the_filter_does_not_give_every_row_to_every_parent(
    portal: Sandbox, client: Client
) -> None:
    """``crm.deal.list`` silently drops the name, and would answer all deals for each company."""
    with pytest.raises(ConfigurationError, match="did you mean COMPANY_ID"):
        next(client.children("crm.deal.list", [1, 2], lambda company: {"filter": {"COMPANYID": company}}))
    assert portal.count("crm.deal.list") == 0


# Portals that do not tell the truth.


def deals_of(company: int) -> dict[str, Any]:
    return {"filter": {"COMPANY_ID": company}}


FIELDS = {"ID": {}, "COMPANY_ID": {}}


@pytest.mark.parametrize(("total", "following"), [(None, None), (0, None), (120, 50), (50, 50), (120, None)])
def test_a_full_page_is_only_the_whole_list_if_its_total_says_so(total: int | None, following: int | None) -> None:
    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "crm.deal.fields":
            return FIELDS
        left = [number for number in range(1, 121) if number > bound(params)][:50]
        if int(params.get("start", 0)) == -1:
            return Page(deals(left), 0)
        return Page(deals(left), total, following)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        found = [int(row["ID"]) for _, row in client.children("crm.deal.list", [1], deals_of)]
    assert found == list(range(1, 121))


@pytest.mark.parametrize("total", [None, 0, 43])
def test_a_page_that_is_short_of_rows_the_user_must_not_see_does_not_end_a_parents_list(total: int | None) -> None:
    """The server takes them out of a page after it has been cut."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        page = [number for number in range(1, 201) if number > bound(params)][:50]
        seen = deals(number for number in page if number % 7)
        return Page(seen, total if total != 43 or "start" in params else 171)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        found = [int(row["ID"]) for _, row in client.children("crm.lead.list", [1], lambda _: {})]
    assert found == [number for number in range(1, 201) if number % 7]


@pytest.mark.parametrize("method", ["acme.offset.list", "acme.last.list", "acme.page.list"])
def test_lists_with_cursors_of_their_own_are_read_to_an_empty_page_for_each_parent(method: str) -> None:
    """Without a size ``im.search.user.list`` gives 10 rows, however many there are."""
    methods = METHODS.adding(
        Method("acme.offset.list", repeat="read", rows=Rows("", paging="limit-offset", limit="LIMIT", cursor="OFFSET")),
        Method("acme.last.list", repeat="read", rows=Rows("", paging="last-id", limit="LIMIT", cursor="LAST_ID")),
        Method("acme.page.list", repeat="read", rows=Rows("", paging="page", cursor="page")),
    )

    def answer(method: str, params: dict[str, Any]) -> Any:
        left = [number for number in range(1, int(params["count"]) + 1) if number > params.get("LAST_ID", 0)]
        offset = params.get("OFFSET", 10 * (params.get("page", 1) - 1))
        return [{"id": number} for number in left[int(offset) : int(offset) + 10]]

    with Hostile(answer) as portal, client_of_hostile(portal, methods=methods) as client:
        found = [(parent, row["id"]) for parent, row in client.children(method, [30, 0, 7], lambda n: {"count": n})]
    assert found == [(30, n) for n in range(1, 31)] + [(7, n) for n in range(1, 8)]


def test_what_a_parent_is_asked_is_made_once() -> None:
    """It may come from a queue."""
    made = []

    def params_of(parent: int) -> dict[str, Any]:
        made.append(parent)
        return {}

    with Hostile(some(120)) as portal, client_of_hostile(portal) as client:
        assert len(list(client.children("crm.lead.list", [1, 2], params_of))) == 240
    assert made == [1, 2]


def test_a_total_of_an_unknown_list_does_not_end_that_of_a_parent() -> None:
    def answer(method: str, params: dict[str, Any]) -> Any:
        offset = int(params.get("start", 0))
        return Page([{"id": number} for number in range(1, 121)][offset : offset + 50], 50)

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        found = [row["id"] for _, row in client.children("acme.thing.list", [1], lambda _: {})]
    assert found == list(range(1, 121))


@pytest.mark.parametrize("result", [True, None, {"ID": 1}, [1], [{"NAME": "no id"}], [{"ID": 1}, {"ID": "1"}]])
def test_what_is_not_a_list_of_rows_is_an_error_with_the_methods_name(result: Any) -> None:
    with Hostile(lambda method, params: result) as portal, client_of_hostile(portal) as client:
        found = client.children("crm.lead.list", [1], lambda _: {})
        with pytest.raises(IncompleteList, match=r"^crm\.lead\.list: "):
            list(found)


def test_a_parent_that_did_not_come_back_is_an_error() -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        if method == "batch":
            body["result"]["result"] = {"c0": []}

    def answer(method: str, params: dict[str, Any]) -> Any:
        raise Refusal("ACCESS_DENIED", "", 403)

    with Hostile(answer, spoil=spoil) as portal, client_of_hostile(portal) as client:
        found = client.children("crm.lead.list", [1, 2], lambda _: {})
        with pytest.raises(Bitrix24Error):
            list(found)
