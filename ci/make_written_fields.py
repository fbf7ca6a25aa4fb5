"""
Write ``airflow_provider_bitrix24/crm/written_fields.txt``: the names that writing methods take.

    python ci/make_written_fields.py DIRECTORY

``DIRECTORY`` holds the documentation as data, one JSON file a method in the form of ``tests/contract/README.md``, and
``fields`` and ``method-names.txt`` beside it. The repository has only the methods of its sandbox so; tests compare the
table with them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "airflow_provider_bitrix24" / "crm" / "written_fields.txt"

HEAD = """\
# Names that writing methods take: method, parameter, the method that describes the fields with the key of them in its
# result, how its names are taken, and the names that the page of the method has. Made by ci/make_written_fields.py.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
#
# Parameter "-": the parameters themselves. exact = the portal drops every name that it does not describe; letters = so
# but for own fields (UF_...); any-case = without regard to case and underscores; near = not all that is taken is
# described, so only what is a slip of the pen of a name counts as unknown. A name with [] is a list, never a text; one
# with ! is described as read-only, or as set when the object is added. :whole, :number, :flag, :day and :moment are
# types of values: whole numbers and ids, numbers, yes or no, days, days or moments; :N|P has the words that there are.
# :ids, :bindings and :files are lists of ids, of ids with the kind of their CRM object before them (D_10), and of files
# (n15).
"""

#: Names in tables and examples; families such as ``UF_CRM_*`` and ``propertyN`` are not names.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FAMILY = re.compile(
    r"UF_CRM_?(x+|\d+)?|uf[A-Z]\w*\d{5,}|PROPERTY_(PropertyId|\d+)|property(\d+|N)|PARENT_ID_\d+|parentId\d+"
    # Of the portal in the examples.
    r"|UF_NEW_TASKS_FIELD"
)
_WRITES = re.compile(
    r".*\.(add|update|set|modify|register|bind|save|create|addCatalogProduct|updateCatalogProduct|addSubFolder|addFolder"
    r"|upload\w*|rename|attach\w*|updateTitle)",
    re.IGNORECASE,
)
#: Types that are lists; multi-fields (phones) have a check of their own.
_LIST = re.compile(r"array|(?!crm_multifield)[a-z_.]+\[\]")
#: Types of the documentation by what the table calls them. Statuses of orders have letters for ids.
_TYPES = {
    "whole": re.compile(
        r"integer|user|user\.id|crm_(company|contact|category)|(?!sale_status)(catalog|sale|crm)_\w+\.id"
    ),
    "number": re.compile(r"double"),
    "flag": re.compile(r"boolean|char"),
    "day": re.compile(r"date"),
    "moment": re.compile(r"datetime|datetime\|date"),
}
#: Texts by ``user.add``, and days by ``user.get``.
_DAYS = ("PERSONAL_BIRTHDAY", "UF_EMPLOYMENT_DATE")
#: Lists of ids, of objects of CRM and of files, which the documentation calls arrays or by the type of their field.
_MEMBERS = {
    "ids": re.compile(r"ACCOMPLICES|AUDITORS|attendees|USERS|DEPENDS_ON|IblockSection|UF_DEPARTMENT"),
    "bindings": re.compile(r"UF_CRM_TASK|crm_fields"),
    "files": re.compile(r"UF_TASK_WEBDAV_FILES|UF_FORUM_MESSAGE_DOC|UF_BLOG_POST_FILE"),
}
#: What tasks have besides their described fields: by the pages of their methods, and by the table of fields in older
#: editions of "task.item.*", methods of the same store.
_OF_TASKS = ("SE_PARAMETER[]", "TAGS", "DEPENDS_ON:ids", "DECLINE_REASON", "DESCRIPTION_IN_BBCODE:flag")
#: What that table says can be read and not be written.
_READ_OF_TASKS = frozenset(
    {
        *("GUID", "MULTITASK", "FAVORITE", "SUBORDINATE", "DATE_START", "CLOSED_BY", "CLOSED_DATE", "VIEWED_DATE"),
        *("DURATION_FACT", "TIME_SPENT_IN_LOGS", "FORUM_ID", "FORUM_TOPIC_ID", "FORKED_BY_TEMPLATE_ID"),
        *("COMMENTS_COUNT", "SERVICE_COMMENTS_COUNT", "NEW_COMMENTS_COUNT"),
    }
)
#: Words of which another one is silently taken for the first or for none, by "tasks.task.getFields".
_CHOICES = {"MARK": "N|P", "PRIORITY": "0|1|2"}
#: Days by their type, and moments by their use (it tells one occurrence of an event from another) or their answers.
_MOMENTS = ("current_date_from", "payReturnDate")
#: Documented with a type that their own examples and meaning contradict.
_UNTYPED = re.compile(r"FORKED_BY_TEMPLATE_ID|MULTIPLE|MANDATORY", re.IGNORECASE)
#: The parameter that holds the fields, in the order of preference.
_PLACES = ("fields", "field", "arfields", "data", "params", "rows", "productrows", "items")


class Source(NamedTuple):
    """Which method describes the fields, and how its names are taken."""

    method: str
    key: str
    names: str


#: Kinds of CRM whose old methods take exactly what their ``*.fields`` has; the rest of a name is the verb.
_EXACT = (
    *("crm.activity", "crm.address", "crm.currency", "crm.deal.recurring", "crm.product", "crm.productsection"),
    *("crm.requisite", "crm.requisite.bankdetail", "crm.requisite.preset", "crm.status", "crm.timeline.comment"),
    *(f"crm.{kind}.contact" for kind in ("company", "deal", "lead", "quote")),
    *("crm.contact.company", "crm.dealcategory"),
)
#: Methods that are described by another name than their own.
_SOURCES = {
    "crm.requisite.link.register": Source("crm.requisite.link.fields", "", "exact"),
    "crm.timeline.bindings.bind": Source("crm.timeline.bindings.fields", "", "exact"),
    "crm.item.productrow.add": Source("crm.item.productrow.fields", "fields", "any-case"),
    "crm.item.productrow.update": Source("crm.item.productrow.fields", "fields", "any-case"),
    "crm.item.productrow.set": Source("crm.item.productrow.fields", "fields", "any-case"),
    "crm.category.add": Source("crm.category.fields", "fields", "any-case"),
    "crm.category.update": Source("crm.category.fields", "fields", "any-case"),
    "crm.type.add": Source("crm.type.fields", "fields", "near"),
    "crm.type.update": Source("crm.type.fields", "fields", "near"),
    "crm.invoice.add": Source("crm.invoice.fields", "", "near"),
    "crm.invoice.update": Source("crm.invoice.fields", "", "near"),
    # The names go to the server's own store of tasks as they are, and it has no others (server source).
    "tasks.task.add": Source("tasks.task.getFields", "fields", "letters"),
    "tasks.task.update": Source("tasks.task.getFields", "fields", "letters"),
    "lists.element.add": Source("lists.field.get", "", "near"),
    "lists.element.update": Source("lists.field.get", "", "near"),
    "user.add": Source("user.fields", "", "any-case"),
    "user.update": Source("user.fields", "", "any-case"),
    "department.add": Source("department.fields", "", "any-case"),
    "department.update": Source("department.fields", "", "any-case"),
    "sale.basketitem.addCatalogProduct": Source("sale.basketitem.getFieldsCatalogProduct", "basketItem", "any-case"),
    "sale.basketitem.updateCatalogProduct": Source("sale.basketitem.getFieldsCatalogProduct", "basketItem", "any-case"),
    **{
        f"crm.{kind}.productrows.set": Source("crm.productrow.fields", "", "exact")
        for kind in ("deal", "lead", "quote")
    },
}
#: Checked elsewhere, by what the portal says of the kind of item.
_ELSEWHERE = re.compile(r"crm\.item\.(add|update|import|batchImport)|batch")
#: Objects whose fields are described apart from any method: the file beside the pages, and the methods.
_OBJECTS = {
    "task": ("tasks.task.add", "tasks.task.update"),
    "catalog_product": tuple(
        f"catalog.product{kind}.{verb}" for kind in ("", ".offer", ".service", ".sku") for verb in ("add", "update")
    ),
}


class Pages:
    """The documentation as data."""

    def __init__(self, directory: Path) -> None:
        self._pages: dict[str, Mapping[str, Any]] = {}
        for path in sorted(directory.glob("*.json")):
            page = json.loads(path.read_text("utf-8"))
            if isinstance(page, dict) and page.get("method") and page.get("rest") != "v3":
                self._pages[page["method"]] = page
        names = directory.parent / "method-names.txt"
        self._unwritten = set(names.read_text("utf-8").split()) - set(self._pages) if names.is_file() else set()
        self._objects = directory.parent / "fields"
        if not self._objects.is_dir():
            self._objects = directory / "fields"

    def lines(self) -> Iterator[str]:
        for method in sorted({*self._pages, *self._unwritten}, key=str.lower):
            if not _WRITES.fullmatch(method) or _ELSEWHERE.fullmatch(method):
                continue
            page = self._pages.get(method, {})
            source = self._source(method)
            place = _place(page, source)
            names = dict.fromkeys(_names(page, place))
            taken = set(map(_bare, names))
            # Examples have no types.
            names |= dict.fromkeys(
                name for name in self._object_names(method) if _bare(name) not in taken or ":" in name
            )
            # Examples have the names of tables once more.
            marked = {_bare(name) for name in names if name != _bare(name)}
            names = {name: None for name in names if name != _bare(name) or name not in marked}
            if source is not None or len(names) > 1:
                described = "-" if source is None else f"{source.method}:{source.key}".rstrip(":")
                yield " ".join((method, place, described, source.names if source else "near", *names))
            own = [row["name"] + _typed(row) for row in _own(page) if _NAME.fullmatch(row["name"])]
            if place != "-" and len(own) > 1:
                yield " ".join((method, "-", "-", "near", *own))

    def _source(self, method: str) -> Source | None:
        if method in _SOURCES:
            return _SOURCES[method]
        kind, _, verb = method.rpartition(".")
        if kind.endswith(".items") and verb == "set":
            kind = kind.removesuffix(".items")
        if kind in _EXACT and verb in ("add", "update", "set"):
            return Source(f"{kind}.fields", "", "exact")
        if method.startswith("crm.orderentity.add") or (
            method.startswith(("catalog.", "sale.")) and verb in ("add", "update")
        ):
            for name in (f"{kind}.getFields", f"{kind}.getfields"):
                if answer := _answer(self._pages.get(name, {})):
                    return Source(name, next(iter(answer)), "any-case")
        return None

    def _object_names(self, method: str) -> Iterator[str]:
        if method in _OBJECTS["task"]:
            yield from _OF_TASKS
        for name, methods in _OBJECTS.items():
            path = self._objects / f"{name}.json"
            if method in methods and path.is_file():
                side = "new" if method.startswith("catalog.") else "old"
                for field in json.loads(path.read_text("utf-8"))["fields"]:
                    own = field["names"].get(side)
                    if isinstance(own, str) and _is_name(own):
                        fixed = field.get("immutable") and method.endswith(".update")
                        kept = own == "ID" or (side == "old" and own in _READ_OF_TASKS)
                        yield own + _mark(field, side, read_only=bool(field.get("read_only") or kept or fixed))


def _answer(page: Mapping[str, Any]) -> Mapping[str, Any]:
    bodies = [answer["body"] for answer in page.get("responses") or [] if answer.get("status") == 200]
    result = bodies[0].get("result") if bodies and isinstance(bodies[0], dict) else None
    return result if isinstance(result, dict) else {}


def _own(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The table of the method's own parameters."""
    tables = page.get("parameters") or []
    return tables[0]["rows"] if tables else []


