"""
``crm.documentgenerator.numerator.*`` and ``…template.*``: how documents are numbered, and what they are made from.

Source: pages under ``crm/document-generator``. Which fields a template has is in its file, which nobody reads here.
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array, optional_array, select_of
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, Refuse, read_order
from airflow_provider_bitrix24.sandbox.methods.values import file_of
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

_GENERATOR = "Bitrix_Main_Numerator_Generator_SequentNumberGenerator"
_SETTINGS: Row = {
    "start": 1,
    "step": 1,
    "length": 0,
    "padString": "0",
    "periodicBy": None,
    "timezone": None,
    "isDirectNumeration": False,
}
_MODEL = r"\Bitrix\DocumentGenerator\Model"
_LISTED = {
    **{name: Field(name, "integer") for name in ("id", "numeratorId", "sort")},
    **{name: Field(name) for name in ("name", "region", "code", "active", "moduleId", "withStamps", "isDeleted")},
    **{name: Field(name, "datetime") for name in ("createTime", "updateTime")},
}


def check_right(user: User) -> None:
    if not user.may("change"):
        raise Refusal("DOCGEN_ACCESS_ERROR", "Access denied")


def row_of(table: Table, params: Params, without: str, gone: Refusal) -> Row:
    """
    The row whose ``id`` a call names.

    :param without: what the portal says to a call without one.
    :raises Refusal: there is none, or no such row.
    """
    if params.get("id") in (None, ""):
        raise Refusal("100", f"{without} constructor must be is public")
    row = table.get(as_integer(params["id"]) or 0)
    if row is None:
        raise gone
    return row


def unknown_field(entity: str) -> Refuse:
    def refuse(problem: str, name: str, value: object) -> Refusal:
        return Refusal("100", f"Unknown field definition {name} ({name}) for {_MODEL}\\{entity} Entity")

    return refuse


def required_fields(fields: Row, names: tuple[str, ...]) -> None:
    missing = [name for name in names if fields.get(name) in (None, "", [], {})]
    if missing:
        raise Refusal("0", f"Empty required fields: {', '.join(missing)}")


# Numerators


def _numerator(portal: PortalState, params: Params) -> Row:
    gone = Refusal("100", "Could not construct parameter {numerator}")
    return row_of(portal.store.numerators, params, r"Bitrix\Main\Numerator\Numerator", gone)


def _numerator_answer(row: Row) -> Row:
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in ("name", "template")},
        "code": None,
        "settings": {_GENERATOR: row["settings"]},
    }


def _write_numerator(row: Row, fields: Row) -> None:
    row.update({name: str(fields[name]) for name in ("name", "template") if fields.get(name) not in (None, "")})
    if set(re.findall(r"\{[^}]*\}", row["template"])) - {"{NUMBER}"}:
        raise not_modelled(f"The sandbox counts and does no more: {row['template']!r} has more than {{NUMBER}}")
    given = as_map(as_map(fields.get("settings")).get(_GENERATOR))
    settings = {**row["settings"], **{name: value for name, value in given.items() if name in _SETTINGS}}
    if settings["periodicBy"] not in (None, ""):
        raise not_modelled("The sandbox does not begin numbers again: it does not model periodicBy")
    for name in ("start", "step", "length"):
        settings[name] = as_integer(settings[name]) or 0
    row.update(settings=settings, next=row.get("next") if not given else None)


@method("crm.documentgenerator.numerator.add", scope="crm")
def add_numerator(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    required_fields(fields, ("name", "template"))
    check_right(user)
    row: Row = {"settings": _SETTINGS}
    _write_numerator(row, fields)
    portal.store.numerators.add(row)
    return {"numerator": {**_numerator_answer(row), "id": row["id"]}}


@method("crm.documentgenerator.numerator.get", scope="crm")
def numerator(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    return {"numerator": _numerator_answer(_numerator(portal, params))}


@method("crm.documentgenerator.numerator.list", scope="crm")
def numerators(portal: PortalState, user: User, params: Params) -> Any:
    if not user.may("change"):
        raise Refusal("", "You do not have permissions to modify templates")
    everything = Matcher({}, refuse=None).read(None)
    page = page_of(portal.store.numerators, everything, [], params.get("start"), old=False)
    rows = [_numerator_answer(row) for row in page.result]
    for row in rows:
        del row["code"]
    return Page({"numerators": rows}, page.total, page.next)


@method("crm.documentgenerator.numerator.update", scope="crm")
def update_numerator(portal: PortalState, user: User, params: Params) -> Any:
    row, fields = _numerator(portal, params), array(params, "fields")
    check_right(user)
    _write_numerator(row, fields)
    return _numerator_answer(row)


@method("crm.documentgenerator.numerator.delete", scope="crm")
def delete_numerator(portal: PortalState, user: User, params: Params) -> Any:
    row = _numerator(portal, params)
    check_right(user)
    portal.store.numerators.remove(row["id"])


def next_number(portal: PortalState, template: Row) -> str:
    """:raises Refusal: the template's numerator is gone."""
    row = portal.store.numerators.get(template["numeratorId"])
    if row is None:
        raise Refusal("0", "Error getting next number")
    settings = row["settings"]
    number = settings["start"] if row["next"] is None else row["next"]
    row["next"] = number + settings["step"]
    text = str(number).rjust(settings["length"], (str(settings["padString"]) or "0")[0])
    return str(row["template"].replace("{NUMBER}", text))


