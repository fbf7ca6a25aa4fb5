"""Work that must be finished even if the task or the script that does it is ended in the middle of it."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

Result = TypeVar("Result")


def shielded(work: Callable[[], Result]) -> Result:
    """
    Do ``work`` in a thread of its own, and return its result or raise its error.

    Airflow ends a task that times out or is stopped by an exception from a signal handler, and Python runs signal
    handlers in the main thread only. Such an exception goes on once ``work`` is done; work that has not begun never
    begins.

    SIGTERM or SIGHUP ends a script without handlers of its own once ``work`` is done, if this is its main thread:
    no other may set a handler.
    """
    with termination_put_off():
        return _finished(work)


def _finished(work: Callable[[], Result]) -> Result:
    first, done = threading.Lock(), Future[Result]()

    def run() -> None:
        if first.acquire(blocking=False):
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

    try:
        # In the caller's context, where Airflow keeps the task to which log lines belong.
        threading.Thread(target=contextvars.copy_context().run, args=(run,)).start()
        return done.result()
    except BaseException:
        if not first.acquire(blocking=False):
            # A task may get one signal after another; the first exception is the one that goes on.
            while not done.done():
                with suppress(BaseException):
                    wait([done])
        raise


@contextmanager
def termination_put_off() -> Iterator[None]:
    """Let signals that would end the process at once end it after the block; those with a handler are not touched."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    put_off = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in put_off:
            signal.signal(number, lambda signal_number, frame: arrived.append(signal_number))
        yield
    finally:
        for number in put_off:
            signal.signal(number, signal.SIG_DFL)
        if arrived:
            os.kill(os.getpid(), arrived[0])
