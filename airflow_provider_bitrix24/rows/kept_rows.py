"""Rows of a changed plan, kept until it is known whether any of them may be sent."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import IO

from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow


class KeptRows:
    """
    Rows with their places among those of the try before, None of a new one.

    :param file: where they are kept, as there may be many; private to this process.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, place: int | None, row: PreparedRow) -> None:
        pickle.dump((place, row), self._file, protocol=pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[tuple[int | None, PreparedRow]]:
        """From the first on; none is added any more."""
        self._file.seek(0)
        while True:
            try:
                place, row = pickle.load(self._file)  # noqa: S301 - written by this process a moment ago
            except EOFError:
                return
            yield place, row
