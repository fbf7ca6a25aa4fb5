"""
``crm.deal.userfield.list`` and ``.get``, and those of leads, contacts, companies and quotes.

The user fields of a sandbox are always the same: there is no way to add one. Source: the pages of the methods.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import as_integer
from airflow_provider_bitrix24.sandbox.methods.crm.fields import CHOICES, ItemField, fields_of
from airflow_provider_bitrix24.sandbox.methods.crm.old import OLD_KINDS, array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Row
from airflow_provider_bitrix24.sandbox.state.users import User

#: Id of the first user field of a kind of object; those of other kinds begin a hundred later each.
_FIRST_ID = 401

_LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE")
_LANGUAGES = (
    *("ar", "br", "de", "en", "fr", "hi", "id", "in", "it", "ja", "kz", "la", "ms", "pl", "ru", "sc", "tc", "th"),
    *("tr", "ua", "vn"),
)
_SETTINGS: dict[str, Row] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""},
    "enumeration": {"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": "", "SHOW_NO_VALUE": "Y"},
}
_TEXTS = ("FIELD_NAME", "USER_TYPE_ID", "XML_ID", "MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST")
_FILTERED = {
    "ID": Field("ID", "integer"),
    "SORT": Field("SORT", "integer"),
    **{name: Field(name) for name in (*_TEXTS, "EDIT_IN_LIST", "IS_SEARCHABLE")},
}


def _rows(entity_type_id: int) -> list[Row]:
    own = [field for field in fields_of(entity_type_id) if field.is_user_field]
    kind = next(kind for kind, number in OLD_KINDS.items() if number == entity_type_id)
    first = _FIRST_ID + 100 * list(OLD_KINDS).index(kind)
    return [_row(first + place, f"CRM_{kind.upper()}", field) for place, field in enumerate(own)]


def _row(field_id: int, entity_id: str, field: ItemField) -> Row:
    user_type_id = field.kind.removeprefix("uf_")
    row: Row = {
        "ID": str(field_id),
        "ENTITY_ID": entity_id,
        "FIELD_NAME": field.upper_name,
        "USER_TYPE_ID": user_type_id,
        "XML_ID": None,
        "SORT": "100",
        "MULTIPLE": "Y" if field.multiple else "N",
        "MANDATORY": "N",
        "SHOW_FILTER": "E",
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        "IS_SEARCHABLE": "N",
        "SETTINGS": _SETTINGS.get(user_type_id, {}),
    }
    if user_type_id == "enumeration":
        row["LIST"] = [
            {"ID": str(number), "SORT": str(10 * place), "VALUE": value, "DEF": "N", "XML_ID": f"choice_{number}"}
            for place, (number, value) in enumerate(CHOICES.items(), start=1)
        ]
    return row


def _label(row: Row) -> str:
    return str(row["FIELD_NAME"]).removeprefix("UF_CRM_").replace("_", " ").capitalize()


def _list(entity_type_id: int) -> Handler:
    def list_(portal: PortalState, user: User, params: Params) -> Any:
        filter_ = as_map(array_or_none(params, "FILTER"))
        order = read_order(array_or_none(params, "ORDER"), _FILTERED, None)
        if not user.may("read"):
            raise denied()
        matcher = Matcher(_FILTERED, refuse=None).read(filter_)
        rows = [row for row in _rows(entity_type_id) if all(check(row) for check in matcher.checks)]
        if filter_.get("LANG"):
            # Asked for a language, the rows have labels in it.
            for row in rows:
                row.update(dict.fromkeys(_LABELS[:3], _label(row)), **dict.fromkeys(_LABELS[3:]))
        return Page(sort_rows(rows, order), len(rows))

    return list_


def _get(entity_type_id: int) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise denied()
        field_id = as_integer(params.get("ID")) or 0
        if field_id <= 0:
            raise Refusal("", "ID is not defined or invalid.")
        everywhere = {row["ID"]: row for number in OLD_KINDS.values() for row in _rows(number)}
        row = everywhere.get(str(field_id))
        if row is None:
            raise Refusal("ERROR_NOT_FOUND", f"The entity with ID '{field_id}' is not found")
        if row not in _rows(entity_type_id):
            raise denied()
        names = {language: _label(row) if language in ("en", "de") else "" for language in _LANGUAGES}
        nothing = dict.fromkeys(_LANGUAGES, "")
        return {**row, **dict.fromkeys(_LABELS[:3], names), **dict.fromkeys(_LABELS[3:], nothing)}

    return get


for _kind, _entity_type_id in OLD_KINDS.items():
    method(f"crm.{_kind}.userfield.list", scope="crm", upper=True)(_list(_entity_type_id))
    method(f"crm.{_kind}.userfield.get", scope="crm", upper=True)(_get(_entity_type_id))
