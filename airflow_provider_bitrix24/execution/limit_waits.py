"""
How a task waits for a portal's limit that lasts longer than the 30 seconds of a call: without a worker, or in it.

After the wait the task's work begins again with what the try remembers, see :class:`TryMemory`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

from airflow_provider_bitrix24._compat import conf
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import TryMemory
from airflow_provider_bitrix24.hooks.limit_end import seconds_to_limit_end

log = logging.getLogger(__name__)

WAYS = ("defer", "sleep", "fail")
#: Most seconds that a task sleeps without having done anything in between, by default: the longest block of a method.
PATIENCE_SECONDS = 600
#: A task is deferred so many times in a row without having done anything in between.
MOST_IDLE_DEFERRALS = 12
#: How late the triggerer may be: a deferral that it does not end in time fails.
GRACE_SECONDS = 600.0
#: A task is deferred only if its ``execution_timeout`` leaves so much after the wait. Half of it is for Airflow to run
#: it once more, so that it says that no triggerer was there: Airflow 2 ends one that comes too late without a message.
_LEFT_AFTER_SECONDS = 60.0
#: Tasks that wait for one limit go on one after another within this many seconds.
_SPREAD_SECONDS = 5.0
#: Where a deferred task leaves in XCom what it waits for: of a deferral that fails nothing else is left.
XCOM_KEY = "bitrix24_wait"


def way_to_wait(given: str | None) -> str:
    """
    What ``wait_for_limits`` means: a deferral without a running triggerer hangs, so Airflow's own setting decides.

    :param given: the argument; None where it was left out.
    """
    if given is not None:
        return given
    return "defer" if conf.getboolean("operators", "default_deferrable", fallback=False) else "sleep"


@dataclass(frozen=True)
class WaitsSoFar:
    """
    What the waits of one try came to.

    :param began: when the try began, in Unix seconds.
    :param slept: seconds asleep since something was done.
    :param idle: deferrals since something was done.
    :param done: how many rows, or commands, were done at the last of them.
    :param may_retry: whether another try does no harm, or knows what was done before them.
    """

    began: float
    slept: float = 0.0
    idle: int = 0
    done: int = 0
    may_retry: bool = True


_KINDS = {"began": float, "slept": float, "idle": int, "done": int, "may_retry": bool}


class LimitWaits:
    """
    The waits of one try of a task.

    :param way: ``"defer"``, ``"sleep"`` or ``"fail"``.
    :param patience_seconds: most seconds to sleep without anything done in between.
    :param timeout_seconds: the task's ``execution_timeout``.
    :param memory: what the try remembers by itself.
    """

    def __init__(
        self,
        way: str,
        patience_seconds: float,
        timeout_seconds: float | None,
        *,
        so_far: WaitsSoFar | None = None,
        memory: TryMemory | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._way, self._patience_seconds, self._timeout_seconds = way, patience_seconds, timeout_seconds
        self._clock = clock
        self.so_far = so_far or WaitsSoFar(clock())
        self.memory = memory or TryMemory()

    @classmethod
    def from_event(cls, event: Any, *given: Any, clock: Callable[[], float]) -> LimitWaits:
        """
        The same after a deferral.

        :param event: what the trigger has brought.
        :param given: the first three of the parameters above.
        :raises ConfigurationError: it is not what this package's trigger brings.
        """
        try:
            state = event["state"]
            so_far = WaitsSoFar(*(kind(state["so_far"][name]) for name, kind in _KINDS.items()))
            memory = TryMemory.unpacked(state["memory"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ConfigurationError(
                "the trigger brought back nothing that the task can go on with",
                next_step="is another version of the package installed in the triggerer? Look at the portal for what "
                "was done before you clear the task",
            ) from None
        return cls(*given, so_far=so_far, memory=memory, clock=clock)

    @property
    def defers(self) -> bool:
        return self._way == "defer"

    def failure(self, error: Exception) -> Exception:
        """
        What a failure means after the waits before it: their work is known to this try, and maybe to no other.

        The work begins again after a wait, and may fail before it has come to what it remembers.
        """
        so_far = self.so_far
        if so_far.may_retry and not so_far.done:
            return error
        before = f"{so_far.done} rows, or commands, were done before the task waited for a limit"
        if so_far.may_retry:
            return error.but(advice=before) if isinstance(error, Bitrix24Error) and error.retryable else error
        forgotten = (
            f"{before if so_far.done else 'something was done before the task waited for a limit'}, and another "
        )
        forgotten += "try would do it twice: look at the portal, and run what is left by itself"
        if isinstance(error, Bitrix24Error):
            # In place of its own hint, which speaks of another try.
            return error.but(retryable=False, next_step=forgotten) if error.retryable else error
        return Bitrix24Error(f"{type(error).__name__}: {error}", retryable=False, next_step=forgotten)

    def may(self, error: Bitrix24Error, done: int) -> bool:
        """
        Whether the task waits for what has refused it, and goes on.

        :param done: how many rows, or commands, are done.
        """
        seconds = seconds_to_limit_end(error, self._clock())
        return not (seconds is None or self._way == "fail" or self._objection(error, seconds, done))

    def tell_why_not(self, error: Bitrix24Error, done: int) -> None:
        """Say in the log why the task does not wait for a limit, if it could have."""
        seconds = seconds_to_limit_end(error, self._clock())
        if seconds is not None and self._way != "fail":
            log.warning("Not waiting for the limit: %s.", self._objection(error, seconds, done))

    def _objection(self, error: Bitrix24Error, seconds: float, done: int) -> str:
        left = self._seconds_left()
        if left is not None and seconds >= left:
            return f"the limit lasts {seconds:.0f} s, and execution_timeout leaves {max(left, 0):.0f} s"
        if self.defers:
            if left is not None and seconds + _SPREAD_SECONDS + _LEFT_AFTER_SECONDS > left:
                return (
                    f"the limit lasts {seconds:.0f} s, and a task that is deferred needs a minute more than the "
                    f"{left:.0f} s that execution_timeout leaves"
                )
            if self.so_far.idle >= MOST_IDLE_DEFERRALS and done <= self.so_far.done:
                return f"it was deferred {self.so_far.idle} times in a row, and nothing could be done in between"
            # Work that does no harm when it is done again starts over.
            return "" if error.retryable or self.memory.packed() is not None else "it has done too much to keep in mind"
        if not error.retryable and self.memory.is_full:
            return "it has done too much to keep in mind"
        slept = self.so_far.slept if done <= self.so_far.done else 0.0
        if slept + seconds > self._patience_seconds:
            return (
                f"the limit lasts {seconds:.0f} s, and of its patience of {self._patience_seconds:.0f} s it has slept "
                f"{slept:.0f} s"
            )
        return ""

    def _seconds_left(self) -> float | None:
        if self._timeout_seconds is None:
            return None
        return self.so_far.began + self._timeout_seconds - self._clock()

    def begin(self, error: Bitrix24Error, done: int, remark: str = "") -> float:
        """
        Count a wait, and say in the log what the task does.

        :param remark: for the log, what becomes of the work.
        :return: Unix seconds of its end.
        """
        now = self._clock()
        seconds = seconds_to_limit_end(error, now) or 0.0
        until = now + seconds + random.uniform(0.0, _SPREAD_SECONDS)  # noqa: S311 - spreads waits, guards nothing
        is_idle = done <= self.so_far.done
        self.so_far = replace(self.so_far, may_retry=self.so_far.may_retry and error.retryable)
        if self.defers:
            self.so_far = replace(self.so_far, idle=self.so_far.idle + 1 if is_idle else 1, done=done)
            how = "deferred, without a worker"
        else:
            self.so_far = replace(self.so_far, slept=until - now + (self.so_far.slept if is_idle else 0.0), done=done)
            how = 'asleep in its worker; wait_for_limits="defer" would free it'
        moment = datetime.fromtimestamp(until, timezone.utc).strftime("%H:%M:%S UTC")
        log.warning("%s", error)
        log.info(
            "Waiting until %s (%.0f s) for the portal's limit, %s.%s", moment, until - now, how, remark and f" {remark}"
        )
        if self.memory.is_full or (self.defers and self.memory.packed() is None):
            log.warning("What was done is too much to be kept meanwhile: the work, which may be repeated, starts over.")
        return until

    def state(self) -> dict[str, Any]:
        """What :meth:`from_event` makes of it what the task goes on with."""
        return {"so_far": asdict(self.so_far), "memory": self.memory.packed() or TryMemory().packed()}

    def timeout_seconds(self, until: float) -> float:
        """How long a deferral may take in all, before Airflow fails it."""
        left, seconds = self._seconds_left(), max(until - self._clock(), 0.0)
        return seconds + (GRACE_SECONDS if left is None else min(GRACE_SECONDS, max((left - seconds) / 2, 0.0)))


def not_resumed(note: Any, *, trace: Any = None) -> Bitrix24Error:
    """
    The error of a deferral that no trigger has ended.

    :param note: what the task left in XCom under ``bitrix24_wait``.
    """
    again = isinstance(note, dict) and note.get("retryable") is True
    method = str(note.get("method") or "") if isinstance(note, dict) else ""
    return Bitrix24Error(
        "the task waited for a limit of the portal, and was not resumed in time: "
        + ("its trigger failed" if trace else "is a triggerer running?"),
        method=method,
        retryable=again,
        next_step='start "airflow triggerer", or let the task wait in its worker with wait_for_limits="sleep"'
        + ("" if again else "; what the task had done is forgotten: look at the portal before you clear it"),
    )
