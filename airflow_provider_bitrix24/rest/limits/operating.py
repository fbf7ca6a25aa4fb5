"""
Operating time: how long each method has run, learned from the portal's answers.

The portal sums what each method used over the last ten minutes, per webhook or application, in one-minute buckets. A
call that finds the sum over the limit is refused with 429 ``OPERATION_TIME_LIMIT``; other methods go on. Successful
answers give the sum (``time.operating``) and when its oldest minute drops out (``time.operating_reset_at``); a refusal
gives neither. The limit itself is published nowhere.

Source: Bitrix24 REST docs, "Limits", and the server's public source.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

#: Seconds of operating time to plan with. The docs calculate with 480, the server's default is 420.
OPERATING_BUDGET_SECONDS = 400.0

#: Share of the budget from which calls are spread.
SLOW_DOWN_FROM = 0.8

#: Operating time is summed over this many seconds, so no refusal lasts longer once the method rests.
OPERATING_WINDOW_SECONDS = 600.0

#: ... in buckets of this many seconds, each of which drops out as a whole.
OPERATING_BUCKET_SECONDS = 60.0

#: Most methods to remember; the one that was seen least recently is forgotten.
_MOST_METHODS = 256

#: Unix seconds 3,000 years from now; milliseconds are above.
_LATEST = 1e11

_BATCH = "batch"


@dataclass(frozen=True, slots=True)
class _Used:
    """What one answer said. Moments are on the portal's clock, in Unix seconds."""

    operating: float
    learned_at: float
    reset_at: float | None
    call_seconds: float


