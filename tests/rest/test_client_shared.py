"""One client used by many threads, and on both sides of a fork: every caller gets the answer to its own call."""

from __future__ import annotations

import os
import pickle
import select
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of

GET, ADD = "crm.item.get", "crm.item.add"


def title_of(client: Client, number: int) -> str:
    return str(client.call(GET, {"entityTypeId": 2, "id": number})["item"]["title"])


@pytest.mark.parametrize("threads", [4, 16])
def test_threads_get_their_own_answers(portal: Sandbox, threads: int) -> None:
    titles = {deal["id"]: deal["title"] for deal in portal.items(2)}
    with client_of(portal) as client, ThreadPoolExecutor(threads) as pool:
        numbers = [1 + number % 30 for number in range(200)]
        assert list(pool.map(lambda number: title_of(client, number), numbers)) == [titles[n] for n in numbers]
    assert portal.requests == 200
    assert portal.connections <= threads


def test_threads_list_and_send_batches_side_by_side(portal: Sandbox) -> None:
    portal.add_deals(300)
    expected = [str(deal["id"]) for deal in portal.items(2)]

    def work(number: int) -> Any:
        if number % 2:
            return [row["ID"] for row in client.list("crm.deal.list", {"select": ["ID"]})]
        return client.batch({n: (GET, {"entityTypeId": 2, "id": n}) for n in range(1, 31)}).all_results()

    with client_of(portal) as client, ThreadPoolExecutor(6) as pool:
        for number, read in enumerate(pool.map(work, range(12))):
            if number % 2:
                assert read == expected
            else:
                assert [result["item"]["id"] for result in read.values()] == list(range(1, 31))


def test_a_lost_answer_in_one_thread_is_not_taken_for_anothers(portal: Sandbox) -> None:
    """Whether a request went out is known per thread: an add is sent again only where it surely did not run."""
    portal.fault("reset_after", method=ADD, times=None, probability=0.3, seed=3)
    portal.fault("query_limit", method=ADD, times=None, probability=0.2, seed=4)

    def add(number: int) -> str | None:
        fields = {"title": f"thread {number}"}
        try:
            client.call(ADD, {"entityTypeId": 2, "fields": fields})
        except Exception as error:
            return type(error).__name__
        return None

    with client_of(portal) as client, ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(add, range(100)))
    titles = [deal["title"] for deal in portal.items(2) if str(deal["title"]).startswith("thread")]
    assert len(titles) == len(set(titles)) == portal.executed(ADD)
    assert set(ended) <= {None, "AnswerLost", "QueryLimitExceeded"}
    assert {f"thread {number}" for number, end in enumerate(ended) if end is None} <= set(titles)


def in_child(work: Any) -> Any:
    """What ``work()`` returns in a forked process; its exception as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                found = work()
            except BaseException as error:
                found = repr(error)
            os.write(writing, pickle.dumps(found))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            assert select.select([pipe], [], [], 60)[0], "the child hangs"
            return pickle.load(pipe)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_has_a_connection_of_its_own() -> None:
    """Airflow forks its tasks: two processes on one connection would read each other's answers."""

    def add(title: str) -> str:
        return str(client.call(ADD, {"entityTypeId": 2, "fields": {"title": title}})["item"]["title"])

    with Sandbox(deals=30) as portal, client_of(portal) as client:
        assert add("before") == "before"
        for number in range(3):
            in_turn = [f"child {number}.{turn}" for turn in range(5)]
            assert in_child(lambda titles=in_turn: [add(title) for title in titles]) == in_turn
            assert add(f"parent {number}") == f"parent {number}"
        assert portal.executed(ADD) == 1 + 3 * 6
        ours = [call.connection for call in portal.calls if "child" not in call.params["fields"]["title"]]
        assert set(ours) == {1}
        assert portal.connections == 4


def test_a_fork_while_a_thread_is_calling_leaves_the_child_free() -> None:
    with Sandbox(deals=30, latency=0.02) as portal, client_of(portal) as client, ThreadPoolExecutor(4) as pool:
        titles = {deal["id"]: deal["title"] for deal in portal.items(2)}
        busy = [pool.submit(title_of, client, 1 + number % 30) for number in range(100)]
        # OpenSSL's own locks, which no fork frees, are held while a connection is made.
        while len({call.connection for call in portal.calls}) < 4:
            assert not all(call.done() for call in busy)
        assert in_child(lambda: title_of(client, 3)) == titles[3]
        assert [call.result() for call in busy] == [titles[1 + number % 30] for number in range(100)]
