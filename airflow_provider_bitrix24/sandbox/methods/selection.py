"""
Filters and orders of list methods over rows, as the two families of Bitrix24 lists read them.

New lists refuse what they do not know (``refuse`` makes the exception); old CRM lists drop it silently
(``refuse=None``), so that a misspelt filter returns everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.fields.catalogue import NUMBERS
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.registry import not_modelled
from airflow_provider_bitrix24.sandbox.php import BadValue, as_number, as_server_day, as_server_time, leading_number

_KEY = re.compile(r"(!=%|!%=|!><|><|=%|%=|!%|!@|>=|<=|!=|[%@><=!])?(.*)", re.DOTALL)

#: Between two values, both included: only the pages of a few lists have them.
_RANGES = frozenset({"><", "!><"})

#: Operators that take a list of values; with the others a list is a bad value.
_LIST_OPERATORS = frozenset({"", "=", "!=", "!", "@", "!@", *_RANGES})

Check: TypeAlias = Callable[[Row], bool]
#: Given what is wrong (``filter``, ``value``, ``order``, ``direction``), the field and the value: the exception.
Refuse: TypeAlias = Callable[[str, str, object], Exception]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a list under its wire name: the row's key, its kind, and what rows without the key have."""

    key: str
    kind: str = "string"
    default: Any = None
    #: Key whose value stands in for a missing one.
    fallback: str | None = None
    #: Makes the value of rows without the key.
    derive: Callable[[Row], Any] | None = None

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMBERS

    def of(self, row: Row) -> Any:
        if self.kind == "multi_field":
            return [entry["value"] for entry in row.get("fm", ()) if entry["typeId"] == self.key]
        if self.derive is not None and self.key not in row:
            return self.derive(row)
        value = row.get(self.key, self.default)
        return row.get(self.fallback) if value is None and self.fallback else value


class Matcher:
    """
    A filter that has been read: bounds on the id, and checks for the rest.

    :param ranges: the list's page has ``><``; on other lists nothing says what a portal makes of it.
    """

    def __init__(self, fields: Mapping[str, Field], *, refuse: Refuse | None, ranges: bool = False) -> None:
        self._fields = fields
        self._refuse = refuse
        self._ranges = ranges
        self.above: float | None = None
        self.below: float | None = None
        self.checks: list[Check] = []

    def read(self, filter_: Any) -> Matcher:
        self.checks = []
        for key, value in array_or_nothing(filter_, "filter").items():
            check = self._check_of(key, value, may_bound=True)
            if check is not None:
                self.checks.append(check)
        return self

    def accepts(self, row: Row) -> bool:
        if self.above is not None and row["id"] <= self.above:
            return False
        if self.below is not None and row["id"] >= self.below:
            return False
        return all(check(row) for check in self.checks)

    def _check_of(self, key: str, value: Any, *, may_bound: bool) -> Check | None:
        if key.isdigit():
            return self._group_of(key, value)
        match = _KEY.fullmatch(key)
        operator, name = (match.group(1) or "", match.group(2)) if match else ("", key)
        field = self._fields.get(name)
        try:
            if field is None or (self._refuse is None and value in ([], {})):
                # Old lists skip an empty list of values, too (server source).
                raise BadValue
            if operator in _RANGES and not self._ranges:
                if self._refuse is not None:
                    raise BadValue
                raise not_modelled(f"The page of this list has no filter prefix {operator}, see {key!r}: use >= and <=")
            if isinstance(value, (dict, list)) and operator not in _LIST_OPERATORS:
                if self._refuse is not None:
                    raise BadValue
                # An old list casts the array to a number: 1, or 0 if it is empty.
                value = 1 if value else 0
            if may_bound and field.key == "id" and self._bound(operator, value):
                return None
            return check_of(field, operator, value, lenient=self._refuse is None)
        except BadValue:
            if self._refuse is None:
                return None
            raise self._refuse("filter" if field is None else "value", name, value) from None

    def _group_of(self, key: str, value: Any) -> Check | None:
        if self._refuse is None or not isinstance(value, (dict, list)):
            return None
        group = as_map(value)
        is_or = str(group.pop("logic", "AND")).upper() == "OR"
        checks = [check for name in group if (check := self._check_of(name, group[name], may_bound=False))]
        if is_or:
            return lambda row: any(check(row) for check in checks)
        return lambda row: all(check(row) for check in checks)

    def _bound(self, operator: str, value: Any) -> bool:
        """Take a bound on the id out of the checks, so that a page is found by position and not by search."""
        if isinstance(value, (dict, list)) or operator not in (">", ">=", "<", "<=", "", "="):
            return False
        number = leading_number(value) if self._refuse is None else _number(value)
        if operator in (">", ">=", "", "="):
            above = number if operator == ">" else number - 1
            self.above = above if self.above is None else max(self.above, above)
        if operator in ("<", "<=", "", "="):
            below = number if operator == "<" else number + 1
            self.below = below if self.below is None else min(self.below, below)
        return True


