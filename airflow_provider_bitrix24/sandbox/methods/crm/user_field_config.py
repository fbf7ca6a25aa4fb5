"""``userfieldconfig.*``: the portal's own fields of all kinds. Source: pages of the methods."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import WITH_USER_FIELDS, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.crm.user_fields import (
    TYPES,
    WrongField,
    add_field,
    remove_field,
    update_field,
)
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.user_fields import LABELS
from airflow_provider_bitrix24.sandbox.state.users import User

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
    select = array_or_nothing(params.get("select"), "select")
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
    kinds = {name.user_field_entity: entity_type_id for entity_type_id, name in WITH_USER_FIELDS.items()}
    if not user.is_admin or entity_id not in kinds:
        raise Refusal("", "You cannot create custom fields" if user.is_admin else "Access denied")
    try:
        row = add_field(portal, kinds[entity_id], fields)
    except WrongField as problem:
        raise Refusal("", problem.args[1]) from None
    return {"field": _config(row, whole=True)}


@method("userfieldconfig.update", scope="userfieldconfig")
def config_update(portal: PortalState, user: User, params: Params) -> Any:
    row = _config_of(portal, user, params, "You cannot change the settings of the user field")
    try:
        update_field(portal, row, _in_old_names(params.get("field")))
    except WrongField as problem:
        raise Refusal("", problem.args[1]) from None
    return {"field": _config(row, whole=True)}


@method("userfieldconfig.delete", scope="userfieldconfig")
def config_delete(portal: PortalState, user: User, params: Params) -> Any:
    remove_field(portal, _config_of(portal, user, params, "You cannot delete the user field"))


@method("userfieldconfig.getTypes", scope="userfieldconfig")
def config_types(portal: PortalState, user: User, params: Params) -> Any:
    _check_module(params)
    return {"types": {type_id: {"userTypeId": type_id, "description": title} for type_id, title in TYPES.items()}}
