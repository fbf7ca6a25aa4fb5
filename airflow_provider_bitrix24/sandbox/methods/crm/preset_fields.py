"""``crm.requisite.preset.field.*``: the fields of a template of requisites. Source: pages of the methods."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import REQUISITE, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm.items import description
from airflow_provider_bitrix24.sandbox.methods.crm.old import denied
from airflow_provider_bitrix24.sandbox.methods.records import Records
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.presets import COUNTRY, FIELD_NAMES
from airflow_provider_bitrix24.sandbox.state.users import User

_FIELDS = Records("requisite_preset_field", "old", "ID")
_WORD = "crm.requisite.preset.field"


@method(f"{_WORD}.fields", scope="crm")
def fields(portal: PortalState, user: User, params: Params) -> Any:
    return {name: description(spec, "old") for name, spec in _FIELDS.specs.items()}


def _preset(portal: PortalState, params: Params) -> Row | None:
    return portal.store.presets.get(as_integer(as_map(params.get("PRESET")).get("ID")) or 0)


def _existing_preset(portal: PortalState, user: User, params: Params, right: str) -> Row:
    if not user.may(right):
        raise denied()
    preset = _preset(portal, params)
    if preset is None:
        number = as_integer(as_map(params.get("PRESET")).get("ID")) or 0
        raise Refusal("", f"The Preset with ID '{number}' is not found")
    return preset


def _existing(preset: Row, params: Params) -> Row:
    field_id = as_integer(params.get("ID")) or 0
    if field_id <= 0:
        raise Refusal("", "ID is not defined or invalid")
    for field in preset["fields"]:
        if field["ID"] == field_id:
            return dict(field)
    raise Refusal("", f"The PresetField with ID '{field_id}' is not found")


def _available(portal: PortalState, preset: Row) -> list[str]:
    """What may still come into the template."""
    if preset["COUNTRY_ID"] != COUNTRY:
        raise not_modelled(f"The pages say for the country {COUNTRY} alone which fields a template may have")
    own = [spec.names["old"] for spec in portal.store.own_fields(REQUISITE)]
    taken = {field["FIELD_NAME"] for field in preset["fields"]}
    return [name for name in (*FIELD_NAMES, *own) if name not in taken]


@method(f"{_WORD}.availabletoadd", scope="crm", upper=True)
def available(portal: PortalState, user: User, params: Params) -> Any:
    preset = _preset(portal, params)
    if preset is None:
        raise Refusal("", "Template not found.")
    return _available(portal, preset)


@method(f"{_WORD}.list", scope="crm", upper=True)
def list_(portal: PortalState, user: User, params: Params) -> Any:
    return _existing_preset(portal, user, params, "read")["fields"]


@method(f"{_WORD}.get", scope="crm", upper=True)
def get(portal: PortalState, user: User, params: Params) -> Any:
    return _existing(_existing_preset(portal, user, params, "read"), params)


def _given(params: Params) -> dict[str, Any]:
    if not isinstance(params.get("FIELDS"), (dict, list)):
        raise Refusal("", "Parameter 'fields' must be array.")
    return as_map(params["FIELDS"])


def _check_name(portal: PortalState, preset: Row, name: Any) -> None:
    if name not in _available(portal, preset):
        raise Refusal("", f"The field '{name or ''}' can not be added.")


@method(f"{_WORD}.add", scope="crm", upper=True)
def add(portal: PortalState, user: User, params: Params) -> Any:
    given, preset = _given(params), _existing_preset(portal, user, params, "change")
    field = _FIELDS.written(portal.store, given)
    _check_name(portal, preset, field.get("FIELD_NAME"))
    preset["lastFieldId"] += 1
    new = {"ID": preset["lastFieldId"], "FIELD_TITLE": "", "IN_SHORT_LIST": "N", "SORT": 500, **field}
    preset["fields"] = [*preset["fields"], {name: new[name] for name in _FIELDS.specs}]
    return preset["lastFieldId"]


@method(f"{_WORD}.update", scope="crm", upper=True)
def update(portal: PortalState, user: User, params: Params) -> Any:
    given, preset = _given(params), _existing_preset(portal, user, params, "change")
    old, field = _existing(preset, params), _FIELDS.written(portal.store, given)
    if not field.get("FIELD_NAME"):
        raise Refusal("", "FIELD_NAME is not defined or invalid")
    if field["FIELD_NAME"] != old["FIELD_NAME"]:
        _check_name(portal, preset, field["FIELD_NAME"])
    preset["fields"] = [{**old, **field} if other["ID"] == old["ID"] else other for other in preset["fields"]]
    return True


@method(f"{_WORD}.delete", scope="crm", upper=True)
def delete(portal: PortalState, user: User, params: Params) -> Any:
    preset = _existing_preset(portal, user, params, "change")
    old = _existing(preset, params)
    preset["fields"] = [field for field in preset["fields"] if field["ID"] != old["ID"]]
    return True
