"""The request bucket of a portal in Redis, for workers on several hosts that share a source address."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.rest.limits.bucket import LONGEST_QUEUE, LONGEST_WAIT_SECONDS, Bucket, BucketStore
from airflow_provider_bitrix24.rest.redis_client import redis_client
from airflow_provider_bitrix24.rest.scrub import scrubber

log = logging.getLogger(__name__)

#: Most seconds to wait for Redis at each step, before the bucket of this host is used instead.
REDIS_TIMEOUT_SECONDS = 1.0

#: Seconds after which a Redis that did not answer is asked again.
REDIS_REST_SECONDS = 30.0

# Bucket.take and Bucket.fill in one atomic step, on the server's clock. That clock may be set back: then nothing has
# leaked, once. Numbers travel as %.17g, because Lua's own text of a number drops the microseconds of a Unix time.
_LEVEL = f"""
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local state = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(state[1] or 0) or burst, tonumber(state[2] or now) or now
level = math.min(level, burst + rate * {LONGEST_WAIT_SECONDS} + {LONGEST_QUEUE})
level = math.max(0, level - rate * math.max(0, now - at))
local function keep(new)
  redis.call('HSET', KEYS[1], 'level', string.format('%.17g', new), 'at', string.format('%.17g', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(new / rate * 1000) + 1000)
end
"""
_TAKE = f"""{_LEVEL}
local wait = math.max(0, (level + 1 - burst) / rate)
if wait <= tonumber(ARGV[3]) then keep(level + 1) end
return string.format('%.17g', wait)
"""
_FILL = f"""{_LEVEL}
keep(math.max(level, burst + rate * tonumber(ARGV[3])))
return 1
"""


class RedisBucket:
    """
    A bucket shared through one Redis server, by the server's clock; the key expires once the bucket is empty.

    While Redis cannot be reached the fallback is used, full at first, so calls become slower and never stop. Redis is
    asked again every 30 s. The log says when this begins and when it ends.

    :param url: ``redis://[user:password@]host:port/db`` or ``rediss://…``; options as in ``redis.from_url``, e.g.
        ``?ssl_ca_certs=/path``. The password never appears in messages.
    :param key: the key in Redis.
    :param fallback: used while Redis does not answer.
    :param timeout_seconds: how long to wait for a connection, and for an answer.
    :raises ConfigurationError: the address cannot be used, or the package ``redis`` is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str,
        fallback: BucketStore,
        *,
        timeout_seconds: float = REDIS_TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        client = redis_client(url, extra="limiter", timeout_seconds=timeout_seconds)
        settings = client.connection_pool.connection_kwargs
        self._place = f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
        self._scrub = scrubber([str(settings.get("password") or "")])
        self._key, self._fallback, self._clock = key, fallback, clock
        self._take, self._fill = client.register_script(_TAKE), client.register_script(_FILL)
        self._is_away = False
        self._ask_again_at = -math.inf

    def __repr__(self) -> str:
        return f"RedisBucket({self._place})"

    def reserve(self, bucket: Bucket, patience_seconds: float) -> float:
        answer = self._run(self._take, bucket, min(patience_seconds, 1e9))
        return self._fallback.reserve(bucket, patience_seconds) if answer is None else answer

    def report_full(self, bucket: Bucket, pause_seconds: float = 0.0) -> None:
        if self._run(self._fill, bucket, pause_seconds) is None:
            self._fallback.report_full(bucket, pause_seconds)

    def take_permit(self, most: int) -> Callable[[], object] | None:
        return self._fallback.take_permit(most)

    def _run(self, script: Callable[..., Any], bucket: Bucket, seconds: float) -> float | None:
        """Run a script and return its result; None when Redis cannot be reached or something else answers for it."""
        now = self._clock()
        if now < self._ask_again_at:
            return None
        arguments = [bucket.rate, bucket.burst]
        try:
            if self._is_away:
                # Redis does not know what the hosts have sent in the meantime.
                self._fill(keys=[self._key], args=[*arguments, 0.0])
            answer = float(script(keys=[self._key], args=[*arguments, seconds]))
            if not 0 <= answer < math.inf:
                raise ValueError(f"an answer of {answer}")
        except Exception as error:
            # Of any kind: the package fails in many ways on what something else answers in the place of Redis.
            self._give_up(bucket, error, now)
            return None
        if self._is_away:
            self._is_away = False
            log.info("Redis at %s answers again: the request bucket is shared among hosts.", self._place)
        return answer

    def _give_up(self, bucket: Bucket, error: Exception, now: float) -> None:
        self._ask_again_at = now + REDIS_REST_SECONDS
        if self._is_away:
            return
        self._is_away = True
        # The fallback does not know what has been sent so far.
        self._fallback.report_full(bucket)
        log.warning(
            "Redis at %s, which shares the request bucket among hosts, cannot be used (%s: %s). Until it can, the "
            "bucket is shared on this host alone, and the portal may refuse some requests.",
            self._place, type(error).__name__, self._scrub(str(error)),
        )  # fmt: skip
