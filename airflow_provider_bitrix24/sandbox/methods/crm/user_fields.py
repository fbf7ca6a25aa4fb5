"""
What the portal's own fields may be, and what a change of one changes: for the methods of both generations.

Source: pages of ``crm.deal.userfield.*`` and ``userfieldconfig.*``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, WITH_USER_FIELDS, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.user_fields import LABELS, as_field, new_row

LANGUAGES = (
    *("ar", "br", "de", "en", "fr", "hi", "id", "in", "it", "ja", "kz", "la", "ms", "pl", "ru", "sc", "tc", "th"),
    *("tr", "ua", "vn"),
)
TYPES = {
    "string": "String",
    "integer": "Integer",
    "double": "Number",
    "boolean": "Yes/No",
    "enumeration": "List",
    "datetime": "Date/Time",
    "date": "Date",
    "money": "Money",
    "url": "Link",
    "address": "Google Maps Address",
    "file": "File",
    "employee": "Binding to User",
    "crm_status": "Binding to CRM Directories",
    "iblock_section": "Binding to Information Block Sections",
    "iblock_element": "Binding to Information Block Elements",
    "crm": "Binding to CRM Entities",
}
_MOST_CHARACTERS = 50

FLAGS = ("MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE")
#: Fixed once the field is there.
_IMMUTABLE = frozenset({"FIELD_NAME", "USER_TYPE_ID", "MULTIPLE", "ENTITY_ID"})


class WrongField(Exception):
    """What a field cannot be: code and description of the refusal."""


def add_field(portal: PortalState, entity_type_id: int, fields: Mapping[str, Any]) -> Row:
    """:raises WrongField: something is missing or wrong."""
    for name in ("FIELD_NAME", "USER_TYPE_ID"):
        if not fields.get(name):
            raise WrongField("", f"The '{name}' field is not found.")
    name = str(fields["FIELD_NAME"]).upper()
    prefix = WITH_USER_FIELDS[entity_type_id].user_field_prefix
    name = name if name.startswith(prefix) else f"{prefix}{name}"
    if len(name) > _MOST_CHARACTERS:
        raise WrongField("ERROR_CORE", f"Field name is too long (more than {_MOST_CHARACTERS} characters).")
    if not re.fullmatch("[A-Z0-9_]+", name):
        raise WrongField(
            "ERROR_CORE", "Field name contains invalid characters. Allowed characters are: A-Z, 0-9 and _."
        )
    if str(fields["USER_TYPE_ID"]) not in TYPES:
        raise WrongField("ERROR_CORE", "Incorrect custom type specified.")
    if any(row["entityTypeId"] == entity_type_id and row["FIELD_NAME"] == name for row in portal.store.user_fields):
        entity_id = WITH_USER_FIELDS[entity_type_id].user_field_entity
        if entity_type_id == REQUISITE:
            raise WrongField("ERROR_CORE", f"The field {name} for the {entity_id} object already exists.")
        raise WrongField("ERROR_CORE", f"Field {name} for object {entity_id} already exists.")
    row = new_row(entity_type_id, name, str(fields["USER_TYPE_ID"]))
    if fields.get("LABEL"):
        row.update({label: _by_language(fields["LABEL"]) for label in LABELS})
    _write(portal, row, fields)
    if row["USER_TYPE_ID"] == "boolean":
        row["MULTIPLE"] = "N"
        row["SETTINGS"]["LABEL_CHECKBOX"] = row["SETTINGS"]["LABEL_CHECKBOX"] or row["EDIT_FORM_LABEL"].get("en", "")
    portal.store.user_fields.add(row)
    portal.store.forget_kind(entity_type_id)
    _announce(portal, row, "ADD")
    return row


def update_field(portal: PortalState, row: Row, fields: Mapping[str, Any]) -> None:
    _write(portal, row, {name: value for name, value in fields.items() if name not in _IMMUTABLE})
    portal.store.forget_kind(row["entityTypeId"])
    _announce(portal, row, "UPDATE")


def remove_field(portal: PortalState, row: Row) -> None:
    portal.store.user_fields.remove(row["id"])
    portal.store.forget_kind(row["entityTypeId"])
    key = as_field(row).key
    for owner in portal.store.items.get(row["entityTypeId"], portal.store.requisites):
        # Requisites keep their values under the names of the old methods.
        owner.pop(key if row["entityTypeId"] in portal.store.items else row["FIELD_NAME"], None)
    _announce(portal, row, "DELETE")


def _write(portal: PortalState, row: Row, fields: Mapping[str, Any]) -> None:
    for name in FLAGS:
        if name in fields:
            row[name] = "Y" if fields[name] in ("Y", True, 1, "1") else str(fields[name] or "N")
    if "SORT" in fields:
        row["SORT"] = as_integer(fields["SORT"]) or 100
    if "XML_ID" in fields:
        row["XML_ID"] = str(fields["XML_ID"])
    if "SETTINGS" in fields:
        row["SETTINGS"] = {**row["SETTINGS"], **as_map(fields["SETTINGS"])}
    for name in LABELS:
        if name in fields:
            row[name] = _by_language(fields[name])
    if "LIST" in fields and row["USER_TYPE_ID"] == "enumeration":
        row["LIST"] = _choices(portal, row["LIST"], as_map(fields["LIST"]))


def _choices(portal: PortalState, old: list[Row], given: Mapping[str, Any]) -> list[Row]:
    """
    Choices of a list: with an ``ID`` changed, or removed by ``DEL: "Y"``; others are new; those not named stay.

    :raises WrongField: two of them have one external code.
    """
    choices = {choice["ID"]: dict(choice) for choice in old}
    for entry in map(as_map, given.values()):
        choice_id = as_integer(entry.get("ID"))
        if choice_id in choices and entry.get("DEL") == "Y":
            del choices[choice_id]
        elif choice_id in choices:
            choices[choice_id].update(
                {name: entry[name] for name in ("SORT", "VALUE", "DEF", "XML_ID") if name in entry}
            )
        elif entry.get("VALUE"):
            number = portal.store.next_choice_id
            portal.store.next_choice_id += 1
            xml_id = str(entry.get("XML_ID") or hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())
            if any(choice["XML_ID"] == xml_id for choice in choices.values()):
                raise WrongField("ERROR_CORE", f"List item with XML_ID='{xml_id}' already exists.")
            choices[number] = {
                "ID": number,
                "SORT": as_integer(entry.get("SORT")) or 0,
                "VALUE": str(entry["VALUE"]),
                "DEF": "Y" if entry.get("DEF") == "Y" else "N",
                "XML_ID": xml_id,
            }
    return sorted(choices.values(), key=lambda choice: (as_integer(choice["SORT"]) or 0, choice["ID"]))


def _by_language(label: Any) -> dict[str, str]:
    if isinstance(label, dict):
        return {str(language): str(text) for language, text in label.items()}
    return dict.fromkeys(LANGUAGES, str(label))


def _announce(portal: PortalState, row: Row, change: str) -> None:
    word = WITH_USER_FIELDS[row["entityTypeId"]].code
    fields = {"ID": row["id"], "ENTITY_ID": row["ENTITY_ID"], "FIELD_NAME": row["FIELD_NAME"]}
    portal.events.announce(f"ONCRM{word}USERFIELD{change}", {"FIELDS": fields})
