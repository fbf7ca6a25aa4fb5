"""``lists.element.*``: elements of the portal's own lists. Source: pages under ``lists/elements``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.list_sections import parent_of
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.lists import (
    check_right,
    conditions,
    list_of,
    named_in,
    required_value,
    site_time,
    table_of_rows,
    value_id,
)
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.methods.values import file_of
from airflow_provider_bitrix24.sandbox.php import BadValue, as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: Types of fields that hold files: their own, and those of the drive.
_FILES = ("F", "S:DiskFile")
_ELEMENT_FIELDS = {
    "ID": Field("id", "integer"),
    **{name: Field(name) for name in ("NAME", "CODE")},
    **{name: Field(name, "integer") for name in ("CREATED_BY", "SORT", "IBLOCK_SECTION_ID")},
    "DATE_CREATE": Field("DATE_CREATE", "datetime"),
}


def _element(portal: PortalState, row: Row, params: Params) -> Row:
    return named_in(row, portal.store.list_elements, params, "ELEMENT")


def _write_element(portal: PortalState, row: Row, element: Row, given: Row) -> None:
    for name, value in given.items():
        if name == "NAME":
            element["NAME"] = str(value or "")
        elif name in row["fields"] and name.startswith("PROPERTY_"):
            values = as_map(value).values() if isinstance(value, (dict, list)) else [value]
            kind = row["fields"][name]["TYPE"]
            if kind in _FILES:
                given_files = _files_of(kind, value)
                if element.get(name):
                    raise not_modelled(f"The sandbox does not model changes of files in lists: {name} has one")
                values = [_file_id(portal, kind, file) for file in given_files]
            element[name] = [{"id": value_id(portal), "value": str(part)} for part in values if part not in (None, "")]


def _files_of(kind: str, value: Any) -> list[Any]:
    """The files that a value brings: one or several. :raises Refusal: it is the id of a file where bytes belong."""
    given = list(as_map(value).values()) if isinstance(value, (dict, list)) else [value]
    if kind == "F" and len(given) == 2 and isinstance(given[0], str) and "." in given[0]:
        # A name with its content; base64 has no full stop.
        given = [given]
    given = [file for file in given if file not in (None, "")]
    if kind == "F" and any(as_integer(file) is not None for file in given):
        raise Refusal("ERROR_ELEMENT_FIELD_VALUE", "Writing file values by ID is not supported")
    return given


def _file_id(portal: PortalState, kind: str, file: Any) -> int:
    refusal = Refusal("ERROR_ADD_ELEMENT", "Error adding the element.")
    if kind == "F":
        try:
            name, content = file_of(["file", file] if isinstance(file, str) else file)
        except BadValue:
            raise refusal from None
        return portal.store.files.add(name, content)
    on_drive = portal.store.drive.get(as_integer(file) or 0)
    if on_drive is None or on_drive["TYPE"] != "file":
        raise refusal
    file_id: int = on_drive["id"]
    return file_id


@method("lists.element.get", scope="lists", upper=True)
def elements(portal: PortalState, user: User, params: Params) -> Any:
    row = list_of(portal, params)
    number, code = as_integer(params.get("ELEMENT_ID")), params.get("ELEMENT_CODE")
    found = [
        _flat(row, element)
        for element in portal.store.list_elements
        if element["list"] == row["id"]
        and (number is None or element["id"] == number)
        and (not code or element["CODE"] == code)
    ]
    own = {name: Field(name) for name in row["fields"] if name.startswith("PROPERTY_")}
    known = {**_ELEMENT_FIELDS, **own}
    filter_ = conditions(params.get("FILTER"))
    order = read_order(params.get("ELEMENT_ORDER"), known, None)
    page = page_of(
        table_of_rows(found), Matcher(known, refuse=None).read(filter_), order, params.get("start"), old=True
    )
    select = {str(name) for name in array_or_nothing(params.get("SELECT"), "SELECT").values()}
    rows = [_element_answer(row, portal.store.list_elements.rows[element["id"]], select) for element in page.result]
    return Page(rows, page.total, page.next)


def _flat(row: Row, element: Row) -> Row:
    """An element with the plain values of its own fields, as filters and orders see it."""
    own = {name: [part["value"] for part in element.get(name, [])] for name in row["fields"] if name != "NAME"}
    return {**element, **own}


def _element_answer(row: Row, element: Row, select: set[str]) -> Row:
    answer = {
        "ID": str(element["id"]),
        "NAME": element["NAME"],
        "IBLOCK_SECTION_ID": None if element["IBLOCK_SECTION_ID"] is None else str(element["IBLOCK_SECTION_ID"]),
        "CREATED_BY": str(element["CREATED_BY"]),
        "CODE": element["CODE"],
        "DATE_CREATE": site_time(element["DATE_CREATE"]),
        "SORT": str(element["SORT"]),
    }
    for name in row["fields"]:
        if name.startswith("PROPERTY_") and element.get(name):
            answer[name] = {part["id"]: part["value"] for part in element[name]}
    always = {"ID", "NAME", "IBLOCK_SECTION_ID", "CREATED_BY", "CODE"}
    return {name: value for name, value in answer.items() if not select or name in select or name in always}


@method("lists.element.add", scope="lists", upper=True)
def add_element(portal: PortalState, user: User, params: Params) -> Any:
    row, code, given = (
        list_of(portal, params),
        str(required_value(params, "ELEMENT_CODE")),
        as_map(required_value(params, "FIELDS")),
    )
    if any((element["list"], element["CODE"]) == (row["id"], code) for element in portal.store.list_elements):
        raise Refusal("ERROR_ELEMENT_ALREADY_EXISTS", "Element already exists")
    check_right(user)
    element: Row = {"list": row["id"], "CODE": code, "NAME": "", "SORT": 500, "CREATED_BY": user.id}
    section_id = parent_of(portal, row, params, Refusal("ERROR_ADD_ELEMENT", "Error adding the element."))
    element.update(DATE_CREATE=portal.clock.iso(), IBLOCK_SECTION_ID=section_id)
    _write_element(portal, row, element, given)
    for name, field in row["fields"].items():
        if name.startswith("PROPERTY_") and name not in element and field["DEFAULT_VALUE"]:
            _write_element(portal, row, element, {name: field["DEFAULT_VALUE"]})
        if field["IS_REQUIRED"] == "Y" and not element.get(name):
            raise Refusal("ERROR_ADD_ELEMENT", f"The field '{field['NAME']}' is required")
    return portal.store.list_elements.add(element)


@method("lists.element.update", scope="lists", upper=True)
def update_element(portal: PortalState, user: User, params: Params) -> Any:
    row, given = list_of(portal, params), as_map(required_value(params, "FIELDS"))
    element = _element(portal, row, params)
    check_right(user)
    left_out = [name for name in element if name.startswith("PROPERTY_") and element[name] and name not in given]
    if left_out:
        raise not_modelled(
            f"The page does not say whether {left_out[0]} stays when it is not given: give every own field"
        )
    _write_element(portal, row, element, given)
    return True


@method("lists.element.delete", scope="lists", upper=True)
def delete_element(portal: PortalState, user: User, params: Params) -> Any:
    element = _element(portal, list_of(portal, params), params)
    check_right(user)
    portal.store.list_elements.remove(element["id"])
    return True


@method("lists.element.get.file.url", scope="lists", upper=True)
def file_urls(portal: PortalState, user: User, params: Params) -> Any:
    """Paths for people who are signed in: no call of REST may have the bytes."""
    row = list_of(portal, params)
    element, field_id = _element(portal, row, params), as_integer(required_value(params, "FIELD_ID"))
    name = f"PROPERTY_{field_id}"
    kind = row["fields"].get(name, {}).get("TYPE")
    folder = element["IBLOCK_SECTION_ID"] or 0
    files = [part["value"] for part in element.get(name, [])] if kind in _FILES else []
    if kind == "S:DiskFile":
        return [f"/bitrix/tools/disk/uf.php?attachedId={file}&action=download&ncc=1" for file in files]
    place = f"/company/lists/{row['id']}/file/{folder}/{element['id']}/{name}"
    return [f"{place}/{file}/?ncc=y&download=y" for file in files]
