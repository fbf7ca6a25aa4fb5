"""
Phones, e-mails and the like that an update would add although the item has them already.

Source: ``fm`` in ``crm.item.update``, ``PHONE`` and its like in ``crm.contact.update`` and its sisters: an entry
without an id is added, also where the same value is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.crm import multifields
from airflow_provider_bitrix24.crm.items import GET, UPDATE, item_in
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.message_parts import preview

_OLD_UPDATE = re.compile(r"crm\.(lead|contact|company)\.update")


class PresentEntries:
    """
    What an update method adds, and how the item is read.

    :param method: any; one without multi-fields adds none.
    """

    def __init__(self, method: str) -> None:
        old = _OLD_UPDATE.fullmatch(method.lower())
        self._is_item = method.lower() == UPDATE
        self._get = GET if self._is_item else f"crm.{old[1]}.get" if old else ""

    def are_added_by(self, params: Mapping[str, Any]) -> bool:
        """Whether a call has entries that the portal would add once more on each call."""
        return bool(self.added_by(params))

    def added_by(self, params: Mapping[str, Any]) -> list[str]:
        """The fields that have such entries."""
        return [name for name, value in self._entries(params).items() if _adds(value)] if self._get else []

    def look_up(self, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The call that reads the item."""
        return self._get, {name: value for name, value in params.items() if name.lower() in ("id", "entitytypeid")}

    def left_out_of(self, params: Mapping[str, Any], found: Any) -> dict[str, Any]:
        """
        The parameters without the entries that the item has; its fields may be empty then.

        :param found: what reading the item has answered.
        :raises Bitrix24Error: that is not an item.
        """
        item = item_in(found, GET) if self._is_item else found
        if not isinstance(item, Mapping):
            raise Bitrix24Error(f"the answer is {preview(item)} and not an object", method=self._get, ran="no")
        name = _fields_name(params)
        fields, entries = dict(params[name]), self._entries(params)
        for field, value in entries.items():
            fields[field] = _without(value, self._present(item, field))
            if not fields[field]:
                del fields[field]
        return {**params, name: fields}

    def _entries(self, params: Mapping[str, Any]) -> dict[str, Any]:
        fields = params.get(_fields_name(params))
        names = {"fm"} if self._is_item else multifields.OLD_FIELDS
        return {name: value for name, value in fields.items() if name in names} if isinstance(fields, Mapping) else {}

    def _present(self, item: Mapping[str, Any], field: str) -> set[tuple[str, str]]:
        members = item.get(field)
        values = members.values() if isinstance(members, Mapping) else members if isinstance(members, list) else ()
        return {_value_of(member) for member in values if isinstance(member, Mapping)}


def _fields_name(params: Mapping[str, Any]) -> str:
    # Old methods read the names of parameters in any case.
    return next((name for name in params if name.lower() in ("fields", "arfields")), "fields")


def _is_new(key: Any, entry: Any) -> bool:
    under_its_id = isinstance(key, str) and key.isdecimal()
    return isinstance(entry, Mapping) and not (under_its_id or entry.get("ID") or entry.get("id"))


def _members(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else []


def _adds(value: Any) -> bool:
    return any(_is_new(key, entry) for key, entry in _members(value))


def _without(value: Any, present: set[tuple[str, str]]) -> Any:
    left = [(key, entry) for key, entry in _members(value) if not (_is_new(key, entry) and _value_of(entry) in present)]
    return dict(left) if isinstance(value, Mapping) else [entry for _, entry in left]


def _value_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Type, where the field does not say it, and value of an entry in either spelling."""
    return str(entry.get("typeId") or ""), str(entry.get("VALUE", entry.get("value")) or "").strip()