# Templates


def template_of(portal: PortalState, params: Params) -> Row:
    without = r"Bitrix\DocumentGenerator\Template"
    return row_of(portal.store.document_templates, params, without, Refusal("0", "Template not found"))


def _template_answer(portal: PortalState, row: Row) -> Row:
    people = f"{portal.url}/bitrix/services/main/ajax.php?action=crm.documentgenerator.template.download"
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in ("name", "region")},
        "code": None,
        "download": f"{people}&SITE_ID=s1&id={row['id']}",
        **{name: row[name] for name in ("active", "moduleId")},
        "numeratorId": str(row["numeratorId"]),
        "withStamps": row["withStamps"],
        "users": {code: code for code in row["users"]},
        "isDeleted": row["isDeleted"],
        "sort": str(row["sort"]),
        "downloadMachine": portal.download_url(row["file"], "crm.documentgenerator.template.download"),
        **{name: row[name] for name in ("entityTypeId", "createTime", "updateTime")},
    }


def _write_template(portal: PortalState, row: Row, fields: Row) -> None:
    if fields.get("file"):
        try:
            row["file"] = portal.store.files.add(*file_of(fields["file"]))
        except BadValue:
            raise Refusal("0", "Could not save file") from None
    row.update({name: str(fields[name]) for name in ("name", "region") if fields.get(name)})
    for name in ("entityTypeId", "users"):
        if name in fields:
            row[name] = [str(code) for code in as_map(fields[name]).values()]
    row.update({name: "Y" if fields[name] == "Y" else "N" for name in ("active", "withStamps") if name in fields})
    row.update({name: as_integer(fields[name]) or 0 for name in ("numeratorId", "sort") if name in fields})
    row["updateTime"] = portal.clock.iso()


def new_template(portal: PortalState, fields: Row, module: str = "crm") -> Row:
    row: Row = {"active": "Y", "withStamps": "N", "sort": 500, "users": [], "isDeleted": "N", "moduleId": module}
    row |= {"createTime": portal.clock.iso(), "numeratorId": 0, "entityTypeId": []}
    _write_template(portal, row, fields)
    portal.store.document_templates.add(row)
    return row


@method("crm.documentgenerator.template.add", scope="crm")
def add_template(portal: PortalState, user: User, params: Params) -> Any:
    fields = array(params, "fields")
    required_fields(fields, ("name", "numeratorId", "region", "entityTypeId"))
    if not fields.get("file"):
        raise Refusal("0", "Missing file content")
    check_right(user)
    return {"template": _template_answer(portal, new_template(portal, fields))}


@method("crm.documentgenerator.template.get", scope="crm")
def template(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    return {"template": _template_answer(portal, template_of(portal, params))}


@method("crm.documentgenerator.template.update", scope="crm")
def update_template(portal: PortalState, user: User, params: Params) -> Any:
    row, fields = template_of(portal, params), array(params, "fields")
    check_right(user)
    _write_template(portal, row, fields)
    return {"template": _template_answer(portal, row)}


@method("crm.documentgenerator.template.delete", scope="crm")
def delete_template(portal: PortalState, user: User, params: Params) -> Any:
    """Marked as deleted, as the list's filter by ``isDeleted`` shows; no document is made of it any more."""
    row = template_of(portal, params)
    check_right(user)
    row["isDeleted"] = "Y"


@method("crm.documentgenerator.template.list", scope="crm")
def templates(portal: PortalState, user: User, params: Params) -> Any:
    check_right(user)
    filter_ = {"isDeleted": "N", **optional_array(params, "filter"), "moduleId": "crm"}
    fields, refuse = {**_LISTED, "entityTypeId": Field("entityTypeId")}, unknown_field("Template")
    order = read_order(optional_array(params, "order"), _LISTED, refuse)
    matcher = Matcher(fields, refuse=refuse).read(filter_)
    page = page_of(portal.store.document_templates, matcher, order, params.get("start"), old=False)
    # Bindings and people come only when they are asked for by name.
    wanted = select_of(params) or [*_LISTED]
    shown = {*wanted, "download", "downloadMachine"}
    found: dict[str, Row] = {}
    for row in page.result:
        answer = {**_template_answer(portal, row), "users": row["users"]}
        found[answer["id"]] = {name: value for name, value in answer.items() if name in shown}
    return Page({"templates": found}, page.total, page.next)
