"""
Phones, e-mails, web addresses and messengers of leads, contacts and companies: many values, each with an id of its own.

Source: ``fm`` in ``crm.item.add`` and ``crm.item.update``; ``PHONE`` and its like in ``crm.item.import``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.short_numbers import shortened
from airflow_provider_bitrix24.crm.values import as_text
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.message_parts import did_you_mean, preview
from airflow_provider_bitrix24.rest.missing_values import (
    is_blank_text,
    is_missing,
    is_written_structure,
    nothing_hint,
    text_hint,
)
from airflow_provider_bitrix24.rest.scalars import holds_shortened, is_shortened, native

#: Kinds of CRM items that have them: lead, contact, company.
OWNERS = frozenset({1, 3, 4})
TYPES = ("PHONE", "EMAIL", "WEB", "IM")
#: Old methods have one field for each, and one more.
OLD_FIELDS = frozenset({*TYPES, "LINK"})

#: Names in an entry of the old methods and of an import, and in one of ``fm``.
OLD_NAMES = ("VALUE", "VALUE_TYPE", "ID", "TYPE_ID", "DELETE", "VALUE_EXTRA")
FM_NAMES = ("value", "valueType", "typeId", "id")

_KEYS = {"id": "id", "typeid": "typeId", "valuetype": "valueType", "value": "value"}
_HINT = 'write e.g. {"PHONE": "+15550001"} or {"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+15550001"}]}'


def is_multifield(name: str) -> bool:
    """Whether a name among an item's fields means multi-fields: ``fm``, ``PHONE``, ``EMAIL``, ``WEB``, ``IM``."""
    return name.strip().upper() in ("FM", *TYPES)


def check_names(name: str, entry: Mapping[Any, Any], known: Collection[str], method: str = "") -> None:
    """
    :param name: the field, for the message.
    :param known: the names that an entry takes.
    :raises ConfigurationError: another name: the portal drops it, and a phone at home becomes one at work.
    """
    for key, value in ((str(key), value) for key, value in entry.items()):
        if key in known:
            continue
        plain = {plain_name(other): other for other in known}
        short = "typeid" if str(value).upper() in (*TYPES, "LINK") else "valuetype"
        meant = plain.get(short if plain_name(key) == "type" else plain_name(key))
        raise ConfigurationError(
            f"an entry of {name} names {key!r}, which the portal would silently drop",
            method=method,
            next_step=f"did you mean {meant}?" if meant else _nearest(key, known),
        )


def check_digits(name: str, entries: Any, method: str) -> None:
    """:raises ConfigurationError: the value of an entry is a number that was shortened, see ``short_numbers``."""
    members = entries.values() if isinstance(entries, Mapping) else entries
    for entry in members if isinstance(entries, (Mapping, list, tuple)) else ():
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            if str(key).lower() in ("value", "id") and _is_shortened(value):
                raise shortened(name, value, method)


def check_values(name: str, entries: Any, method: str) -> None:
    """:raises ConfigurationError: the value of an entry is neither text nor a number, and would become text."""
    members = entries.values() if isinstance(entries, Mapping) else entries
    for entry in members if isinstance(entries, (Mapping, list, tuple)) else ():
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            if str(key).lower() != "value" or is_missing(value):
                continue
            given = native(value)
            if isinstance(given, bool) or not isinstance(given, (str, int, float, Decimal)):
                raise ConfigurationError(
                    f"an entry of {name} has the value {preview(value)}, which is not text",
                    method=method,
                    next_step="give one text; several values are several entries",
                )


def _is_shortened(value: Any) -> bool:
    # Several phones may stand in one text; an address of a page or a mailbox may be called so.
    return isinstance(value, str) and (is_shortened(value) or (not set("@/") & set(value) and holds_shortened(value)))


def _nearest(key: str, known: Collection[str]) -> str:
    return did_you_mean(key.upper() if "VALUE" in known else key, known, f"it takes {', '.join(known)}")


