"""
How fast a portal may be asked: the published request bucket, as arithmetic without clock or storage.

Each request adds 1 to a counter that the portal keeps per portal *and source address*; the counter drops by Y each
second, and above X the next request is refused with 503 ``QUERY_LIMIT_EXCEEDED``. A batch is one request.

Source: Bitrix24 REST docs, «Limits». Where the bucket is shared: ``bucket_stores``. Running time: ``operating``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: A longer queue than so many seconds and slots was left under other limits, such as a higher ``rate`` that a
#: connection to the same portal had before: it must not hold everybody up for hours.
LONGEST_WAIT_SECONDS, LONGEST_QUEUE = 600.0, 100.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    A leaky bucket whose waits are reservations: who takes a slot owns it, so all of the rate is used, first come first.

    Its state is a pair: the level, and the moment on any steadily growing clock when it had that level. What stands
    above ``burst`` are the slots of those who still wait.

    :param rate: requests that leak out each second.
    :param burst: requests that may go out at once when the bucket is empty.
    """

    rate: float
    burst: float

    def take(self, level: float, at: float, now: float) -> tuple[float, float, float]:
        """
        Take one slot.

        :return: the new level, its moment, and the seconds to wait before sending. Who does not want to wait so long
            forgets the new state, and no slot is lost.
        """
        level = self._leaked(level, at, now) + 1.0
        return level, now, max(0.0, (level - self.burst) / self.rate)

    def fill(self, level: float, at: float, now: float, pause_seconds: float) -> tuple[float, float]:
        """
        Fill the bucket, because the portal says that it is full: nothing leaks out for ``pause_seconds``.

        Filling twice is no more than filling once, so that many processes may report the same refusal.

        :return: the new level and its moment.
        """
        return max(self._leaked(level, at, now), self.burst + self.rate * pause_seconds), now

    def _leaked(self, level: float, at: float, now: float) -> float:
        level = min(level, self.burst + self.rate * LONGEST_WAIT_SECONDS + LONGEST_QUEUE)
        return max(0.0, level - self.rate * max(0.0, now - at))


def _published(blocked_above: float, drained_per_second: float) -> Bucket:
    # The portal drains once a second, in whole steps: just before a step its counter is one second's worth higher
    # than a steady leak would have it.
    return Bucket(rate=drained_per_second, burst=blocked_above - drained_per_second)


#: The plan that is assumed where none is named.
STANDARD = "standard"

#: Buckets by plan (Bitrix24 REST docs, «Limits»): X = 50 and Y = 2 a second; Enterprise X = 250 and Y = 5.
PLANS: Mapping[str, Bucket] = {STANDARD: _published(50, 2), "enterprise": _published(250, 5)}


def bucket_from(plan: str | None = None, rate: object = None, burst: object = None) -> Bucket:
    """
    Return the bucket that the extras ``plan``, ``rate`` and ``burst`` of a connection describe.

    :param plan: a key of ``PLANS`` in any case; None or empty for the standard one.
    :param rate: requests a second, number or text; the plan's by default.
    :param burst: requests at once, number or text, 1 or more; the plan's by default.
    :raises ConfigurationError: one of them makes no sense.
    """
    name = (plan or STANDARD).strip().lower()
    if name not in PLANS:
        raise ConfigurationError(f"the extra `plan` is {plan!r}", next_step=f"write one of: {', '.join(PLANS)}")
    return Bucket(
        rate=_number("rate", rate, PLANS[name].rate, above=0.0),
        burst=_number("burst", burst, PLANS[name].burst, least=1.0),
    )


def _number(name: str, value: object, default: float, *, above: float = -math.inf, least: float = -math.inf) -> float:
    if value is None or value == "":
        return default
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number > above and number >= least):
        wanted = "1 or more" if math.isfinite(least) else "above 0"
        raise ConfigurationError(f"the extra `{name}` is {value!r}", next_step=f"write a number, {wanted}")
    return number


def pods_warning(
    limiter: str | None, rate: object, burst: object, environ: Mapping[str, str] = os.environ
) -> str | None:
    """
    Return a warning for pods that share a source address but no disk, and so know nothing of each other's requests.

    :param limiter: extra ``limiter``; :param rate: extra ``rate``; :param burst: extra ``burst``.
    :return: one sentence that names the cure; None outside Kubernetes, or where the cure has been taken.
    """
    cured = bool(limiter) or rate not in (None, "") or burst not in (None, "")
    if cured or not environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    return (
        "Pods usually share one source address and with it one request bucket of the portal, but no disk to count on: "
        "set the extra `limiter` of the connection to a redis:// address, or divide `rate` and `burst` "
        f"({PLANS[STANDARD].rate:g} and {PLANS[STANDARD].burst:g}) by the number of pods."
    )
