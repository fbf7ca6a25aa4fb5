"""What a row is called in reports and messages: where it stands, and which object it means."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import native

#: Longer texts are cut; CRM's own fields hold no longer ones.
_LONGEST = 255
#: JSON of XCom has no larger numbers.
_LARGEST = 2**63


class TextRow(dict[str, Any]):
    """
    A row of a text file. It equals a plain one: its line takes no part in what a retry compares.

    :param line: where it begins, as an editor counts: from 1.
    """

    __slots__ = ("line",)

    def __init__(self, columns: Mapping[str, Any], line: int) -> None:
        super().__init__(columns)
        self.line = line


@dataclass(frozen=True)
class RowName:
    """
    What people know a row by, besides its number.

    :param line: of a text file, see :class:`TextRow`; None where the rows come from elsewhere.
    :param id: of the object that it names.
    :param key: values by field, of an upsert.
    """

    line: int | None = None
    id: int | str | None = None
    key: Mapping[str, str] | None = None

    def after(self, row: int | None) -> str:
        """
        ``3, line 5, id 17``, for messages; the key where no id is known.

        :param row: the number, from 0.
        """
        parts = [str(row)]
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.id is not None:
            parts.append(f"id {self.id}")
        elif self.key:
            parts += [f"{name} {preview(value)}" for name, value in self.key.items()]
        return ", ".join(parts)


def as_named(value: Any) -> int | str | None:
    """
    What a row gives as an id or a key, however wrong it is, for people.

    Files keep a column of whole numbers as fractions where one is missing, and a text may hold half of a character.
    """
    value = native(value)
    if isinstance(value, (float, Decimal)):
        with suppress(ArithmeticError, ValueError):
            value = int(value) if int(value) == value else value
    if value is None or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    text = str(value).strip().encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
