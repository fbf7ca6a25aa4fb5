"""Portals that take several requests at once badly: they get no more of them than they take, and every row comes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.rest.clients import request_threads
from tests.rest.hostile import Hostile, client_of_hostile, deals
from tests.rest.lists.test_id_ranges import DEALS, honest, read

NUMBER = 70_000
LISTED = honest(range(1, NUMBER + 1))
GET = "crm.deal.get"


def answer(method: str, params: dict[str, Any]) -> Any:
    return deals([params["id"]])[0] if method == GET else LISTED(method, params)


def read_all(portal: Hostile, **settings: Any) -> None:
    with client_of_hostile(portal, **settings) as client:
        assert read(client.list(DEALS)) == list(range(1, NUMBER + 1))
    assert request_threads() == 0


def many_gets(portal: Hostile, **settings: Any) -> None:
    with client_of_hostile(portal, **settings) as client:
        outcome = client.batch({number: (GET, {"id": number}) for number in range(1_500)})
    assert [int(row["ID"]) for row in outcome.all_results().values()] == list(range(1_500))
    assert request_threads() == 0


class Durations:
    """
    In place of the clock that answers are timed with.

    :param seconds: how long an answer takes that was sent as the n-th of those under way.
    """

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self._seconds, self._lock, self._own = seconds, threading.Lock(), threading.local()
        self._under_way = 0
        self.together: list[int] = []

    def __call__(self) -> float:
        """Asked when a request begins, and again by the same thread when it has its answer."""
        with self._lock:
            number = getattr(self._own, "number", 0)
            self._under_way += -1 if number else 1
            self._own.number = 0 if number else self._under_way
            if number:
                return self._seconds(number)
            self.together.append(self._under_way)
            return 0.0


@pytest.mark.parametrize("work", [read_all, many_gets])
def test_a_portal_that_gets_slower_with_each_request_under_way_is_asked_one_by_one(work: Callable[..., None]) -> None:
    """Two at once take twice as long as one after the other, three take three times as long, and so on."""
    durations = Durations(lambda under_way: 1.0 * under_way**2)
    with Hostile(answer, seconds=lambda under_way: 0.05) as portal:
        work(portal, monotonic=durations)
    # While n are under way, an answer takes n * n times what it takes alone, and so n times for each of them.
    assert sum(durations.together) / len(durations.together) <= 2, durations.together


@pytest.mark.parametrize(("work", "takes"), [(read_all, 1), (read_all, 3), (many_gets, 1)])
def test_a_portal_that_takes_few_requests_at_a_time_refuses_few(work: Callable[..., None], takes: int) -> None:
    with Hostile(answer, seconds=lambda under_way: 0.1, takes=takes) as portal:
        work(portal)
    assert portal.refused <= len(portal.together) / 3, portal.together


def test_answers_that_come_out_of_order_change_nothing() -> None:
    """The later a request was sent, the sooner it is answered, and some at random."""
    chance = random.Random(3)
    came: list[int] = []

    def seconds(under_way: int) -> float:
        came.append(under_way)
        return 0.2 / under_way + 0.1 * chance.random()

    with Hostile(answer, seconds=seconds) as portal:
        read_all(portal)
    assert max(came) > 1
