"""Scalars and arrays of numpy and pandas as Python's own, and numbers of JSON with all their digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: Narrow floats, and from where on they do not hold every whole number.
_NARROW = {"float16": 2.0**11, "float32": 2.0**24}


def native(value: Any) -> Any:
    """
    A scalar of numpy as the number, boolean, text or time that it stands for, an array or a column of pandas as a list;
    else the same.

    Scalars of pandas need nothing: its Timestamp is a datetime, and what it has for a missing value is known to
    :func:`is_missing`.
    """
    # Only their own types are asked: this runs for each value of each row, and neither need be there.
    kind = type(value)
    if kind.__module__ != "numpy":
        if kind.__module__.partition(".")[0] == "pandas" and hasattr(value, "tolist"):
            return [native(member) for member in value.tolist()]
        return value
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


def has_lost_digits(value: Any) -> bool:
    """Whether a narrow float of numpy is too large to hold every whole number: it stays one, see :func:`native`."""
    kind = type(value)
    if kind.__module__ != "numpy" or kind.__name__ not in _NARROW:
        return False
    return _NARROW[kind.__name__] <= abs(float(value)) < math.inf


def widened(value: Any) -> float:
    """A narrow float by its shortest text, 0.1, and not as the 0.10000000149011612 that a float of 64 bits would be."""
    return float(str(value))


def without_arrays(value: Any) -> Any:
    """``value`` with a list in the place of each array, at any depth, so that what is in it is checked as in a list."""
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
