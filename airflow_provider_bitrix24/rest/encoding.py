"""Python values as what Bitrix24 is sent."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import numbers
import re
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.missing_values import is_missing
from airflow_provider_bitrix24.rest.positional import in_order
from airflow_provider_bitrix24.rest.scalars import has_lost_digits, native, widened

#: PHP turns blanks and dots of the outermost names into underscores, and trims blanks in front.
_OUTERMOST_NAME = re.compile(r"[A-Za-z0-9_-]+")
#: A dict is known at once, any other mapping by asking.
_OBJECT = (dict, Mapping)
_NONE = type(None)
#: The keys that lead to a value, for messages.
_Place = tuple[Any, ...]
#: Below this a float holds every whole number as it is.
_EXACT = 2**53
#: Deeper parameters are a mistake, or refer to themselves.
_DEPTH = 64
#: Python refuses to write much longer numbers; no portal reads more than 64.
_BITS = 1024
#: A Decimal of a few characters, ``1E+999999999``, would be written in a thousand million digits.
_EXPONENT = 308


def as_params(params: Any, *, method: str) -> Mapping[str, Any]:
    """
    ``params``, and ``{}`` where there are none.

    :raises ConfigurationError: they are not an object, and the portal would run the method without any; or they name
        one parameter twice.
    """
    # An empty list is how PHP writes an empty object. An empty text may be a template that found nothing.
    if params is None or (isinstance(params, (list, tuple)) and not params):
        return {}
    params = in_order(params, method=method)
    if not isinstance(params, _OBJECT):
        raise ConfigurationError("the parameters are not an object", method=method, next_step='write e.g. {"id": 7}')
    no_two_spellings(params, method=method)
    return params


def no_two_spellings(names: Iterable[Any], *, method: str) -> None:
    """
    :raises ConfigurationError: two names differ only in case: old modules take both for one, and keep one value.
    """
    spellings: dict[str, Any] = {}
    for name in names:
        key = str(name).lower()
        if key in spellings:
            raise ConfigurationError(
                f"{spellings[key]!r} and {name!r} are the same parameter, and the portal would keep only one",
                method=method,
                next_step="keep one",
            )
        spellings[key] = name


def plain(value: Any, *, method: str) -> Any:
    """
    ``value`` in JSON's own types: text, numbers, booleans, null, lists, objects.

    A float without a fraction becomes a whole number, as long as it is exact. A date or a datetime becomes ISO text, a
    Decimal and a UUID become text. A datetime must have a zone: without one the portal would read it in its server's
    zone.

    :raises ConfigurationError: a value that JSON cannot express; the message has its place, e.g. ``filter[>id]``.
    """
    return _plain(value, (), method)


def json_body(params: Any, *, method: str) -> bytes:
    """Parameters as the UTF-8 body of a request. Arguments and errors are those of :func:`plain`."""
    return json.dumps(plain(params, method=method), ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any, place: _Place, method: str) -> Any:
    # The most frequent kinds first: this runs for each value of each command.
    if isinstance(value, str):
        return _text(value, place, method)
    if isinstance(value, int):
        if value.bit_length() > _BITS:
            raise _bad(place, method, "is a number with too many digits", "send it as text")
        # Subclasses such as enumerations, and lazy values, become what they stand for.
        return bool(value) if isinstance(value, bool) else int(value)
    if isinstance(value, _NONE):
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _bad(place, method, f"is {value}, which JSON cannot express", "send None for a missing number")
        # As text, in a query string or where the portal keeps text, 12.0 would be another key than 12.
        return int(value) if value.is_integer() and abs(value) < _EXACT else float(value)
    if len(place) > _DEPTH:
        raise _bad(place, method, "is nested too deeply", "flatten it")
    if isinstance(value, _OBJECT):
        texts = {}
        for key, inner in value.items():
            texts[_key(key, place, method)] = _plain(inner, (*place, key), method)
        if len(texts) < len(value):
            raise _bad(place, method, "has two keys that are the same as text", "keep one")
        return texts
    if isinstance(value, (list, tuple)):
        return [_plain(inner, (*place, index), method) for index, inner in enumerate(value)]
    if isinstance(value, datetime.datetime):
        # The missing time of pandas is a datetime too, and like nan not equal to itself.
        if value != value:  # noqa: PLR0124
            raise _bad(place, method, f"is {value}, which JSON cannot express", "send None for a missing time")
        if value.utcoffset() is None:
            raise _bad(
                place,
                method,
                f"is {value.isoformat()}, a time without a time zone",
                'add one, e.g. with pendulum; for many rows, give timezone="Europe/Berlin"',
            )
        return value.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise _bad(place, method, f"is {value}, which JSON cannot express", "send None for a missing number")
        if abs(int(value.as_tuple().exponent)) > _EXPONENT:
            raise _bad(place, method, "is a number with too many digits", "send it as text")
        return format(value, "f")
    if isinstance(value, uuid.UUID):
        return str(value)
    if has_lost_digits(value):
        return widened(value)
    if (scalar := native(value)) is not value:
        return _plain(scalar, place, method)
    if isinstance(value, numbers.Integral):
        return _plain(int(value), place, method)
    if is_missing(value):
        raise _bad(place, method, "has no value", "send None, or leave it out")
    raise _bad(place, method, f"is a {_name_of(type(value))}", "send text, numbers, booleans, None, lists or dicts")


def _name_of(kind: type) -> str:
    """``set``, and ``numpy.bool``, which without its module would be taken for Python's."""
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _text(value: str, place: _Place, method: str) -> str:
    # The text itself also of enumerations, of Airflow's own texts and of its lazy values.
    text = value[:]
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _bad(
            place,
            method,
            "contains half a character (a lone surrogate)",
            "decode the original text with the right encoding",
        )
    return text


