"""What a client has done, as numbers: for the line at a task's end, and for whoever collects metrics."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How a request or a command ended that was answered well.
_OK = "ok"


class Meter(Protocol):
    """Takes counts and times; see ``hooks/metrics.py``."""

    def count(self, name: str, number: int, **tags: str) -> None: ...

    def time(self, name: str, seconds: float, **tags: str) -> None: ...


class Activity:
    """
    What one client has done since it was made. May be shared by threads.

    :param meter: is given every number too. One that fails is left alone from then on, and changes nothing.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        self.requests = self.retries = self.rows_read = self.rows_written = 0
        #: Of all requests together, also of those that waited side by side.
        self.waited_seconds = 0.0
        self._meter = meter
        self._lock = threading.Lock()

    def sent(self, method: str, send: Callable[[], T]) -> tuple[T, float]:
        """
        Send a request, and return its answer and how many seconds it took.

        :raises Exception: what ``send`` raises.
        """
        with self._lock:
            self.requests += 1
        began = time.monotonic()
        try:
            answer = send()
        except Exception as error:
            self.answered(method, time.monotonic() - began, error)
            raise
        return answer, time.monotonic() - began

    def answered(self, method: str, seconds: float, error: BaseException | None = None) -> None:
        """
        Note how a request ended.

        :param error: None for a good answer.
        """
        self._count("requests", 1, method=method, outcome=_outcome(error))
        self._time("request.duration", seconds, method=method)

    def ran(self, method: str, error: BaseException | None = None) -> None:
        """Note how a command of a batch ended."""
        if self._meter is not None:
            self._count("commands", 1, method=method, outcome=_outcome(error))

    def repeats(self, method: str, error: BaseException | None) -> None:
        """Note that a request is made again, and after which error; None for one that was held back."""
        with self._lock:
            self.retries += 1
        self._count("retries", 1, method=method, outcome="not_sent" if error is None else _outcome(error))

    def waits(self, seconds: float) -> None:
        """Note a wait, for a limit or before a repetition."""
        with self._lock:
            self.waited_seconds += seconds
        self._time("wait.duration", seconds)

    def reads(self, method: str, rows: int) -> None:
        """Note rows of a list."""
        with self._lock:
            self.rows_read += rows
        self._count("rows_read", rows, method=method)

    def writes(self, method: str, rows: int) -> None:
        """Note rows that were written."""
        with self._lock:
            self.rows_written += rows
        self._count("rows_written", rows, method=method)

    def _count(self, name: str, number: int, **tags: str) -> None:
        if self._meter is not None and number:
            self._tell(lambda meter: meter.count(name, number, **tags))

    def _time(self, name: str, seconds: float, **tags: str) -> None:
        if self._meter is not None:
            self._tell(lambda meter: meter.time(name, seconds, **tags))

    def _tell(self, tell: Callable[[Meter], None]) -> None:
        meter = self._meter
        try:
            if meter is not None:
                tell(meter)
        except Exception as error:
            self._meter = None
            log.warning("Metrics are not counted any more: %s", type(error).__name__)


def _outcome(error: BaseException | None) -> str:
    """``ok``, or the class of an error: ``query_limit_exceeded``."""
    return _OK if error is None else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__).lower()
