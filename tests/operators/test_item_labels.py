"""Texts beside codes and ids of single items and of their lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24.operators.crm import Bitrix24GetItemOperator, Bitrix24ListItemsOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.test_crm import failure_of, run

LIST, USERS = "crm.item.list", "user.get"


@pytest.fixture
def portal(connect):
    with Sandbox(deals=0, employees=6) as portal:
        fields = {"stageId": "C9:NEW", "categoryId": 9, "assignedById": 11, "observers": [1, 12]}
        portal.add_deals(1, **fields, ufCrm_1700000005=[45, 46])
        portal.add_deals(700, stageId="LOSE", sourceId="GONE", assignedById=12)
        portal.reset_calls()
        connect(portal, rate=100_000, burst=100_000)
        yield portal


@pytest.fixture
def connect(monkeypatch):
    def connect(portal: Sandbox, **extra: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(**extra))

    return connect


def asked(portal: Sandbox, method: str) -> int:
    return sum(command.method == method for call in portal.calls for command in (call.commands or [call]))


@pytest.mark.parametrize("typed", [True, False])
def test_an_item_has_its_labels(typed, portal):
    item = run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=1, labels=True, typed=typed)
    labels = {name: value for name, value in item.items() if name.endswith("_label")}
    people = [portal.user(number).name for number in (1, 12)]
    expected = {
        "stage_id_label": "New", "category_id_label": "Wholesale", "assigned_by_id_label": portal.user(11).name,
        "observers_label": people, "uf_crm_1700000005_label": ["Red", "Green"], "uf_crm_1700000004_label": None,
    }  # fmt: skip
    assert {name: labels[name] for name in expected} == expected
    without = run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=1, typed=typed)
    assert {name: value for name, value in item.items() if name not in labels} == without


@pytest.mark.parametrize("place", ["xcom", "file", "folder"])
def test_a_list_has_them_without_a_call_for_each_row(place, portal, tmp_path):
    where = {"xcom": {"limit": 150}, "file": {"destination": f"file://{tmp_path}/deals.jsonl"},
             "folder": {"destination": f"file://{tmp_path}/deals/"}}[place]  # fmt: skip
    select = ["stageId", "assignedById", "sourceId"]
    done = run(Bitrix24ListItemsOperator, entity_type_id="deal", select=select, labels=True, **where)
    if place != "xcom":
        (file,) = [path for path in Path(tmp_path).rglob("*.jsonl") if path.is_file()]
        done = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(done) == (150 if place == "xcom" else 701)
    assert {name: done[0][name] for name in ("stage_id_label", "assigned_by_id_label")} == {
        "stage_id_label": "New", "assigned_by_id_label": portal.user(11).name
    }  # fmt: skip
    last = done[-1]
    assert (last["stage_id_label"], last["source_id_label"]) == ("Deal failed", None)
    assert last["assigned_by_id_label"] == portal.user(12).name
    assert set(last) <= {*select, "id", *(f"{name}_label" for name in ("stage_id", "assigned_by_id", "source_id"))}
    assert asked(portal, "crm.status.list") == 1
    assert asked(portal, USERS) == 1
    assert asked(portal, "crm.category.list") == 0
    assert asked(portal, "crm.item.fields") == 1


def test_only_the_fields_that_are_named_get_one(portal):
    (first,) = run(
        Bitrix24ListItemsOperator, entity_type_id=2, item_filter={"id": 1}, labels=["CATEGORY_ID"], typed=True
    )
    assert [name for name in first if name.endswith("_label")] == ["category_id_label"]
    assert asked(portal, USERS) == asked(portal, "crm.status.list") == 0


@pytest.mark.parametrize("operator", [Bitrix24GetItemOperator, Bitrix24ListItemsOperator])
@pytest.mark.parametrize(
    ("labels", "message"),
    [(["title"], "labels names 'title', which has no labels"), ("true", "labels must be True or F")],
)
def test_what_has_no_labels_is_named(operator, labels, message, portal):
    more = {"item_id": 1} if operator is Bitrix24GetItemOperator else {}
    assert message in failure_of(operator, entity_type_id="deal", labels=labels, **more)
    assert asked(portal, LIST) == 0


def test_a_missing_scope_is_named_with_the_labels_that_need_it(portal):
    portal.scopes = portal.scopes - {"user", "user_brief", "user_basic"}
    message = failure_of(Bitrix24GetItemOperator, entity_type_id="deal", item_id=1, labels=True)
    assert "user" in message
    assert "assigned_by_id_label" in message
