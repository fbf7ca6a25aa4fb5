"""
Whole columns of answers in one Arrow type.

A column is cast at once where all of its values are written as usual, and value by value where one is not: a value that
does not fit becomes null and is named, and the others are kept.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_bitrix24.crm.values import decimal_of, is_nothing, typed
from airflow_provider_bitrix24.exports.columns import FILES, Column

#: Digits before the point of a decimal.
_WHOLE_DIGITS = 20
_INT64 = range(-(2**63), 2**63)
#: What Arrow reads as the number that the portal means; it would also take 0x10, and nothing is left out.
_DIGITS = r"^-?[0-9]{1,18}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([+-][0-9]{2}:[0-9]{2}|Z)$"
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_YES_NO = {"Y": True, "N": False, True: True, False: False, "1": True, "0": False, "": None, None: None}


@dataclass(frozen=True)
class CastColumn:
    """
    The values of a column.

    :param array: of the column's Arrow type; null where there is no value, and where one does not fit.
    :param misfits: positions of values that do not fit.
    :param rounded: how many amounts had more decimals than the column.
    """

    array: Any
    misfits: list[int] = field(default_factory=list)
    rounded: int = 0


class MisfitError(Exception):
    """A value that does not fit its column."""


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column."""
    if column.kind == "decimal":
        return pa.decimal128(_WHOLE_DIGITS + column.scale, column.scale)
    types = {"integer": pa.int64(), "boolean": pa.bool_(), "date": pa.date32(), "datetime": pa.timestamp("us", "UTC")}
    return types.get(column.kind, pa.string())


def cast(column: Column, values: Sequence[Any]) -> CastColumn:
    """Cast the values of a column, as the portal has sent them."""
    whole = _WHOLE.get(column.kind)
    if whole is not None and not column.part:
        try:
            array = whole(column, values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError):
            array = None
        if array is not None:
            return CastColumn(array)
    return _one_by_one(column, values)


def without_nul(done: CastColumn) -> CastColumn:
    """The same, and texts with the character U+0000 count as values that do not fit."""
    if not pa.types.is_string(done.array.type):
        return done
    has_one = pc.fill_null(pc.match_substring(done.array, "\x00"), False)
    if not pc.any(has_one).as_py():
        return done
    positions = pc.indices_nonzero(has_one).to_pylist()
    array = pc.if_else(has_one, pa.scalar(None, pa.string()), done.array)
    return CastColumn(array, sorted({*done.misfits, *positions}), done.rounded)


def _one_by_one(column: Column, values: Sequence[Any]) -> CastColumn:
    single = _SINGLE[column.kind]
    kept: list[Any] = []
    misfits: list[int] = []
    rounded = 0
    for position, value in enumerate(values):
        try:
            kept.append(None if is_nothing(value) else single(column, value))
        except MisfitError:
            kept.append(None)
            misfits.append(position)
            continue
        if column.kind == "decimal" and kept[-1] is not None:
            fits = kept[-1].quantize(Decimal(1).scaleb(-column.scale), context=_EXACT)
            rounded += fits != kept[-1]
            kept[-1] = fits
    return CastColumn(pa.array(kept, arrow_type(column)), misfits, rounded)


# All values at once. None of them: one is not written as usual.


def _integers(column: Column, values: Sequence[Any]) -> Any:
    array = pa.array(values)
    if pa.types.is_string(array.type):
        array = _texts_as(pa.int64(), array, _DIGITS)
    elif not pa.types.is_int64(array.type) and not pa.types.is_null(array.type):
        # Floats would silently lose their fraction.
        return None
    if array is not None and column.is_reference:
        array = pc.if_else(pc.equal(array, 0), pa.scalar(None, pa.int64()), array)
    return array if array is None else array.cast(pa.int64())


def _decimals(column: Column, values: Sequence[Any]) -> Any:
    kinds = set(map(type, values))
    if not kinds <= {str, int, float, type(None)}:
        return None
    # Text, since it is exact; a float as Python and the portal print it.
    texts = [None if value is None or value == "" else str(value) for value in values]
    return pa.array(texts, pa.string()).cast(arrow_type(column))


