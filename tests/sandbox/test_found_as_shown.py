"""What a list shows is what it finds: a filter by any shown value brings the row, and one by another value does not."""

from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox
from tests.sandbox.contract_objects import new_objects

_DEAL = {"entityTypeId": 2, "entityId": "deal"}

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
    **{f"crm.{kind}.list": ({}, ()) for kind in ("company", "contact", "deal", "lead", "quote")},
    **{f"crm.item.list {kind}": ({"entityTypeId": kind}, ("fm",)) for kind in (1, 2, 3, 4, 7, 31, 128)},
}


@pytest.fixture(scope="module")
def call(open_line):
    with Sandbox(deals=12, seed=1, tasks=3, employees=4) as portal:
        line = open_line(portal)

        def result(method, params):
            status, body = line.post(method, params)
            assert status == 200, (method, params, body)
            return body["result"]

        objects = new_objects(portal, result)
        yield lambda method, params: result(
            method, {name: objects[value] if value == "deal" else value for name, value in params.items()}
        )


def _rows(result):
    while isinstance(result, dict):
        result = next(iter(result.values()))
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
    return "987654" if value.replace(".", "").isdigit() else f"{value} else"


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_found_by_what_they_show(name, call):
    params, unfiltered = LISTS[name]
    method = name.partition(" ")[0]
    rows = _rows(call(method, params))
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
        key = "FILTER" if method in ("user.get", "voximplant.statistic.get") else "filter"
        if row not in _rows(call(method, {**params, key: {field: asked}})):
            wrong.append(f"{field} is not found by {asked!r}")
        if row in _rows(call(method, {**params, key: {field: other}})):
            wrong.append(f"{field} is found by {other!r}")
    assert wrong == []


def test_tasks_are_found_by_what_they_show(call):
    call("tasks.task.update", {"taskId": 2, "fields": {"MATCH_WORK_TIME": "Y", "MARK": "P", "TIME_ESTIMATE": 60}})
    for name, value in (("MATCH_WORK_TIME", "Y"), ("MARK", "P"), ("TIME_ESTIMATE", 60)):
        found = call("tasks.task.list", {"filter": {name: value}, "order": {"ID": "asc"}, "select": ["ID"]})["tasks"]
        assert [row["id"] for row in found] == ["2"], name
    assert len(call("tasks.task.list", {"filter": {"MATCH_WORK_TIME": "N"}, "select": ["ID"]})["tasks"]) > 0
