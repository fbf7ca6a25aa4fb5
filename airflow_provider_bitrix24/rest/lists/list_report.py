"""What can be said of a list that was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class ListReport:
    """
    What can be said of a list: final after its last row, so far before it.

    :param strategy: ``keyset``, ``start``, ``single``, ``v3``, ``limit-offset``, ``last-id``, ``page`` or ``unknown``.
    :param proven: each row has an id of its own, so a missing or doubled page would have been noticed.
    :param requests: HTTP requests, repetitions not counted.
    :param first_id: id of the first row as it was sent; None without rows or ids.
    :param complete: the end of the list was reached, and nothing contradicts it.
    :param total: the portal's own count, where it gives a believable one.
    :param seconds: how long it took.
    """

    method: str
    strategy: str
    proven: bool
    rows: int = 0
    pages: int = 0
    requests: int = 0
    first_id: Any = None
    last_id: Any = None
    complete: bool = False
    total: int | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        end = "complete" if self.complete else "not read to its end"
        doubt = "" if self.proven else ", cannot be proven: its rows have no id of their own"
        return (
            f"{self.method}: {self.rows} rows, {end}{doubt}; {self.pages} pages in {self.requests} requests "
            f"and {self.seconds:.1f} s, by {self.strategy}, ids {self.first_id} to {self.last_id}"
        )
