"""What a sensor waits for, as plain JSON: a place in the answer, an operator, a value."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import from_json, nothing_hint, text_hint
from airflow_provider_bitrix24.rest.moments import parse
from airflow_provider_bitrix24.rest.scalars import native

_ORDERS = (">", ">=", "<", "<=")
_LISTS = ("in", "not in")
_WITHOUT_VALUE = ("empty", "not empty")
_COUNTS = ("count =", "count >", "count >=", "count <", "count <=")
OPERATORS = ("=", "!=", *_ORDERS, *_LISTS, *_WITHOUT_VALUE, *_COUNTS, "any row")
_EXAMPLE = 'write e.g. {"result_path": "item.stageId", "operator": "=", "value": "WON"}, "any row" or "count >= 3"'

_COUNT_TEXT = re.compile(r"\s*count\s*(>=|<=|=|>|<)\s*(\d{1,9})\s*", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_YES, _NO = frozenset({"y", "yes", "true", "1"}), frozenset({"n", "no", "false", "0"})
#: In place of what an empty object or a short list does not have.
_NOT_THERE = object()


@dataclass(frozen=True)
class Condition:
    """
    One condition on an answer.

    :param operator: one of :data:`OPERATORS`, ``any row`` excepted, which is ``count >=`` with the value 1.
    :param value: what is compared with: a text, a number, True or False; of ``in`` and ``not in`` a list of them.
    :param result_path: the place in the answer, ``"item.stageId"``; empty for the whole; None for its only list.
    """

    operator: str
    value: Any = None
    result_path: str | None = None

    @classmethod
    def of(cls, given: Any, name: str) -> Condition:
        """
        A condition as DAG authors write it: an object, its JSON text, ``"any row"`` or ``"count >= 3"``.

        :param name: the argument, for messages.
        :raises ConfigurationError: it is none, or has no value to compare with.
        """
        if isinstance(given, str) and (match := _COUNT_TEXT.fullmatch(given)):
            given = {"operator": f"count {match[1]}", "value": int(match[2])}
        elif isinstance(given, str) and " ".join(given.split()) == "any row":
            given = {"operator": "any row"}
        decoded = from_json(given, name)
        if not isinstance(decoded, Mapping) or not set(decoded) <= {"result_path", "operator", "value"}:
            raise ConfigurationError(
                f"{name} is not a condition, but {preview(given)}", next_step=text_hint(given) or _EXAMPLE
            )
        operator = " ".join(str(decoded.get("operator")).split())
        if operator not in OPERATORS:
            raise ConfigurationError(
                f"{name} has the operator {preview(decoded.get('operator'))}",
                next_step=f"write one of: {', '.join(map(repr, OPERATORS))}",
            )
        path = decoded.get("result_path")
        if "result_path" in decoded and (not isinstance(path, str) or (path and not path.strip())):
            raise ConfigurationError(
                f"{name} has the result_path {preview(path)}", next_step=nothing_hint(path) or _EXAMPLE
            )
        if path is None and not operator.startswith(("count", "any")):
            raise ConfigurationError(f"{name} has no result_path", next_step=_EXAMPLE)
        return cls(*_operand(operator, decoded, name), path)

    def as_json(self) -> dict[str, Any]:
        """The same as an object that :meth:`of` reads."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @property
    def counts(self) -> bool:
        """Whether it is about the number of rows."""
        return self.operator in _COUNTS

    def holds(self, value: Any, total: int | None = None) -> bool:
        """
        Whether it holds for an answer.

        :param value: the answer, in which :attr:`result_path` is a place.
        :param total: how many rows there are, where the portal says it: an answer has the first page of them.
        :raises Bitrix24Error: the answer has no such place, or something that cannot be compared: it never will.
        """
        part = self.part(value)
        if self.counts:
            number = max(_number_of_rows(part, self.result_path), total or 0)
            return _in_order(self.operator.removeprefix("count "), Decimal(number), Decimal(self.value))
        if part is _NOT_THERE:
            return self.operator == "empty"
        if self.operator in _WITHOUT_VALUE:
            return (part in (None, "", [], {})) == (self.operator == "empty")
        if self.operator in _ORDERS:
            return self._is_ordered(part)
        members = part if isinstance(part, list) else [part]
        wanted = self.value if isinstance(self.value, list) else [self.value]
        equals = any(_equal(member, value) for member in members for value in wanted)
        return equals == (self.operator in ("=", "in"))

    def part(self, value: Any) -> Any:
        """
        What stands at the place; ``_NOT_THERE`` where what should hold it is empty or short.

        :raises Bitrix24Error: an object that holds other things has no such name.
        """
        if self.result_path is None:
            lists = [inner for inner in value.values() if isinstance(inner, list)] if isinstance(value, dict) else []
            if len(lists) > 1 or (isinstance(value, dict) and value and not lists):
                raise Bitrix24Error(
                    "it is not clear where in the answer the rows are",
                    ran="yes",
                    next_step='give the condition a result_path, e.g. {"result_path": "items", "operator": "any row"}',
                )
            return lists[0] if lists else value
        for step in self.result_path.split(".") if self.result_path else ():
            if value in (None, [], {}, ""):
                return _NOT_THERE
            if isinstance(value, list) and step.isdecimal():
                if int(step) >= len(value):
                    return _NOT_THERE
                value = value[int(step)]
            elif isinstance(value, dict) and step in value:
                value = value[step]
            else:
                raise Bitrix24Error(
                    f"the answer has no {step!r} of result_path {self.result_path!r}",
                    ran="yes",
                    next_step="correct the result_path of the condition; names are case-sensitive",
                )
        return value

    def _is_ordered(self, part: Any) -> bool:
        if part in (None, ""):
            return False
        numbers = _decimal(part), _decimal(self.value)
        if numbers[0] is not None and numbers[1] is not None:
            return _in_order(self.operator, numbers[0], numbers[1])
        moments = _moment(part), _moment(self.value)
        if moments[0] is None or moments[1] is None or (moments[0].tzinfo is None) != (moments[1].tzinfo is None):
            raise Bitrix24Error(
                f"{self} cannot be decided: one of the two is neither a number nor a time, or only one has a zone",
                ran="yes",
                next_step="write a number, or a time with its zone, 2026-01-31T18:00:00+03:00",
            )
        return _in_order(self.operator, moments[0], moments[1])

    def __str__(self) -> str:
        value = "" if self.operator in _WITHOUT_VALUE else f" {preview(self.value)}"
        return f"{f'{self.result_path} ' if self.result_path else ''}{self.operator}{value}"


