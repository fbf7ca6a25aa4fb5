"""Rows as the portal sends them, as lines of JSON in part files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from airflow_provider_bitrix24.execution.storage import json_line
from airflow_provider_bitrix24.exports.misfits import Misfits
from airflow_provider_bitrix24.types import Row


@dataclass(frozen=True)
class LineBatch:
    """
    Some lines.

    :param misfits: none: no value has to fit anything.
    """

    lines: tuple[bytes, ...]
    types: dict[str, str] = field(default_factory=dict)
    misfits: Misfits = field(default_factory=Misfits)

    @property
    def nbytes(self) -> int:
        return sum(map(len, self.lines))


class RawLines:
    """
    :param shape: what is made of rows; None to leave them as they are.
    """

    ending = "jsonl"

    def __init__(self, shape: Callable[[Sequence[Row]], Iterable[Any]] | None = None) -> None:
        self._shape = shape

    def batch(self, rows: Sequence[Row]) -> LineBatch:
        return LineBatch(tuple(map(json_line, rows if self._shape is None else self._shape(rows))))

    def writer(self, stream: IO[bytes], batch: LineBatch) -> _Writer:
        return _Writer(stream)


class _Writer:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, batch: LineBatch) -> None:
        self._stream.writelines(batch.lines)

    def close(self) -> None:
        """Every line is written."""
