"""Lists that rows have set so far: another row about the same object would replace them in silence."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import text_of


class ReplacedLists:
    """
    Finds the rows of a flat file, a line for each product of a deal, of which only the last would be left.

    :param method: what the rows are written with.
    :param names: of the lists, see :func:`plain_name`.
    """

    def __init__(self, method: str, names: frozenset[str]) -> None:
        self._method, self._names = method, names
        #: Hashes, as there may be as many as rows: object and field -> its list, and the number and line of the row.
        self._seen: dict[int, tuple[int, int, int | None]] = {}

    def check(self, number: int, line: int | None, about: Hashable, params: Mapping[str, Any]) -> None:
        """
        :param number: of the row, from 0.
        :param line: of the row in its file.
        :param about: the object that it names.
        :param params: what is sent, in plain JSON.
        :raises ConfigurationError: an earlier row gives the same object another list.
        """
        # An id may be that of a deal or, beside another ownerType, that of an invoice.
        beside = {name: value for name, value in params.items() if not isinstance(value, (list, dict))}
        for name, members in self._lists(params):
            content = hash(text_of(members))
            key = hash((about, text_of(beside), plain_name(name)))
            before, row, at = self._seen.setdefault(key, (content, number, line))
            if before != content:
                place = f"row {row}" if at is None else f"row {row} (line {at})"
                raise ConfigurationError(
                    f"{name} would replace what {place} gives the same object",
                    method=self._method,
                    next_step="make one row for each object before, with all that belongs to it in one list",
                )

    def _lists(self, params: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
        for name, value in params.items():
            if isinstance(value, list) and plain_name(name) in self._names:
                yield name, value
            elif isinstance(value, dict) and self._names:
                yield from self._lists(value)
