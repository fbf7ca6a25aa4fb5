"""The request bucket and the operating time over the wire. Sleeping moves the portal's clock, so nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    OperationTimeLimit,
    QueryLimitExceeded,
    TaskStopped,
)
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.limits.bucket import PLANS, Bucket
from airflow_provider_bitrix24.rest.limits.local_bucket import LocalBucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of, portal_at

GET, ADD, UPDATE = "crm.item.get", "crm.item.add", "crm.item.update"
STANDARD = PLANS["standard"]
ONE = {"entityTypeId": 2, "id": 1}
NEW = {"entityTypeId": 2, "fields": {"title": "once"}}


def refused(portal: Sandbox, code: str) -> int:
    """How often the portal answered so, to calls and to commands."""
    every = [answered for call in portal.calls for answered in (call, *call.commands)]
    return sum(answered.error == code for answered in every)


# The request bucket.


def test_a_client_that_is_stopped_while_it_waits_for_its_turn_waits_no_longer(portal: Sandbox) -> None:
    one_in_25_seconds = Bucket(rate=0.04, burst=1)
    settings = portal_at(portal, 1, portal.admin.code, bucket=one_in_25_seconds)
    with Client(settings, bucket=LocalBucket()) as client:
        client.call("profile")
        stop = threading.Timer(0.1, client.stop)
        stop.start()
        began = time.monotonic()
        with pytest.raises(TaskStopped):
            client.call("profile")
        assert time.monotonic() - began < 12
        stop.join()
    assert portal.requests == 1


def test_calls_go_out_as_fast_as_the_bucket_allows_and_none_is_refused() -> None:
    with Sandbox(deals=1, rate=2, burst=50) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps, portal_bucket=STANDARD) as client:
            for _ in range(180):
                client.call("profile")
    assert (portal.requests, refused(portal, "QUERY_LIMIT_EXCEEDED")) == (180, 0)
    assert 0.95 * 66 <= naps.total <= 1.05 * 66
    assert max(naps.taken) <= 1.0


def test_clients_that_share_a_bucket_share_its_rate() -> None:
    with Sandbox(deals=1, rate=2, burst=50) as portal:
        naps = Naps(portal)
        store = LocalBucket(naps.monotonic)
        clients = [client_of(portal, naps=naps, portal_bucket=STANDARD, bucket=store) for _ in range(4)]
        for number in range(120):
            clients[number % 4].call("profile")
        for client in clients:
            client.close()
    assert refused(portal, "QUERY_LIMIT_EXCEEDED") == 0
    assert 0.95 * 36 <= naps.total <= 1.05 * 36


def test_a_refusal_fills_the_bucket_for_all_who_share_it() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        store = LocalBucket(naps.monotonic)
        shared: dict[str, Any] = {"naps": naps, "portal_bucket": STANDARD, "bucket": store}
        with client_of(portal, patience_seconds=0.0, **shared) as impatient, client_of(portal, **shared) as other:
            other.call("profile")
            assert naps.taken == []
            portal.fault("query_limit")
            with pytest.raises(QueryLimitExceeded):
                impatient.call("profile")
            other.call("profile")
    assert naps.taken == [pytest.approx(0.5, abs=0.1)]


def test_a_batch_takes_one_place_in_the_bucket() -> None:
    with Sandbox(deals=1, rate=2, burst=50) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps, portal_bucket=STANDARD, parallel=1) as client:
            client.batch(dict.fromkeys(range(2000), (GET, ONE))).all_results()
    assert (portal.requests, naps.taken) == (40, [])


def test_a_portal_that_allows_less_than_was_thought_slows_all_calls_down() -> None:
    with Sandbox(deals=1, rate=2, burst=50) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps, portal_bucket=PLANS["enterprise"]) as client:
            for _ in range(100):
                client.call(ADD, NEW)
    assert portal.executed(ADD) == 100
    assert 0 < refused(portal, "QUERY_LIMIT_EXCEEDED") <= 40


def test_a_call_that_would_wait_longer_than_its_patience_is_raised_and_not_slept() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        slow = Bucket(rate=0.1, burst=1)
        with client_of(portal, naps=naps, portal_bucket=slow, patience_seconds=5) as client:
            client.call("profile")
            with pytest.raises(QueryLimitExceeded, match="not sent: the limit allows it only in 10 s") as raised:
                client.call("profile")
            assert (portal.requests, naps.taken, raised.value.retryable) == (1, [], True)
            # Nothing was taken, so the place comes when it would have come.
            naps.advance(10)
            client.call("profile")
    assert naps.taken == []


@pytest.mark.parametrize("status", [503, 200, 429])
@pytest.mark.parametrize("method", [GET, ADD])
def test_a_refusal_by_the_bucket_is_repeated_whatever_the_method_and_the_status(status: int, method: str) -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        portal.fault("error", code="QUERY_LIMIT_EXCEEDED", description="Too many requests", status=status, times=3)
        with client_of(portal, naps=naps) as client:
            client.call(method, {**ONE, **NEW})
    assert (portal.requests, portal.executed(method)) == (4, 1)
    assert naps.taken[:3] == [1.0, 2.0, 4.0]


def test_what_the_portal_said_at_last_is_in_the_error() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        portal.fault("query_limit", times=None)
        with client_of(portal, naps=naps) as client, pytest.raises(QueryLimitExceeded) as raised:
            client.call(ADD, NEW)
    assert (raised.value.code, raised.value.description) == ("QUERY_LIMIT_EXCEEDED", "Too many requests")
    assert portal.requests == 6
    assert 20 <= naps.total <= 30
    assert raised.value.ran == "no"


@pytest.mark.parametrize("status", [503, 429])
def test_a_page_for_people_proves_nothing(status: int) -> None:
    """A read is asked again; a write may have run behind the page."""
    with Sandbox(deals=1) as portal, client_of(portal) as client:
        portal.fault("status_before", status=status, times=2)
        client.call(GET, ONE)
        portal.fault("status_after", status=status, times=None)
        with pytest.raises(AnswerLost) as caught:
            client.call(ADD, NEW)
        assert portal.executed(ADD) == 1
    error = caught.value
    assert isinstance(error, OperationTimeLimit) is (status == 429)
    assert (error.ran, error.retryable) == ("unknown", False)
    assert "check with crm.item.list before you run this again" in str(error)


@pytest.mark.parametrize("method", [GET, "crm.deal.list", "crm.item.update", ADD])
def test_a_page_that_speaks_of_a_limit_says_what_to_do(method: str) -> None:
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        portal.fault("status_before", status=429, title="429 Too Many Requests", times=None)
        with pytest.raises(OperationTimeLimit, match="retries that last ten minutes, or ask less often") as caught:
            client.call(method, {**ONE, **NEW})
    assert (caught.value.ran, caught.value.retryable) == ("unknown", method != ADD)


@pytest.mark.parametrize("body", [b'{"error": "rate limited"}', b'{"error": 0, "error_description": "slow down"}'])
@pytest.mark.parametrize("method", [GET, ADD])
def test_a_limit_of_a_gateway_in_json_proves_nothing_either(body: bytes, method: str) -> None:
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        portal.fault("body", method, status=429, body=body, executed=True, times=None)
        with pytest.raises(OperationTimeLimit, match="give the task retries that last ten minutes") as caught:
            client.call(method, {**ONE, **NEW})
        assert portal.executed(ADD) == (method == ADD)
    assert (caught.value.ran, caught.value.retryable) == ("unknown", method == GET)


@pytest.mark.parametrize("method", [GET, ADD])
def test_a_page_that_speaks_of_a_limit_leaves_the_commands_of_a_batch_unknown(method: str) -> None:
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        portal.fault("status_after", method="batch", status=429, times=None)
        outcome = client.batch({key: (method, {**ONE, **NEW}) for key in "abc"})
        assert portal.executed(ADD) == (3 if method == ADD else 0)
    assert {(type(error).__name__, error.ran) for error in outcome.errors.values()} == {("UnprovenLimit", "unknown")}
    assert {error.retryable for error in outcome.errors.values()} == {method == GET}


def test_a_page_that_speaks_of_a_limit_is_not_a_reason_to_wait_for_operating_time() -> None:
    """It may be a limit on requests, of any server on the way."""
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        portal.fault("status_before", method=GET, status=429, times=None)
        with pytest.raises(OperationTimeLimit) as caught:
            client.call(GET, ONE)
        assert caught.value.reset_at is None
        portal.clear_faults()
        client.call(GET, ONE)


@pytest.mark.parametrize("code", ["OPERATION_TIME_LIMIT", "BITRIX_REST_V3_EXCEPTION_RATELIMITEXCEPTION"])
@pytest.mark.parametrize("batched", [False, True])
def test_a_method_without_operating_time_says_what_to_do(code: str, batched: bool) -> None:
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        portal.fault("error", method=GET, code=code, description="Method is blocked", status=429, times=None)
        error = client.batch({"a": (GET, ONE)}).errors["a"] if batched else None
        if not batched:
            with pytest.raises(OperationTimeLimit) as caught:
                client.call(GET, ONE)
            error = caught.value
    assert "give the task retries that last ten minutes, or call the method less often" in str(error)


# Operating time.


def used_up(client: Client, naps: Naps, method: str, params: dict[str, Any], calls: int, size: int) -> int:
    """
    Call a method this often, as a caller that defers when the wait is long; return how often it did.

    :param size: commands in a batch, 1 for direct calls.
    """
    deferred = done = 0
    while done < calls:
        try:
            if size == 1:
                client.call(method, params)
                done += 1
                continue
            outcome = client.batch(dict.fromkeys(range(size), (method, params)))
            done += len(outcome.replies)
            for error in outcome.errors.values():
                raise error
        except OperationTimeLimit as limit:
            deferred += 1
            rest = (limit.reset_at or 0) - naps.now()
            if not 0 < rest <= 660 or deferred > 100:
                raise
            naps.advance(rest)
    return deferred


@pytest.mark.parametrize("billing", ["commands", "batch", "none"])
@pytest.mark.parametrize("size", [1, 20])
def test_a_method_is_never_refused_whoever_pays_for_a_batch(billing: Any, size: int) -> None:
    with Sandbox(deals=1, operating_limit=420, method_seconds={GET: 2.0}, batch_billing=billing) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps) as client:
            deferred = used_up(client, naps, GET, ONE, 600, size)
    assert refused(portal, "OPERATION_TIME_LIMIT") == 0
    assert portal.executed(GET) >= 600
    if billing == "none" and size > 1:
        assert (deferred, naps.taken) == (0, [])
    else:
        assert deferred or naps.taken
        assert max(naps.taken, default=0.0) <= 30


def test_without_operating_time_nobody_waits() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps) as client:
            assert used_up(client, naps, GET, ONE, 100, 1) == 0
    assert naps.taken == []


@pytest.fixture
def busy() -> Iterator[tuple[Sandbox, Naps]]:
    """A portal at which ``crm.item.get`` has just been used up by somebody else, in the first minute it was used."""
    with Sandbox(deals=3, operating_limit=450, method_seconds={GET: 100.0}) as portal:
        naps = Naps(portal)
        naps.advance(60 - portal.clock.now() % 60)
        yield portal, naps


def use_up(portal: Sandbox, naps: Naps, client: Client) -> None:
    """One call of ours, so that the end is known, and four of another client."""
    client.call(GET, ONE)
    with client_of(portal, naps=naps, operating_budget_seconds=1e9) as other:
        for _ in range(4):
            other.call(GET, ONE)


def test_a_refusal_says_until_when_and_is_not_slept_through(busy: tuple[Sandbox, Naps]) -> None:
    portal, naps = busy
    with client_of(portal, naps=naps) as client:
        use_up(portal, naps, client)
        before = len(naps.taken)
        with pytest.raises(OperationTimeLimit) as blocked:
            client.call(GET, ONE)
        assert blocked.value.reset_at is not None
        assert 150 <= blocked.value.reset_at - naps.now() <= 160
        assert "the method may run again once its operating time of the last ten minutes has dropped (in " in str(
            blocked.value
        )
        requests = portal.requests
        with pytest.raises(OperationTimeLimit, match="not sent"):
            client.call(GET, ONE)
        assert (portal.requests, len(naps.taken)) == (requests, before)
        naps.advance(blocked.value.reset_at - naps.now())
        client.call(GET, ONE)


def test_a_short_rest_is_slept_and_the_call_succeeds(busy: tuple[Sandbox, Naps]) -> None:
    portal, naps = busy
    with client_of(portal, naps=naps) as client:
        use_up(portal, naps, client)
        naps.advance(140)
        before = naps.total
        client.call(GET, ONE)
        assert 15 <= naps.total - before <= 30
    assert refused(portal, "OPERATION_TIME_LIMIT") == 1


def test_other_methods_go_on_while_one_is_blocked(busy: tuple[Sandbox, Naps]) -> None:
    portal, naps = busy
    with client_of(portal, naps=naps) as client:
        use_up(portal, naps, client)
        with pytest.raises(OperationTimeLimit):
            client.call(GET, ONE)
        client.call(ADD, NEW)
        outcome = client.batch({"a": (ADD, NEW), "b": (UPDATE, {**ONE, "fields": {"title": "x"}})})
        assert len(outcome.all_results()) == 2


def test_a_blocked_method_does_not_spoil_a_batch(busy: tuple[Sandbox, Naps]) -> None:
    portal, naps = busy
    with client_of(portal, naps=naps) as client:
        use_up(portal, naps, client)
        outcome = client.batch({"blocked": (GET, ONE), "also": (GET, ONE), "add": (ADD, NEW)})
    assert list(outcome.replies) == ["add"]
    assert {type(error) for error in outcome.errors.values()} == {OperationTimeLimit}
    assert portal.executed(ADD) == 1


def test_a_refusal_whose_end_is_not_known_is_raised_at_once() -> None:
    with Sandbox(deals=1) as portal:
        naps = Naps(portal)
        portal.fault("operation_time_limit", times=None)
        with client_of(portal, naps=naps) as client, pytest.raises(OperationTimeLimit) as blocked:
            client.call(GET, ONE)
    assert (blocked.value.reset_at, portal.requests, naps.taken) == (None, 1, [])


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_the_clock_is_the_portals(busy: tuple[Sandbox, Naps], ahead: float) -> None:
    portal, _ = busy
    naps = Naps(portal, ahead)
    with client_of(portal, naps=naps) as client:
        use_up(portal, naps, client)
        with pytest.raises(OperationTimeLimit) as blocked:
            client.call(GET, ONE)
        assert blocked.value.reset_at is not None
        assert 150 <= blocked.value.reset_at - naps.now() <= 160


@pytest.mark.parametrize(("parallel", "least"), [(1, 1500), (20, 50)])
def test_a_list_that_runs_out_of_operating_time_is_raised_with_its_end(parallel: int, least: int) -> None:
    """The rows up to there are the first ones; those of later ranges have used up a part of the time."""
    with Sandbox(deals=5000, operating_limit=420, method_seconds={"crm.deal.list": 10.0}) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps, parallel=parallel) as client:
            rows = client.list("crm.deal.list", {"select": ["ID"]})
            ids: list[int] = []
            with pytest.raises(OperationTimeLimit) as blocked:
                ids.extend(int(row["ID"]) for row in rows)
        read = rows.report.rows
        first = list(range(1, len(ids) + 1))
    assert blocked.value.reset_at is not None
    assert least <= read < 5000
    assert (len(ids), ids) == (read, first)
    assert refused(portal, "OPERATION_TIME_LIMIT") <= 1


@pytest.mark.parametrize("kind", ["query_limit", "operation_time_limit"])
def test_no_call_sleeps_longer_than_its_patience_in_all(kind: str) -> None:
    with Sandbox(deals=1, operating_limit=400) as portal:
        naps = Naps(portal)
        with client_of(portal, naps=naps, patience_seconds=6) as client:
            client.call(GET, ONE)
            portal.fault(kind, times=None)
            with pytest.raises(Bitrix24Error):
                client.call(GET, ONE)
    assert naps.total <= 6
