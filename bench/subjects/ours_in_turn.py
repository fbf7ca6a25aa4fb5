"""The client of this project with one request after the other."""

from __future__ import annotations

from bench.subjects import ours


class Subject(ours.Subject):
    def __init__(self, webhook: str, *, limited: bool) -> None:
        super().__init__(webhook, limited=limited, parallel=1)
