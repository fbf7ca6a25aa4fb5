"""A task that Airflow ends, by an exception out of a signal handler, while a token pair is renewed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_bitrix24.rest.oauth.file_token_store import FileTokenStore
from airflow_provider_bitrix24.rest.oauth.signal_shield import shielded
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


def ended_script(portal, app, path, number: int, *, until_sent: Callable[[], bool]) -> int | None:
    """A script without handlers, with a pair to renew, that gets a signal; return how it ended."""
    connection = portal.oauth_connection(app)
    app.expire_access_tokens()

    def script() -> None:
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        with application_client(connection, FileTokenStore(str(path))) as client:
            client.call("profile")
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=script)
    process.start()
    until(until_sent)
    os.kill(process.pid or 0, number)
    process.join(20)
    # What was renewed last is what a next script goes on with.
    with application_client(connection, FileTokenStore(str(path))) as client:
        assert client.call("profile")["ID"] == "1"
    return process.exitcode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("executed", [False, True], ids=["which renews nothing", "which renews"])
def test_a_script_that_is_ended_while_the_authorization_server_answers_loses_no_pair(
    portal, app, tmp_path, number, executed
):
    fault = portal.fault("slow", "oauth/token", seconds=0.5, executed=executed)
    exit_code = ended_script(
        portal, app, tmp_path / "tokens.json", number,
        until_sent=lambda: fault.hits == 1 and portal.renewals == executed,
    )  # fmt: skip
    assert exit_code == -number
    assert (portal.renewals, portal.refused_renewals) == (1, 0)


def test_work_in_another_thread_than_the_main_one_sets_no_handler():
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(shielded(lambda: signal.getsignal(signal.SIGTERM))))
    thread.start()
    thread.join()
    assert results == [signal.getsignal(signal.SIGTERM)]


def test_handlers_are_as_before_after_work_and_those_of_others_are_not_touched():
    def of_the_script(number: int, frame: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, of_the_script)
    try:
        assert shielded(lambda: signal.getsignal(signal.SIGTERM)) is of_the_script
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert shielded(lambda: signal.getsignal(signal.SIGTERM)) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


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
