"""Kinds of CRM objects by word or number."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.rest.scalars import native
from airflow_provider_bitrix24.types import EntityTypeId

#: Kinds of CRM items that every portal has ("CRM object types"). A smart process has a number, 128 and up.
ENTITY_TYPES: dict[str, EntityTypeId] = {
    "lead": 1,
    "deal": 2,
    "contact": 3,
    "company": 4,
    "quote": 7,
    "invoice": 31,
}

#: Smart processes have numbers from here on ("CRM object types").
FIRST_SMART_PROCESS = 128

#: Kinds that may have payments ("crm.item.payment.add", and the server's source).
WITH_PAYMENTS = ("deal", "invoice")


def entity_type_id(value: Any, name: str = "entity_type_id", *, only: tuple[str, ...] = ()) -> EntityTypeId:
    """
    The number of a kind of CRM item: ``"deal"``, ``"Deals"``, ``2``, ``"2"`` and a database's ``Decimal(2)`` are 2.

    :param name: the argument, for the message.
    :param only: words of the kinds that are allowed; all by default, smart processes included.
    :raises ConfigurationError: there is no such kind, or it is not allowed here.
    """
    given = native(value)
    if isinstance(given, Decimal) and given.is_finite() and given == given.to_integral_value():
        given = int(given)
    number = given if isinstance(given, int) and not isinstance(given, bool) else None
    if isinstance(value, str):
        word = re.sub(r"[\s_-]+", "", value).lower()
        if word.isascii() and word.isdecimal():
            number = int(word)
        else:
            singular = {"companies": "company"}.get(word, word.removesuffix("s"))
            number = ENTITY_TYPES.get(singular)
    allowed = {word: ENTITY_TYPES[word] for word in only} if only else ENTITY_TYPES
    if number is None or (number not in allowed.values() and (only or number < FIRST_SMART_PROCESS)):
        if hint := nothing_hint(value):
            raise ConfigurationError(f"{name} is {preview(value)}", next_step=hint)
        words = ", ".join(f"{word} ({id_})" for word, id_ in allowed.items())
        smart = "" if only else ", or the number of a smart process (128 and up)"
        meant = did_you_mean(str(value).lower(), list(allowed))
        raise ConfigurationError(
            f"{name} is {preview(value)}, which {'cannot be used here' if only else 'is not a kind of CRM item'}",
            next_step=f"{f'{meant} Write' if meant else 'write'} one of {words}{smart}",
        )
    return number
