"""
Inputs that look careless and are meant: guards against lost values must let them pass, in a DAG that Airflow runs.

Texts such as "None" and "nan" as names, empty texts in filters, zeros, half-open windows, JSON that is text, and empty
lists that are written out.
"""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator

DEAL = 2
SET = "crm.deal.productrows.set"
#: Deals 31 to 36, besides those of the portal, whose titles are others and whose comments are set here.
NAMED = {31: "None", 32: "nan", 33: "Nanna", 34: "100% [] {}", 35: "null", 36: "$result[x] $5"}
#: Among them, deals without a comment.
SILENT = [31, 33]


@pytest.fixture
def ran(portal, connection, run_dag, xcom, task_instance):
    """``ran({"name": task}, conf={…})`` runs all in one DAG; what each returned, or its state if it failed."""

    for deal, title in NAMED.items():
        (added,) = portal.add_deals(1, title=title, comments="" if deal in SILENT else "said", opportunity=deal - 31)
        assert added == deal

    def run(tasks: dict[str, tuple[type, dict[str, Any]]], conf: dict[str, Any] | None = None) -> dict[str, Any]:
        with DAG("legitimate", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
            for number, (operator, arguments) in enumerate(tasks.values()):
                operator(task_id=f"task_{number}", **arguments)
        done = run_dag(dag, conf)
        states = {name: task_instance(done, f"task_{number}").state for number, name in enumerate(tasks)}
        return {
            name: xcom(done, f"task_{number}") if states[name] == "success" else states[name]
            for number, name in enumerate(tasks)
        }

    return run


def deals(**conditions: Any) -> tuple[type, dict[str, Any]]:
    return Bitrix24ListItemsOperator, {"entity_type_id": "deal", "select": ["id"], "item_filter": conditions}


#: Filters of one argument each, and the ids that they mean among the deals from 31 on.
FILTERS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "an empty text under =": ({"=comments": ""}, SILENT),
    "an empty text under !": ({"!comments": ""}, [32, 34, 35, 36]),
    "an empty text, bare": ({"comments": ""}, SILENT),
    "an empty text among others": ({"@comments": ["", "other"]}, SILENT),
    "a lower bound alone": ({">=id": 33}, [33, 34, 35, 36]),
    "an upper bound alone": ({"<id": 33}, [31, 32]),
    "a half-open window": ({">=id": 32, "<id": 34}, [32, 33]),
    "a half-open window of texts": ({">=id": "32", "<id": "33"}, [32]),
    "a half-open window from templates": (
        {">=id": "{{ dag_run.conf['low'] }}", "<id": "{{ dag_run.conf['high'] }}"},
        [32, 33],
    ),
    "a window of one value": ({">=id": 33, "<=id": 33}, [33]),
    "a window open on the left": ({">id": 33, "<=id": 34}, [34]),
    "the text nan": ({"%title": "nan"}, [32, 33]),
    "the name None": ({"=title": "None"}, [31]),
    "the name null, bare": ({"title": "null"}, [35]),
    "names among them": ({"@title": ["None", "nan"]}, [31, 32]),
    "a name from a template that begins as nan": ({"%title": "{{ dag_run.conf['name'] }}"}, [33]),
    "a percent sign and brackets": ({"=title": "100% [] {}"}, [34]),
    "zero": ({"=opportunity": 0}, [31]),
    "zero from a template": ({"=opportunity": "{{ dag_run.conf['zero'] }}"}, [31]),
    "a bound of zero": ({">opportunity": 0}, [32, 33, 34, 35, 36]),
    "a negative bound": ({">=opportunity": -5}, [31, 32, 33, 34, 35, 36]),
    "a decimal": ({"=opportunity": Decimal(2)}, [33]),
    "False": ({"=isManualOpportunity": False}, [31, 32, 33, 34, 35, 36]),
    "a day of a field of days": ({">=begindate": "2020-01-01"}, [31, 32, 33, 34, 35, 36]),
    "alternatives": ({"0": {"logic": "OR", "0": {"=title": "None"}, "1": {"comments": ""}}}, [31, 33]),
    "excluded ids": ({"!@id": [31, 32, 33]}, [34, 35, 36]),
}


def test_filters_that_mean_what_they_say(ran):
    conf = {"low": 32, "high": 34, "name": "Nanna", "zero": 0}
    outcomes = ran({name: deals(**conditions) for name, (conditions, _) in FILTERS.items()}, conf)
    found = {
        name: [row["id"] for row in rows if row["id"] > 30] if isinstance(rows, list) else rows
        for name, rows in outcomes.items()
    }
    assert found == {name: ids for name, (_, ids) in FILTERS.items()}


JSON_TEXT = '{"a": [1, null]}'


