"""
``lists.*``: lists of the portal's own with fields of their own.

Source: pages under ``lists``. Values of own fields are ``{id of the value: value}``, times in the site's format.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Table
from airflow_provider_bitrix24.sandbox.state.users import User

_KINDS = ("lists", "bitrix_processes", "lists_socnet")
#: Types of fields that every list may have once, under these names (page of ``lists.field.type.get``).
_SYSTEM = {
    "NAME": "Name",
    "SORT": "Sorting",
    "ACTIVE_FROM": "Start of activity",
    "ACTIVE_TO": "End of activity",
    "PREVIEW_PICTURE": "Preview image",
    "PREVIEW_TEXT": "Preview text",
    "DETAIL_PICTURE": "Detail image",
    "DETAIL_TEXT": "Detail text",
    "DATE_CREATE": "Creation date",
    "CREATED_BY": "Created by",
    "TIMESTAMP_X": "Modification date",
    "MODIFIED_BY": "Modified by",
}
#: Types of which a list has any number.
_OWN_TYPES = {
    "S": "String",
    "N": "Number",
    "L": "List",
    "F": "File",
    "G": "Binding to sections",
    "E": "Binding to elements",
    "S:Date": "Date",
    "S:DateTime": "Date/Time",
    "S:HTML": "HTML/text",
    "E:EList": "Binding to elements as a list",
    "N:Sequence": "Counter",
    "S:ECrm": "Binding to CRM elements",
    "S:Money": "Money",
    "S:DiskFile": "File (Disk)",
    "S:employee": "Binding to employee",
}
_FIELD_DEFAULTS = {
    "SORT": 500,
    "IS_REQUIRED": "N",
    "MULTIPLE": "N",
    "DEFAULT_VALUE": None,
    "CODE": None,
    "LINK_IBLOCK_ID": None,
    "ROW_COUNT": "1",
    "COL_COUNT": "30",
    "USER_TYPE_SETTINGS": None,
    "SETTINGS": {},
}
_LISTED = {
    "ID": Field("id", "integer"),
    **{name: Field(name) for name in ("NAME", "CODE")},
    "IBLOCK_TYPE": Field("IBLOCK_TYPE_ID"),
    "SORT": Field("SORT", "integer"),
    "TIMESTAMP_X": Field("TIMESTAMP_X", "datetime"),
}
#: What an answer of ``lists.get`` has of a list beside what was written.
_UNSET: Row = {
    "LID": "s1",
    "ACTIVE": "Y",
    **dict.fromkeys(("API_CODE", "LIST_PAGE_URL", "DETAIL_PAGE_URL", "SECTION_PAGE_URL", "CANONICAL_PAGE_URL")),
    **dict.fromkeys(("PICTURE", "RSS_FILE_LIMIT", "RSS_FILE_DAYS", "XML_ID", "TMP_ID", "LIST_MODE")),
    **dict.fromkeys(("SECTION_PROPERTY", "PROPERTY_INDEX", "EDIT_FILE_BEFORE", "EDIT_FILE_AFTER")),
    **dict.fromkeys(("EXTERNAL_ID", "SERVER_NAME")),
    "DESCRIPTION_TYPE": "text",
    "RSS_TTL": "24",
    **dict.fromkeys(("RSS_ACTIVE", "INDEX_ELEMENT"), "Y"),
    **dict.fromkeys(("RSS_FILE_ACTIVE", "RSS_YANDEX_ACTIVE", "INDEX_SECTION", "WORKFLOW", "REST_ON"), "N"),
    "FULLTEXT_INDEX": "N",
    "SECTION_CHOOSER": "L",
    "RIGHTS_MODE": "E",
    "VERSION": "1",
    "LAST_CONV_ELEMENT": "0",
    "LANG_DIR": "/",
    "SECTIONS_NAME": "Sections",
    "SECTION_NAME": "Section",
    "ELEMENTS_NAME": "Elements",
    "ELEMENT_NAME": "Element",
}


_SITE_TIME = "%m/%d/%Y %I:%M:%S %p"


def site_time(moment: str) -> str:
    """``05/17/2023 04:09:23 pm``"""
    return datetime.fromisoformat(moment).strftime(_SITE_TIME).replace("AM", "am").replace("PM", "pm")


def required_value(params: Params, name: str) -> Any:
    value = params.get(name)
    if value in (None, "", [], {}):
        raise Refusal("ERROR_REQUIRED_PARAMETERS_MISSING", f"Required parameter `{name}` is missing")
    return value


def _kind(params: Params) -> str:
    kind = str(required_value(params, "IBLOCK_TYPE_ID"))
    if kind not in _KINDS:
        raise Refusal("ACCESS_DENIED", "Access denied")
    return kind


def check_right(user: User) -> None:
    if not user.may("change"):
        raise Refusal("ACCESS_DENIED", "Access denied")


def _of_name(portal: PortalState, params: Params) -> Row | None:
    if not params.get("IBLOCK_CODE"):
        required_value(params, "IBLOCK_ID")
    number, code = as_integer(params.get("IBLOCK_ID")), params.get("IBLOCK_CODE")
    rows = (row for row in portal.store.lists if row["id"] == number or (code and row["CODE"] == code))
    return next(rows, None)


def list_of(portal: PortalState, params: Params) -> Row:
    kind, row = _kind(params), _of_name(portal, params)
    if row is None or row["IBLOCK_TYPE_ID"] != kind:
        raise Refusal("ERROR_IBLOCK_NOT_FOUND", "Iblock not found")
    return row


# Lists


@method("lists.get", scope="lists", upper=True)
def lists(portal: PortalState, user: User, params: Params) -> Any:
    kind = _kind(params)
    if kind == "lists_socnet" and not params.get("SOCNET_GROUP_ID"):
        raise Refusal("ACCESS_DENIED", "Access denied")
    number, code, group = (params.get(name) for name in ("IBLOCK_ID", "IBLOCK_CODE", "SOCNET_GROUP_ID"))
    wanted = {"id": as_integer(number), "CODE": code, "SOCNET_GROUP_ID": as_integer(group), "IBLOCK_TYPE_ID": kind}
    checks = {name: value for name, value in wanted.items() if value}
    table = table_of_rows(
        row for row in portal.store.lists if all(row[name] == value for name, value in checks.items())
    )
    order = read_order(array_or_nothing(params.get("IBLOCK_ORDER"), "IBLOCK_ORDER") or {"ID": "desc"}, _LISTED, None)
    page = page_of(table, Matcher(_LISTED, refuse=None).read(None), order, params.get("start"), old=True)
    return Page([_list_answer(row) for row in page.result], page.total, page.next)


def named_in(row: Row, parts: Iterable[Row], params: Params, word: str) -> Row:
    """What ``ELEMENT_ID`` or ``ELEMENT_CODE`` names in a list. :raises Refusal: neither is given, or nothing has it."""
    number, code = as_integer(params.get(f"{word}_ID")), params.get(f"{word}_CODE")
    if not code:
        required_value(params, f"{word}_ID")
    for part in parts:
        if part["list"] == row["id"] and (part["id"] == number or (code and part["CODE"] == code)):
            return part
    raise Refusal(f"ERROR_{word}_NOT_FOUND", f"{word.capitalize()} not found")


def table_of_rows(rows: Any) -> Table:
    table = Table()
    table.rows = {row["id"]: row for row in rows}
    table.ids = sorted(table.rows)
    return table


def conditions(filter_: Any) -> Row:
    """A filter in which a name with ``%`` in it is a pattern (examples of the pages), and moments may be as shown."""
    given = array_or_nothing(filter_, "FILTER")
    is_pattern = "%" in str(given.get("NAME"))
    return {("=%NAME" if name == "NAME" and is_pattern else name): _iso_time(value) for name, value in given.items()}


def _iso_time(value: Any) -> Any:
    """A moment as :func:`site_time` shows it, in the form of all others; other values as they are."""
    try:
        return datetime.strptime(str(value), _SITE_TIME).isoformat()
    except ValueError:
        return value


def _list_answer(row: Row) -> Row:
    own = {name: row[name] for name in ("IBLOCK_TYPE_ID", "CODE", "NAME", "DESCRIPTION", "BIZPROC")}
    group = None if row["SOCNET_GROUP_ID"] is None else str(row["SOCNET_GROUP_ID"])
    numbers = {"ID": str(row["id"]), "SORT": str(row["SORT"]), "SOCNET_GROUP_ID": group}
    return {**_UNSET, **own, **numbers, "TIMESTAMP_X": site_time(row["TIMESTAMP_X"]), **row["MESSAGES"]}


@method("lists.add", scope="lists", upper=True)
def add_list(portal: PortalState, user: User, params: Params) -> Any:
    kind, code, fields = (
        _kind(params),
        str(required_value(params, "IBLOCK_CODE")),
        as_map(required_value(params, "FIELDS")),
    )
    if any(row["CODE"] == code for row in portal.store.lists):
        raise Refusal("ERROR_IBLOCK_ALREADY_EXISTS", "Iblock already exists")
    check_right(user)
    row: Row = {"IBLOCK_TYPE_ID": kind, "CODE": code, "SORT": 500, "DESCRIPTION": "", "BIZPROC": "N", "MESSAGES": {}}
    row.update(NAME=str(fields.get("NAME") or ""), SOCNET_GROUP_ID=None, RIGHTS={}, fields={})
    row["fields"]["NAME"] = _field({"NAME": "Name", "TYPE": "NAME", "IS_REQUIRED": "Y"}, "NAME", None)
    _write_list(portal, row, params, fields)
    return portal.store.lists.add(row)


def _write_list(portal: PortalState, row: Row, params: Params, fields: Row) -> None:
    for name in ("NAME", "DESCRIPTION", "BIZPROC"):
        if name in fields:
            row[name] = str(fields[name])
    if "SORT" in fields:
        row["SORT"] = as_integer(fields["SORT"]) or 0
    for name in ("MESSAGES", "RIGHTS"):
        row[name] = {**row[name], **as_map(params.get(name))}
    if params.get("SOCNET_GROUP_ID"):
        row["SOCNET_GROUP_ID"] = as_integer(params["SOCNET_GROUP_ID"])
    row["TIMESTAMP_X"] = portal.clock.iso()


@method("lists.update", scope="lists", upper=True)
def update_list(portal: PortalState, user: User, params: Params) -> Any:
    row, fields = list_of(portal, params), as_map(required_value(params, "FIELDS"))
    check_right(user)
    _write_list(portal, row, params, fields)
    return True


@method("lists.delete", scope="lists", upper=True)
def delete_list(portal: PortalState, user: User, params: Params) -> Any:
    row = list_of(portal, params)
    check_right(user)
    for table in (portal.store.list_elements, portal.store.list_sections):
        for own_id in [own["id"] for own in table if own["list"] == row["id"]]:
            table.remove(own_id)
    portal.store.lists.remove(row["id"])
    return True


@method("lists.get.iblock.type.id", scope="lists", upper=True)
def kind_of_list(portal: PortalState, user: User, params: Params) -> Any:
    row = _of_name(portal, params)
    return None if row is None else row["IBLOCK_TYPE_ID"]


# Fields


def _field(given: Row, field_id: str, number: int | None) -> Row:
    own = {name: value for name, value in given.items() if name in {*_FIELD_DEFAULTS, "NAME"}}
    kind, _, user_kind = str(given.get("TYPE") or "S").partition(":")
    return {
        **_FIELD_DEFAULTS,
        **own,
        "FIELD_ID": field_id,
        "TYPE": given.get("TYPE") or "S",
        "PROPERTY_TYPE": kind,
        "PROPERTY_USER_TYPE": user_kind or False,
        "ID": None if number is None else str(number),
        "SORT": as_integer(given.get("SORT")) or 500,
    }


def _choices(portal: PortalState, field: Row, given: Row) -> None:
    """The values of a field of the type List, from both ways to write them."""
    choices = dict(field.get("DISPLAY_VALUES_FORM", {}))
    for key, value in as_map(given.get("LIST")).items():
        text = str(as_map(value).get("VALUE") or "")
        if key in choices and not text:
            del choices[key]
        elif text:
            choices[key if key in choices else value_id(portal)] = text
            if as_map(value).get("DEF") == "Y" or key in {str(own) for own in as_map(given.get("LIST_DEF")).values()}:
                field["DEFAULT_VALUE"] = next(own for own, name in choices.items() if name == text)
    for text in str(given.get("LIST_TEXT_VALUES") or "").split("\n"):
        if text.strip() and text.strip() not in choices.values():
            choices[value_id(portal)] = text.strip()
    field["DISPLAY_VALUES_FORM"] = choices


def value_id(portal: PortalState) -> str:
    portal.store.next_list_value_id += 2
    return str(portal.store.next_list_value_id)


@method("lists.field.get", scope="lists", upper=True)
def fields(portal: PortalState, user: User, params: Params) -> Any:
    known = list_of(portal, params)["fields"]
    wanted = params.get("FIELD_ID")
    return {field["TYPE"]: field for name, field in known.items() if not wanted or name == wanted}


@method("lists.field.type.get", scope="lists", upper=True)
def field_types(portal: PortalState, user: User, params: Params) -> Any:
    """What can be added: a system field in use is left out, unless it is the one that is asked for."""
    known = list_of(portal, params)["fields"]
    check_right(user)
    left = {name: title for name, title in _SYSTEM.items() if name not in known or name == params.get("FIELD_ID")}
    return {**left, **_OWN_TYPES}


@method("lists.field.add", scope="lists", upper=True)
def add_field(portal: PortalState, user: User, params: Params) -> Any:
    row, given = list_of(portal, params), as_map(required_value(params, "FIELDS"))
    kind, code = str(given.get("TYPE") or ""), given.get("CODE")
    if kind not in _SYSTEM and not code:
        raise Refusal("ERROR_SAVE_FIELD", "Please fill the code fields")
    if kind in row["fields"] or (code and any(field["CODE"] == code for field in row["fields"].values())):
        raise Refusal("ERROR_SAVE_FIELD", "Property already exists")
    if as_map(given.get("SETTINGS")).get("ADD_READ_ONLY_FIELD") == "Y" and not given.get("DEFAULT_VALUE"):
        raise Refusal("ERROR_SAVE_FIELD", f"The default value of the field '{given.get('NAME')}' is required")
    check_right(user)
    portal.store.next_property_id += 2
    number = None if kind in _SYSTEM else portal.store.next_property_id
    field = _field(given, kind if number is None else f"PROPERTY_{number}", number)
    if kind == "L":
        _choices(portal, field, given)
    row["fields"][field["FIELD_ID"]] = field
    return field["FIELD_ID"]


@method("lists.field.update", scope="lists", upper=True)
def update_field(portal: PortalState, user: User, params: Params) -> Any:
    row, given = list_of(portal, params), as_map(required_value(params, "FIELDS"))
    field = row["fields"].get(str(required_value(params, "FIELD_ID")))
    if field is None or (given.get("TYPE") and given["TYPE"] != field["TYPE"]):
        raise Refusal("ERROR_UPDATE_FIELD", "Error updating the field.")
    check_right(user)
    field.update({name: value for name, value in given.items() if name in {*_FIELD_DEFAULTS, "NAME"}})
    if field["TYPE"] == "L":
        _choices(portal, field, given)
    return True


@method("lists.field.delete", scope="lists", upper=True)
def delete_field(portal: PortalState, user: User, params: Params) -> Any:
    row, field_id = list_of(portal, params), str(required_value(params, "FIELD_ID"))
    check_right(user)
    row["fields"].pop(field_id, None)
    return True
