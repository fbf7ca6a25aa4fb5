"""The documented parameters of each method, and values for them that must change what the portal does."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from airflow_provider_bitrix24.sandbox import Sandbox
from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import NAMES
from tests.sandbox.snapshot import Snapshot

#: Where a table of a page stands among the parameters: keys of the request, by the table's name.
_PLACES = {
    r"(method )?parameters|additional parameters|get .*|set .*": "",
    r"(?:parameter (\w+)|(\w+) parameter)": "*",
    r"(list of )?available fields for filtering|filterable fields|description of .* fields?.*": "filter",
}

#: Tables that describe a thing which stands in a list.
_ELEMENTS = {
    "List of Available Fields for Product Rows": ("rows", 0),
    "Parameter productRows": ("productRows", 0),
    "Structure of the Binding Object": ("items", 1),
    "Structure of the binding object": ("items", 1),
    "Structure of the Link Object": ("items", 1),
    "Parameter LIST": ("fields", "LIST", 0),
    "uf_enum_element Type": ("fields", "LIST", 0),
    "Type uf_enum_element": ("field", "enum", 0),
    "Parameter SETTINGS": ("fields", "SETTINGS"),
    "Parameter settings": ("field", "settings"),
    "Parameter Settings": ("fields", "settings"),
    "NAV_PARAMS Parameter": ("PARAMS", "NAV_PARAMS"),
    "Parameter LANG": ("fields", "LANG", "en"),
}

_MOMENT = "2026-05-05T10:00:00+03:00"
_FLAGS = ["Y", "N", True, False]
_VALUES: Mapping[str, list[Any]] = {
    "boolean": _FLAGS,
    "char": _FLAGS,
    "integer": [1, 2, 7, 999_999],
    "double": [7.5, 1.25],
    "datetime": [_MOMENT, "2031-01-01T00:00:00+03:00"],
    "date": ["2026-05-05", "2031-01-01"],
    "crm_multifield": [[{"VALUE": "x", "VALUE_TYPE": "WORK"}]],
    "array": [[{"VALUE": "x", "VALUE_TYPE": "WORK"}], [1], [7], ["ID"], ["id"]],
    "object": [
        {"n0": {"VALUE": "x", "typeId": "PHONE", "value": "+1", "valueType": "WORK"}},
        {"ID": "desc"},
        {"id": "desc"},
        {"ID": 999_999},
        {"id": 999_999},
        {"NAME": "zz"},
    ],
    "string": ["Text", "Y", "N", "EUR", "OTHER", "RED", "2", "SYSTEM", "OPEN", "desc", _MOMENT],
}
_BY_NAME: Mapping[str, list[Any]] = {
    "start": [50, -1],
    "dialog_id": ["chat11"],
    "field_id": ["NAME", "Text"],
    "list_def": [["1671"], ["20"], ["10"]],
    "sort": ["NAME", "CALL_DURATION", "LAST_NAME", "ID", 7, 20],
    "order": ["DESC", {"ID": "desc"}, {"id": "desc"}, {"orderId": "desc"}, {"NAME": "desc"}, {"SECONDS": "desc"}],
    **{name: [{"ID": "desc"}, {"ID": "asc"}] for name in ("element_order", "iblock_order")},
    "filter": [{"ID": 999_999}, {"id": 999_999}, {"ownerId": 999_999}, {"CITY": "x"}, {"ENTITY_ID": 999_999}],
    "fm": [[{"typeId": "PHONE", "valueType": "WORK", "value": "+1"}]],
    "semantics": ["S"],
    "params": [{"FORCED": "Y"}],
    **{name: [{"fileData": ["a.txt", "eA=="]}] for name in ("logo", "photo", "personal_photo", "work_logo")},
    "files": [[["a.txt", "eA=="]], [{"fileData": ["a.txt", "eA=="]}]],
    "select": [["ID"], ["id"], ["NAME"], ["orderId"]],
}


@dataclass(frozen=True)
class Parameter:
    page: str
    path: tuple[str | int, ...]
    type: str

    @property
    def name(self) -> str:
        return ".".join(str(part) for part in self.path)

    @property
    def values(self) -> list[Any]:
        last = str(self.path[-1]).lower()
        for name, values in _BY_NAME.items():
            if last == name:
                return values
        kind = re.split(r"[|<\[ ]", self.type.lower().replace("int ", "integer "))[0]
        return _VALUES.get(kind, [*_VALUES["string"], *_VALUES["integer"]])


def documented(page: str, content: dict[str, Any]) -> Iterator[Parameter]:
    """The rows of the page's tables, each once."""
    seen = set()
    for table in content.get("parameters", []):
        place = place_of(table["table"], content)
        for row in table["rows"]:
            # Families such as `UF_CRM_*`, and notes that stand in the column of names.
            for name in re.split(r"[,/]\s*", row["name"]):
                if not re.fullmatch(r"[A-Za-z]\w*", name) or "PropertyId" in name:
                    continue
                parameter = Parameter(page, (*place, name), str(row.get("type") or ""))
                if parameter.name not in seen:
                    seen.add(parameter.name)
                    yield parameter


