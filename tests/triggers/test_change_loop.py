"""The loop of a watcher: how often it asks, and how it takes failures."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_bitrix24.exceptions import AnswerLost, Forbidden, OperationTimeLimit, ServerFault
from airflow_provider_bitrix24.triggers.change_loop import (
    HELPLESS_SECONDS,
    TOLERATED_FAILURES,
    WINDOW,
    Change,
    ChangeLoop,
)


class Answers:
    """A source that gives these answers in turn, and then nothing."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.forgotten = 0

    async def take(self):
        answer = self._answers.pop(0) if self._answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def forget_client(self):
        self.forgotten += 1


class Naps:
    def __init__(self, most):
        self.taken, self._most = [], most

    async def __call__(self, seconds):
        self.taken.append(seconds)
        if len(self.taken) >= self._most:
            raise asyncio.CancelledError


def watched(source, naps, now=0.0):
    async def run():
        watch = ChangeLoop(source, lambda: 30.0, "deals", sleep=naps, clock=lambda: now)
        return [changes async for changes in watch.batches()]

    return asyncio.run(run())


def naps_of(*answers, most=3, now=0.0):
    naps = Naps(most)
    with pytest.raises(asyncio.CancelledError):
        watched(Answers(*answers), naps, now)
    return naps.taken


def test_without_news_it_asks_at_its_interval():
    assert naps_of() == [30.0, 30.0, 30.0]


def test_while_there_is_more_it_does_not_wait():
    full = [Change({"id": str(number)}, number) for number in range(WINDOW)]
    assert naps_of(full, full, full[:1], most=1) == [30.0]


def test_waits_double_and_failures_in_a_row_are_tolerated_so_often():
    source, naps = Answers(*[ServerFault("away")] * TOLERATED_FAILURES), Naps(100)
    with pytest.raises(ServerFault, match="away"):
        watched(source, naps)
    assert naps.taken == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    # Somebody may have corrected the connection.
    assert source.forgotten == TOLERATED_FAILURES


def test_failures_are_counted_in_a_row():
    answers = [*[ServerFault("away")] * 9, [], *[ServerFault("away")] * 9]
    assert naps_of(*answers, most=20)[-1] == 30.0


def test_a_failure_that_only_a_person_can_help_is_waited_with_once():
    naps = Naps(100)
    with pytest.raises(Forbidden):
        watched(Answers(Forbidden("no right")), naps)
    assert naps.taken == [HELPLESS_SECONDS]


def test_a_lost_answer_is_asked_for_again():
    assert naps_of(AnswerLost("lost", retryable=False), most=2) == [5.0, 30.0]


@pytest.mark.parametrize(("reset_at", "waited"), [(1240.0, 240.0), (1001.0, 5.0), (9000.0, 600.0), (None, 5.0)])
def test_a_limit_is_waited_out(reset_at, waited):
    assert naps_of(OperationTimeLimit("used up", reset_at=reset_at), most=2, now=1000.0) == [waited, 30.0]


def test_what_airflow_itself_cannot_do_now_is_tried_again():
    assert naps_of(RuntimeError("the API server is away"), most=2) == [5.0, 30.0]


def test_a_change_that_comes_again_says_so_and_is_otherwise_the_same():
    change = Change({"id": "1", "redelivered": False}, 1)
    assert change.again() == Change({"id": "1", "redelivered": True}, 1)
