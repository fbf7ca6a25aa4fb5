"""
What a list shows is what it finds: a filter by any shown value brings the row, and one by another value does not.

And each field that the page of a list names as one of its filter's selects rows, or is refused.
"""

from __future__ import annotations

import re

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.sandbox import contract
from tests.sandbox.contract_objects import new_objects
from tests.sandbox.test_filters import rows_of

_DEAL = {"entityTypeId": 2, "entityId": "deal"}

_OWN_LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": "own list"}
_OF_PAYMENT = {"paymentId": "payment"}
_ONLY_SHOWN = ("DOWNLOAD_URL", "DETAIL_URL", "OBJECT_ID", "REAL_OBJECT_ID", "GLOBAL_CONTENT_VERSION")

#: Method -> its other parameters, and fields that its page does not filter by.
LISTS = {
    "crm.activity.list": ({}, ()),
    "crm.address.list": ({}, ()),
    "crm.deal.userfield.list": ({}, ("SETTINGS", "LIST")),
    "crm.item.payment.list": (_DEAL, ()),
    "crm.item.delivery.list": (_DEAL, ()),
    "crm.orderentity.list": ({}, ()),
    "crm.requisite.list": ({}, ()),
    "crm.requisite.bankdetail.list": ({}, ()),
    "crm.requisite.link.list": ({}, ()),
    "crm.requisite.preset.list": ({}, ()),
    "crm.requisite.userfield.list": ({}, ("SETTINGS", "LIST")),
    "crm.stagehistory.list": ({"entityTypeId": 2}, ()),
    "crm.status.list": ({}, ("EXTRA",)),
    "crm.type.list": ({}, ()),
    "sale.basketitem.list": ({}, ("properties", "reservations")),
    "sale.order.list": ({}, ()),
    "sale.payment.list": ({}, ()),
    "user.get": ({}, ()),
    "voximplant.statistic.get": ({}, ()),
    "catalog.product.list": ({"select": ["id", "iblockId", "name"], "filter": {"iblockId": 23}}, ()),
    "crm.documentgenerator.document.list": ({}, ("downloadUrl", "downloadUrlMachine", "stampsEnabled")),
    # A filter by moduleId is always one by crm, says the page.
    "crm.documentgenerator.template.list": ({}, ("download", "downloadMachine", "moduleId")),
    "crm.item.payment.delivery.list": (_OF_PAYMENT, ("deliveryId", "paymentId")),
    "crm.item.payment.product.list": (_OF_PAYMENT, ("rowId", "paymentId")),
    "crm.item.productrow.list": ({"filter": {"=ownerType": "D", "=ownerId": "deal"}}, ("ownerId", "ownerType")),
    "crm.timeline.comment.list": ({"filter": {"ENTITY_TYPE": "deals", "ENTITY_ID": "deal"}}, ("ENTITY_TYPE",)),
    "disk.file.getVersions": ({"id": "drive file"}, _ONLY_SHOWN),
    "disk.folder.getChildren": ({"id": "drive folder"}, (*_ONLY_SHOWN, "FILE_ID", "SIZE")),
    "disk.storage.getChildren": ({"id": "storage"}, _ONLY_SHOWN),
    "disk.storage.getList": ({}, ()),
    "lists.element.get": (_OWN_LIST, ()),
    "lists.section.get": (_OWN_LIST, ()),
    "sale.paysystem.list": ({}, ()),
    "task.commentitem.getlist": (
        {"TASKID": "task", "ORDER": {"ID": "asc"}},
        ("AUTHOR_EMAIL", "POST_MESSAGE", "POST_MESSAGE_HTML"),
    ),
    "task.elapseditem.getlist": (
        {"TASKID": "task", "ORDER": {"ID": "asc"}},
        ("COMMENT_TEXT", "DATE_START", "DATE_STOP", "MINUTES", "SECONDS", "SOURCE"),
    ),
    "user.search": ({}, ()),
    "userfieldconfig.list": ({"moduleId": "crm", "filter": {"entityId": "CRM_DEAL"}}, ()),
    **{f"crm.{kind}.userfield.list": ({}, ("SETTINGS", "LIST")) for kind in ("company", "contact", "lead", "quote")},
    **{f"crm.{kind}.list": ({}, ()) for kind in ("company", "contact", "deal", "lead", "quote")},
    **{f"crm.item.list {kind}": ({"entityTypeId": kind}, ("fm",)) for kind in (1, 2, 3, 4, 7, 31, 128)},
}


#: Names of objects that stand for their ids.
NAMED = ("deal", "deals", "drive file", "drive folder", "own list", "payment", "storage", "task")


@pytest.fixture(scope="module")
def objects_and_post(open_line):
    with Sandbox(deals=12, seed=1, tasks=3, employees=4) as portal:
        line = open_line(portal)

        def post(method, params):
            return (line.as_application if method.startswith("event.") else line.post)(method, params)

        def result(method, params):
            status, body = post(method, params)
            assert status == 200, (method, params, body)
            return body["result"]

        yield {**new_objects(portal, result), "deals": "deal"}, post


@pytest.fixture(scope="module")
def post(objects_and_post):
    """``post(method, params)`` -> status and answer; names of objects among the values stand for their ids."""
    objects, post_ = objects_and_post

    def named(value):
        if isinstance(value, dict):
            return {name: named(part) for name, part in value.items()}
        return objects[value] if value in NAMED else value

    return lambda method, params: post_(method, named(params))