#: Filters that a list must have.
_ALWAYS = {
    "crm.item.productrow.list": {"=ownerType": "D", "=ownerId": "a deal"},
    "crm.timeline.comment.list": {"ENTITY_TYPE": "deal", "ENTITY_ID": "a deal"},
    "userfieldconfig.list": {"entityId": "CRM_DEAL"},
    "catalog.product.list": {"iblockId": 23},
}
_ITEM_KINDS = (2, 1, 3, 4, 7, 31, 128)
_OWN = {2: "deal", 1: "own lead", 3: "own contact", 4: "own company", 7: "own quote", 31: "invoice", 128: "smart item"}


def bases(parameter: Parameter, params: Any, objects: Mapping[str, Any]) -> Iterator[Any]:
    """Calls of which at least one must end otherwise when the parameter has another value."""
    page, path = parameter.page, parameter.path
    if not isinstance(params, dict):
        names = ("TASKID", "ORDER", "FILTER", "SELECT", "PARAMS")
        params = dict(zip(names, (objects["task"], {"ID": "asc"}, {">ID": 0}, ["*"], {}), strict=True))
    params = {name: value for name, value in copy.deepcopy(params).items() if name != "auth"}
    filter_key = key_of(params, "filter")
    if (
        filter_key in params
        and (str(path[0]).lower() != "filter" or len(path) > 1)
        and page != "task.elapseditem.getlist"
    ):
        always = _ALWAYS.get(page, {})
        params[filter_key] = {key: objects["deal"] if value == "a deal" else value for key, value in always.items()}
    for noise in ("limit", "start", "order"):
        if str(path[0]).lower() != noise and page != "user.get":
            params.pop(key_of(params, noise), None)
    last = str(path[-1])
    match page, last:
        case ("crm.item.list" | "crm.item.fields", "useOriginalUfNames"):
            params = {"entityTypeId": 2}
        case (_, "IS_PRIMARY") if path[0] == "items":
            params = with_value(params, ("items", 0, last), ...)
        case (_, "DATE_CREATE" | "DATE_MODIFY" | "CREATED_BY_ID" | "MODIFY_BY_ID") if page.endswith(".add"):
            params[key_of(params, "params")] = {"IMPORT": "Y"}
        case (_, "IMPORT"):
            params = with_value(params, ("fields", "DATE_CREATE"), "2031-01-01T00:00:00+03:00")
        case (_, "XML_ID") if page.startswith("lists.section"):
            params["FIELDS"].pop("EXTERNAL_ID")
        case (_, "IBLOCK_CODE" | "ELEMENT_CODE" | "SECTION_CODE") if page != "lists.get":
            params.pop(last.replace("CODE", "ID"), None)
        case ("lists.get", _):
            params = {"IBLOCK_TYPE_ID": "lists"}
        case ("lists.element.get", "ELEMENT_ORDER"):
            params.pop("ELEMENT_ID")
        case (_, "DEFAULT_VALUE") if page.startswith("lists.field"):
            params["FIELDS"] = {
                name: params["FIELDS"][name] for name in ("NAME", "TYPE", "CODE") if name in params["FIELDS"]
            }
        case (_, "COMPANY_ID"):
            params = with_value(params, (*path[:-1], "COMPANY_IDS"), ...)
        case (_, "discountSum" | "DISCOUNT_SUM" | "discountRate" | "DISCOUNT_RATE"):
            kind = 1 if last.lower() == "discountsum" or last == "DISCOUNT_SUM" else 2
            name = "discountTypeId" if last.islower() or last[0].islower() else "DISCOUNT_TYPE_ID"
            params = with_value(params, (*path[:-1], name), kind)
            other = {"discountSum": "discountRate", "discountRate": "discountSum"}.get(last)
            other = other or ("DISCOUNT_RATE" if last == "DISCOUNT_SUM" else "DISCOUNT_SUM")
            params = with_value(params, (*path[:-1], other), ...)
        case (_, "LABEL"):
            fields = params.get(key_of(params, "fields"), {})
            for label in [name for name in fields if name.endswith(("_LABEL", "_MESSAGE"))]:
                del fields[label]
        case ("crm.status.add", "SEMANTICS"):
            params["fields"]["ENTITY_ID"] = "DEAL_STAGE"
        case ("crm.status.delete", "params"):
            params["id"] = 101
        case ("im.chat.updateTitle", "DIALOG_ID"):
            params = {"TITLE": "x"}
        case ("im.dialog.messages.get", "LAST_ID" | "LIMIT"):
            params.pop("FIRST_ID")
        case ("disk.folder.uploadFile" | "disk.storage.uploadFile", "generateUniqueName"):
            name, folder = objects["drive file name"], objects["drive folder"]
            params["data"] = {"NAME": name}
            params["id"] = folder if page.startswith("disk.folder") else params["id"]
        case ("user.get" | "user.search" | "department.get", _):
            params = {}
        case ("task.elapseditem.getlist", _):
            params = {name: params.get(name, {}) for name in ("TASKID", "ORDER", "FILTER", "SELECT", "PARAMS")}
            params["ORDER"] = {} if path[0] == "ORDER" else params["ORDER"]
            if last == "iNumPage":
                params["PARAMS"] = {"NAV_PARAMS": {"nPageSize": 1}}
        case ("crm.contact.userfield.update", "ID" | "DEL") | ("userfieldconfig.update", "id" | "del"):
            yield _of_a_choice(page, objects)
            return
    if re.fullmatch(r"crm\.item\.(add|update|import)", page) and path[0] == "fields":
        # A kind that has no such field ignores it.
        for kind in (kind for kind in _ITEM_KINDS if len(path) == 1 or path[1] in _names_of(kind)):
            yield {"entityTypeId": kind, "id": objects.get(_OWN[kind], 1), "fields": {"title": "x", "name": "x"}}
        return
    if ("userfield" in page and "LIST" in path) or "enum" in path:
        container = "field" if page.startswith("userfieldconfig") else "fields"
        key = key_of(params, container)
        choices = "enum" if container == "field" else "LIST"
        typed = {("userTypeId" if container == "field" else "USER_TYPE_ID"): "enumeration"}
        params[key] = {**params.get(key, {}), **typed, choices: [{"value" if container == "field" else "VALUE": "One"}]}
    yield params


