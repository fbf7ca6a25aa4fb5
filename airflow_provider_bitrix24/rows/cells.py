"""What an author says of cells: what becomes of one without a value, and how numbers and times are written."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from airflow_provider_bitrix24.crm.values import is_nothing
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_blank_text
from airflow_provider_bitrix24.rest.moments import parse

#: ``keep`` leaves the value of the portal as it is, ``clear`` clears it, ``fail`` fails the row.
Blank = Literal["keep", "clear", "fail"]
BLANKS: tuple[Blank, ...] = get_args(Blank)


#: ``1 234,50``, with blanks between thousands.
_WITH_COMMA = re.compile(r"\s*[+-]?\d+(?:\s\d{3})*(?:,\d+)?(?:[eE][+-]?\d{1,3})?\s*(?:\|\s*[A-Za-z]{3}\s*)?")


@dataclass(frozen=True)
class CellRules:
    """
    :param blank: what becomes of cells without a value.
    :param decimal: the sign in numbers that are text, a point or a comma.
    :param zone: the time zone of times that have none; None refuses them.
    """

    blank: Blank = "keep"
    decimal: str = "."
    zone: ZoneInfo | None = None

    def number(self, value: Any, place: str) -> Any:
        """
        A value of a field of numbers or money, with a point.

        :raises ConfigurationError: its sign is to be a comma, and it is not written so.
        """
        if self.decimal == "." or not isinstance(value, str):
            return value
        if not _WITH_COMMA.fullmatch(value):
            raise ConfigurationError(
                f"{place} is {preview(value)}, which is not a number with a comma", next_step="write e.g. 1234,50"
            )
        amount, bar, currency = value.partition("|")
        return re.sub(r"\s", "", amount).replace(",", ".") + bar + currency

    def moment(self, value: Any, place: str) -> Any:
        """
        A value of a field of times, with its zone.

        :raises ConfigurationError: the clock of the zone showed that time twice, or not at all.
        """
        moment = parse(value) if isinstance(value, str) else value
        if self.zone is None or not isinstance(moment, datetime.datetime) or moment.tzinfo is not None:
            return value
        earlier, later = (moment.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))
        if earlier.utcoffset() != later.utcoffset():
            raise ConfigurationError(
                f"{place} is {moment.isoformat()}, which the clock of {self.zone.key} showed twice or not at all",
                next_step="write the time with its offset",
            )
        return earlier

    def moments_in(self, value: Any, place: str) -> Any:
        """``value`` with a zone for each datetime in it, at any depth; texts stay as they are."""
        if isinstance(value, Mapping):
            return {name: self.moments_in(member, f"{place}[{name}]") for name, member in value.items()}
        if isinstance(value, list):
            return [self.moments_in(member, f"{place}[{number}]") for number, member in enumerate(value)]
        return value if isinstance(value, str) else self.moment(value, place)


class _BlankValue:
    """Stands for a cell without a value in what a mapping makes of a row."""

    def __repr__(self) -> str:
        return "BLANK"


BLANK = _BlankValue()


def is_blank(value: Any) -> bool:
    """
    Whether a cell has no value: an empty one, blanks and zero-width signs alone, null, None, NaN, NaT, NA, and a list
    of such.

    A text such as ``NULL`` or ``NA`` is a value: a file that means nothing by it has to say so.
    """
    if isinstance(value, str):
        return is_blank_text(value)
    if isinstance(value, (list, tuple)):
        return all(map(is_blank, value))
    return value is BLANK or is_nothing(value)


def is_blank_row(row: Any) -> bool:
    """Whether no cell of a row has a value."""
    return isinstance(row, Mapping) and all(map(is_blank, row.values()))
