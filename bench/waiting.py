"""Deferred payment sensors in one event loop, as in a triggerer: what they cost while nothing happens."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.portal import Portal
    from bench.runs import Bench

#: The event loop is looked at as often as Airflow's triggerer looks at its own.
BEAT_SECONDS = 0.1


@dataclass(frozen=True)
class Waited:
    """
    :param cpu_share: of one core, from the first task to the last.
    :param growth_mib: of the process's memory, from its imports to its largest.
    :param late_seconds: how late the event loop came at most.
    :param threads: most at a time beyond those that were there before.
    :param requests: that the portal got.
    """

    cpu_share: float
    growth_mib: float
    late_seconds: float
    threads: int
    requests: int


def wait(bench: Bench, portal: Portal, payment_ids: list[int], *, interval: float, seconds: float) -> Waited:
    """A task for each payment, none of which is paid, that waits so long in a process of its own."""
    portal.forget_calls()
    done = subprocess.run(
        [sys.executable, "-m", "bench.waiting"],
        env={**bench.environment(portal), "AIRFLOW_CONN_BITRIX24_DEFAULT": portal.connection},
        input=json.dumps({"payment_ids": payment_ids, "interval": interval, "seconds": seconds}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    figures = json.loads(done.stdout.splitlines()[-1])
    return Waited(**figures, requests=portal.seen().requests)


async def _wait(payment_ids: list[int], interval: float, seconds: float) -> dict[str, float]:
    from airflow_provider_bitrix24.triggers.condition import Condition
    from airflow_provider_bitrix24.triggers.sensor import Bitrix24SensorTrigger
    from airflow_provider_bitrix24.triggers.watch import Watch

    now = datetime.now(timezone.utc)

    async def one(payment_id: int) -> str:
        watch = Watch("crm.item.payment.get", {"id": payment_id}, Condition("=", "Y", "paid"), reads="payment")
        trigger = Bitrix24SensorTrigger(
            bitrix24_conn_id="bitrix24_default",
            watch=watch.as_json(),
            began=now.isoformat(),
            deadline=(now + timedelta(seconds=seconds)).isoformat(),
            poke_interval=interval,
            exponential_backoff=False,
            max_wait=None,
            tolerated_failures=5,
        )
        (status,) = [event.payload["status"] async for event in trigger.run()]
        return str(status)

    before, threads, late = threading.active_count(), 0, 0.0
    began, cpu = time.monotonic(), time.process_time()
    waiting = asyncio.gather(*(one(payment_id) for payment_id in payment_ids))
    while not waiting.done():
        beat = time.monotonic()
        await asyncio.sleep(BEAT_SECONDS)
        late = max(late, time.monotonic() - beat - BEAT_SECONDS)
        threads = max(threads, threading.active_count() - before)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    if set(await waiting) != {"timeout"}:
        raise SystemExit("This did not hold: all waited to the end")
    return {"cpu_share": share, "late_seconds": late, "threads": threads}


def main() -> None:
    asked = json.loads(sys.stdin.read())
    # What a triggerer has imported before its first trigger.
    import airflow_provider_bitrix24.hooks.connection
    import airflow_provider_bitrix24.triggers.sensor  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = asyncio.run(_wait(asked["payment_ids"], asked["interval"], asked["seconds"]))
    growth_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({**figures, "growth_mib": growth_mib}))


if __name__ == "__main__":
    main()