@pytest.fixture(scope="module")
def call(post):
    def result(method, params):
        status, body = post(method, params)
        assert status == 200, (method, params, body)
        return body["result"]

    return result


def _other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 987_654
    if value in ("Y", "N"):
        return "N" if value == "Y" else "Y"
    if "T" in value and "+03:00" in value:
        return "2011-01-01T00:00:00+03:00"
    if re.match(r"\d\d/\d\d/\d{4} ", value):
        return "01/01/2011 10:00:00 am"
    return "987654" if value.replace(".", "").isdigit() else f"{value} else"


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_found_by_what_they_show(name, call):
    params, unfiltered = LISTS[name]
    method = name.partition(" ")[0]
    rows = rows_of(call(method, params))
    assert rows
    wrong = []
    for field in {name for row in rows for name in row if name not in unfiltered}:
        row = next((row for row in rows if row.get(field) not in (None, "", [], {})), None)
        if row is None or isinstance(row[field], dict):
            continue
        value = row[field][0] if isinstance(row[field], list) else row[field]
        if isinstance(value, dict):
            continue
        is_own_flag = field.startswith("uf") and value in ("Y", "N")
        # Fields of the portal's own are shown as Y and N, and found by 1 and 0.
        asked = {"Y": "1", "N": "0"}[value] if is_own_flag else value
        other = {"Y": "0", "N": "1"}[value] if is_own_flag else _other(value)
        key = "FILTER" if method in ("user.get", "user.search", "voximplant.statistic.get") else "filter"
        always = params.get("filter", {})
        if row not in rows_of(call(method, {**params, key: {**always, field: asked}})):
            wrong.append(f"{field} is not found by {asked!r}")
        if row in rows_of(call(method, {**params, key: {**always, field: other}})):
            wrong.append(f"{field} is found by {other!r}")
    assert wrong == []


def test_tasks_are_found_by_what_they_show(call):
    call("tasks.task.update", {"taskId": 2, "fields": {"MATCH_WORK_TIME": "Y", "MARK": "P", "TIME_ESTIMATE": 60}})
    for name, value in (("MATCH_WORK_TIME", "Y"), ("MARK", "P"), ("TIME_ESTIMATE", 60)):
        found = call("tasks.task.list", {"filter": {name: value}, "order": {"ID": "asc"}, "select": ["ID"]})["tasks"]
        assert [row["id"] for row in found] == ["2"], name
    assert len(call("tasks.task.list", {"filter": {"MATCH_WORK_TIME": "N"}, "select": ["ID"]})["tasks"]) > 0


def _named_in_prose():
    """List -> the fields that the description of its filter names, one to a line or behind "Main fields"."""
    for page, content in PAGES.items():
        for table in content.get("parameters", []):
            for row in table["rows"]:
                if row["name"].lower() == "filter" and page not in V3:
                    text = row["description"]
                    names = re.findall(r"^- `([A-Za-z]\w+)` —", text, re.MULTILINE)
                    names += re.findall(r"`(\w+)`", text.partition("Main fields")[2])
                    # Names that stand for what is in their place.
                    names = [
                        name for name in names if not re.fullmatch("field_.|value_.|filter|PROPERTY_PropertyId", name)
                    ]
                    if names:
                        yield page, (row["name"], sorted(set(names)))


PAGES = contract.pages()
V3 = {page for page, content in PAGES.items() if page.endswith(".v3") or content.get("rest") == "v3"}
IN_PROSE = dict(_named_in_prose())
#: Lists whose fields are in the description of their filter -> their other parameters.
OTHERS = {page: LISTS[page][0] for page in IN_PROSE if page in LISTS}
OTHERS |= {"event.offline.get": {"clear": 0}, "tasks.task.list": {}}


@pytest.mark.parametrize("page", IN_PROSE)
def test_a_field_named_in_prose_selects_rows_or_is_refused(page, post, call):
    params = OTHERS.get(page, {})
    if page.startswith("event."):
        call("event.bind", {"event": "ONCRMLEADADD", "event_type": "offline"})
        call("crm.lead.add", {"fields": {"TITLE": "Queued"}})
    always = params.get("filter", {})
    number = len(rows_of(call(page, params)))
    assert number
    ignored = []
    key, fields = IN_PROSE[page]
    for field in fields:
        if (page, field) == ("crm.documentgenerator.template.list", "moduleId"):
            continue  # always crm, says the page
        for value in ("987654", "2011-01-01T00:00:00+03:00"):
            status, body = post(page, {**params, key: {**always, field: value}})
            if status != 200 or len(rows_of(body["result"])) < number:
                break
        else:
            ignored.append(field)
    assert ignored == []


@pytest.mark.parametrize(
    ("method", "condition"),
    [
        ("tasks.task.list", {"!DEPENDS_ON": 5}),
        ("tasks.task.list", {"ONLY_ROOT_TASKS": "Y"}),
        ("tasks.task.list", {"TAG": ""}),
        ("lists.element.get", {"%DETAIL_TEXT": "x"}),
        ("lists.element.get", {">=ACTIVE_TO": "2026-01-01"}),
    ],
)
def test_a_condition_that_is_not_modelled_is_refused_with_any_prefix(method, condition, post):
    status, body = post(method, {**OTHERS[method], IN_PROSE[method][0]: condition})
    assert (status, body["error"]) == (400, "NOT_MODELLED_BY_SANDBOX")
    assert next(iter(condition)).lstrip("!%>=").lower() in body["error_description"]