def check_of(field: Field, operator: str, value: Any, *, lenient: bool) -> Check:
    """
    One condition on one field.

    :param lenient: read text for a number as PHP does: what it begins with, else 0.
    :raises BadValue: the value does not fit the field's kind.
    """
    of = field.of
    if operator.startswith("!"):
        positive = check_of(field, operator[1:] or "=", value, lenient=lenient)
        return lambda row: not positive(row)
    if "%" in operator:
        pattern = _like(str(value), wild=operator in ("=%", "%="))
        return lambda row: any(pattern.fullmatch(_text(item)) for item in _items(of(row)))
    if operator in ("", "=", "@"):
        values = as_map(value).values() if isinstance(value, (dict, list)) else (value,)
        wanted = frozenset(_comparable(field, item, lenient) for item in values)
        return lambda row: any(_stored(field, item) in wanted for item in _items(of(row)))
    if operator == "><":
        bounds = list(as_map(value).values())
        if len(bounds) != 2:
            raise BadValue
        above, below = (
            check_of(field, sign, end, lenient=lenient) for sign, end in zip((">=", "<="), bounds, strict=True)
        )
        return lambda row: above(row) and below(row)
    bound = _comparable(field, value, lenient)
    if field.is_numeric and bound == "":
        # The database reads an empty text as 0 where it compares numbers.
        bound = 0.0
    compare, nothing = _COMPARISONS[operator], (None, "") if field.is_numeric else (None,)
    return lambda row: any(item not in nothing and compare(_stored(field, item), bound) for item in _items(of(row)))


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}


def _like(text: str, *, wild: bool) -> re.Pattern[str]:
    parts = text.split("%") if wild else ["", text, ""]
    return re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL | re.IGNORECASE)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _items(value: Any) -> Iterable[Any]:
    """The values of a multiple field, the one value of any other; no values are one empty value."""
    if isinstance(value, list):
        return value or ("",)
    return (value,)


def _stored(field: Field, value: Any) -> Any:
    """A row's value, comparable: no value is the empty text, texts compare without case as the database does."""
    if value is None or value == "":
        return ""
    if field.is_numeric:
        return float(value)
    return str(value).lower()


def _comparable(field: Field, value: Any, lenient: bool) -> Any:
    """A filter's value in the form of :func:`_stored`."""
    if value is None or value == "":
        return 0.0 if lenient and field.is_numeric else ""
    if isinstance(value, (dict, list)):
        raise BadValue
    if field.is_numeric:
        return leading_number(value) if lenient else _number(value)
    if field.kind == "datetime":
        return as_server_time(value).lower()
    if field.kind == "date":
        return as_server_day(value).lower()
    if field.kind == "flag":
        # true, 1 and Y are the same to user.get; the text "True" is none of them.
        return {"true": "true", "1": "true", "Y": "true", "false": "false", "0": "false", "N": "false"}.get(
            str(value).lower() if isinstance(value, bool) else str(value), "nothing"
        )
    if field.kind == "uf_boolean":
        # User fields of type boolean are read as Y/N but filtered with 1/0 (page of crm.item.list).
        return {"1": "y", "0": "n"}.get(str(int(value) if isinstance(value, bool) else value), "nothing")
    return str(value).lower()


def _number(value: Any) -> float:
    number = as_number(value)
    if number is None:
        raise BadValue
    return number


def read_order(order: Any, fields: Mapping[str, Field], refuse: Refuse | None) -> list[tuple[Field, bool]]:
    """The order as (field, descending) pairs."""
    pairs: list[tuple[Field, bool]] = []
    for name, direction in array_or_nothing(order, "order").items():
        word = str(direction).upper()
        if name not in fields:
            if refuse is not None:
                raise refuse("order", name, direction)
            continue
        if word not in ("ASC", "DESC"):
            if refuse is not None:
                raise refuse("direction", name, direction)
            word = "ASC"
        pairs.append((fields[name], word == "DESC"))
    return pairs


def sort_rows(rows: list[Row], order: list[tuple[Field, bool]]) -> list[Row]:
    """Sorted by the order, rows of equal rank by ascending id; empty values come first."""
    for field, descending in reversed(order):
        rows = sorted(rows, key=lambda row, field=field: _rank(field, row), reverse=descending)  # type: ignore[misc]
    return rows


def _rank(field: Field, row: Row) -> tuple[int, float, str]:
    value = field.of(row)
    if value is None or value == "" or isinstance(value, list):
        return (0, 0.0, "")
    if field.is_numeric:
        return (1, float(value), "")
    return (1, 0.0, str(value).lower())