def test_values_that_mean_what_they_say(ran, portal):
    update = {"entity_type_id": "deal"}
    outcomes = ran({
        "JSON as a comment": (Bitrix24UpdateItemOperator, {**update, "item_id": 1, "fields": {"comments": JSON_TEXT}}),
        "a list as a comment": (Bitrix24UpdateItemOperator, {**update, "item_id": 2, "fields": {"comments": "[]"}}),
        "the title None": (Bitrix24UpdateItemOperator, {**update, "item_id": 3, "fields": {"title": "None"}}),
        "zero": (Bitrix24UpdateItemOperator, {**update, "item_id": 4, "fields": {"opportunity": 0}}),
        "False": (Bitrix24UpdateItemOperator, {**update, "item_id": 5, "fields": {"opened": False}}),
        "an empty text clears": (Bitrix24UpdateItemOperator, {**update, "item_id": 32, "fields": {"comments": ""}}),
        "None clears": (Bitrix24UpdateItemOperator, {**update, "item_id": 34, "fields": {"comments": None}}),
        "an id as text": (Bitrix24GetItemOperator, {**update, "item_id": "{{ dag_run.conf['deal'] }}"}),
        "a text that looks like a reference": (
            Bitrix24Operator,
            {"method": "crm.deal.update", "method_params": {"id": 6, "fields": {"COMMENTS": "$result[x] $5 ${y}"}}},
        ),
        "a key of digits": (
            Bitrix24UpsertItemOperator,
            {"entity_type_id": "company", "key": "originId", "fields": {"originId": "007", "title": "nan"}},
        ),
        "an add with an empty text": (
            Bitrix24AddItemOperator,
            {"entity_type_id": "company", "fields": {"title": "null", "comments": ""}},
        ),
        "rows with zeros and such names": (
            Bitrix24BulkWriteOperator,
            {"entity_type_id": "deal", "operation": "update", "rows": [{"id": 7, "title": "None", "opportunity": 0}]},
        ),
    }, {"deal": 36})  # fmt: skip
    assert [name for name, outcome in outcomes.items() if outcome in ("failed", "upstream_failed")] == []
    item = {deal: portal.item(DEAL, deal) for deal in (*range(1, 8), 32, 34)}
    assert (item[1]["comments"], item[2]["comments"], item[3]["title"]) == (JSON_TEXT, "[]", "None")
    assert (item[4]["opportunity"], item[5]["opened"]) == (0, "N")
    assert (item[32]["comments"] or "", item[34]["comments"] or "") == ("", "")
    assert outcomes["an id as text"]["title"] == NAMED[36]
    assert item[6]["comments"] == "$result[x] $5 ${y}"
    assert outcomes["a key of digits"]["created"]
    assert portal.item(4, outcomes["a key of digits"]["id"])["originId"] == "007"
    assert portal.item(4, outcomes["an add with an empty text"])["title"] == "null"
    assert (item[7]["title"], item[7]["opportunity"]) == ("None", 0)


def test_calls_that_mean_what_they_say(ran, portal):
    for deal in (1, 2):
        portal.add_product_row(deal, price=5)
    payments = [portal.add_payment(9) for _ in range(2)]
    outcomes = ran({
        "rows: [] in the DAG": (
            Bitrix24Operator, {"method": SET, "method_params": {"id": 1, "rows": []}},
        ),
        "the same in a batch": (
            Bitrix24BatchOperator,
            {"commands": {"empty": (SET, {"id": 2, "rows": []})}},
        ),
        "rows from a template": (
            Bitrix24Operator,
            {"method": SET,
             "method_params": '{"id": 3, "rows": {{ dag_run.conf["rows"] | tojson }}}'},
        ),
        "an empty select": (
            Bitrix24ListOperator, {"method": "crm.deal.list", "method_params": {"select": [], "filter": {"ID": 36}}},
        ),
        "no filter in a list": (Bitrix24ListOperator, {"method": "crm.deal.list", "method_params": {"select": ["ID"]}}),
        "a reference": (
            Bitrix24BatchOperator,
            {"references": True, "commands": {
                "first": ("crm.item.get", {"entityTypeId": 2, "id": 36}),
                "second": ("crm.item.get", {"entityTypeId": 2, "id": "$result[first][item][id]"}),
            }},
        ),
        "fields of a task that only its answers have": (
            Bitrix24Operator,
            {"method": "tasks.task.add",
             "method_params": {"fields": {"TITLE": "None", "RESPONSIBLE_ID": 1, "TAGS": ["a"], "UF_AUTO_1": "x"}}},
        ),
        "names of a row in the spelling of old methods": (
            Bitrix24Operator,
            {"method": "crm.item.productrow.add",
             "method_params": {"fields": {"ownerId": 5, "ownerType": "D", "PRODUCT_NAME": "Oak", "PRICE": 1}}},
        ),
        "fields that the page of the method does not have": (
            Bitrix24Operator,
            {"method": "crm.timeline.comment.add",
             "method_params": {"fields": {"ENTITY_ID": 5, "ENTITY_TYPE": "deal", "COMMENT": "[]", "AUTHOR_ID": 1}}},
        ),
        "a user's own field": (
            Bitrix24Operator, {"method": "user.update", "method_params": {"ID": 1, "UF_INTERESTS": "nan"}},
        ),
        "unpaid payments of a deal": (
            Bitrix24DeletePaymentsOperator,
            {"entity_ids": "{{ dag_run.conf['deals'] }}", "payment_filter": {"=paid": "N"}, "max_deletions": 50},
        ),
    }, {"rows": [{"PRODUCT_NAME": "Oak", "PRICE": 0, "QUANTITY": 1}], "deals": [9]})  # fmt: skip
    assert [name for name, outcome in outcomes.items() if outcome in ("failed", "upstream_failed")] == []
    assert [row["TITLE"] for row in outcomes["an empty select"]] == [NAMED[36]]
    assert len(outcomes["no filter in a list"]) == 36
    assert outcomes["a reference"]["results"]["second"]["item"]["title"] == NAMED[36]
    assert [portal.payment(payment) for payment in payments] == [None, None]
    sets = [command for call in portal.calls for command in (call.commands or [call]) if command.method == SET]
    assert sorted(int(command.params["id"]) for command in sets if command.executed) == [1, 2, 3]
