"""One line of the log at a task's end: what it has asked, read and written, and what it has used of the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client


class Summary:
    """What the clients of one task have done, one after the other; after a deferral, since the task went on."""

    def __init__(self) -> None:
        self._requests = self._retries = self._read = self._written = 0
        self._waited_seconds = self._operating_share = 0.0

    def add(self, client: Client) -> None:
        """Add what a client has done, once."""
        done = client.activity
        self._requests += done.requests
        self._retries += done.retries
        self._read += done.rows_read
        self._written += done.rows_written
        self._waited_seconds += done.waited_seconds
        self._operating_share = max(self._operating_share, client.operating_share())

    def waited(self, seconds: float) -> None:
        """Add what the task itself has slept for a limit."""
        self._waited_seconds += seconds

    def __str__(self) -> str:
        """``52 requests, 2,500 rows read, 3.2 s waited, operating time 12 %``; empty where nothing was sent."""
        if not self._requests:
            return ""
        parts = [_counted(self._requests, "request")]
        if self._retries:
            parts.append(f"{self._retries:,} of them repeated")
        if self._read:
            parts.append(f"{_counted(self._read, 'row')} read")
        if self._written:
            parts.append(f"{_counted(self._written, 'row')} written")
        parts.append(f"{self._waited_seconds:,.1f} s waited")
        # Self-hosted portals do not count it.
        if self._operating_share:
            parts.append(f"operating time {100 * self._operating_share:.0f} %")
        return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
