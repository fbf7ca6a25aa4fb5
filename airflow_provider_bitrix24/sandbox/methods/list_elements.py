"""``lists.element.*``: elements of the portal's own lists. Source: pages under ``lists/elements``."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.lists import (
    check_right,
    list_of,
    required_value,
    site_time,
    table_of_rows,
    value_id,
)
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher, read_order
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_ELEMENT_FIELDS = {
    "ID": Field("id", "integer"),
    **{name: Field(name) for name in ("NAME", "CODE")},
    **{name: Field(name, "integer") for name in ("CREATED_BY", "SORT")},
    "DATE_CREATE": Field("DATE_CREATE", "datetime"),
}


def _element(portal: PortalState, row: Row, params: Params) -> Row:
    if not params.get("ELEMENT_CODE"):
        required_value(params, "ELEMENT_ID")
    number, code = as_integer(params.get("ELEMENT_ID")), params.get("ELEMENT_CODE")
    for element in portal.store.list_elements:
        if element["list"] == row["id"] and (element["id"] == number or (code and element["CODE"] == code)):
            return element
    raise Refusal("ERROR_ELEMENT_NOT_FOUND", "Element not found")


def _write_element(portal: PortalState, row: Row, element: Row, given: Row) -> None:
    for name, value in given.items():
        if name == "NAME":
            element["NAME"] = str(value or "")
        elif name in row["fields"] and name.startswith("PROPERTY_"):
            if row["fields"][name]["TYPE"] in ("F", "S:DiskFile"):
                raise not_modelled(
                    f"The sandbox keeps no files in lists: {name} has the type {row['fields'][name]['TYPE']}"
                )
            values = as_map(value).values() if isinstance(value, (dict, list)) else [value]
            element[name] = [{"id": value_id(portal), "value": str(part)} for part in values if part not in (None, "")]


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
    filter_ = as_map(params.get("FILTER"))
    # A name with `%` in it is a pattern (example of the page).
    pattern = "=%NAME" if "%" in str(filter_.get("NAME")) else "NAME"
    filter_ = {(pattern if name == "NAME" else name): value for name, value in filter_.items()}
    order = read_order(params.get("ELEMENT_ORDER"), known, None)
    page = page_of(
        table_of_rows(found), Matcher(known, refuse=None).read(filter_), order, params.get("start"), old=True
    )
    select = {str(name) for name in as_map(params.get("SELECT")).values()}
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
        "IBLOCK_SECTION_ID": None,
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
    element["DATE_CREATE"] = portal.clock.iso()
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
