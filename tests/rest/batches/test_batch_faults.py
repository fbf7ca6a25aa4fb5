"""Batches that break, are refused or run into limits: every command comes to its own end, and none is done twice."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    BatchError,
    Bitrix24Error,
    Forbidden,
    Invalid,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of
from tests.rest.commands import ADD, DEAL, GET, PAYMENT_DELETE, UPDATE, add, delete, get, titles, update
from tests.rest.hostile import Hostile, client_of_hostile


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


# Lost answers.

LOST = ["reset_before", "reset_after", "close_before", "close_after", "truncated", "status_before", "status_after"]


def mixed() -> dict[str, Any]:
    return {"read": get(1), "delete": delete(2), "update": update(3, "updated"), "add": add("added once")}


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_settled_command_by_command(portal: Sandbox, client: Client, kind: str) -> None:
    """Reads, deletes and updates are sent again; what must not be done twice says that it may have been done."""
    ran = "before" not in kind
    portal.fault(kind, method="batch")
    outcome = client.batch(mixed())
    assert list(outcome.results) == ["read", "delete", "update"]
    assert (outcome.results["delete"], outcome.results["update"]["item"]["title"]) == ([], "updated")
    assert all(reply.repeated for reply in outcome.replies.values())
    lost = outcome.errors["add"]
    assert (type(lost), lost.method, lost.retryable, lost.ran) == (AnswerLost, ADD, False, "unknown")
    assert "check with crm.item.list before you run this again" in str(lost)
    assert (portal.item(DEAL, 2), titles(portal).count("updated")) == (None, 1)
    assert titles(portal).count("added once") == portal.executed(ADD) == int(ran)


@pytest.mark.parametrize("kind", LOST)
def test_deletes_whose_answer_was_lost_are_done_when_the_objects_are_gone(
    portal: Sandbox, client: Client, kind: str
) -> None:
    payments = [portal.add_payment(1) for _ in range(3)]
    portal.fault(kind, method="batch")
    outcome = client.batch({payment: (PAYMENT_DELETE, {"id": payment}) for payment in payments})
    assert outcome.all_results() == dict.fromkeys(payments, True)
    assert [portal.payment(payment) for payment in payments] == [None] * 3
    assert portal.executed(PAYMENT_DELETE) == 3


@pytest.mark.parametrize("kind", LOST)
def test_reads_whose_answer_was_lost_are_sent_again_in_halves(portal: Sandbox, kind: str) -> None:
    portal.fault(kind, method="batch", times=2)
    naps = Naps(portal)
    with client_of(portal, naps=naps, parallel=1) as client:
        outcome = client.batch({n: get(n % 10 + 1) for n in range(100)})
    assert list(outcome.all_results()) == list(range(100))
    # 50 and 25, whose answers are lost, then 12, 13, 14 and so on.
    assert portal.requests == 9
    assert naps.total == 1 + 2


def test_one_read_whose_answer_is_lost_keeps_no_other_from_being_read() -> None:
    """A command that a portal always dies of is sent with fewer and fewer others, and at last alone."""

    def spoil(body: dict[str, Any], method: str) -> bytes | None:
        answered = body.get("result", {}).get("result", {}) if method == "batch" else {"c0": body.get("result")}
        return b"<html>" if {"item": {"id": "31"}} in answered.values() else None

    with (
        Hostile(lambda method, params: {"item": {"id": str(params["id"])}}, spoil=spoil) as portal,
        client_of_hostile(portal) as client,
    ):
        outcome = client.batch({n: get(n) for n in range(1, 101)})
    assert [*outcome.errors] == [31]
    assert isinstance(outcome.errors[31], AnswerLost)
    assert [*outcome.replies] == [n for n in range(1, 101) if n != 31]


@pytest.mark.parametrize("make", [get, lambda number: update(number, "x" * 3000)], ids=["get", "update"])
def test_a_batch_whose_answer_is_too_large_is_sent_again_in_halves(make: Any) -> None:
    large = {"item": {"id": 1, "comments": "x" * 100_000}}
    naps = Naps()
    with (
        Hostile(lambda method, params: large) as portal,
        client_of_hostile(portal, naps=naps, max_response_mib=1, parallel=1) as client,
    ):
        assert len(client.batch({n: make(n) for n in range(1, 61)}).all_results()) == 60
    sizes = [len(params["cmd"]) for _, params in portal.asked]
    assert sizes[:4] == [50, 25, 12, 6]
    assert max(sizes[4:]) <= 12
    assert naps.total == 0


def test_a_batch_that_a_server_on_the_way_finds_too_large_is_sent_again_in_halves(portal: Sandbox) -> None:
    portal.fault("status_before", method="batch", times=2, status=413, title="413 Request Entity Too Large")
    with client_of(portal, naps=Naps(portal)) as client:
        outcome = client.batch({**{n: get(n % 5 + 5) for n in range(30)}, **{f"{n}": delete(n) for n in range(1, 3)}})
    assert len(outcome.all_results()) == 32
    # 32 and 16, which are refused, then 8, 9, 10 and 5.
    assert portal.requests == 6


def test_what_must_not_be_sent_twice_is_not_split(portal: Sandbox, client: Client) -> None:
    portal.fault("status_before", method="batch", status=413)
    outcome = client.batch({"read": get(1), "add": add("once"), "delete": delete(2)})
    assert list(outcome.results) == ["read", "delete"]
    assert (outcome.errors["add"].ran, outcome.errors["add"].retryable) == ("unknown", False)
    assert portal.executed(ADD) == 0


def test_an_add_is_never_sent_again_however_often_the_answer_is_lost(portal: Sandbox, client: Client) -> None:
    portal.fault("reset_after", times=None)
    outcome = client.batch({**{n: add(f"once {n}") for n in range(120)}, **mixed()})
    assert len(outcome.errors) == 124 - len(outcome.replies)
    assert portal.executed(ADD) == len({title for title in titles(portal) if "once" in title}) == 121
    assert all(isinstance(error, AnswerLost) for error in outcome.errors.values())


def test_a_command_that_did_not_come_back_is_an_error(client: Client, portal: Sandbox) -> None:
    body = b'{"result": {"result": {"c0": {"item": {"id": 1}}}, "result_error": [], "result_time": []}}'
    portal.fault("body", method="batch", body=body, executed=False)
    outcome = client.batch({"a": get(1), "add": add("x")})
    assert list(outcome.replies) == ["a"]
    assert "the answer of the batch does not have this command" in str(outcome.errors["add"])
    assert portal.count(ADD) == 0


@pytest.mark.parametrize("body", [b'{"result": []}', b'{"result": true}', b'{"result": {}}', b'{"result": null}'])
def test_a_batch_without_an_answer_loses_nothing(client: Client, portal: Sandbox, body: bytes) -> None:
    """As when its commands are not texts: neither result nor error."""
    portal.fault("body", method="batch", body=body, executed=False)
    outcome = client.batch({"read": get(1), "add": add("x")})
    assert set(outcome.errors) | set(outcome.replies) == {"read", "add"}
    assert isinstance(outcome.errors["add"], AnswerLost)
    assert portal.count(ADD) == 0


# Refusals.


def test_commands_refused_by_a_limit_are_repeated_alone() -> None:
    with Sandbox(deals=5, operating_limit=400, method_seconds={GET: 0.5}) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps) as client:
            naps.advance(60 - portal.clock.now() % 60)
            client.call(*get(1))
            naps.advance(590)
            portal.fault("operation_time_limit", method=GET, times=2)
            outcome = client.batch({n: get(n) for n in range(1, 6)})
        assert len(outcome.all_results()) == 5
        assert 0 < naps.total <= 15
        assert [len(call.commands) for call in portal.calls] == [0, 5, 0, 0]


def test_a_limit_that_lasts_is_said_of_each_command_and_asked_once(portal: Sandbox, client: Client) -> None:
    portal.fault("operation_time_limit", method=GET, times=None)
    outcome = client.batch({**{n: get(n) for n in range(1, 21)}, "add": add("goes on")})
    assert list(outcome.replies) == ["add"]
    assert {type(error) for error in outcome.errors.values()} == {OperationTimeLimit}
    assert {error.method for error in outcome.errors.values()} == {GET}
    assert portal.requests == 1


def test_a_limit_is_not_waited_for_once_for_each_command() -> None:
    with Sandbox(deals=20, operating_limit=400, method_seconds={GET: 0.5}) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps) as client:
            naps.advance(60 - portal.clock.now() % 60)
            client.batch({"first": get(1)}).all_results()
            naps.advance(580)
            portal.reset_calls()
            portal.fault("operation_time_limit", method=GET, times=None)
            outcome = client.batch({n: get(n) for n in range(1, 21)})
        assert {type(error) for error in outcome.errors.values()} == {OperationTimeLimit}
        assert portal.requests <= 3
        assert naps.total <= 25


def test_a_limit_of_one_method_does_not_keep_another_from_being_sent_alone() -> None:
    with Sandbox(deals=2, operating_limit=400, method_seconds={GET: 0.5, UPDATE: 0.5}) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps) as client:
            naps.advance(60 - portal.clock.now() % 60)
            client.batch({"get": get(1), "update": update(1, "first")}).all_results()
            naps.advance(580)
            portal.fault("operation_time_limit", method=GET, times=None)
            portal.fault("operation_time_limit", method=UPDATE, times=1)
            outcome = client.batch({"get": get(1), "update": update(2, "second")})
        assert isinstance(outcome.errors["get"], OperationTimeLimit)
        assert list(outcome.replies) == ["update"]
        assert titles(portal)[1] == "second"


def test_a_command_that_is_refused_after_a_lost_attempt_may_have_run(portal: Sandbox, client: Client) -> None:
    portal.fault("close_after", method="batch", times=1)
    portal.fault("error", method=UPDATE, code="ACCESS_DENIED", status=403, after=1, times=None)
    error = client.batch({"update": update(3, "done"), "add": add("done")}).errors["update"]
    assert (type(error), error.ran, titles(portal)[2]) == (Forbidden, "unknown", "done")


PORTAL_WIDE = [
    ("error", {"code": "INVALID_CREDENTIALS", "status": 401}, Unauthorized),
    ("overload", {}, Bitrix24Error),
    ("query_limit", {}, QueryLimitExceeded),
    ("redirect", {"location": "https://evil.example.invalid/rest/"}, Bitrix24Error),
]


@pytest.mark.parametrize(("kind", "options", "error"), PORTAL_WIDE, ids=[kind for kind, _, _ in PORTAL_WIDE])
def test_what_stops_one_request_stops_those_after_it(
    portal: Sandbox, client: Client, kind: str, options: dict[str, Any], error: type[Bitrix24Error]
) -> None:
    portal.fault(kind, times=None, **options)
    commands = {n: add(f"never {n}") for n in range(200)}
    commands |= {f"none {n}": (ADD, {"entityTypeId": DEAL, "fields": {"title": None}}) for n in range(100)}
    outcome = client.batch(commands)
    assert len(outcome.errors) == 300
    assert all(isinstance(failure, error) and failure.ran == "no" for failure in outcome.errors.values())
    assert {error.method for error in outcome.errors.values()} == {ADD}
    assert portal.requests <= 6


@pytest.mark.parametrize("make", [add, get, delete], ids=["add", "get", "delete"])
def test_a_portal_that_loses_every_answer_is_not_asked_for_all(portal: Sandbox, make: Any) -> None:
    """At a minute each, many commands would take days, and nobody would know which of them were done."""
    naps = Naps(portal)
    portal.fault("reset_after", method="batch", times=None)
    with client_of(portal, naps=naps) as client:
        outcome = client.batch({n: make(n) for n in range(2_000)})
    assert (len(outcome.errors), outcome.replies) == (2_000, {})
    not_sent = [error for error in outcome.errors.values() if isinstance(error, NotSent)]
    assert len(not_sent) >= 2_000 - 9 * 50
    assert all(error.retryable and "3 requests in a row got no answer" in str(error) for error in not_sent)
    assert portal.requests <= 9 * 4
    assert naps.total < 120


def test_what_was_not_sent_because_answers_were_lost_is_sent_once_they_come_again(portal: Sandbox) -> None:
    portal.fault("reset_after", method="batch", times=3)
    with client_of(portal, naps=Naps(portal)) as client:
        outcome = client.batch({n: add(f"once {n}") for n in range(400)})
    assert list(outcome.replies) == list(range(150, 400))
    assert {(type(error), error.ran) for error in outcome.errors.values()} == {(AnswerLost, "unknown")}
    assert portal.executed(ADD) == 400


@pytest.mark.parametrize(("code", "status"), [("OPERATION_TIME_LIMIT", 429), ("ACCESS_DENIED", 403)])
@pytest.mark.parametrize("references", [False, True])
def test_a_portal_that_takes_no_batch_is_asked_once_and_direct_calls_go_on(
    portal: Sandbox, client: Client, code: str, status: int, references: bool
) -> None:
    portal.fault("error", method="batch", code=code, status=status, times=None)
    commands: dict[Any, Any] = {n: add(f"batched {n}") for n in range(200)}
    if not references:
        commands["alone"] = (ADD, {"entityTypeId": DEAL, "fields": {"title": None}})
    outcome = client.batch(commands, references=references)
    assert {(error.code, error.method, error.ran) for error in outcome.errors.values()} == {(code, ADD, "no")}
    assert (len(outcome.errors), list(outcome.replies)) == (200, [] if references else ["alone"])
    assert [call.method for call in portal.calls].count("batch") == 1


def test_a_portal_that_is_away_is_not_knocked_at_for_every_request() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps()
        client = client_of(portal, naps=naps)
        portal.stop_listening()
    with client:
        outcome = client.batch({n: add("x") for n in range(500)})
    assert {type(error) for error in outcome.errors.values()} == {NotSent}
    assert len(naps.taken) <= 3


def test_a_batch_that_the_portal_refuses_as_a_whole_is_refused_for_each(portal: Sandbox, client: Client) -> None:
    portal.fault("error", method="batch", code="ACCESS_DENIED", description="Доступ запрещен", status=403)
    outcome = client.batch({"a": get(1), "b": add("x")})
    assert [type(error) for error in outcome.errors.values()] == [Forbidden, Forbidden]
    assert [error.method for error in outcome.errors.values()] == [GET, ADD]
    assert portal.count(ADD) == 0


@pytest.mark.parametrize("error", ["", 0, "0", 100, "100", "ACCESS_DENIED", "WRONG_ENCODING", "insufficient_scope"])
def test_an_error_in_a_batch_is_of_the_same_kind_as_in_a_call(portal: Sandbox, client: Client, error: Any) -> None:
    options = {"code": error, "description": "Нет <br>доступа", "status": 200}
    portal.fault("error", method=GET, times=2, **options)
    outcome = client.batch({"key": get(1), "other": get(2)})
    portal.fault("error", method=GET, **options)
    with pytest.raises(Bitrix24Error) as called:
        client.call(*get(1))
    batched = outcome.errors["key"]
    assert type(batched) is type(called.value)
    assert (batched.code, batched.method, batched.next_step) == (called.value.code, GET, called.value.next_step)
    assert batched.description == called.value.description


REFUSED = ["denied", "missing", "paid"]


@pytest.mark.parametrize("generation", ["current", "middle", "old"])
@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_delete_is_explained_in_a_batch_as_in_a_call(generation: str, language: str, why: str) -> None:
    with Sandbox(deals=3, generation=generation, language=language) as portal:  # type: ignore[arg-type]
        payment = 999 if why == "missing" else portal.add_payment(1, paid=why == "paid")
        with client_of(portal, portal.clerk if why == "denied" else portal.admin) as client:
            batched = client.batch({"a": (PAYMENT_DELETE, {"id": payment})}).errors["a"]
            with pytest.raises(Bitrix24Error) as called:
                client.call(PAYMENT_DELETE, {"id": payment})
        assert type(batched) is type(called.value)
        assert str(batched).partition(" (request")[0] == str(called.value).partition(" (request")[0].replace(
            " (HTTP 400)", ""
        ).replace(" (HTTP 403)", "")
        assert portal.executed(PAYMENT_DELETE) == 0


def test_all_results_or_one_error_that_holds_everything(client: Client) -> None:
    assert client.batch({"a": get(1)}).all_results().keys() == {"a"}
    with pytest.raises(BatchError) as failed:
        client.batch({"a": get(1), "b": get(999), "c": get(2)}, halt=True).all_results()
    error = failed.value
    assert (
        "of 3 commands 1 failed, 1 did not run and 1 succeeded; the first that failed is 'b': crm.item.get: NOT_FOUND"
        in str(error)
    )
    assert (list(error.errors), list(error.results), error.retryable) == (["b"], ["a"], False)


def test_the_error_of_a_batch_holds_all_under_the_callers_keys(client: Client) -> None:
    """The ids of payments are numbers, and a number is another key than its text."""
    with pytest.raises(BatchError) as failed:
        client.batch({1: get(1), "1": get(2), 998: get(998), "998": get(999)}).all_results()
    assert (list(failed.value.errors), list(failed.value.results)) == ([998, "998"], [1, "1"])
    assert list(pickle.loads(pickle.dumps(failed.value)).errors) == [998, "998"]


def test_arguments_refused_by_the_portal_name_the_command(client: Client) -> None:
    outcome = client.batch({"bad": ("crm.item.list", {"entityTypeId": 2, "filter": {"nonsense": 1}}), "good": get(1)})
    assert isinstance(outcome.errors["bad"], Invalid)
    assert str(outcome.errors["bad"]).startswith("crm.item.list: INVALID_ARG_VALUE")
    assert "nonsense" in str(outcome.errors["bad"])


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("flags", [{"halt": True}, {"references": True}, {"halt": True, "references": True}])
def test_reads_in_order_whose_answer_was_lost_are_sent_again_in_halves(
    portal: Sandbox, kind: str, flags: dict[str, bool]
) -> None:
    portal.fault(kind, method="batch", times=2)
    with client_of(portal, naps=Naps(portal)) as client:
        outcome = client.batch({n: get(n % 10 + 1) for n in range(50)}, **flags)
    assert list(outcome.all_results()) == list(range(50))
    sizes = [len(call.params["cmd"]) for call in portal.calls if call.method == "batch"]
    assert sizes == [50, 25, 12, 13, 25]


def test_commands_that_refer_to_each_other_stay_in_one_request(portal: Sandbox) -> None:
    portal.fault("reset_after", method="batch")
    with client_of(portal, naps=Naps(portal)) as client:
        commands: dict[str, Any] = {"first": get(1)}
        for n in range(9):
            commands[f"pair{n}"] = get(n + 1)
            commands[f"of{n}"] = (GET, {"entityTypeId": 2, "id": f"$result[pair{n}][item][id]"})
        outcome = client.batch(commands, references=True)
        assert [result["item"]["id"] for result in outcome.all_results().values()][1:5] == [1, 1, 2, 2]
        portal.reset_calls()
        portal.fault("reset_after", method="batch")
        all_of_one = {"a": get(1), **{n: (GET, {"entityTypeId": 2, "id": "$result[a][item][id]"}) for n in range(5)}}
        client.batch(all_of_one, references=True).all_results()
    assert [len(call.params["cmd"]) for call in portal.calls if call.method == "batch"] == [6, 6]


def test_a_halted_batch_that_is_sent_in_halves_still_stops_at_the_first_failure(portal: Sandbox) -> None:
    portal.fault("reset_after", method="batch")
    commands = {n: get(999 if n == 3 else 1) for n in range(20)}
    with client_of(portal, naps=Naps(portal)) as client:
        outcome = client.batch(commands, halt=True)
    assert [*outcome.replies] == [0, 1, 2]
    assert [*outcome.errors] == [3]
    assert outcome.not_run == list(range(4, 20))


@pytest.mark.parametrize("flags", [{"halt": True}, {"references": True}])
def test_a_portal_that_is_down_is_not_asked_for_all_in_order_either(portal: Sandbox, flags: dict[str, bool]) -> None:
    portal.fault("reset_after", method="batch", times=None)
    naps = Naps(portal)
    with client_of(portal, naps=naps) as client:
        outcome = client.batch({n: get(1) for n in range(500)}, **flags)
    assert len(outcome.errors) + len(outcome.not_run) == 500
    assert portal.requests <= 20


@pytest.mark.parametrize("flags", [{"halt": True}, {"references": True}])
def test_adds_in_order_whose_answer_was_lost_are_not_sent_again(portal: Sandbox, flags: dict[str, bool]) -> None:
    portal.fault("reset_after", method="batch")
    with client_of(portal, naps=Naps(portal)) as client:
        outcome = client.batch({n: add(f"in order {n}") for n in range(5)}, **flags)
    assert {error.ran for error in outcome.errors.values()} == {"unknown"}
    assert portal.executed(ADD) == 5