def _key(key: Any, place: _Place, method: str) -> str:
    if isinstance(key, str):
        return _text(key, place, method)
    if isinstance(key, numbers.Integral) and not isinstance(key, bool):
        return str(int(key))
    raise _bad(place, method, f"has a key of type {_name_of(type(key))}", "use text as keys")


def _bad(place: _Place, method: str, what: str, hint: str) -> ConfigurationError:
    name = "".join(f"[{key}]" if depth else str(key) for depth, key in enumerate(place))
    return ConfigurationError(f"the parameter {name or 'value'} {what}", method=method, next_step=hint)


#: What the portal replaces inside a batch by results of other commands; there is no way to escape it.
_REFERENCE = re.compile(r"\$(?:result|next|total|time|error)\[", re.IGNORECASE)


def has_reference(value: Any) -> bool:
    """Whether a text in ``value``, or a key of it, would be taken for a reference to another command of the batch."""
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(has_reference(key) or has_reference(inner) for key, inner in value.items())
    return isinstance(value, (list, tuple)) and any(has_reference(inner) for inner in value)


def query(params: dict[str, Any]) -> str | None:
    """
    Parameters as the query string of a batch command, ``filter%5B%3EID%5D=5&select%5B0%5D=ID``.

    It says what JSON says, with numbers as text. None where it cannot: for true, false, null, an empty list or object,
    and keys that PHP reads as something else.

    :param params: plain values, see :func:`plain`.
    """
    pairs: list[str] = []
    for name, value in params.items():
        if not (_OUTERMOST_NAME.fullmatch(name) and _put(name, value, pairs)):
            return None
    return "&".join(pairs)


def _put(name: str, value: Any, pairs: list[str]) -> bool:
    """Add ``name=value``, or the like for all that is inside; False where a query string cannot say it."""
    if isinstance(value, str):
        pairs.append(f"{name}={quote(value, safe='')}")
        return True
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, int):
        pairs.append(f"{name}={value}")
        return True
    if isinstance(value, float):
        pairs.append(f"{name}={quote(json.dumps(value), safe='')}")
        return True
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        quoted = _quoted(str(key))
        if quoted is None or not _put(f"{name}%5B{quoted}%5D", inner, pairs):
            return False
    return bool(value)


@lru_cache(maxsize=1024)
def _quoted(key: str) -> str | None:
    """
    A key as it stands in brackets; keys come again in each command of a batch.

    None: an empty key means "append", a bracket ends the key, and a zero byte ends the name.
    """
    return None if not key or any(sign in key for sign in "[]\0") else quote(key, safe="")


def variables(encoded: str) -> int:
    """How many variables PHP counts in a query string (``max_input_vars`` is 1,000 by default)."""
    return encoded.count("&") + 1 if encoded else 0
