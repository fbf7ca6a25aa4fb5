"""Cells without a value: what counts as one, and what an author wants done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from airflow_provider_bitrix24.crm.values import is_nothing

#: ``keep`` leaves the value of the portal as it is, ``clear`` clears it, ``fail`` fails the row.
Blank = Literal["keep", "clear", "fail"]
BLANKS: tuple[Blank, ...] = get_args(Blank)


class _BlankValue:
    """Stands for a cell without a value in what a mapping makes of a row."""

    def __repr__(self) -> str:
        return "BLANK"


BLANK = _BlankValue()


def is_blank(value: Any) -> bool:
    """
    Whether a cell has no value: an empty one, blanks alone, null, None, NaN, NaT, NA, and a list of such.

    A text such as ``NULL`` or ``NA`` is a value: a file that means nothing by it has to say so.
    """
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (list, tuple)):
        return all(map(is_blank, value))
    return value is BLANK or is_nothing(value)


def is_blank_row(row: Any) -> bool:
    """Whether no cell of a row has a value."""
    return isinstance(row, Mapping) and all(map(is_blank, row.values()))