class OperatingTime:
    """
    What is known of the operating time of one webhook or application at one portal.

    Direct calls and commands of a batch are kept apart, and ``batch`` is a method like any other: portals differ in
    what a batch counts for (each command, ``batch`` itself, nothing), and only their answers show it.

    ``now`` is always Unix seconds on our clock. It may be wrong by minutes: each answer says what time it is at the
    portal, and moments are kept on the portal's clock.

    :param budget_seconds: operating time that a method may use in ten minutes.
    """

    def __init__(self, budget_seconds: float = OPERATING_BUDGET_SECONDS) -> None:
        self._budget = budget_seconds
        self._used: OrderedDict[tuple[str, bool], _Used] = OrderedDict()
        self._portal_ahead: float | None = None

    def learn(self, method: str, time: object, *, batched: bool = False, now: float) -> None:
        """
        Learn from the ``time`` of a successful answer; for a command of a batch from its entry in ``result_time``.

        ``operating`` is a running total: the last value counts, and values are never added up. Values that are missing
        or not numbers are ignored, as on self-hosted portals.

        :param now: when the answer arrived.
        """
        if not isinstance(time, Mapping):
            return
        finish = _unix_seconds(time.get("finish")) or _unix_seconds(time.get("date_finish"))
        # An early command of a batch finished up to a minute before the answer arrived.
        if finish is not None and (not batched or self._portal_ahead is None):
            self._portal_ahead = finish - now
        operating = _seconds(time.get("operating"))
        if operating is None:
            return
        portal_now = self._portal_time(now)
        reset_at = _unix_seconds(time.get("operating_reset_at"))
        if reset_at is not None and reset_at > portal_now and not _is_near(reset_at, portal_now):
            reset_at = None
        used = self._used.get((method.lower(), batched))
        if used is not None and used.reset_at == reset_at is not None and used.operating > operating:
            # Until its oldest minute drops out the sum only grows: a later answer has overtaken this one.
            return
        self._remember(method, batched, _Used(operating, portal_now, reset_at, _call_seconds(time)))

    def delay(
        self, method: str, *, batched: bool = False, calls: int = 1, unread_seconds: float = 0.0, now: float
    ) -> float:
        """
        Return the seconds to wait before the next call, so that the budget lasts until the oldest minute drops out.

        0 below 80 % of the budget; from there on calls are spread so that the rest lasts; with nothing left, until
        ``operating_reset_at``. Where a portal gives a sum without that moment, it is taken to be a minute from now.

        :param calls: how many calls of the method go out together, as commands of one batch.
        :param unread_seconds: what answers took that nobody has read yet.
        """
        used = self._used.get((method.lower(), batched))
        if used is None or used.operating + unread_seconds < self._budget * SLOW_DOWN_FROM:
            return 0.0
        reset_at = used.learned_at + OPERATING_BUCKET_SECONDS if used.reset_at is None else used.reset_at
        pause = until_reset = reset_at - used.learned_at
        left = self._budget - used.operating - unread_seconds
        if left > 0:
            # The calls run for a part of their share of the time until then.
            pause = min(until_reset, calls * used.call_seconds * (until_reset / left - 1.0))
        # Never longer than the pause itself: where the portal does not say what time it is there is only our own clock,
        # which may be set back.
        return max(0.0, pause - max(0.0, self._portal_time(now) - used.learned_at))

    def has_time_for(self, seconds_by_method: Mapping[str, float]) -> bool:
        """
        Whether commands of batches leave each method, and ``batch`` itself, below the time from which calls are spread.

        :param seconds_by_method: what they are going to use, those that are under way included.
        """
        together = {(method, True): seconds for method, seconds in seconds_by_method.items()}
        together[_BATCH, False] = sum(seconds_by_method.values())
        used = {key: self._used.get((key[0].lower(), key[1])) for key in together}
        return all(
            known is None or known.operating + together[key] < self._budget * SLOW_DOWN_FROM
            for key, known in used.items()
        )

    def share_used(self, methods: Iterable[str] | None = None, *, now: float) -> float:
        """
        Return the largest part of its budget that one of these methods, or ``batch`` itself, has used: 0.5 is half.

        :param methods: None for all.

        What was learned before the window of ten minutes counts as nothing.
        """
        known = list(self._used.values())
        if methods is not None:
            keys = {(method.lower(), batched) for method in methods for batched in (True, False)} | {(_BATCH, False)}
            known = [self._used[key] for key in keys if key in self._used]
        since = self._portal_time(now) - OPERATING_WINDOW_SECONDS
        return max((used.operating for used in known if used.learned_at >= since), default=0.0) / self._budget

    def delay_of_batch(
        self, methods: Iterable[str], *, unread_seconds: Mapping[str, float] | None = None, now: float
    ) -> float:
        """
        Return the seconds to wait before a batch of commands of these methods, whatever a batch counts for.

        :param unread_seconds: by method, what answers took that nobody has read yet.
        """
        unread = unread_seconds or {}
        delays = (
            self.delay(method, batched=True, calls=count, unread_seconds=unread.get(method, 0.0), now=now)
            for method, count in Counter(methods).items()
        )
        return max(self.delay(_BATCH, unread_seconds=sum(unread.values()), now=now), *delays, 0.0)

    def refused(self, method: str, *, batched: bool = False, now: float) -> float | None:
        """
        Note a refusal (429) and return when the method is free again, in Unix seconds on our clock.

        That is the last ``operating_reset_at``. Where it has passed already, the minute that dropped out was not
        enough, and it is the end of the next one. Until then :meth:`delay` waits.

        :return: None where no answer said it, or only one of more than ten minutes ago. The method is then free in
            600 s (``OPERATING_WINDOW_SECONDS``) at the latest, and maybe at the end of any minute before that.
        """
        used = self._used.get((method.lower(), batched))
        portal_now = self._portal_time(now)
        if used is None or used.reset_at is None or not _is_near(used.reset_at, portal_now):
            return None
        reset_at = used.reset_at
        if reset_at <= portal_now:
            reset_at += OPERATING_BUCKET_SECONDS * (1 + (portal_now - reset_at) // OPERATING_BUCKET_SECONDS)
        operating = max(used.operating, self._budget)
        self._remember(method, batched, replace(used, operating=operating, learned_at=portal_now, reset_at=reset_at))
        return reset_at - (self._portal_ahead or 0.0)

    def _portal_time(self, now: float) -> float:
        return now + (self._portal_ahead or 0.0)

    def _remember(self, method: str, batched: bool, used: _Used) -> None:
        # Each step is atomic and none needs the one before: threads need no lock, and a fork finds none held.
        key = (method.lower(), batched)
        self._used.pop(key, None)
        self._used[key] = used
        if len(self._used) > _MOST_METHODS:
            self._used.popitem(last=False)


def _is_near(reset_at: float, portal_now: float) -> bool:
    """Whether it can be the end of a minute that is still in the sum, or has just dropped out of it."""
    ahead = reset_at - portal_now
    return -OPERATING_WINDOW_SECONDS <= ahead <= OPERATING_WINDOW_SECONDS + OPERATING_BUCKET_SECONDS


def _call_seconds(time: Mapping[str, object]) -> float:
    """Return what one such call uses."""
    duration = _seconds(time.get("duration")) or _seconds(time.get("processing"))
    if duration is not None:
        return duration
    start, finish = _unix_seconds(time.get("start")), _unix_seconds(time.get("finish"))
    return max(0.0, finish - start) if start is not None and finish is not None else 0.0


def _seconds(value: object) -> float | None:
    """Read a number, or the text of one; None for anything else."""
    if not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def _unix_seconds(value: object) -> float | None:
    """Read Unix seconds from a number, its text, or ISO 8601 with an offset; None for anything else."""
    seconds = _seconds(value)
    if seconds is None and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        seconds = moment.timestamp() if moment.tzinfo else None
    return seconds if seconds is not None and 0 < seconds < _LATEST else None
