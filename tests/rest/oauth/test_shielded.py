"""A task that Airflow ends, by an exception out of a signal handler, while a token pair is renewed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_bitrix24.rest.oauth.shielded import shielded
from tests.rest.applications import MemoryStore, application_client


class TimedOut(BaseException):
    """As Airflow raises it, past every ``except Exception``."""


@pytest.fixture(autouse=True)
def end_the_task() -> Iterator[Callable[[], None]]:
    """Send the signal at which the main thread raises :class:`TimedOut`."""

    def time_out(number: int, frame: object) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGALRM, time_out)
    yield lambda: os.kill(os.getpid(), signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


def until(happens: Callable[[], bool]) -> None:
    while not happens():
        time.sleep(0.005)


@pytest.fixture
def app(portal, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return portal.application()


@pytest.mark.parametrize("executed", [False, True], ids=["which renews nothing", "which renews"])
def test_a_task_that_is_ended_while_the_authorization_server_answers_loses_no_pair(portal, app, executed, end_the_task):
    connection, store = portal.oauth_connection(app), MemoryStore()
    app.expire_access_tokens()
    fault = portal.fault("slow", "oauth/token", seconds=0.3, executed=executed)
    ending = threading.Thread(
        target=lambda: (until(lambda: fault.hits == 1 and portal.renewals == executed), end_the_task())
    )
    ending.start()
    with application_client(connection, store) as client, pytest.raises(TimedOut):
        client.call("profile")
    ending.join()
    with application_client(connection, store) as client:
        assert client.call("profile")["ID"] == "1"
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


@pytest.mark.parametrize("write", [1, 2, 3], ids=["used", "pair", "seeds"])
def test_a_task_that_is_ended_at_any_write_loses_no_pair(portal, app, write, end_the_task):
    connection, store, writes = portal.oauth_connection(app), MemoryStore(), []
    app.expire_access_tokens()

    def note(key: str) -> None:
        writes.append(key)
        if len(writes) == write:
            end_the_task()

    store.before_write = note
    with application_client(connection, store) as client, pytest.raises(TimedOut):
        client.call("profile")
    # The first write comes before the request, so nothing has been renewed by then.
    assert portal.renewals == (write > 1)
    with application_client(connection, store) as client:
        assert client.call("profile")["ID"] == "1"
    assert len([key for key in store.texts if "__app_" in key]) == 1
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


def test_a_second_signal_does_not_end_a_task_earlier(portal, app, end_the_task):
    connection, store, signals = portal.oauth_connection(app), MemoryStore(), []
    app.expire_access_tokens()
    fault = portal.fault("slow", "oauth/token", seconds=0.3, executed=True)

    def time_out(number: int, frame: object) -> None:
        signals.append(number)
        raise TimedOut(len(signals))

    signal.signal(signal.SIGALRM, time_out)

    def end_it_twice() -> None:
        until(lambda: fault.hits == 1 and portal.renewals == 1)
        end_the_task()
        until(lambda: len(signals) == 1)
        end_the_task()

    ending = threading.Thread(target=end_it_twice)
    ending.start()
    with application_client(connection, store) as client, pytest.raises(TimedOut, match="1"):
        client.call("profile")
    ending.join()
    assert len(signals) == 2
    assert app.valid_refresh_token(json.loads(store.pairs[0]))


def test_work_whose_thread_cannot_be_started_does_not_begin_and_is_not_waited_for(monkeypatch):
    done = []

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        shielded(lambda: done.append(1))
    assert done == []


def test_work_that_is_not_interrupted_gives_its_result_or_its_error():
    assert shielded(lambda: 7) == 7
    with pytest.raises(LookupError, match="empty"):
        shielded({}.popitem)
