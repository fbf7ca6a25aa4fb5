"""Checks of operators' arguments, after rendering: templates make texts of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import LAZY, from_json, nothing_hint, text_hint
from airflow_provider_bitrix24.rest.scalars import has_exponent, native


class NotGiven(Enum):
    """Stands for an argument that was left out; None is what a template or another task makes of nothing."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final = NotGiven.NOT_GIVEN


def positive_id(value: Any, name: str, hint: str = "") -> int:
    """
    ``value`` as a whole number above 0: ``1035``, ``"1035"``, ``" 1035 "`` and a database's ``Decimal(1035)``.

    :param name: the argument, for the message.
    :param hint: how to find the id, for the message.
    :raises ConfigurationError: anything else, booleans and ``1035.0`` included.
    """
    number = _whole(value)
    if number is None or not 0 < number < 10**18:
        raise ConfigurationError(
            f"{name} must be a whole number above 0, not {preview(value)}",
            next_step=_number_hint(value) or hint or "write e.g. 17",
        )
    return number


def number_from_zero(value: Any, name: str) -> int:
    """
    ``value`` as a whole number, 0 included.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else.
    """
    number = _whole(value)
    if number is None or not 0 <= number < 10**18:
        raise ConfigurationError(
            f"{name} must be a whole number, 0 or above, not {preview(value)}",
            next_step=_number_hint(value) or "write e.g. 0",
        )
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value, re.ASCII):
        return int(value)
    number = native(value)
    if isinstance(number, Decimal) and number.is_finite() and number == number.to_integral_value():
        return int(number)
    return int(number) if isinstance(number, int) and not isinstance(number, bool) else None


def _number_hint(value: Any) -> str:
    """What to do about what data frames, templates and mapped tasks make of a number, or of a missing one."""
    text = str(value).strip()
    if text.startswith(LAZY):
        return "these are the results of a mapped task: map over them with expand(), or take one, e.g. (…)[0]"
    if (isinstance(value, str) and text.startswith(("[", "("))) or isinstance(native(value), (list, tuple)):
        return "this is a list: map the task over it with expand(), or take one member, e.g. (…)[0]"
    if re.fullmatch(r"\s*[1-9][0-9]*\.0*\s*", str(value)):
        return "make it whole with int(…), in a template with | float | int"
    if has_exponent(value):
        return "write all its digits; in a spreadsheet, format the column as text before saving"
    return nothing_hint(value)


def required(value: Any, name: str) -> Any:
    """
    ``value``, unless it is nothing.

    :param name: the argument, for the message.
    :raises ConfigurationError: None, an empty text, or one such as ``None`` that a template makes of nothing.
    """
    if hint := nothing_hint(value):
        raise ConfigurationError(f"{name} is {preview(value)}", next_step=hint)
    return value


def query(value: Any, name: str) -> str:
    """
    ``value`` as the text of a query.

    :raises ConfigurationError: it is none, a text such as ``None`` that a template makes of nothing, or comments alone.
    """
    if not isinstance(required(value, name), str):
        raise ConfigurationError(f"{name} is {preview(value)}, which is not a query", next_step="write one as text")
    if hint := nothing_hint(_AROUND_A_QUERY.sub(" ", str(value))):
        raise ConfigurationError(f"{name} is {preview(value)}", next_step=hint)
    return str(value)


def text(value: Any, name: str) -> str:
    """
    ``value`` as a text for people: a text, a number or a time.

    :raises ConfigurationError: it is none, or several: a list, an object, the results of a mapped task.
    """
    value = native(required(value, name))
    if isinstance(value, str) and not value.strip().startswith(LAZY):
        return value
    if isinstance(value, (str, bytes, Iterable)) or callable(value):
        raise ConfigurationError(
            f"{name} is {preview(value)}, which is not a text",
            next_step="write a text; of a list, a template makes one with | join(', '), of an object with | tojson",
        )
    return str(value)


