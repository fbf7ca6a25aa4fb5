"""Work that must be finished even if Airflow ends the task by an exception in the middle of it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


def shielded(work: Callable[[], Result]) -> Result:
    """
    Do ``work`` in a thread of its own, and return its result or raise its error.

    Airflow ends a task that times out or is stopped by an exception from a signal handler, and Python runs signal
    handlers in the main thread only. Such an exception goes on once ``work`` is done; work that has not begun never
    begins.
    """
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