def _operand(operator: str, given: Mapping[str, Any], name: str) -> tuple[str, Any]:
    """The operator and its value in plain JSON types."""
    if operator == "any row" or operator in _WITHOUT_VALUE:
        if given.get("value") is not None:
            raise ConfigurationError(f"{name}: {operator!r} takes no value", next_step="leave the value out")
        return ("count >=", 1) if operator == "any row" else (operator, None)
    value = from_json(given.get("value"), name) if operator in _LISTS else given.get("value")
    if operator in _LISTS:
        if not isinstance(value, (list, tuple)) or not value:
            raise ConfigurationError(
                f"{name}: {operator!r} needs a list of values, not {preview(value)}",
                next_step=text_hint(value) or 'write e.g. ["WON", "LOSE"]',
            )
        return operator, [_plain(member, name) for member in value]
    value = _plain(value, name)
    if operator in _COUNTS:
        number = _decimal(value)
        least = 1 if operator in ("count >=", "count <") else 0
        if isinstance(value, bool) or number is None or number != number.to_integral_value() or number < least:
            raise ConfigurationError(
                f"{name}: {operator!r} needs a whole number, {least} or above, not {preview(value)}",
                next_step='write e.g. "count >= 3"',
            )
        return operator, int(number)
    if operator in _ORDERS and (isinstance(value, bool) or (_decimal(value) is None and _moment(value) is None)):
        raise ConfigurationError(
            f"{name}: {operator!r} needs a number or a time, not {preview(value)}",
            next_step="write a number, or a time with its zone, 2026-01-31T18:00:00+03:00",
        )
    return operator, value


def _plain(value: Any, name: str) -> Any:
    value = native(value)
    # A text such as "None" is a value where an author writes it; what a template leaves there is refused before.
    hint = "" if isinstance(value, str) and value.strip() else nothing_hint(value)
    if hint:
        raise ConfigurationError(
            f"{name} compares with {preview(value)}", next_step=f"{hint}; for a field without a value write 'empty'"
        )
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if not isinstance(value, (str, int, float, bool)):
        raise ConfigurationError(
            f"{name} compares with {preview(value)}, which is not a text, a number, True or False",
            next_step="compare with one value; several stand in a list under 'in'",
        )
    return value


def _number_of_rows(rows: Any, path: str | None) -> int:
    if rows is _NOT_THERE or rows in (None, ""):
        return 0
    if not isinstance(rows, (list, dict)):
        raise Bitrix24Error(
            f"the answer has no rows at {path!r}" if path else "the answer is not a list of rows",
            ran="yes",
            next_step="correct the result_path of the condition",
        )
    return len(rows)


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(found, bool):
        words = (str(found).strip().lower(), str(wanted).strip().lower())
        return any(words[0] in same and words[1] in same for same in (_YES, _NO))
    numbers = _decimal(found), _decimal(wanted)
    both_texts = isinstance(found, str) and isinstance(wanted, str)
    if not both_texts and numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    if both_texts:
        moments = _moment(found), _moment(wanted)
        if moments[0] is not None and moments[1] is not None and moments[0].tzinfo and moments[1].tzinfo:
            return moments[0] == moments[1]
    return bool(found == wanted)


def _in_order(operator: str, found: Any, wanted: Any) -> bool:
    less, same = bool(found < wanted), bool(found == wanted)
    return {"=": same, ">": not less and not same, ">=": not less, "<": less, "<=": less or same}[operator]


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = str(value).strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _moment(value: Any) -> datetime.datetime | None:
    """A day counts from its midnight, in no zone."""
    moment = parse(value) if isinstance(value, str) else None
    if moment is None or isinstance(moment, datetime.datetime):
        return moment
    return datetime.datetime.combine(moment, datetime.time())
