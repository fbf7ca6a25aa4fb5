"""``lists.section.*``: the tree of sections of the portal's own lists. Source: pages under ``lists/sections``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.arguments import array_or_nothing
from airflow_provider_bitrix24.sandbox.methods.listing import page_of
from airflow_provider_bitrix24.sandbox.methods.lists import (
    check_right,
    conditions,
    list_of,
    named_in,
    required_value,
    site_time,
    table_of_rows,
)
from airflow_provider_bitrix24.sandbox.methods.registry import Page, Params, Refusal, method, not_modelled
from airflow_provider_bitrix24.sandbox.methods.selection import Field, Matcher
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

_TEXTS = ("NAME", "ACTIVE", "DESCRIPTION", "DESCRIPTION_TYPE")
_INTEGERS = ("SORT", "LEFT_MARGIN", "RIGHT_MARGIN", "DEPTH_LEVEL", "MODIFIED_BY", "CREATED_BY")
_MOMENTS = ("TIMESTAMP_X", "DATE_CREATE")
_FILTERED = {
    "ID": Field("id", "integer"),
    **{name: Field(name) for name in (*_TEXTS, "CODE", "XML_ID", "EXTERNAL_ID", "GLOBAL_ACTIVE", "SEARCHABLE_CONTENT")},
    **{name: Field(name, "integer") for name in (*_INTEGERS, "IBLOCK_SECTION_ID")},
    **{name: Field(name, "datetime") for name in _MOMENTS},
    **{f"IBLOCK_{name}": Field(f"IBLOCK_{name}") for name in ("ACTIVE", "NAME", "TYPE", "XML_ID", "EXTERNAL_ID")},
}


def _section(portal: PortalState, row: Row, params: Params) -> Row:
    return named_in(row, portal.store.list_sections, params, "SECTION")


def parent_of(portal: PortalState, row: Row, params: Params, refusal: Refusal) -> int | None:
    """Where a new section or element goes; ``None`` is the root of the list. :raises Refusal: that is not there."""
    number = as_integer(params.get("IBLOCK_SECTION_ID") or 0)
    if number == 0:
        return None
    parent = portal.store.list_sections.get(number or -1)
    if parent is None or parent["list"] != row["id"]:
        raise refusal
    return number


@method("lists.section.get", scope="lists", upper=True)
def sections(portal: PortalState, user: User, params: Params) -> Any:
    row = list_of(portal, params)
    of_list = {"IBLOCK_ACTIVE": "Y", "IBLOCK_NAME": row["NAME"], "IBLOCK_TYPE": row["IBLOCK_TYPE_ID"]}
    found = table_of_rows({**of_list, **section} for section in _tree(portal, row))
    matcher = Matcher(_FILTERED, refuse=None).read(conditions(params.get("FILTER")))
    page = page_of(found, matcher, [], params.get("start"), old=True)
    select = {str(name) for name in array_or_nothing(params.get("SELECT"), "SELECT").values()}
    return Page([_answer(section, select) for section in page.result], page.total, page.next)


def _tree(portal: PortalState, row: Row) -> Iterator[Row]:
    """The list's sections with what follows from where they stand: borders of nested sets, depth, activity."""
    rows = [section for section in portal.store.list_sections if section["list"] == row["id"]]
    border = 0

    def below(parent_id: int | None, depth: int, active: bool) -> Iterator[Row]:
        nonlocal border
        children = [section for section in rows if section["IBLOCK_SECTION_ID"] == parent_id]
        for section in sorted(children, key=lambda child: (child["SORT"], child["NAME"], child["id"])):
            border += 1
            is_active = active and section["ACTIVE"] == "Y"
            placed = {**section, "LEFT_MARGIN": border, "DEPTH_LEVEL": depth}
            deeper = list(below(section["id"], depth + 1, is_active))
            border += 1
            yield {**placed, "RIGHT_MARGIN": border, "GLOBAL_ACTIVE": "Y" if is_active else "N"}
            yield from deeper

    return below(None, 1, True)


def _answer(section: Row, select: set[str]) -> Row:
    parent = section["IBLOCK_SECTION_ID"]
    answer = {
        "ID": str(section["id"]),
        **{name: section[name] for name in ("CODE", "XML_ID", "EXTERNAL_ID")},
        "IBLOCK_SECTION_ID": None if parent is None else str(parent),
        **{name: section[name] for name in (*_TEXTS, "GLOBAL_ACTIVE", "SEARCHABLE_CONTENT")},
        **{name: str(section[name]) for name in _INTEGERS},
        **{name: site_time(section[name]) for name in _MOMENTS},
        **dict.fromkeys(("PICTURE", "DETAIL_PICTURE", "SECTION_PAGE_URL")),
    }
    return {name: value for name, value in answer.items() if not select or name in select}


@method("lists.section.add", scope="lists", upper=True)
def add_section(portal: PortalState, user: User, params: Params) -> Any:
    row, code = list_of(portal, params), str(required_value(params, "SECTION_CODE"))
    given = as_map(required_value(params, "FIELDS"))
    required_value(given, "NAME")
    check_right(user)
    parent_id = parent_of(portal, row, params, Refusal("ERROR_ADD_SECTION", "Error adding section"))
    section: Row = {"list": row["id"], "CODE": code, "IBLOCK_SECTION_ID": parent_id, "SORT": 500, "ACTIVE": "Y"}
    section |= {"XML_ID": None, "EXTERNAL_ID": None, "DESCRIPTION": "", "DESCRIPTION_TYPE": "text"}
    section |= {"CREATED_BY": user.id, "DATE_CREATE": portal.clock.iso()}
    _write(portal, user, section, given)
    return portal.store.list_sections.add(section)


def _write(portal: PortalState, user: User, section: Row, given: Row) -> None:
    section.update({name: str(given[name]) for name in _TEXTS if given.get(name) is not None})
    if "SORT" in given:
        section["SORT"] = as_integer(given["SORT"]) or 0
    # Two names of one field: where both are given, EXTERNAL_ID wins (example of the page).
    for name in ("XML_ID", "EXTERNAL_ID"):
        if name in given:
            section["XML_ID"] = section["EXTERNAL_ID"] = None if given[name] is None else str(given[name])
    section["SEARCHABLE_CONTENT"] = f"{section['NAME']}\r\n{section['DESCRIPTION']}".upper()
    section.update(TIMESTAMP_X=portal.clock.iso(), MODIFIED_BY=user.id)


@method("lists.section.update", scope="lists", upper=True)
def update_section(portal: PortalState, user: User, params: Params) -> Any:
    row, given = list_of(portal, params), as_map(required_value(params, "FIELDS"))
    section = _section(portal, row, params)
    check_right(user)
    _write(portal, user, section, given)
    return True


@method("lists.section.delete", scope="lists", upper=True)
def delete_section(portal: PortalState, user: User, params: Params) -> Any:
    row = list_of(portal, params)
    section = _section(portal, row, params)
    check_right(user)
    inside = (*portal.store.list_sections, *portal.store.list_elements)
    if any((other["list"], other["IBLOCK_SECTION_ID"]) == (row["id"], section["id"]) for other in inside):
        raise not_modelled("The page does not say what becomes of what is in a section: delete that first")
    portal.store.list_sections.remove(section["id"])
    return True
