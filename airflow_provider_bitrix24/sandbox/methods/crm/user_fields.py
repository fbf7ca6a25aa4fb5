"""
The portal's own fields: ``crm.deal.userfield.*`` and its sisters, ``userfieldconfig.*`` for all kinds.

Source: the pages of the methods.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import NAMES, OLD_KINDS, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.user_fields import LABELS, as_field, new_row
from airflow_provider_bitrix24.sandbox.state.users import User

_LANGUAGES = (
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

_FLAGS = ("MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE")
_TEXTS = ("FIELD_NAME", "USER_TYPE_ID", "XML_ID", *_FLAGS)
_FILTERED = {
    "ID": Field("id", "integer"),
    "SORT": Field("SORT", "integer"),
    **{name: Field(name) for name in ("ENTITY_ID", *_TEXTS)},
}
#: Fixed once the field is there.
_IMMUTABLE = frozenset({"FIELD_NAME", "USER_TYPE_ID", "MULTIPLE", "ENTITY_ID"})


class _WrongField(Exception):
    """What a field cannot be: code and description of the refusal."""


# Changes


def _add(portal: PortalState, entity_type_id: int, fields: Mapping[str, Any]) -> Row:
    """:raises _WrongField: something is missing or wrong."""
    for name in ("FIELD_NAME", "USER_TYPE_ID"):
        if not fields.get(name):
            raise _WrongField("", f"The '{name}' field is not found.")
    name = str(fields["FIELD_NAME"]).upper()
    prefix = NAMES[entity_type_id].user_field_prefix
    name = name if name.startswith(prefix) else f"{prefix}{name}"
    if len(name) > _MOST_CHARACTERS:
        raise _WrongField("ERROR_CORE", f"Field name is too long (more than {_MOST_CHARACTERS} characters).")
    if not re.fullmatch("[A-Z0-9_]+", name):
        raise _WrongField(
            "ERROR_CORE", "Field name contains invalid characters. Allowed characters are: A-Z, 0-9 and _."
        )
    if fields["USER_TYPE_ID"] not in TYPES:
        raise _WrongField("ERROR_CORE", "Incorrect custom type specified.")
    if any(row["entityTypeId"] == entity_type_id and row["FIELD_NAME"] == name for row in portal.store.user_fields):
        entity_id = NAMES[entity_type_id].user_field_entity
        raise _WrongField("ERROR_CORE", f"Field {name} for object {entity_id} already exists.")
    row = new_row(entity_type_id, name, str(fields["USER_TYPE_ID"]))
    if fields.get("LABEL"):
        row.update({label: _by_language(fields["LABEL"]) for label in LABELS})
    _write(portal, row, fields)
    if row["USER_TYPE_ID"] == "boolean":
        row["MULTIPLE"] = "N"
    portal.store.user_fields.add(row)
    portal.store.forget_kind(entity_type_id)
    _announce(portal, row, "ADD")
    return row


def _update(portal: PortalState, row: Row, fields: Mapping[str, Any]) -> None:
    _write(portal, row, {name: value for name, value in fields.items() if name not in _IMMUTABLE})
    portal.store.forget_kind(row["entityTypeId"])
    _announce(portal, row, "UPDATE")


def _remove(portal: PortalState, row: Row) -> None:
    portal.store.user_fields.remove(row["id"])
    portal.store.forget_kind(row["entityTypeId"])
    key = as_field(row).key
    for item in portal.store.items[row["entityTypeId"]]:
        item.pop(key, None)
    _announce(portal, row, "DELETE")


def _write(portal: PortalState, row: Row, fields: Mapping[str, Any]) -> None:
    for name in _FLAGS:
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

    :raises _WrongField: two of them have one external code.
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
                raise _WrongField("ERROR_CORE", f"List item with XML_ID='{xml_id}' already exists.")
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
    return dict.fromkeys(_LANGUAGES, str(label))


def _announce(portal: PortalState, row: Row, change: str) -> None:
    word = NAMES[row["entityTypeId"]].code
    fields = {"ID": row["id"], "ENTITY_ID": row["ENTITY_ID"], "FIELD_NAME": row["FIELD_NAME"]}
    portal.events.announce(f"ONCRM{word}USERFIELD{change}", {"FIELDS": fields})


# crm.deal.userfield.* and its sisters


def _answer(row: Row) -> Row:
    answer = {"ID": str(row["id"]), "ENTITY_ID": row["ENTITY_ID"], **{name: row[name] for name in _TEXTS[:3]}}
    answer |= {"SORT": str(row["SORT"]), **{name: row[name] for name in _FLAGS}, "SETTINGS": row["SETTINGS"]}
    if row["USER_TYPE_ID"] == "enumeration":
        answer["LIST"] = [{**choice, "ID": str(choice["ID"]), "SORT": str(choice["SORT"])} for choice in row["LIST"]]
    return answer


def _list(entity_type_id: int) -> Handler:
    def list_(portal: PortalState, user: User, params: Params) -> Any:
        filter_ = as_map(array_or_none(params, "FILTER"))
        order = read_order(array_or_none(params, "ORDER"), _FILTERED, None)
        if not user.may("read"):
            raise denied()
        language = filter_.pop("LANG", None)
        matcher = Matcher(_FILTERED, refuse=None).read(filter_)
        matcher.checks.append(lambda row: row["entityTypeId"] == entity_type_id)
        rows = sort_rows([row for row in portal.store.user_fields if matcher.accepts(row)], order)
        # Asked for a language, the rows have labels in it.
        labels = [{name: row[name].get(language) for name in LABELS} if language else {} for row in rows]
        return Page([{**_answer(row), **own} for row, own in zip(rows, labels, strict=True)], len(rows))

    return list_


def _get(entity_type_id: int) -> Handler:
    def get(portal: PortalState, user: User, params: Params) -> Any:
        if not user.may("read"):
            raise denied()
        row = _existing(portal, entity_type_id, params)
        labels = {name: {language: row[name].get(language, "") for language in _LANGUAGES} for name in LABELS}
        return {**_answer(row), **labels}

    return get


def _existing(portal: PortalState, entity_type_id: int, params: Params) -> Row:
    field_id = as_integer(params.get("ID")) or 0
    if field_id <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    row = portal.store.user_fields.get(field_id)
    if row is None:
        raise Refusal("ERROR_NOT_FOUND", f"The entity with ID '{field_id}' is not found")
    if row["entityTypeId"] != entity_type_id:
        raise denied()
    return row


def _old_fields(params: Params) -> dict[str, Any]:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    return as_map(params["FIELDS"])


def _old_add(entity_type_id: int) -> Handler:
    def add(portal: PortalState, user: User, params: Params) -> Any:
        fields = _old_fields(params)
        if not user.is_admin:
            raise denied()
        try:
            return _add(portal, entity_type_id, fields)["id"]
        except _WrongField as problem:
            raise Refusal(*problem.args) from None

    return add


def _old_update(entity_type_id: int) -> Handler:
    def update(portal: PortalState, user: User, params: Params) -> Any:
        fields = _old_fields(params)
        if not user.is_admin:
            raise denied()
        try:
            _update(portal, _existing(portal, entity_type_id, params), fields)
        except _WrongField as problem:
            raise Refusal(*problem.args) from None
        return True

    return update


def _old_delete(entity_type_id: int) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        if not user.is_admin:
            raise denied()
        _remove(portal, _existing(portal, entity_type_id, params))
        return True

    return delete


_METHODS: Mapping[str, Callable[[int], Handler]] = {
    "list": _list,
    "get": _get,
    "add": _old_add,
    "update": _old_update,
    "delete": _old_delete,
}
for _word, _entity_type_id in OLD_KINDS.items():
    for _action, _make in _METHODS.items():
        method(f"crm.{_word}.userfield.{_action}", scope="crm", upper=True)(_make(_entity_type_id))


@method("crm.userfield.types", scope="crm")
def types(portal: PortalState, user: User, params: Params) -> Any:
    return [{"ID": type_id, "title": title} for type_id, title in TYPES.items()]


# userfieldconfig.*


_NEW_NAMES = {
    "entityId": "ENTITY_ID",
    "fieldName": "FIELD_NAME",
    "userTypeId": "USER_TYPE_ID",
    "xmlId": "XML_ID",
    "sort": "SORT",
    "multiple": "MULTIPLE",
    "mandatory": "MANDATORY",
    "showFilter": "SHOW_FILTER",
    "showInList": "SHOW_IN_LIST",
    "editInList": "EDIT_IN_LIST",
    "isSearchable": "IS_SEARCHABLE",
    "settings": "SETTINGS",
}
_NEW_LABELS = dict(
    zip(("editFormLabel", "listColumnLabel", "listFilterLabel", "errorMessage", "helpMessage"), LABELS, strict=True)
)
_CONFIG_FIELDS = {
    "id": Field("id", "integer"),
    **{name: Field(old) for name, old in _NEW_NAMES.items() if old != "SETTINGS"},
}
_ENUM_NAMES = {"id": "ID", "value": "VALUE", "def": "DEF", "sort": "SORT", "xmlId": "XML_ID", "del": "DEL"}


def _config(row: Row, language: Any = None, *, whole: bool) -> Row:
    answer: Row = {"id": str(row["id"])}
    answer |= {name: str(row[old]) if old == "SORT" else row[old] for name, old in _NEW_NAMES.items()}
    languages = [str(language)] if language else sorted({name for label in LABELS for name in row[label]}) or ["en"]
    if whole or language:
        answer["languageId"] = {name: name for name in languages}
        answer |= {name: {code: row[old].get(code) for code in languages} for name, old in _NEW_LABELS.items()}
    if whole and row["USER_TYPE_ID"] == "enumeration":
        answer["enum"] = [
            {
                "id": str(choice["ID"]),
                "userFieldId": str(row["id"]),
                "value": choice["VALUE"],
                "def": choice["DEF"],
                "sort": str(choice["SORT"]),
                "xmlId": choice["XML_ID"],
            }
            for choice in row["LIST"]
        ]
    return answer


def _check_module(params: Params) -> None:
    if not params.get("moduleId"):
        raise Refusal("100", "Could not find value for parameter {moduleId}")
    if params["moduleId"] != "crm":
        raise Refusal("", "No settings for UserFieldAccess")


def _config_of(portal: PortalState, user: User, params: Params, what: str) -> Row:
    _check_module(params)
    row = portal.store.user_fields.get(as_integer(params.get("id")) or 0)
    if row is None or not user.is_admin:
        raise Refusal("", what)
    return row


def _in_old_names(field: Any) -> dict[str, Any]:
    given = as_map(field)
    fields = {old: given[name] for name, old in {**_NEW_NAMES, **_NEW_LABELS}.items() if name in given}
    if "enum" in given:
        entries = [as_map(entry) for entry in as_map(given["enum"]).values()]
        fields["LIST"] = [{_ENUM_NAMES.get(name, name): value for name, value in entry.items()} for entry in entries]
    return fields


@method("userfieldconfig.list", scope="userfieldconfig")
def config_list(portal: PortalState, user: User, params: Params) -> Any:
    _check_module(params)
    if not user.is_admin:
        raise Refusal("", "You do not have permission to view user field settings")
    matcher = Matcher(_CONFIG_FIELDS, refuse=None).read(params.get("filter"))
    order = read_order(params.get("order"), _CONFIG_FIELDS, None)
    page = page_of(portal.store.user_fields, matcher, order, params.get("start"), old=True)
    select = as_map(params.get("select"))
    language = select.pop("language", None)
    names = [str(name) for name in select.values()]
    answers = [_config(row, language, whole=False) for row in page.result]
    if names and "*" not in names:
        answers = [{name: value for name, value in answer.items() if name in names} for answer in answers]
    return Page({"fields": answers}, page.total, page.next)


@method("userfieldconfig.get", scope="userfieldconfig")
def config_get(portal: PortalState, user: User, params: Params) -> Any:
    row = _config_of(portal, user, params, "You do not have permission to view user field settings")
    return {"field": _config(row, whole=True)}


@method("userfieldconfig.add", scope="userfieldconfig")
def config_add(portal: PortalState, user: User, params: Params) -> Any:
    _check_module(params)
    fields = _in_old_names(params.get("field"))
    entity_id = str(fields.get("ENTITY_ID", ""))
    kinds = {name.user_field_entity: entity_type_id for entity_type_id, name in NAMES.items()}
    if not user.is_admin or entity_id not in kinds:
        raise Refusal("", "You cannot create custom fields" if user.is_admin else "Access denied")
    try:
        row = _add(portal, kinds[entity_id], fields)
    except _WrongField as problem:
        raise Refusal("", problem.args[1]) from None
    return {"field": _config(row, whole=True)}


@method("userfieldconfig.update", scope="userfieldconfig")
def config_update(portal: PortalState, user: User, params: Params) -> Any:
    row = _config_of(portal, user, params, "You cannot change the settings of the user field")
    try:
        _update(portal, row, _in_old_names(params.get("field")))
    except _WrongField as problem:
        raise Refusal("", problem.args[1]) from None
    return {"field": _config(row, whole=True)}


@method("userfieldconfig.delete", scope="userfieldconfig")
def config_delete(portal: PortalState, user: User, params: Params) -> Any:
    _remove(portal, _config_of(portal, user, params, "You cannot delete the user field"))


@method("userfieldconfig.getTypes", scope="userfieldconfig")
def config_types(portal: PortalState, user: User, params: Params) -> Any:
    _check_module(params)
    return {"types": {type_id: {"userTypeId": type_id, "description": title} for type_id, title in TYPES.items()}}
