"""Every prefix that the page of a list documents selects what it says, and no prefix breaks a list."""

from __future__ import annotations

import re

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.sandbox import contract

PAGES = contract.pages()

#: List -> what it needs beside a filter.
ALWAYS = {
    "crm.item.list": {"entityTypeId": 2},
    "crm.item.payment.list": {"entityTypeId": 2, "entityId": 1},
    "crm.item.delivery.list": {"entityTypeId": 2, "entityId": 1},
    "crm.item.payment.product.list": {"paymentId": "payment"},
    "crm.item.payment.delivery.list": {"paymentId": "payment"},
    "crm.item.productrow.list": {"filter": {"=ownerType": "D", "=ownerId": 1}},
    "crm.stagehistory.list": {"entityTypeId": 2},
    "crm.timeline.comment.list": {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1}},
    "catalog.product.list": {"select": ["id", "iblockId"], "filter": {"iblockId": 23}},
    "userfieldconfig.list": {"moduleId": "crm", "filter": {"entityId": "CRM_DEAL"}},
    "disk.file.getVersions": {"id": 8902},
    "disk.folder.getChildren": {"id": 8901},
    "disk.storage.getChildren": {"id": 1},
    **{f"lists.{rows}.get": {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 101} for rows in ("element", "section")},
    # Parameters by position: the filter is the third.
    "task.commentitem.getlist": {"TASKID": 1, "ORDER": {"ID": "asc"}},
}
#: Of these the portal has one.
SINGLE = ("crm.type.list", "disk.storage.getList")

CAMEL_CASE = re.compile(
    r"crm\.(item|type|documentgenerator)\.|sale\.(payment|order|basketitem)\.|catalog\.|userfieldconfig"
)


def id_name(page):
    return "orderId" if page == "crm.orderentity.list" else "id" if CAMEL_CASE.match(page) else "ID"


#: Lists whose filter cannot be by id, and why.
WITHOUT_ID = {
    **dict.fromkeys(("event.offline.get", "event.offline.list"), "for applications only: see `test_events.py`"),
    "disk.file.search": "its page has no filter by id",
    "crm.requisite.link.list": "a link has no id: see `test_requisite_links.py`",
    "crm.address.list": "an address has no id: see `test_records.py`",
    "task.elapseditem.getlist": "reads its filter by position: see `test_task_items.py`",
    "userfieldconfig.list": "its page has no prefixes, and no filter by id",
}

PREFIXES = ["", "=", "!", "!=", ">", ">=", "<", "<=", "@", "!@", "%", "!%", "=%", "%=", "!=%", "!%=", "><", "!><"]


def documented_filters():
    """List -> the prefixes of its page."""
    for page, content in PAGES.items():
        if page.endswith(".v3") or content.get("rest") == "v3" or page in WITHOUT_ID:
            continue
        for table in content.get("parameters", []):
            for row in table["rows"]:
                if row["name"].lower() == "filter":
                    yield (
                        page,
                        [prefix for prefix in re.findall(r"`([!<>=@%]+)`", row["description"]) if prefix in PREFIXES],
                    )


FILTERS = dict(documented_filters())


_FILE = ["first.txt", "dGVzdA=="]


@pytest.fixture(scope="module")
def portal():
    with Sandbox(deals=20, seed=1) as portal:
        yield portal


