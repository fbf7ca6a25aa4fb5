"""What a client counts: requests, commands, repetitions, waits and rows, over the wire, by method and outcome."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from tests.rest.clients import client_of

GET, LIST = "crm.deal.get", "crm.deal.list"


class Notes:
    """What a meter was given."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.times: Counter[tuple[str, ...]] = Counter()
        self.seconds = 0.0

    def count(self, name: str, number: int, **tags: str) -> None:
        self.counts[(name, *tags.values())] += number

    def time(self, name: str, seconds: float, **tags: str) -> None:
        self.times[(name, *tags.values())] += 1
        self.seconds += seconds


def test_a_good_call_is_one_request(portal):
    noted = Notes()
    with client_of(portal, meter=noted) as client:
        client.call(GET, {"ID": 3})
        done = client.activity
    assert noted.counts == {("requests", GET, "ok"): 1}
    assert noted.times == {("request.duration", GET): 1}
    assert 0 < noted.seconds < 10
    assert (done.requests, done.retries, done.waited_seconds) == (1, 0, 0.0)


@pytest.mark.parametrize(
    ("fault", "options", "outcome"),
    [
        ("query_limit", {}, "query_limit_exceeded"),
        ("reset_after", {}, "answer_lost"),
        ("status_before", {"status": 502}, "answer_lost"),
        ("error", {"code": "INTERNAL_SERVER_ERROR", "status": 500}, "server_fault"),
    ],
)
def test_a_repetition_and_its_wait_are_counted_with_what_it_was_for(fault, options, outcome, portal):
    portal.fault(fault, times=2, **options)
    noted = Notes()
    with client_of(portal, meter=noted) as client:
        client.call(GET, {"ID": 3})
        done = client.activity
    assert noted.counts == {
        ("requests", GET, outcome): 2,
        ("requests", GET, "ok"): 1,
        ("retries", GET, outcome): 2,
    }
    assert noted.times == {("request.duration", GET): 3, ("wait.duration",): 2}
    assert (done.requests, done.retries) == (3, 2)
    assert done.waited_seconds >= 2.0


def test_a_refusal_is_counted_by_its_class(portal):
    noted = Notes()
    with client_of(portal, meter=noted) as client, pytest.raises(Bitrix24Error):
        client.call("crm.item.payment.get", {"id": 999_999})
    assert noted.counts["requests", "crm.item.payment.get", "not_found"] == 1


def test_commands_of_a_batch_are_counted_by_their_methods(portal):
    noted = Notes()
    commands: dict[str, Any] = {str(number): (GET, {"ID": number}) for number in (1, 2, 999)}
    with client_of(portal, meter=noted) as client:
        client.batch({**commands, "time": ("server.time", None)})
    assert noted.counts["requests", "batch", "ok"] == 1
    assert noted.counts["commands", GET, "ok"] == 2
    assert noted.counts["commands", GET, "not_found"] == 1
    assert noted.counts["commands", "server.time", "ok"] == 1


def test_a_batch_whose_answer_was_lost_is_counted_as_repeated(portal):
    portal.fault("reset_after", "batch")
    noted = Notes()
    with client_of(portal, meter=noted) as client:
        client.batch({str(number): (GET, {"ID": number}) for number in (1, 2)})
    assert noted.counts["requests", "batch", "answer_lost"] == 1
    assert noted.counts["commands", GET, "ok"] == 2


@pytest.mark.parametrize("limit", [None, 7])
def test_rows_of_a_list_are_counted_as_they_were_taken(limit, portal):
    noted = Notes()
    with client_of(portal, meter=noted) as client:
        rows = list(client.list(LIST, limit=limit))
        assert client.activity.rows_read == len(rows) == noted.counts["rows_read", LIST] == (limit or 30)


# A meter that fails


class Refusing:
    def count(self, name: str, number: int, **tags: str) -> None:
        raise RuntimeError("SECRET")

    def time(self, name: str, seconds: float, **tags: str) -> None:
        raise OSError("no such host")


def test_a_meter_that_fails_is_left_alone_and_changes_nothing(portal, all_output):
    portal.fault("query_limit")
    with client_of(portal, meter=Refusing()) as client:
        assert client.call(GET, {"ID": 3})["ID"] == "3"
        assert len(list(client.list(LIST))) == 30
        assert client.batch({"a": (GET, {"ID": 3})}).results["a"]["ID"] == "3"
        assert client.activity.requests >= 4
    said = all_output.records
    assert said.count("Metrics are not counted any more: RuntimeError") == 1
    assert "SECRET" not in said


def test_threads_lose_no_count(portal):
    noted = Notes()
    with client_of(portal, meter=noted, parallel=8) as client:
        client.batch({number: (GET, {"ID": 1 + number % 30}) for number in range(600)})
        assert client.activity.requests == sum(number for name, number in noted.counts.items() if name[0] == "requests")
        assert noted.counts["commands", GET, "ok"] == 600
