"""Batches under way side by side: each command is done once and has its own end, whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError, Forbidden, NotSent
from airflow_provider_bitrix24.rest import concurrent_requests
from airflow_provider_bitrix24.rest.limits.bucket import Bucket
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Watched, client_of, request_threads

DELETE, ADD, GET = "crm.item.payment.delete", "crm.deal.add", "crm.deal.get"


def deletes(ids: list[int]) -> dict[Any, Any]:
    return {id_: (DELETE, {"id": id_}) for id_ in ids}


@pytest.fixture
def portal() -> Any:
    with Sandbox(deals=3) as portal:
        yield portal


def payments(portal: Sandbox, count: int) -> list[int]:
    return [portal.add_payment(1) for _ in range(count)]


@pytest.mark.parametrize(("parallel", "permits"), [(1, 0), (4, 3), (20, 19)])
def test_every_command_is_done_once(parallel: int, permits: int) -> None:
    bucket = Watched()
    with Sandbox(deals=3, latency=0.2) as portal:
        ids = payments(portal, 2_000)
        with client_of(portal, parallel=parallel, bucket=bucket) as client:
            outcome = client.batch(deletes(ids), ordered=False)
        assert [*outcome.results] == ids
        assert portal.executed(DELETE) == 2_000
        assert portal.requests <= 60
    assert (bucket.permits, bucket.most_permits <= permits) == (0, True)
    assert bucket.most_permits >= permits // 2
    assert not request_threads()


def test_commands_that_write_keep_their_order_by_default(portal: Sandbox) -> None:
    with client_of(portal) as client:
        client.batch({number: (ADD, {"fields": {"TITLE": f"Deal {number}"}}) for number in range(600)}).all_results()
        titles = [row["TITLE"] for row in client.list("crm.deal.list", {"select": ["TITLE"], "filter": {">ID": 3}})]
    assert titles == [f"Deal {number}" for number in range(600)]


def test_reads_are_under_way_at_once_without_being_asked(portal: Sandbox) -> None:
    bucket = Watched()
    with client_of(portal, bucket=bucket) as client:
        outcome = client.batch({number: (GET, {"id": 1 + number % 3}) for number in range(1_000)})
    assert [int(result["ID"]) for result in outcome.all_results().values()] == [1 + n % 3 for n in range(1_000)]
    assert bucket.most_permits > 0


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status_after", "truncated", "query_limit"])
@pytest.mark.parametrize(("parallel", "at_once_seconds"), [(1, 0.0), (4, 0.0), (20, 0.0), (20, 9.0)])
def test_lost_answers_lose_no_command(
    portal: Sandbox, kind: str, parallel: int, at_once_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent_requests, "AT_ONCE_SECONDS", at_once_seconds)
    ids = payments(portal, 1_000)
    portal.fault(kind, method="batch", probability=0.3, seed=3, times=None)
    with client_of(portal, parallel=parallel) as client:
        outcome = client.batch(deletes(ids), ordered=False)
        portal.clear_faults()
        left = {int(row["id"]) for row in client.call("crm.item.payment.list", {"entityId": 1, "entityTypeId": 2})}
    assert sorted([*outcome.replies, *outcome.errors]) == ids
    assert not left & outcome.replies.keys()
    assert all(error.ran == "unknown" or id_ in left for id_, error in outcome.errors.items())


@pytest.mark.parametrize("kind", ["status_before", "reset_after"])
def test_after_batches_that_failed_fewer_are_under_way(kind: str) -> None:
    def most_permits(*, failed: int) -> int:
        bucket = Watched()
        with Sandbox(deals=3, latency=0.1) as portal, client_of(portal, bucket=bucket) as client:
            for number in range(1, failed + 1):
                portal.fault(kind, method="batch", after=2 * number)
            reads = {number: (GET, {"id": 1 + number % 3}) for number in range(500)}
            assert len(client.batch(reads).all_results()) == 500
            bucket.most_permits = 0
            assert len(client.batch(reads).all_results()) == 500
        return bucket.most_permits

    assert most_permits(failed=4) <= 5 < most_permits(failed=0)


@pytest.mark.parametrize("parallel", [1, 4, 20])
def test_an_add_is_never_done_twice(portal: Sandbox, parallel: int) -> None:
    portal.fault("reset_after", method="batch", probability=0.3, seed=5, times=None)
    commands = {number: (ADD, {"fields": {"TITLE": f"Deal {number}"}}) for number in range(1_000)}
    with client_of(portal, parallel=parallel) as client:
        outcome = client.batch(commands, ordered=False)
        portal.clear_faults()
        titles = Counter(row["TITLE"] for row in client.list("crm.deal.list", {"select": ["TITLE"]}))
    assert all(titles[f"Deal {number}"] == 1 for number in outcome.replies)
    assert all(titles[f"Deal {number}"] <= 1 for number in range(1_000))
    for number, error in outcome.errors.items():
        assert error.ran == "unknown" or titles[f"Deal {number}"] == 0
    assert sorted([*outcome.replies, *outcome.errors]) == list(range(1_000))


def test_what_stops_one_request_stops_those_that_were_not_sent(portal: Sandbox) -> None:
    ids = payments(portal, 2_000)
    portal.fault("error", method="batch", code="ACCESS_DENIED", status=403, times=None)
    with client_of(portal) as client:
        outcome = client.batch(deletes(ids), ordered=False)
    assert {type(error) for error in outcome.errors.values()} == {Forbidden}
    # As many as writes begin with, and one that was on its way when the first answer came.
    assert portal.requests <= 5
    assert portal.executed(DELETE) == 0


def test_a_portal_that_loses_every_answer_is_not_asked_for_all(portal: Sandbox) -> None:
    ids = payments(portal, 2_000)
    portal.fault("reset_after", method="batch", times=None)
    with client_of(portal) as client:
        outcome = client.batch(deletes(ids), ordered=False)
    assert len(outcome.errors) + len(outcome.replies) == 2_000
    assert sum(isinstance(error, NotSent) for error in outcome.errors.values()) > 1_000
    assert portal.requests < 80


def test_no_request_is_refused_for_the_number_of_them(portal: Sandbox) -> None:
    with Sandbox(deals=3, rate=2, burst=10) as limited:
        ids = payments(limited, 1_000)
        with client_of(limited, portal_bucket=Bucket(rate=2.0, burst=8.0)) as client:
            client.batch(deletes(ids), ordered=False).all_results()
        assert not [call for call in limited.calls if call.error]


def test_an_interrupted_batch_waits_for_what_is_under_way_and_sends_no_more() -> None:
    with Sandbox(deals=3, latency=0.3) as portal:
        ids = payments(portal, 2_000)
        bucket = Interrupting(after=6)
        with client_of(portal, bucket=bucket) as client, pytest.raises(KeyboardInterrupt):
            client.batch(deletes(ids), ordered=False)
        requests = portal.requests
        assert not request_threads()
        assert requests == portal.requests < 40


class Interrupting(Watched):
    """Interrupts the main thread, as Ctrl-C does, when so many permits have been asked for."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def take_permit(self, most: int) -> Callable[[], object] | None:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt
        return super().take_permit(most)


@pytest.mark.parametrize("value", ["false", 0, None])
def test_ordered_is_true_or_false(portal: Sandbox, value: Any) -> None:
    with client_of(portal) as client, pytest.raises(ConfigurationError, match="ordered of a batch is neither"):
        client.batch({1: (GET, {"id": 1})}, ordered=value)
    assert portal.requests == 0