@pytest.fixture(scope="module")
def lists(portal, open_line):
    """``lists(page, filter)`` -> status and ids of the list's rows; every list has several."""
    line = open_line(portal)

    own_list = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "own"}
    for method, params in (
        ("lists.add", {**own_list, "FIELDS": {"NAME": "Own"}}),
        ("disk.folder.uploadFile", {"id": 8901, "data": {"NAME": "first.txt"}, "fileContent": _FILE}),
    ):
        assert "error" not in line.post(method, params)[1]
    numerator = line.post("crm.documentgenerator.numerator.add", {"fields": {"name": "x", "template": "{NUMBER}"}})
    template = {"name": "x", "numeratorId": numerator[1]["result"]["numerator"]["id"], "region": "de"}
    template |= {"entityTypeId": [2], "file": _FILE}
    for number in range(5):
        payment = portal.add_payment(1, sum=number)
        row, delivery = portal.add_product_row(1, price=number, quantity=10), portal.add_delivery(1, price=number)
        payment = portal.payments()[0]["id"]
        for method, params in (
            ("crm.requisite.add", {"fields": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1}}),
            ("crm.requisite.bankdetail.add", {"fields": {"ENTITY_ID": 1, "NAME": "x"}}),
            ("crm.activity.todo.add", {"ownerTypeId": 2, "ownerId": 1, "deadline": "2026-05-05T12:00:00"}),
            ("crm.timeline.comment.add", {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}}),
            ("lists.element.add", {**own_list, "ELEMENT_CODE": f"e{number}", "FIELDS": {"NAME": "Element"}}),
            ("lists.section.add", {**own_list, "SECTION_CODE": f"s{number}", "FIELDS": {"NAME": "Section"}}),
            ("crm.documentgenerator.template.add", {"fields": template}),
            ("crm.documentgenerator.document.add", {"templateId": 39, "entityTypeId": 2, "entityId": 1}),
            ("disk.file.uploadVersion", {"id": 8902, "fileContent": _FILE}),
            (
                "disk.folder.uploadFile",
                {"id": 8901, "data": {"NAME": f"file{number}.txt"}, "fileContent": _FILE},
            ),
            ("task.commentitem.add", {"TASKID": 1, "FIELDS": {"POST_MESSAGE": "x"}}),
            ("crm.item.payment.product.add", {"paymentId": payment, "rowId": row, "quantity": 1}),
            ("crm.item.payment.delivery.add", {"paymentId": payment, "deliveryId": delivery}),
            *(
                (f"crm.{kind}.userfield.add", {"fields": {"FIELD_NAME": f"F{number}", "USER_TYPE_ID": "string"}})
                for kind in ("company", "contact", "deal", "lead", "quote", "requisite")
            ),
        ):
            assert "error" not in line.post(method, params)[1]

    def ask_list(page, filter_):
        params = dict(ALWAYS.get(page, {}))
        if params.get("paymentId"):
            params["paymentId"] = portal.payments()[0]["id"]
        params["filter"] = {**params.get("filter", {}), **filter_}
        status, answer = line.post(page, params)
        return status, [int(row.get(id_name(page), row.get("id"))) for row in rows_of(answer.get("result", []))]

    return ask_list


def rows_of(result):
    while isinstance(result, dict):
        if all(key.isdigit() for key in result):
            return list(result.values())
        (result,) = result.values()
    return result


def selected(prefix, ids, middle, text):
    """What the words of the pages mean, on texts of numbers."""
    number = int(text)
    tests = {
        "": lambda i: i == middle,
        ">": lambda i: i > middle,
        ">=": lambda i: i >= middle,
        "<": lambda i: i < middle,
        "<=": lambda i: i <= middle,
        "@": lambda i: i == middle,
        "%": lambda i: str(number) in str(i),
        "=%": lambda i: str(i).startswith(str(number)),
        "><": lambda i: min(ids) <= i <= middle,
    }
    positive = {"=": "", "!": "", "!=": "", "%=": "=%", "!%=": "=%", "!=%": "=%"}.get(prefix, prefix.lstrip("!"))
    return [i for i in ids if tests[positive](i) != prefix.startswith("!")]


@pytest.mark.parametrize("page", FILTERS)
def test_a_documented_prefix_selects_what_its_page_says(page, lists):
    name = id_name(page)
    status, ids = lists(page, {})
    assert status == 200
    ids = sorted(ids)
    assert len(ids) >= (1 if page in SINGLE else 3)
    middle = ids[len(ids) // 2]
    for prefix in {*FILTERS[page], *(["=", ">"] if page != "tasks.task.list" else [">"])}:
        pattern = str(middle)[0]
        value = {"@": [middle, -1], "!@": [middle, -1], "><": [ids[0], middle], "!><": [ids[0], middle]}.get(prefix)
        if value is None:
            value = (pattern + "%" if "=" in prefix else pattern) if "%" in prefix else middle
        text = pattern if "%" in prefix else str(middle)
        found = lists(page, {prefix + name: value})
        assert (found[0], sorted(found[1])) == (200, selected(prefix, ids, middle, text)), (prefix, value)


@pytest.mark.parametrize("value", [5, "text", [1, 5], [1], {}, None], ids=str)
@pytest.mark.parametrize("page", FILTERS)
def test_no_prefix_breaks_a_list(page, value, lists):
    name = id_name(page)
    statuses = {prefix: lists(page, {prefix + name: value})[0] for prefix in PREFIXES}
    assert {prefix: status for prefix, status in statuses.items() if status not in (200, 400)} == {}


@pytest.mark.parametrize("prefix", ["><", "!><"])
def test_a_range_is_refused_where_no_page_has_one(prefix, portal, ask):
    answer = ask(portal, "crm.deal.list", {"filter": {f"{prefix}ID": [1, 5]}})
    assert answer.status_code == 400
    assert answer.json()["error"] == "NOT_MODELLED_BY_SANDBOX"
    assert f"{prefix}ID" in answer.json()["error_description"]
    answer = ask(portal, "crm.item.list", {"entityTypeId": 2, "filter": {f"{prefix}id": [1, 5]}})
    assert answer.json()["error_description"] == "Invalid filter: field 'id' has invalid value"
