"""
Lists of ids that replace all relations of an object: the portal silently leaves out what is not an id, and so removes
what was related.

Source: ``CONTACT_IDS`` of "crm.deal.update", ``COMPANY_IDS`` of "crm.contact.update", ``contactIds`` of
"crm.item.update", and "crm.deal.contact.items.set": identifiers, and ids begin at 1.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_bitrix24.crm.values import decimal_of
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.rest.scalars import has_exponent

#: Where old methods have such a list, whatever the portal describes.
OLD_NAMES = frozenset({"CONTACT_IDS", "COMPANY_IDS", "OBSERVER_IDS"})


def is_id(value: Any) -> bool:
    """Whether ``value`` is a whole number above 0, or its text."""
    number = None if has_exponent(value) else decimal_of(value)
    return number is not None and number > 0 and number == number.to_integral_value()


def check_ids(name: str, values: Any, method: str, *, references: bool = True, allowed: Collection[Any] = ()) -> None:
    """
    Check a list of ids; what is not a list is not looked at, and an empty list removes all, which is another question.

    :param references: a text such as ``$result[…]`` stands for an id.
    :param allowed: members that pass although they are not ids.
    :raises ConfigurationError: a member is not an id above 0.
    """
    for member in values if isinstance(values, (list, tuple)) else ():
        is_reference = references and isinstance(member, str) and has_reference(member)
        if not (is_id(member) or is_reference or member in allowed):
            raise ConfigurationError(
                f"{name} holds {preview(member)}, which is not an id above 0: the portal would silently leave it out, "
                "and the list replaces what is there",
                method=method,
                next_step=nothing_hint(member) or "take it out; write [] in the DAG to remove all",
            )