def parameters(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as the parameters of a method: an object, or its JSON text, which templates make of objects.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else; also an empty text, which may be a filter that a template has lost.
    """
    if value is None:
        return {}
    decoded = from_json(value, name)
    if isinstance(decoded, Mapping):
        for key in decoded:
            if not isinstance(key, str):
                raise ConfigurationError(
                    f"{name} has the name {preview(key)}, which is not text", next_step="put it in quotes"
                )
    else:
        # Nothing else is shown: it may hold a secret.
        shown = f", but {preview(value)}" if nothing_hint(value) else ""
        hint = text_hint(value) or f"write e.g. {_EXAMPLES.get(name, _OBJECT)}, or the same as JSON text"
        raise ConfigurationError(f"{name} is not an object{shown}", next_step=hint)
    return dict(decoded)


def conditions(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as a filter, or ``{}`` where the argument was left out.

    :param name: the argument, for the message.
    :raises ConfigurationError: not an object, or an empty one, which would mean everything.
    """
    filter_ = parameters(value, name)
    if value is not None and not filter_:
        raise ConfigurationError(f"{name} is empty", next_step=f"leave {name} out to mean everything")
    return filter_


def some_conditions(value: Any, name: str) -> dict[str, Any]:
    """
    ``value`` as a filter with at least one condition, where everything is never meant.

    :param name: the argument, for the message.
    :raises ConfigurationError: not an object, or an empty one.
    """
    filter_ = parameters(value, name)
    if not filter_:
        raise ConfigurationError(f"{name} is empty", next_step="say which, it never means everything")
    return filter_


def some_fields(value: Any) -> dict[str, Any]:
    """
    ``value`` as an item's fields, at least one.

    :raises ConfigurationError: not an object, or an empty one.
    """
    fields = parameters(value, "fields")
    if not fields:
        raise ConfigurationError("fields is empty", next_step='write e.g. {"title": "Oak door"}')
    return fields


def ids(value: Any, name: str, hint: str = "") -> list[int]:
    """
    ``value`` as a list of whole numbers above 0, each once: a list, a lazy XCom sequence, or JSON text of one.

    :param name: the argument, for the message.
    :param hint: how to find the ids, for the message.
    :raises ConfigurationError: anything else.
    """
    decoded = from_json(value, name)
    if isinstance(decoded, (str, bytes, Mapping)) or not isinstance(decoded, Iterable):
        raise ConfigurationError(
            f"{name} is not a list of ids, but {preview(value)}",
            next_step=text_hint(value) or hint or "write e.g. [7, 9]",
        )
    return list(dict.fromkeys(positive_id(member, f"an id in {name}", hint) for member in decoded))


def one_of(value: Any, name: str, allowed: tuple[Any, ...]) -> Any:
    """
    ``value``, if it is one of those allowed.

    :param name: the argument, for the message.
    :raises ConfigurationError: it is not.
    """
    if value not in allowed or isinstance(value, bool):
        raise ConfigurationError(
            f"{name} is {preview(value)}", next_step=f"write one of: {', '.join(map(repr, allowed))}"
        )
    return value


def number_within(value: Any, name: str, least: float, most: float) -> float:
    """
    ``value`` as a number from ``least`` to ``most``.

    :raises ConfigurationError: anything else, texts included.
    """
    number = native(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not least <= number <= most:
        raise ConfigurationError(f"{name} must be a number from {least:g} to {most:g}, not {preview(value)}")
    return number


def flag(value: Any, name: str) -> bool:
    """
    ``value``, if it is True or False.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else: a text such as ``"false"`` would count as true.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{name} must be True or False, not {preview(value)}",
            next_step="write it without quotes; it cannot be a template",
        )
    return value


#: How an argument is written, where that of most others would not do.
_EXAMPLES = {
    "commands": '{"deal": ["crm.deal.get", {"ID": 7}]}',
    "fields": '{"title": "Oak door"}',
    "item_filter": '{">=id": 7}',
    "key": '["originId"]',
    "mapping": '{"title": "$name"}',
    "payment_filter": '{"=paid": "N"}',
}
#: Comments, blanks and signs that may stand around a statement.
_AROUND_A_QUERY = re.compile(r"--[^\n]*|/\*.*?\*/|[\s;()]+", re.DOTALL)
_OBJECT, _NAMES = '{"id": 7}', '["id", "title"]'


def flag_or_names(value: Any, name: str) -> bool | list[str]:
    """
    ``value``, if it is True, False or a list of names.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else.
    """
    if isinstance(value, (bool, str)) or not isinstance(value, Iterable):
        return flag(value, name)
    return names(value, name)


def names(value: Any, name: str) -> list[str]:
    """
    ``value`` as a list of names: a list of texts, its JSON text, or one name.

    :param name: the argument, for the message.
    :raises ConfigurationError: anything else.
    """
    decoded = from_json(value, name) if isinstance(value, str) and value.lstrip().startswith("[") else value
    hint, example = text_hint(value), f"write e.g. {_EXAMPLES.get(name, _NAMES)}"
    if isinstance(decoded, str) and not hint and "," not in decoded:
        decoded = [decoded]
    if isinstance(decoded, (str, bytes, Mapping)) or not isinstance(decoded, Iterable):
        shown = f", but {preview(value)}" if isinstance(value, str) else ""
        raise ConfigurationError(f"{name} is not a list of names{shown}", next_step=hint or example)
    members = list(decoded)
    if not members:
        raise ConfigurationError(
            f"{name} is empty", next_step=example if name in _EXAMPLES else f"{example}, or leave it out"
        )
    if not all(isinstance(member, str) and member.strip() for member in members):
        raise ConfigurationError(f"{name} has a member that is not a name", next_step=example)
    return [member.strip() for member in members]
