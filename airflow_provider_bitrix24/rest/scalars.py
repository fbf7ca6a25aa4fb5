"""
Scalars and arrays of numpy and pandas as Python's own, numbers of JSON with all their digits, and numbers in text that
have lost some.
"""

from __future__ import annotations

import math
import re
from collections.abc import KeysView, Mapping, Sequence, Set, ValuesView
from decimal import Decimal
from typing import Any

#: A number with an exponent: ``4.07E+19`` and, where the comma is decimal, ``4,07E+19`` of spreadsheets, ``4.07E19`` of
#: programs.
_WITH_EXPONENT = re.compile(
    r"\s*[+-]?\d+(?:[.,](?P<fraction>\d*))?[eE](?P<sign>[+-]?)(?P<exponent>\d{1,3})\s*", re.ASCII
)
#: The same with a sign or a fraction, anywhere in a text.
_SHORTENED = re.compile(r"(?<![\w.,])\d+(?:[.,]\d*[eE][+-]?|[eE][+-])\d{1,3}(?!\w)", re.ASCII)
#: From this exponent on, spreadsheets shorten a number by themselves: it has more digits than a cell shows.
_LEAST_EXPONENT = 11
#: The same inside of a longer text: phones and ids have ten digits and more, and narrow columns are shortened too.
_LEAST_IN_A_TEXT = 9
#: Types of nearly all values, which stay as they are.
_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, dict, Decimal})
#: Sequences that stay what they are.
_SEQUENCES = (str, bytes, bytearray, memoryview, list, tuple)
#: Narrow floats, and from where on they do not hold every whole number.
_NARROW = {"float16": 2.0**11, "float32": 2.0**24}


def native(value: Any) -> Any:
    """
    A scalar of numpy as the number, boolean, text or time that it stands for; an array, a column of pandas, a set, a
    range and the like as a list; else the same.

    Scalars of pandas need nothing: its Timestamp is a datetime, and what it has for a missing value is known to
    :func:`is_missing`.
    """
    # This runs for each value of each row, and neither numpy nor pandas need be there.
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind.__module__ != "numpy":
        if kind.__module__.partition(".")[0] == "pandas" and hasattr(value, "tolist"):
            return [native(member) for member in value.tolist()]
        return _as_list(value)
    if kind.__name__ == "ndarray":
        return [native(member) for member in value] if value.ndim else native(value[()])
    if kind.__name__ == "datetime64" and str(value.dtype) == "datetime64[D]":
        return value.item()
    if kind.__name__ == "datetime64":
        # Of nanoseconds, item() makes a number.
        return value.astype("datetime64[us]").item()
    if kind.__name__ in _NARROW:
        return value if has_lost_digits(value) else widened(value)
    return value.item() if hasattr(value, "item") else value


def _as_list(value: Any) -> Any:
    """A set, a range, the keys or values of an object or Airflow's results of a mapped task; else the same."""
    if isinstance(value, Set) and not isinstance(value, KeysView):
        # In one order, so that the next try has the same.
        return sorted(value, key=str)
    if isinstance(value, (KeysView, ValuesView)) or (isinstance(value, Sequence) and not isinstance(value, _SEQUENCES)):
        return list(value)
    return value


def has_lost_digits(value: Any) -> bool:
    """Whether a narrow float of numpy is too large to hold every whole number: it stays one, see :func:`native`."""
    kind = type(value)
    if kind.__module__ != "numpy" or kind.__name__ not in _NARROW:
        return False
    return _NARROW[kind.__name__] <= abs(float(value)) < math.inf


def has_exponent(value: Any) -> bool:
    """Whether ``value`` is the text of a number with an exponent; ``1E5`` may be a name as well."""
    return isinstance(value, str) and _WITH_EXPONENT.fullmatch(value) is not None


def is_shortened(value: Any) -> bool:
    """
    Whether ``value`` is text that nobody writes but to shorten a number: ``4.07E+19``, ``1,2346E+12``, ``4.07E19``.

    Such a key or phone is another one, whether or not digits were lost.
    """
    match = _WITH_EXPONENT.fullmatch(value) if isinstance(value, str) else None
    return match is not None and bool(match["fraction"] or match["sign"])


def holds_shortened(text: str) -> bool:
    """
    Whether a text is such a number, or has one in it that lacks digits of a long number: ``K-4.07E+19``,
    ``7.9161E+10; 7.9162E+10``. ``R-2E+1`` is a name.
    """
    return is_shortened(text) or any(
        _missing_digits(_WITH_EXPONENT.fullmatch(number), _LEAST_IN_A_TEXT) for number in _SHORTENED.findall(text)
    )


def lacks_digits(value: Any) -> bool:
    """
    Whether ``value`` is the text of a number that a spreadsheet shortens by itself, with fewer digits than it has:
    ``1.2346E+12``. ``1.5E+3`` and ``1.23456789012E+11`` have them all.
    """
    return isinstance(value, str) and _missing_digits(_WITH_EXPONENT.fullmatch(value), _LEAST_EXPONENT)


def _missing_digits(match: re.Match[str] | None, least: int) -> bool:
    if match is None or match["sign"] == "-":
        return False
    exponent = int(match["exponent"])
    return exponent >= least and len(match["fraction"] or "") < exponent


def widened(value: Any) -> float:
    """A narrow float by its shortest text, 0.1, and not as the 0.10000000149011612 that a float of 64 bits would be."""
    return float(str(value))


def without_arrays(value: Any) -> Any:
    """
    ``value`` with a list in the place of each array, set and the like, at any depth, so that what is in it is checked
    as in a list.
    """
    if isinstance(value, Mapping):
        return {name: without_arrays(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_arrays(member) for member in value]
    made = native(value)
    return made if isinstance(made, list) else value


def json_number(text: str) -> float | Decimal:
    """
    A number of JSON with a fraction or an exponent: a float where that holds all digits, else a Decimal. What is beyond
    a float altogether is infinite, or 0.
    """
    number = float(text)
    exact = Decimal(text)
    if number in (float("inf"), float("-inf"), 0.0) or Decimal(repr(number)) == exact:
        return number
    return exact