def entries_of(name: str, value: Any) -> list[dict[str, Any]]:
    """
    What an author wrote under such a name, as ``[{"typeId": "PHONE", "valueType": "WORK", "value": "+1555"}, …]``.

    An entry that exists already has its ``id`` too, and an empty ``value`` if it is to be removed.

    :param value: one text, a list of texts, or entries in either spelling (``valueType``, ``VALUE_TYPE``); under ``fm``
        a list of entries or an object of entries by id, ``n0`` and so on for new ones.
    :raises ConfigurationError: anything else.
    """
    if value is not None and is_missing(value):
        raise ConfigurationError(f"{name} is {preview(value)}", next_step=nothing_hint(value))
    kind = name.strip().upper()
    if isinstance(value, Mapping) and kind == "FM":
        entries = [_entry(member, name, id_=str(key)) for key, member in value.items()]
    else:
        value = native(value)
        members = value if isinstance(value, (list, tuple)) else [] if value is None or value == "" else [value]
        entries = [_entry(member, name, kind=None if kind == "FM" else kind) for member in members]
    kept: list[dict[str, Any]] = []
    for entry in entries:
        # The portal would add a value twice that a list has twice.
        if "id" in entry or (entry["value"] and entry not in kept):
            kept.append(entry)
    return kept


def _plain_text(text: str, name: str) -> str:
    """
    :raises ConfigurationError: it is the text of a list or an object, and would be one phone with brackets in it; or a
        number that has lost digits.
    """
    text = "" if is_blank_text(text) else text.strip()
    if _is_shortened(text):
        raise shortened(name, text)
    if is_written_structure(text) and not text.startswith("("):
        raise ConfigurationError(
            f"{name} holds {preview(text)}, the text of a list or an object",
            next_step=text_hint(text) or "give the list or object itself",
        )
    return text


def _entry(given: Any, name: str, *, kind: str | None = None, id_: str = "") -> dict[str, Any]:
    given = as_text(given, name)
    if isinstance(given, str) and kind:
        return {"typeId": kind, "valueType": "WORK", "value": _plain_text(given, name)}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{name} holds {preview(given)}", next_step=_HINT)
    entry = {_KEYS.get(plain_name(key), str(key)): value for key, value in given.items()}
    check_names(name, entry, FM_NAMES)
    entry.setdefault("valueType", "WORK")
    if kind:
        entry["typeId"] = kind
    entry["value"] = _text(entry.get("value"), name)
    entry["id"] = id_ if id_.isdecimal() else as_text(entry.get("id"), name)
    if not entry["id"]:
        del entry["id"]
    if entry.get("typeId") not in TYPES and "id" not in entry:
        raise ConfigurationError(
            f"an entry of {name} has typeId {preview(entry.get('typeId'))}",
            next_step=f"it is one of {', '.join(TYPES)}",
        )
    return entry


def _text(value: Any, name: str) -> str:
    """The value of an entry; empty for one that is to be removed."""
    text = "" if value is None else as_text(value, name)
    if not isinstance(text, str):
        raise ConfigurationError(f"an entry of {name} has the value {preview(value)}", next_step=_HINT)
    return _plain_text(text, name)


def as_fm(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """``fm`` of an add or update: entries by id, new ones under ``n0``, ``n1`` and so on."""
    fm: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        fm[str(entry.get("id", f"n{number}"))] = {name: value for name, value in entry.items() if name != "id"}
    return fm


def as_import(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The same for an import: ``{"PHONE": [{"VALUE": "+1555", "VALUE_TYPE": "WORK"}]}``."""
    fields: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        fields.setdefault(entry["typeId"], []).append({"VALUE": entry["value"], "VALUE_TYPE": entry["valueType"]})
    return fields


def missing_in(item: Mapping[str, Any], entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries without the new ones that an item has already: sent again, they would be added once more."""
    present = _present(item)
    return [entry for entry in entries if "id" in entry or (entry["typeId"], entry["value"]) not in present]


def not_taken(entries: Iterable[Mapping[str, Any]], item: Mapping[str, Any]) -> list[str]:
    """Types of the entries that were sent and that an item does not have."""
    present, ids = _present(item), {str(entry.get("id")) for entry in _entries_in(item)}
    missing = []
    for entry in entries:
        if not entry["value"]:
            taken = str(entry["id"]) not in ids
        elif "typeId" in entry:
            taken = (entry["typeId"], entry["value"]) in present
        else:
            taken = entry["value"] in {value for _, value in present}
        if not taken:
            missing.append(str(entry.get("typeId") or f"fm {entry['id']}"))
    return missing


def _present(item: Mapping[str, Any]) -> set[tuple[Any, str]]:
    return {(entry.get("typeId"), str(entry.get("value") or "").strip()) for entry in _entries_in(item)}


def _entries_in(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    fm = item.get("fm")
    members = fm.values() if isinstance(fm, Mapping) else fm if isinstance(fm, list) else ()
    return [entry for entry in members if isinstance(entry, Mapping)]
