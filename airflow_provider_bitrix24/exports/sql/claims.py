"""Which loads of one table may be under way at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.exports.windows import moment_of

#: A load that has put no part for so long is over: longer than a wait for a limit and the reading of a part.
_HOLDS_SECONDS = 3600
#: What a load is in: its rows are read; they are seen by readers; its staging table is gone too.
STAGING, PUBLISHED, DONE = "staging", "published", "done"
#: So many loads of a table are kept after their end, for a retry of a task that has not come to say what it did.
_KEEPS = 50


def is_held(load: Mapping[str, Any], task: str, try_number: int) -> bool:
    """Whether a load is one that this try of a task, or one before it, has begun and not published."""
    return bool(load["state"] == STAGING and load["task"] == task and load.get("try", 0) <= try_number)


def claim(plan: Mapping[str, Any], task: str, write: str) -> dict[str, Any]:
    """What the ledger keeps of a load that begins."""
    return {"state": STAGING, "task": task, "write": write, "plan": dict(plan), "seen": time.time(), "report": None}


def check_claims(own: Mapping[str, Any], loads: Mapping[str, Any], table: object) -> list[str]:
    """
    The loads that are over without having been published: of the same task, before it was cleared, or long silent.

    :param own: the load that begins.
    :param loads: what the ledger keeps of all others.
    :raises ConfigurationError: another one is under way that this one must not meet.
    """
    over = []
    for name, other in loads.items():
        if other["state"] != STAGING:
            continue
        silent = time.time() - float(other["seen"])
        if other["task"] == own["task"] or silent > _HOLDS_SECONDS:
            over.append(name)
        elif _meet(own, other):
            raise ConfigurationError(
                f"another load into {table} is under way, of {other['task']}, and takes some of the same rows",
                next_step="wait until it ends, or clear its task; if it was killed, it holds the table for an hour",
                retryable=True,
            )
    return over


def outlived(loads: Mapping[str, Any], own: str) -> list[str]:
    """
    The loads that have ended and are kept no longer.

    :param own: the load that begins, which may have ended in an earlier try.
    """
    done = [name for name, load in loads.items() if load["state"] == DONE and name != own]
    return sorted(done, key=lambda name: float(loads[name]["seen"]))[: max(len(done) - _KEEPS, 0)]


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two loads may have a row in common, or one empties the table."""
    if "replace" in (one["write"], other["write"]):
        return True
    spans = [load["plan"]["span"] for load in (one, other)]
    if None in spans:
        return True
    (start, end), (other_start, other_end) = [[moment_of(text) for text in span] for span in spans]
    return bool(start < other_end and other_start < end)
