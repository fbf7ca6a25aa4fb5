"""``crm.deal.userfield.*`` and its sisters: the portal's own fields of a kind. Source: pages of the methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import OLD_KINDS, REQUISITE, WITH_USER_FIELDS, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm.old import array_or_none, denied
from airflow_provider_bitrix24.sandbox.methods.crm.user_fields import (
    FLAGS,
    LANGUAGES,
    TYPES,
    WrongField,
    add_field,
    remove_field,
    update_field,
)
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order, sort_rows
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.user_fields import LABELS
from airflow_provider_bitrix24.sandbox.state.users import User

_TEXTS = ("FIELD_NAME", "USER_TYPE_ID", "XML_ID", *FLAGS)
_FILTERED = {
    "ID": Field("id", "integer"),
    "SORT": Field("SORT", "integer"),
    **{name: Field(name) for name in ("ENTITY_ID", *_TEXTS)},
}


def _answer(row: Row) -> Row:
    answer = {"ID": str(row["id"]), "ENTITY_ID": row["ENTITY_ID"], **{name: row[name] for name in _TEXTS[:3]}}
    answer |= {"SORT": str(row["SORT"]), **{name: row[name] for name in FLAGS}, "SETTINGS": row["SETTINGS"]}
    if row["USER_TYPE_ID"] == "enumeration":
        answer["LIST"] = [{**choice, "ID": str(choice["ID"]), "SORT": str(choice["SORT"])} for choice in row["LIST"]]
    return answer


def _list(entity_type_id: int) -> Handler:
    def list_(portal: PortalState, user: User, params: Params) -> Any:
        filter_ = as_map(array_or_none(params, "FILTER"))
        order = read_order(array_or_none(params, "ORDER"), _FILTERED, None)
        if not user.may("read"):
            raise denied()
        language = str(filter_.pop("LANG", ""))
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
        labels = {name: {language: row[name].get(language, "") for language in LANGUAGES} for name in LABELS}
        return {**_answer(row), **labels}

    return get


def _existing(portal: PortalState, entity_type_id: int, params: Params, *, to_change: bool = False) -> Row:
    field_id = as_integer(params.get("ID")) or 0
    if field_id <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    row = portal.store.user_fields.get(field_id)
    if row is None:
        if entity_type_id == REQUISITE:
            raise Refusal("" if to_change else "ERROR_NOT_FOUND", f"The entity with ID '{field_id}' is not found.")
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
        own = WITH_USER_FIELDS[entity_type_id].user_field_entity
        if entity_type_id == REQUISITE and fields.get("ENTITY_ID", own) != own:
            raise not_modelled(f"The page has no other ENTITY_ID than {own}")
        try:
            return add_field(portal, entity_type_id, fields)["id"]
        except WrongField as problem:
            raise Refusal(*problem.args) from None

    return add


def _old_update(entity_type_id: int) -> Handler:
    def update(portal: PortalState, user: User, params: Params) -> Any:
        fields = _old_fields(params)
        if not user.is_admin:
            raise denied()
        try:
            update_field(portal, _existing(portal, entity_type_id, params, to_change=True), fields)
        except WrongField as problem:
            raise Refusal(*problem.args) from None
        return True

    return update


def _old_delete(entity_type_id: int) -> Handler:
    def delete(portal: PortalState, user: User, params: Params) -> Any:
        if not user.is_admin:
            raise denied()
        remove_field(portal, _existing(portal, entity_type_id, params, to_change=True))
        return True

    return delete


_METHODS: Mapping[str, Callable[[int], Handler]] = {
    "list": _list,
    "get": _get,
    "add": _old_add,
    "update": _old_update,
    "delete": _old_delete,
}
for _word, _entity_type_id in {**OLD_KINDS, "requisite": REQUISITE}.items():
    for _action, _make in _METHODS.items():
        method(f"crm.{_word}.userfield.{_action}", scope="crm", upper=True)(_make(_entity_type_id))


@method("crm.userfield.types", scope="crm")
def types(portal: PortalState, user: User, params: Params) -> Any:
    return [{"ID": type_id, "title": title} for type_id, title in TYPES.items()]
