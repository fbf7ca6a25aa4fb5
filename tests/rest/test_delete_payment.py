"""The faults of one delete: what the caller gets, how many requests went out, how many deletes were executed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    Forbidden,
    NotSent,
    OperationTimeLimit,
    PortalMoved,
    QueryLimitExceeded,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of
from tests.rest.deletes import DELETE, FOR_EVER, GET, MAY_BE_DELETED, UNKNOWN, delete, unpaid
from tests.secrecy import assert_untold
from tests.wire import RawServer


@dataclass(frozen=True)
class Fault:
    """
    One fault and what must come of it.

    :param gives: True, or the class of the error.
    :param requests: what the portal was asked, in order.
    :param executed: how many deletes it executed.
    :param naps: seconds slept, in order.
    """

    kind: str
    gives: Any
    requests: str
    executed: int
    naps: Sequence[float] = ()
    times: int | None = 1
    options: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    timeout: float = 10.0


LOST_BEFORE = {"gives": True, "requests": "delete get delete", "executed": 1, "naps": [1]}
LOST_AFTER = {"gives": True, "requests": "delete get", "executed": 1, "naps": [1]}
NEVER_ANSWERED = {"gives": AnswerLost, "requests": "delete get " * 4, "naps": [1, 2, 4], "times": FOR_EVER}
HTML = b"<html><head><title>Just a moment</title></head></html>"

FAULTS: dict[str, Fault] = {
    "reset before it ran": Fault("reset_before", **LOST_BEFORE),
    "reset after it ran": Fault("reset_after", **LOST_AFTER),
    "closed before it ran": Fault("close_before", **LOST_BEFORE),
    "closed after it ran": Fault("close_after", **LOST_AFTER),
    "reset for ever": Fault("reset_before", executed=0, says=MAY_BE_DELETED, **NEVER_ANSWERED),
    **{
        f"HTML {status} before it ran": Fault("status_before", options={"status": status}, **LOST_BEFORE)
        for status in (429, 502, 503, 504)
    },
    **{
        f"HTML {status} after it ran": Fault("status_after", options={"status": status}, **LOST_AFTER)
        for status in (200, 429, 502, 503, 504)
    },
    "HTML 403 after it ran": Fault("status_after", True, "delete get", 1, options={"status": 403}),
    "HTML 403 before it ran": Fault(
        "status_before", AnswerLost, "delete get", 0, options={"status": 403}, says="connection's Portal (host)"
    ),
    "HTML 502 for ever": Fault("status_before", executed=0, says="HTTP 502, an HTML page titled", **NEVER_ANSWERED),
    "query limit once": Fault("query_limit", True, "delete delete", 1, [1]),
    "query limit for ever": Fault(
        "query_limit", QueryLimitExceeded, "delete " * 6, 0, [1, 2, 4, 8, 8], FOR_EVER, says="lower the rate"
    ),
    "operating limit, nobody knows until when": Fault("operation_time_limit", OperationTimeLimit, "delete", 0),
    "overload": Fault("overload", Blocked, "delete", 0, says="ask Bitrix24 support"),
    **{
        f"{name} at 200 after it ran": Fault("body", options={"body": body}, **LOST_AFTER)
        for name, body in {
            "empty body": b"",
            "broken JSON": b'{"result": tr',
            "HTML": HTML,
            "null": b"null",
            "[]": b"[]",
            "{}": b"{}",
            "another charset": '{"result": true, "x": "Да"}'.encode("cp1251"),
        }.items()
    },
    "HTML at 200 before it ran": Fault("body", options={"body": HTML, "executed": False}, **LOST_BEFORE),
    "a truncated body": Fault("truncated", **LOST_AFTER),
    "another charset that the head names": Fault("wrong_charset", True, "delete", 1),
    "another charset than the head names": Fault("wrong_charset", options={"declared": "utf-8"}, **LOST_AFTER),
    "an answer after the timeout": Fault("slow", options={"seconds": 0.8}, timeout=0.2, **LOST_AFTER),
    "a dripping answer": Fault("drip", options={"seconds": 0.05}, timeout=0.2, **LOST_AFTER),
    "a fault of the portal once": Fault("error", **LOST_BEFORE),
    "a fault of the portal for ever": Fault(
        "error", ServerFault, "delete get " * 4, 0, [1, 2, 4], FOR_EVER, says=MAY_BE_DELETED
    ),
    "no authorization server": Fault(
        "error", True, "delete delete", 1, [1], options={"code": "CONNECTION_ERROR", "status": 401}
    ),
    "the user unknown for a moment": Fault(
        "error",
        True,
        "delete delete delete",
        1,
        [1, 2],
        times=2,
        options={"code": "authorization_error", "status": 401},
    ),
    "the user unknown": Fault(
        "error",
        Unauthorized,
        "delete delete delete",
        0,
        [1, 2],
        FOR_EVER,
        options={"code": "authorization_error", "status": 401},
        says="dismissed",
    ),
    "error and status 200": Fault(
        "error", Forbidden, "delete", 0, options={"code": "ACCESS_DENIED", "description": "", "status": 200}
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_a_delete_ends_as_it_should(fault, portal, all_output):
    payment_id = unpaid(portal)
    portal.fault(fault.kind, DELETE, times=fault.times, **fault.options)
    outcome = delete(portal, payment_id, all_output, timeout_seconds=fault.timeout)
    if fault.gives is True:
        assert outcome.error is None
        assert outcome.result is True
        assert portal.payment(payment_id) is None
    else:
        assert type(outcome.error) is fault.gives
        assert fault.says in str(outcome.error)
    assert outcome.requests == fault.requests.split()
    assert outcome.executed == fault.executed
    assert outcome.naps == list(fault.naps)


@pytest.mark.parametrize(
    ("kind", "retryable", "ran"),
    [
        ("reset_before", True, "unknown"),
        ("error", True, "unknown"),
        ("query_limit", True, "no"),
        ("operation_time_limit", True, "no"),
        ("overload", False, "no"),
    ],
)
def test_an_error_tells_whether_it_ran_and_whether_to_try_again(kind, retryable, ran, portal, all_output):
    portal.fault(kind, DELETE, times=FOR_EVER)
    error = delete(portal, unpaid(portal), all_output).error
    assert (error.retryable, error.ran) == (retryable, ran)


def test_a_delete_is_one_request_of_one_connection(portal, all_output):
    before = portal.connections
    outcome = delete(portal, unpaid(portal), all_output)
    assert f'"POST /rest/{DELETE} HTTP/1.1" 200' in all_output.records
    assert (outcome.result, outcome.requests, outcome.naps) == (True, ["delete"], [])
    assert portal.connections - before == 1


def test_a_refused_connection_is_tried_three_times_and_nothing_was_sent(portal, all_output):
    payment_id = unpaid(portal)
    portal.stop_listening()
    outcome = delete(portal, payment_id, all_output)
    assert type(outcome.error) is NotSent
    assert outcome.error.retryable
    assert (outcome.requests, outcome.executed, outcome.naps) == ([], 0, [0.5, 1.0])
    assert portal.payment(payment_id) is not None


def test_a_wait_for_running_time_that_the_portal_reported_is_slept_when_it_is_short(portal, all_output):
    answer = {"result": True, "time": {"operating": 10, "operating_reset_at": portal.clock.now() + 20}}
    portal.fault("body", DELETE, body=json.dumps(answer).encode(), executed=False)
    portal.fault("operation_time_limit", DELETE)
    payment_id, naps = unpaid(portal), Naps(portal)
    with client_of(portal, naps=naps) as client:
        client.call(DELETE, {"id": payment_id})
        assert client.call(DELETE, {"id": payment_id}) is True
    assert portal.executed(DELETE) == 1
    assert len(naps.taken) == 1
    assert 15 < naps.taken[0] <= 20


def test_a_wait_for_running_time_that_is_long_is_raised_with_its_end(portal, all_output):
    ends = portal.clock.now() + 300
    answer = {"result": True, "time": {"operating": 10, "operating_reset_at": ends}}
    portal.fault("body", DELETE, body=json.dumps(answer).encode(), executed=False)
    portal.fault("operation_time_limit", DELETE, times=FOR_EVER)
    payment_id, naps = unpaid(portal), Naps(portal)
    with client_of(portal, naps=naps) as client:
        client.call(DELETE, {"id": payment_id})
        with pytest.raises(OperationTimeLimit) as caught:
            client.call(DELETE, {"id": payment_id})
    assert caught.value.reset_at == pytest.approx(ends, abs=5)
    assert naps.taken == []


# Redirects


def test_a_page_of_the_portal_itself_is_not_an_answer(portal, all_output):
    portal.fault("redirect", DELETE, location="/license_expired.php")
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is PortalMoved
    assert "licence, maintenance" in str(outcome.error)
    assert (outcome.requests, outcome.executed, outcome.naps) == (["delete"], 0, [])
    assert not outcome.error.retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_renamed_portal_inside_the_allowed_domains_gets_the_same_post(status, portal, all_output):
    payment_id = unpaid(portal)
    location = f"https://localhost:{portal.port}/rest/{portal.admin.id}/{portal.admin.code}/{DELETE}"
    portal.fault("redirect", DELETE, location=location, status=status)
    outcome = delete(portal, payment_id, all_output, allowed_domains=("localhost",))
    assert outcome.result is True
    assert (outcome.requests, outcome.executed) == (["delete", "delete"], 1)
    old, new = portal.calls
    assert (new.verb, new.params, new.headers["content-type"]) == (old.verb, old.params, old.headers["content-type"])
    assert new.headers["host"] == f"localhost:{portal.port}"
    assert "has moved to localhost: change the connection's Portal (host)" in all_output.records


def test_later_calls_go_to_the_renamed_portal_at_once(portal):
    location = f"https://localhost:{portal.port}/rest/x"
    portal.fault("redirect", DELETE, location=location)
    with client_of(portal, allowed_domains=("localhost",)) as client:
        for _ in range(2):
            client.call(DELETE, {"id": unpaid(portal)})
        assert client.portal.host == "localhost"
    assert [call.headers["host"].partition(":")[0] for call in portal.calls] == ["127.0.0.1", "localhost", "localhost"]


def test_any_other_host_never_sees_the_secret(portal, all_output):
    with RawServer(lambda connection: None) as other:
        portal.fault("redirect", DELETE, location=f"https://localhost:{other.port}/rest/x")
        outcome = delete(portal, unpaid(portal), all_output)
        assert other.connections == 0
    assert type(outcome.error) is PortalMoved
    assert "write localhost as the connection's Portal (host)" in str(outcome.error)
    assert (outcome.requests, outcome.executed) == (["delete"], 0)


def test_another_port_of_the_same_host_never_sees_the_secret(portal, all_output):
    with RawServer(lambda connection: None) as other:
        portal.fault("redirect", DELETE, location=f"https://127.0.0.1:{other.port}/rest/x")
        outcome = delete(portal, unpaid(portal), all_output, allowed_domains=("127.0.0.1",))
        assert other.connections == 0
    assert type(outcome.error) is PortalMoved
    assert f"add 127.0.0.1:{other.port} to the extra `allowed_domains`" in str(outcome.error)
    assert (outcome.requests, outcome.executed) == (["delete"], 0)


def test_a_circle_of_redirects_ends(portal, all_output):
    for host in ("localhost", "127.0.0.1") * 3:
        portal.fault("redirect", DELETE, location=f"https://{host}:{portal.port}/rest/x")
    outcome = delete(portal, unpaid(portal), all_output, allowed_domains=("localhost", "127.0.0.1"))
    assert type(outcome.error) is PortalMoved
    assert "the portal redirects in a circle" in str(outcome.error)
    assert (outcome.requests, outcome.executed) == (["delete"] * 4, 0)


# One after another


def test_not_found_after_a_lost_answer_means_that_the_first_attempt_ran_late(portal, all_output):
    portal.fault("close_after", DELETE)
    portal.fault("body", GET, body=b'{"result": {"id": 1, "paid": "N"}}')
    outcome = delete(portal, unpaid(portal), all_output)
    assert outcome.result is True
    assert (outcome.requests, outcome.executed) == (["delete", "get", "delete"], 1)


@pytest.mark.parametrize("generation", ["middle", "old"])
def test_a_refusal_without_a_cause_after_a_lost_answer_leaves_the_answer_lost(generation, all_output):
    with Sandbox(deals=1, generation=generation) as portal:
        portal.fault("close_after", DELETE)
        portal.fault("body", GET, body=b'{"result": {"ID": 1, "PAID": "N"}}')
        outcome = delete(portal, portal.add_payment(1), all_output)
    assert type(outcome.error) is AnswerLost
    assert MAY_BE_DELETED in str(outcome.error)
    assert outcome.error.retryable
    assert (outcome.requests, outcome.executed) == (["delete", "get", "delete", "get"], 1)


def test_a_refusal_in_an_unknown_language_after_a_lost_answer_of_a_payment_that_is_gone(portal, all_output):
    portal.fault("close_after", DELETE)
    portal.fault("body", GET, body=b'{"result": {"id": 1, "paid": "N"}}')
    portal.fault("error", DELETE, **UNKNOWN)
    outcome = delete(portal, unpaid(portal), all_output)
    assert outcome.result is True
    assert (outcome.requests, outcome.executed) == (["delete", "get", "delete", "get"], 1)


def test_a_limit_after_a_lost_answer_leaves_the_answer_lost(portal, all_output):
    portal.fault("close_before", DELETE)
    portal.fault("query_limit", DELETE, times=FOR_EVER)
    outcome = delete(portal, unpaid(portal), all_output)
    assert type(outcome.error) is AnswerLost
    assert "QUERY_LIMIT_EXCEEDED" in str(outcome.error)
    assert MAY_BE_DELETED in str(outcome.error)
    assert sum(outcome.naps) <= 30


def test_no_call_sleeps_longer_than_half_a_minute(portal, all_output):
    portal.fault("close_before", DELETE, times=3)
    portal.fault("query_limit", times=FOR_EVER)
    assert sum(delete(portal, unpaid(portal), all_output).naps) <= 30


# What must not be repeated


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status_before", "status_after", "error", "truncated"])
def test_a_payment_is_added_once_whatever_becomes_of_the_answer(kind, portal, all_output):
    before = len(portal.payments())
    portal.fault(kind, "crm.item.payment.add", times=FOR_EVER)
    with client_of(portal) as client, pytest.raises(Bitrix24Error) as caught:
        client.call("crm.item.payment.add", {"entityTypeId": 2, "entityId": 1})
    assert_untold(portal.admin.code, all_output, caught.value)
    assert portal.requests == 1
    assert len(portal.payments()) - before == portal.executed("crm.item.payment.add")
    assert not caught.value.retryable
    assert "it may have been done: check with crm.item.payment.list before you run this again" in str(caught.value)


def test_a_payment_that_was_surely_not_added_is_added_again(portal, all_output):
    portal.fault("query_limit", "crm.item.payment.add", times=2)
    with client_of(portal) as client:
        assert client.call("crm.item.payment.add", {"entityTypeId": 2, "entityId": 1}) > 0
    assert portal.executed("crm.item.payment.add") == 1
