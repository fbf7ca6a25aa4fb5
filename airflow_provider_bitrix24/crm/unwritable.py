"""
Values that the portal would silently drop although their names are known: of fields that are read-only or set once, and
texts in the place of lists.

Source: ``isReadOnly``, ``isImmutable`` and ``isMultiple`` of methods such as ``crm.deal.fields``, and the types in the
tables of parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.message_parts import preview

#: What an import of the old methods sets, ``crm.contact.add`` with ``{"params": {"IMPORT": "Y"}}``.
_IMPORTED = frozenset({"DATE_CREATE", "DATE_MODIFY", "CREATED_BY_ID", "MODIFY_BY_ID"})


def why_unwritable(description: Any, *, updates: bool) -> str:
    """What a portal's description of a field says against writing it; empty where it says nothing."""
    if not isinstance(description, Mapping):
        return ""
    if description.get("isReadOnly") in (True, "Y") or description.get("primary") is True:
        return "is read-only"
    return (
        "can only be set when the object is added" if updates and description.get("isImmutable") in (True, "Y") else ""
    )


def unwritable(subject: str, name: str, why: str, method: str) -> ConfigurationError:
    return ConfigurationError(
        f"{subject} {name!r}, which {why}: the portal would silently drop it", method=method, next_step="leave it out"
    )


def is_imported(name: str, params: Mapping[str, Any]) -> bool:
    """Whether a field that is read-only elsewhere is set by an import."""
    own = next((value for key, value in params.items() if key.lower() == "params"), None)
    flag = (
        next((value for key, value in own.items() if str(key).upper() == "IMPORT"), "")
        if isinstance(own, Mapping)
        else ""
    )
    return name in _IMPORTED and str(flag).upper() in ("Y", "1", "TRUE")


def needs_import(name: str) -> bool:
    return name in _IMPORTED


def check_is_list(name: str, value: Any, method: str) -> None:
    """:raises ConfigurationError: the text of a field that holds a list; an empty one clears it."""
    if not isinstance(value, str) or not value.strip() or has_reference(value):
        return
    members = [part for part in re.split(r"[\s,;]+", value.strip("[]() \t\n")) if part]
    form = json.dumps([int(part) if part.isdecimal() else part for part in members], ensure_ascii=False)
    raise ConfigurationError(
        f"{name} is the text {preview(value)}, and the portal takes a list there: it would silently drop it",
        method=method,
        next_step=f'write {{"{name}": {form}}}' if len(form) < 60 else f'write {{"{name}": [1, 2]}}',
    )