def _booleans(_: Column, values: Sequence[Any]) -> Any:
    if not set(map(type, values)) <= {str, bool, type(None)}:
        return None
    return pa.array([_YES_NO[value] for value in values], pa.bool_())


def _dates(column: Column, values: Sequence[Any]) -> Any:
    moments = _datetimes(column, values)
    if moments is None:
        return None
    days = moments.cast(pa.timestamp("s")).cast(pa.date32())
    # A day is midnight UTC, in the offset of the portal's server; any other time is the day that it is written with.
    return days if days.cast(pa.timestamp("us")).equals(moments.cast(pa.timestamp("us"))) else None


def _datetimes(_: Column, values: Sequence[Any]) -> Any:
    return _texts_as(pa.timestamp("us", "UTC"), pa.array(values, pa.string()), _MOMENT)


def _texts(_: Column, values: Sequence[Any]) -> Any:
    array = pa.array(values, pa.string())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _texts_as(type_: Any, array: Any, pattern: str) -> Any:
    array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    if not pc.all(pc.match_substring_regex(array, pattern), min_count=0).as_py():
        return None
    return array.cast(type_)


_WHOLE: dict[str, Callable[[Column, Sequence[Any]], Any]] = {
    "integer": _integers,
    "decimal": _decimals,
    "boolean": _booleans,
    "date": _dates,
    "datetime": _datetimes,
    "text": _texts,
}


# One value.


def _integer(column: Column, value: Any) -> int | None:
    if column.field.type in FILES:
        value = _file_id(value)
    number = decimal_of(value)
    if number is None or number != number.to_integral_value() or int(number) not in _INT64:
        raise MisfitError
    return None if column.is_reference and not number else int(number)


def _file_id(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    number = decimal_of(value.get("id", value.get("ID")))
    return None if number is None else int(number)


def _decimal(column: Column, value: Any) -> Decimal:
    if column.part == "amount":
        value = _money(column, value)["amount"]
    number = decimal_of(value)
    if number is None or abs(number) >= 10**_WHOLE_DIGITS:
        raise MisfitError
    return number


def _money(column: Column, value: Any) -> dict[str, Any]:
    money = typed(column.field, value)
    if not isinstance(money, dict):
        raise MisfitError
    return money


def _boolean(column: Column, value: Any) -> bool:
    answer = typed(column.field, value)
    if not isinstance(answer, bool):
        raise MisfitError
    return answer


def _date(column: Column, value: Any) -> datetime.date | None:
    answer = typed(column.field, value) if isinstance(value, str) else value
    try:
        return None if answer is None else datetime.date.fromisoformat(answer)
    except (TypeError, ValueError):
        raise MisfitError from None


def _datetime(column: Column, value: Any) -> datetime.datetime | None:
    answer = typed(column.field, value) if isinstance(value, str) else value
    if answer is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(answer)
    except (TypeError, ValueError):
        raise MisfitError from None
    if moment.tzinfo is None:
        # Nobody says which zone is meant.
        raise MisfitError
    return moment


def _text(column: Column, value: Any) -> str:
    answer = _money(column, value)["currency"] if column.part == "currency" else typed(column.field, value)
    if isinstance(answer, (int, float)) and not isinstance(answer, bool):
        answer = str(answer)
    if not isinstance(answer, str) or not _is_utf8(answer):
        raise MisfitError
    return answer


def _is_utf8(text: str) -> bool:
    """Whether no half of a pair of UTF-16 is in a text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json(column: Column, value: Any) -> str | None:
    answer = typed(column.field, value)
    if column.field.type in FILES and isinstance(answer, list):
        answer = [_file_id(member) for member in answer]
    if is_nothing(answer) or answer is False:
        return None
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    # Half of a pair of UTF-16 is escaped.
    return text if text.isascii() or _is_utf8(text) else json.dumps(answer, separators=(",", ":"))


_SINGLE: dict[str, Callable[[Column, Any], Any]] = {
    "integer": _integer,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "text": _text,
    "json": _json,
}
