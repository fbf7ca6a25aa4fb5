"""Counts and times of requests, for Airflow's metrics."""

from __future__ import annotations

from datetime import timedelta

#: Airflow puts its own prefix before it, ``airflow`` by default.
_PREFIX = "bitrix24"


class AirflowMeter:
    """Gives numbers to the backend that ``[metrics]`` of Airflow names; without one they go nowhere."""

    def count(self, name: str, number: int, **tags: str) -> None:
        # Where it cannot be imported, nothing is counted: that is caught by who calls.
        from airflow_provider_bitrix24._compat import Stats

        Stats.incr(f"{_PREFIX}.{name}", number, tags=tags)

    def time(self, name: str, seconds: float, **tags: str) -> None:
        from airflow_provider_bitrix24._compat import Stats

        Stats.timing(f"{_PREFIX}.{name}", timedelta(seconds=seconds), tags=tags)
