"""What operators of many rows write with, one request after the other."""

from __future__ import annotations

from bench.subjects import rows


class Subject(rows.Subject):
    def __init__(self, webhook: str, *, limited: bool) -> None:
        super().__init__(webhook, limited=limited, parallel=1)
