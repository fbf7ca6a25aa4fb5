"""Work that must come to its end, though Airflow may end the task by an exception at any moment."""

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

    Airflow ends a task that times out, or that somebody stops, by an exception out of a signal handler, and Python runs
    those in the main thread only. Such an exception goes on when ``work`` is done; work that has not begun never does.
    """
    first, done = threading.Lock(), Future[Result]()

    def run() -> None:
        if first.acquire(blocking=False):
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

    try:
        # In the caller's context, where Airflow keeps whose log lines these are.
        threading.Thread(target=contextvars.copy_context().run, args=(run,)).start()
        return done.result()
    except BaseException:
        if not first.acquire(blocking=False):
            # Who stops a task may send one signal after another; the first exception is the one that goes on.
            while not done.done():
                with suppress(BaseException):
                    wait([done])
        raise
