"""From the rows of a source to rows that are ready to be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import digest_of, digest_of_text, text_of
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import lacks_digits
from airflow_provider_bitrix24.rows.cells import is_blank, is_blank_row
from airflow_provider_bitrix24.rows.outcomes import SKIPPED
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.replaced_lists import ReplacedLists
from airflow_provider_bitrix24.rows.row_names import RowName, TextRow
from airflow_provider_bitrix24.rows.row_writer import RowWriter

#: What may be a number that has lost digits, in the JSON of a row.
_SHORT_NUMBER = re.compile(r'"\s*[+-]?\d+[.,]?\d*[eE]\+?\d\d')


def _note(value: Any, place: str = "") -> str:
    """What to say of a text that is sent as it is although digits may be missing; empty where there is none."""
    if isinstance(value, Mapping):
        return next(filter(None, (_note(member, str(name)) for name, member in value.items())), "")
    if isinstance(value, (list, tuple)):
        return next(filter(None, (_note(member, place) for member in value)), "")
    if not lacks_digits(value):
        return ""
    return (
        f"{place} is {preview(value)}, as spreadsheets shorten long numbers: where digits are missing, format the "
        "column as text before saving"
    )


def _named(row: Any) -> Any:
    """
    A row without its columns that have no name, as spreadsheets leave them behind.

    :raises ConfigurationError: one of them has a value.
    """
    nameless = [name for name in row if not name.strip()] if isinstance(row, Mapping) else []
    for name in nameless:
        if not is_blank(row[name]):
            raise ConfigurationError(
                f"the row has {preview(row[name])} in a column without a name", next_step="give the column a name"
            )
    return {name: value for name, value in row.items() if name not in nameless} if nameless else row


def _in_one_order(value: Any) -> Any:
    """A value whose objects have their names in one order: that of the columns says nothing."""
    if isinstance(value, Mapping):
        return {name: _in_one_order(value[name]) for name in sorted(value, key=str)}
    return [_in_one_order(member) for member in value] if isinstance(value, (list, tuple)) else value


class PreparedRows:
    """
    The rows of a source, prepared one by one, up to where it ends or cannot be read further.

    :param writer: its method is part of the digests: the same row is another one for another method.
    """

    def __init__(self, source: Iterable[Any], writer: RowWriter) -> None:
        self._source = iter(source)
        self._writer = writer
        self._lists = ReplacedLists(writer.method, writer.whole_lists)
        self._number = 0
        #: Why the source could not be read to its end.
        self.error: BaseException | None = None
        #: What the first three rows send.
        self.examples: list[Mapping[str, Any]] = []

    def __iter__(self) -> Iterator[PreparedRow]:
        return self

    def __next__(self) -> PreparedRow:
        """:raises Exception: the very first row cannot be read."""
        if self.error is not None:
            raise StopIteration
        try:
            row = self._prepared(next(self._source))
        except StopIteration:
            raise
        except BaseException as error:
            # Whatever is raised, the task's timeout too: what was written before is reported first.
            if self._number == 0:
                raise
            self.error = error
            raise StopIteration from None
        self._number += 1
        return row

    def _prepared(self, row: Any) -> PreparedRow:
        number, line = self._number, row.line if isinstance(row, TextRow) else None
        if is_blank_row(row):
            content = RowContent(None, {}, unsent=SKIPPED)
            return PreparedRow(number, digest_of(self._writer.method, {}), content, name=RowName(line))
        try:
            content = self._writer.prepare(_named(row))
        except ConfigurationError as error:
            name = replace(self._writer.name(row), line=line)
            return PreparedRow(
                number, digest_of(self._writer.method, "row", _in_one_order(row)), None, error, name=name
            )
        if len(self.examples) < 3 and not content.unsent:
            self.examples.append(content.example)
        name = RowName(line, content.id, content.key)
        # The same fields under another key are another upsert.
        text = text_of(self._writer.method, _in_one_order(content.example), *([content.key] if content.key else []))
        note = _note(content.example) if _SHORT_NUMBER.search(text) else ""
        prepared = PreparedRow(number, digest_of_text(text), content, name=name, size=len(text), note=note)
        if not content.unsent and (about := self._writer.object_of(prepared)) is not None:
            try:
                self._lists.check(number, line, about, content.example)
            except ConfigurationError as error:
                return replace(prepared, content=None, error=error)
        return prepared
