"""REST 3.0 through the same client: lists to an empty page, writes under one key, errors of the same classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ConfigurationError,
    Forbidden,
    IncompleteList,
    Invalid,
    NotFound,
    OperationTimeLimit,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of
from tests.rest.hostile import Hostile, client_of_hostile, drain

LIST, GET, ADD = "tasks.task.list", "tasks.task.get", "tasks.task.add"
NEW = {"fields": {"title": "once", "creatorId": 1, "responsibleId": 7}}


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


# Lists.


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 120])
def test_a_list_ends_only_at_an_empty_page(count: int) -> None:
    with Sandbox(deals=0, tasks=count, gaps=0.2) as portal, client_of(portal) as client:
        rows = client.list(LIST, version=3)
        assert drain(rows) == [task["id"] for task in portal.tasks()]
        assert (rows.report.rows, rows.report.complete, rows.report.strategy) == (count, True, "v3")
        assert portal.requests == rows.report.requests == -(-count // 50) + 1
        assert all(call.path.startswith("/rest/api/") for call in portal.calls)


def test_the_callers_filter_select_and_limit_are_kept() -> None:
    with Sandbox(deals=0, tasks=150) as portal, client_of(portal) as client:
        params = {"filter": [["id", ">", 10], ["id", "<=", 140]], "select": ["title"]}
        rows = list(client.list(LIST, params, version=3))
        assert [row["title"] for row in rows] == [task["title"] for task in portal.tasks()[10:140]]
        assert {frozenset(row) for row in rows} == {frozenset({"title"})}
        assert drain(client.list(LIST, limit=70, version=3)) == list(range(1, 71))


@pytest.mark.parametrize("params", [{"pagination": {"page": 2}}, {"order": {"title": "ASC"}}, {"start": 50}])
def test_what_moves_through_the_list_is_ours(portal: Sandbox, client: Client, params: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        client.list(LIST, params, version=3)
    assert portal.requests == 0


def by_id(ids: list[int], size: int = 50) -> Callable[[str, dict[str, Any]], Any]:
    """A list whose ids may be filtered by ``>``, as tasks; of an unknown one, only the offset moves on."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        bounds = [bound for name, operator, bound in params.get("filter") or [] if (name, operator) == ("id", ">")]
        left = [number for number in ids if number > max(bounds, default=0)]
        offset = params["pagination"]["offset"]
        return {"items": [{"id": number} for number in left[offset : offset + size]]}

    return answer


@pytest.mark.parametrize("method", [LIST, "acme.thing.list"])
@pytest.mark.parametrize("size", [7, 20, 50])
def test_pages_of_any_size_are_read_to_their_end(size: int, method: str) -> None:
    with Hostile(by_id(list(range(1, 101)), size)) as portal, client_of_hostile(portal) as client:
        assert drain(client.list(method, version=3)) == list(range(1, 101))


def test_no_row_is_missed_when_others_are_deleted_meanwhile() -> None:
    ids = list(range(1, 201))

    def answer(method: str, params: dict[str, Any]) -> Any:
        page = by_id(ids)(method, params)
        del ids[:5]
        return page

    with Hostile(answer) as portal, client_of_hostile(portal) as client:
        assert drain(client.list(LIST, version=3)) == list(range(1, 201))


@pytest.mark.parametrize("filter_", [["id", ">", 30], {"id": 5}])
def test_a_filter_of_another_form_is_sent_as_it_is(filter_: Any) -> None:
    with Hostile(lambda *_: {"items": []}) as portal, client_of_hostile(portal) as client:
        assert drain(client.list(LIST, {"filter": filter_}, version=3)) == []
    assert portal.commands[0][1]["filter"] == filter_


def test_rows_out_of_the_order_of_ids_are_noticed() -> None:
    ids = [3, 1, 2]
    with Hostile(by_id(ids)) as portal, client_of_hostile(portal) as client, pytest.raises(IncompleteList):
        drain(client.list(LIST, version=3))


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"items": [{"id": number} for number in range(50)]}, id="the same page for ever"),
        pytest.param({"items": [{"title": "x"}]}, id="a row without an id"),
        pytest.param({"item": {"id": 1}}, id="no items"),
        pytest.param({"items": True}, id="items that are not a list"),
        pytest.param(True, id="true"),
    ],
)
def test_a_portal_that_does_not_answer_with_a_list_is_an_error(result: Any) -> None:
    with Hostile(lambda *_: result) as portal, client_of_hostile(portal) as client, pytest.raises(Bitrix24Error):
        drain(client.list(LIST, version=3))