def _place(page: Mapping[str, Any], source: Source | None) -> str:
    if source is not None and source.method in ("user.fields", "department.fields"):
        return "-"
    names = {row["name"].lower(): row["name"] for row in _own(page)}
    return next((names[place] for place in _PLACES if place in names), "-" if names else "fields")


def _names(page: Mapping[str, Any], place: str) -> Iterator[str]:
    """Names in the tables of a parameter, and in the examples."""
    tables = page.get("parameters") or []
    for number, table in enumerate(tables):
        words = re.findall(r"\w+", table["table"].lower())
        of_rows = place in ("rows", "items", "productRows") and number > 0
        if place == "-" if number == 0 else (place.lower() in words or of_rows):
            for row in table["rows"]:
                if _is_name(row["name"]):
                    yield row["name"] + _listed(row)
    for request in page.get("requests") or []:
        given = request.get("params")
        if request.get("method") == page["method"] and isinstance(given, dict) and place != "-":
            inner = next((value for name, value in given.items() if name.lower() == place.lower()), None)
            for part in inner if isinstance(inner, list) else [inner]:
                yield from filter(_is_name, part if isinstance(part, dict) else ())


def _mark(field: Mapping[str, Any], side: str, *, read_only: bool) -> str:
    kind = field.get("type")
    kind = kind.get(side) if isinstance(kind, dict) else kind
    values = field.get("values")
    if side == "old" and isinstance(values, dict) and set(values) == {"Y", "N"}:
        kind = "boolean"
    if side == "old" and field["field"] in _CHOICES:
        return f":{_CHOICES[field['field']]}"
    return "!" if read_only else _listed({"name": field["field"], "type": kind})


def _listed(row: Mapping[str, Any]) -> str:
    """``[]`` for a list, and ``:whole`` and the like for a name whose type is known."""
    return ("[]" if _LIST.fullmatch(str(row.get("type") or "").strip()) else "") + _typed(row)


def _typed(row: Mapping[str, Any]) -> str:
    for name, members in _MEMBERS.items():
        if members.fullmatch(row["name"]):
            return f":{name}"
    if row["name"] in _MOMENTS:
        return ":moment"
    if row["name"] in _DAYS:
        return ":day"
    kind = str(row.get("type") or "").strip()
    found = [name for name, types in _TYPES.items() if types.fullmatch(kind) and not _UNTYPED.fullmatch(row["name"])]
    return f":{found[0]}" if found else ""


def _bare(name: str) -> str:
    return name.partition(":")[0].rstrip("[]!")


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not _FAMILY.fullmatch(name)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("python ci/make_written_fields.py DIRECTORY")
    TABLE.write_text(HEAD + "".join(f"{line}\n" for line in Pages(Path(sys.argv[1])).lines()), encoding="utf-8")


if __name__ == "__main__":
    main()
