"""The portal's own fields of CRM objects: their settings as rows, and what they are to the objects that have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import FieldSpec
from airflow_provider_bitrix24.sandbox.fields.item_kinds import DEAL, WITH_USER_FIELDS, Row, user_field

#: Texts of a field for people; each is a map by language.
LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE")

#: Settings that a new field of a type has (pages of ``crm.deal.userfield.add`` and ``list``).
_SETTINGS: dict[str, Row] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""},
    "enumeration": {"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": "", "SHOW_NO_VALUE": "Y"},
    "double": {"PRECISION": 2, "DEFAULT_VALUE": ""},
    "boolean": {"DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX", "LABEL": ["", ""], "LABEL_CHECKBOX": ""},
}

#: What deals have from the start: suffix, type, multiple.
_FIRST = (
    ("MY_FIELD", "string", "N"),
    ("1700000001", "boolean", "N"),
    ("1700000002", "double", "N"),
    ("1700000003", "string", "Y"),
    ("1700000004", "enumeration", "N"),
    ("1700000005", "enumeration", "Y"),
    ("1700000006", "money", "N"),
    ("1700000007", "datetime", "N"),
)


def new_row(entity_type_id: int, name: str, type_id: str, **settings: Any) -> Row:
    """
    A field as it is kept.

    :param name: with its prefix, ``UF_CRM_COLOR``.
    """
    row: Row = {
        "entityTypeId": entity_type_id,
        "ENTITY_ID": WITH_USER_FIELDS[entity_type_id].user_field_entity,
        "FIELD_NAME": name,
        "USER_TYPE_ID": type_id,
        "XML_ID": None,
        "SORT": 100,
        "MULTIPLE": "N",
        "MANDATORY": "N",
        "SHOW_FILTER": "N",
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        "IS_SEARCHABLE": "N",
        "SETTINGS": dict(_SETTINGS.get(type_id, {})),
        "LIST": [],
        **{name: {} for name in LABELS},
    }
    row.update(settings)
    return row


def first_rows() -> Iterator[Row]:
    for suffix, type_id, multiple in _FIRST:
        label = suffix.replace("_", " ").capitalize()
        labels = {name: {"en": label, "de": label} for name in LABELS[:3]}
        choices = _first_choices() if type_id == "enumeration" else []
        yield new_row(DEAL, f"UF_CRM_{suffix}", type_id, MULTIPLE=multiple, SHOW_FILTER="E", LIST=choices, **labels)


def _first_choices() -> list[Row]:
    return [
        {"ID": number, "SORT": 10 * place, "VALUE": value, "DEF": "N", "XML_ID": f"choice_{number}"}
        for place, (number, value) in enumerate(((45, "Red"), (46, "Green"), (47, "Blue")), start=1)
    ]


def as_field(row: Row) -> FieldSpec:
    """What the field is to the objects that have it."""
    items = [{"ID": str(choice["ID"]), "VALUE": choice["VALUE"]} for choice in row["LIST"]]
    label = row["EDIT_FORM_LABEL"].get("en")
    return user_field(
        row["FIELD_NAME"],
        row["USER_TYPE_ID"],
        multiple=row["MULTIPLE"] == "Y",
        required=row["MANDATORY"] == "Y",
        title=label or row["FIELD_NAME"],
        items=items,
        settings=row["SETTINGS"],
    )