# Writes.


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "close_after", "truncated", "status_after"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_write_whose_answer_was_lost_is_sent_again_under_its_key_and_done_once(
    portal: Sandbox, client: Client, kind: str, times: int
) -> None:
    tasks = len(portal.tasks())
    portal.fault(kind, method=ADD, times=times)
    made = client.call(ADD, NEW, version=3)["item"]
    assert [task["id"] for task in portal.tasks()[tasks:]] == [made["id"]]
    keys = {call.headers["idempotency-key"] for call in portal.calls}
    assert (len(keys), portal.count(ADD), portal.executed(ADD)) == (1, times + 1, 1)


def test_two_writes_have_two_keys_and_reads_have_none(portal: Sandbox, client: Client) -> None:
    client.call(ADD, NEW, version=3)
    client.call(ADD, NEW, version=3)
    client.call(GET, {"id": 1}, version=3)
    client.call("profile")
    keys = [call.headers.get("idempotency-key") for call in portal.calls]
    assert len(set(keys[:2])) == 2
    assert keys[2:] == [None, None]
    assert portal.executed(ADD) == 2


def test_a_write_whose_answer_stays_lost_says_that_it_may_have_been_done(portal: Sandbox, client: Client) -> None:
    portal.fault("reset_after", method=ADD, times=None)
    with pytest.raises(AnswerLost, match=r"check with tasks\.task\.list before you run this again") as lost:
        client.call(ADD, NEW, version=3)
    assert (lost.value.retryable, portal.count(ADD), portal.executed(ADD)) == (False, 4, 1)


def test_a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_done(portal: Sandbox, client: Client) -> None:
    """The key was used by the first attempt, or a right was lost since: the first may still have run."""
    portal.fault("reset_after", method=ADD)
    portal.fault("error", method=ADD, code="BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION", status=403)
    with pytest.raises(AnswerLost) as lost:
        client.call(ADD, NEW, version=3)
    assert (portal.executed(ADD), lost.value.ran, lost.value.retryable) == (1, "unknown", False)
    assert "ACCESSDENIED" in str(lost.value)


# Errors.


@pytest.mark.parametrize(
    ("method", "params", "error", "says"),
    [
        (GET, {"id": 9999}, NotFound, "Record with ID = `9999` not found"),
        (GET, {}, Invalid, "id: Required field `id` is not specified"),
        (ADD, {"fields": {"title": "x"}}, Invalid, "creatorId: Required field `creatorId` is missing"),
        (LIST, {"filter": [["title", "=", "x"]]}, Invalid, "Filterable"),
        ("tasks.task.fly", {}, Bitrix24Error, "METHODNOTFOUND"),
    ],
)
def test_errors_are_of_the_same_classes_as_in_version_2(
    client: Client, method: str, params: dict[str, Any], error: type[Bitrix24Error], says: str
) -> None:
    with pytest.raises(error) as raised:
        client.call(method, params, version=3)
    assert says in str(raised.value)
    assert raised.value.method == method
    assert (raised.value.ran, raised.value.retryable) == ("no", False)


def test_a_missing_scope_names_the_one_to_tick(portal: Sandbox, client: Client) -> None:
    portal.scopes = {"crm"}
    with pytest.raises(Forbidden, match='tick "tasks"'):
        client.call(GET, {"id": 1}, version=3)


def test_a_webhook_that_is_not_accepted_is_that_and_not_a_missing_right(portal: Sandbox) -> None:
    with client_of(portal) as client:
        portal.admin.code = "another0code1234"
        with pytest.raises(Unauthorized):
            client.call(GET, {"id": 1}, version=3)
        with pytest.raises(Unauthorized):
            next(client.list(LIST, version=3))


def test_the_operating_limit_is_one_in_version_3_too(portal: Sandbox, client: Client) -> None:
    portal.fault("operation_time_limit", method=GET)
    with pytest.raises(OperationTimeLimit):
        client.call(GET, {"id": 1}, version=3)


def test_the_same_name_is_another_method_in_each_version(client: Client) -> None:
    assert set(client.call(GET, {"taskId": 1})) == {"task"}
    assert set(client.call(GET, {"id": 1}, version=3)) == {"item"}