@cache
def _names_of(kind: int) -> set[str | None]:
    return {spec.names.get("new") for spec in fields_of(NAMES[kind].catalogue)}


def _of_a_choice(page: str, objects: Mapping[str, Any]) -> Any:
    """A change of the one choice that a list of the portal's own has."""
    field_id = objects["choices of contact"]
    choice_id = objects["choice"]
    if page.startswith("userfieldconfig"):
        return {"moduleId": "crm", "id": field_id, "field": {"enum": [{"id": choice_id, "value": "Changed"}]}}
    return {"id": field_id, "fields": {"LIST": [{"ID": choice_id, "VALUE": "Changed"}]}}


def place_of(title: str, content: dict[str, Any]) -> tuple[str | int, ...]:
    if title == "Parameters" and ".numerator." in content["method"]:
        return ("fields", "settings", "Bitrix_Main_Numerator_Generator_SequentNumberGenerator")
    if title in _ELEMENTS:
        return _ELEMENTS[title]
    for pattern, place in _PLACES.items():
        match = re.fullmatch(pattern, title, re.IGNORECASE)
        if match:
            return () if not place else (place,) if place != "*" else (match[1] or match[2],)
    raise LookupError(f"{content['method']}: where does the table {title!r} stand?")


def key_of(target: Any, key: str | int) -> str | int:
    """The key as the request spells it, whatever its case there."""
    if isinstance(target, dict):
        return next((own for own in target if own.lower() == str(key).lower()), key)
    return key


def with_value(params: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the parameters with another value at a place, or without one (``...``)."""
    result = copy.deepcopy(params)
    target = result
    if not isinstance(params, dict):
        return result
    for position, key in enumerate(path[:-1]):
        own = key_of(target, key)
        if isinstance(target, list):
            if not isinstance(own, int):
                return result
            if len(target) <= own:
                target.append({})
        elif isinstance(own, int):
            own = str(own)
            target.setdefault(own, {})
        elif not isinstance(target.get(own), (dict, list)):
            if value is ...:
                return result
            target[own] = [] if isinstance(path[position + 1], int) else {}
        target = target[own]
    last = key_of(target, path[-1])
    if isinstance(target, list):
        return result
    if value is ...:
        target.pop(last, None)
    else:
        target[last] = value
    return result


class Probe:
    """A portal that is as it was before each call."""

    def __init__(self, portal: Sandbox, send: Callable[[str, Any], Any], objects: dict[str, Any]) -> None:
        self.send = send
        self.objects = objects
        self._state = portal._state
        self._snapshot = Snapshot(portal)

    def outcome(self, method: str, params: Any) -> str:
        """What a call answers, and what it changes in the portal, as one text; times of today are one."""
        answer = self.send(method, params)
        answer.pop("time", None)
        changed = self._snapshot.changed()
        reads = re.search(r"(get|list|fields|types|search|byCommunication|findbycomm)$", method, re.IGNORECASE)
        text = f"{answer!r} {[] if reads else changed!r}"
        self._snapshot.restore(changed)
        today = self._state.clock.iso()[:13]
        return re.sub(rf"{re.escape(today)}:\d\d:\d\d\+03:00|\d{{10}}\.\d+", "NOW", text)


def multiply(portal: Sandbox) -> None:
    """More than a page of everything of which there is something."""
    for table in vars(portal._state.store).values():
        if hasattr(table, "ids") and table.ids:
            for number in range(max(0, 220 - len(table))):
                row = copy.deepcopy(table.rows[table.ids[number % len(table.ids)]])
                row.pop("id")
                table.add(row)
