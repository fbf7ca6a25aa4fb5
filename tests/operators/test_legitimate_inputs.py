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
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24UpdatePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.sensors.crm import Bitrix24ItemSensor
from airflow_provider_bitrix24.sensors.payment import Bitrix24PaymentSensor
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from airflow_provider_bitrix24.transfers.to_object_storage import Bitrix24ToObjectStorageOperator

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


#: Calls as people write them, none of which a check may refuse.
CALLS: dict[str, tuple[str, Any]] = {
    "every field": ("crm.deal.list", {"select": ["*", "UF_*"], "filter": {"CATEGORY_ID": 0}}),
    "an order and a start": ("crm.deal.list", {"order": {"ID": "DESC"}, "filter": {">OPPORTUNITY": 0}, "start": 0}),
    "values that are listed": ("crm.deal.list", {"filter": {"ASSIGNED_BY_ID": [1, 7], "!STAGE_ID": "WON"}}),
    "a field without a value": ("crm.deal.list", {"filter": {"COMPANY_ID": "", "CONTACT_ID": 0}}),
    "a day as a bound": ("crm.deal.list", {"filter": {">=DATE_CREATE": "{{ ds }}"}}),
    "the interval of the run": ("crm.deal.list", {"filter": {">=DATE_MODIFY": "{{ data_interval_start }}"}}),
    "days from to": ("crm.deal.list", {"filter": {">=BEGINDATE": "2026-01-01", "<=BEGINDATE": "2026-12-31"}}),
    "a phone": ("crm.contact.list", {"filter": {"PHONE": "+7 (916) 123-45-67", "HAS_EMAIL": "Y"}}),
    "a name with signs": ("crm.contact.list", {"filter": {"%LAST_NAME": "{{ dag_run.conf['name'] }}"}}),
    "users": ("user.get", {"ACTIVE": True}),
    "users by a filter": ("user.get", {"FILTER": {"ACTIVE": "Y"}}),
    "no params": ("profile", {}),
    "tasks that are not done": ("tasks.task.list", {"filter": {"RESPONSIBLE_ID": 1, "!STATUS": 5}, "select": ["ID"]}),
    "tasks of a deal": ("tasks.task.list", {"filter": {"UF_CRM_TASK": "D_1"}}),
    "stages": ("crm.status.list", {"filter": {"ENTITY_ID": "DEAL_STAGE"}}),
    "a deal": ("crm.deal.add", {
        "fields": {"TITLE": "{{ dag_run.conf['name'] }}", "STAGE_ID": "NEW", "OPPORTUNITY": "1000.50", "COMMENTS": ""},
        "params": {"REGISTER_SONET_EVENT": "Y"},
    }),
    "a deal of Python's values": ("crm.deal.add", {"fields": {
        "TITLE": "x", "OPPORTUNITY": 1000.5, "OPENED": True, "BEGINDATE": "{{ ds }}", "CONTACT_IDS": [1, 2],
        "ASSIGNED_BY_ID": "1", "UTM_SOURCE": "google", "SOURCE_DESCRIPTION": "", "PROBABILITY": 0,
    }}),
    "a contact": ("crm.contact.add", {"fields": {
        "NAME": "Ада", "PHONE": [{"VALUE": "8 800 555-35-35"}],
        "EMAIL": [{"VALUE": "a@b.example", "VALUE_TYPE": "HOME"}], "BIRTHDATE": "1990-02-03", "COMPANY_ID": 1,
    }}),
    "a lead with markup": ("crm.lead.add", {"fields": {
        "TITLE": "web form", "NAME": "None", "COMMENTS": "line 1\nline 2\t<b>bold</b> [b]x[/b]",
    }}),
    "names in capitals": ("crm.deal.update", {"ID": 2, "FIELDS": {"TITLE": "y"}}),
    "a stage": ("crm.deal.update", {"id": "{{ dag_run.conf['deal'] }}", "fields": {"STAGE_ID": "WON"}}),
    "a relation that is removed": ("crm.deal.update", {"id": 3, "fields": {"COMPANY_ID": "", "CONTACT_ID": None}}),
    "a day that is cleared": ("crm.deal.update", {"id": 3, "fields": {"CLOSEDATE": ""}}),
    "several values that are cleared": ("crm.deal.update", {"id": 3, "fields": {"UF_CRM_1700000003": [""]}}),
    "own fields": ("crm.deal.update", {"id": 3, "fields": {
        "UF_CRM_1700000001": 0, "UF_CRM_1700000004": 45, "UF_CRM_1700000006": "100|USD",
    }}),
    "a task": ("tasks.task.add", {"fields": {
        "TITLE": "Call {{ dag_run.conf['name'] }}", "RESPONSIBLE_ID": 1, "DEADLINE": "{{ data_interval_end }}",
        "UF_CRM_TASK": ["D_1"], "DESCRIPTION": "", "PRIORITY": "2", "GROUP_ID": 0,
    }}),
    "a notification": ("im.notify.system.add", {
        "USER_ID": 1, "MESSAGE": "None of {{ dag_run.conf['deal'] }} rows failed: [URL=https://x.example]report[/URL]",
    }),
    "rows of products": ("crm.deal.productrows.set", {"id": 4, "rows": [
        {"PRODUCT_NAME": "Door", "PRICE": 10.5, "QUANTITY": 2, "DISCOUNT_SUM": 0, "TAX_INCLUDED": "Y"},
    ]}),
    "a requisite": ("crm.requisite.add", {"fields": {
        "ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "x", "RQ_INN": "7707083893",
    }}),
}  # fmt: skip


def test_calls_that_people_write_pass(ran):
    conf = {"name": 'O\'Brien & Söhne "GmbH" 100%', "deal": 36}
    outcomes = ran(
        {
            name: (Bitrix24Operator, {"method": method, "method_params": params, "response_filter": bool})
            for name, (method, params) in CALLS.items()
        },
        conf,
    )
    assert [name for name, outcome in outcomes.items() if outcome in ("failed", "upstream_failed")] == []


COMPANY: dict[str, Any] = {"entity_type_id": "company"}
UPDATE: dict[str, Any] = {**COMPANY, "operation": "update"}
UPSERT: dict[str, Any] = {**COMPANY, "key": "originId"}
#: Tables as people have them: the rows, or a file by its name and content, and how they are written.
TABLES: dict[str, tuple[Any, type, dict[str, Any]]] = {
    "a plain file": (("a.csv", "title,comments\nOak,x\n"), Bitrix24BulkWriteOperator, COMPANY),
    "of Windows": (("b.csv", 'title,comments\r\n"Oak, Ltd","a ""b"" c"\r\n'), Bitrix24BulkWriteOperator, COMPANY),
    "with names of their own": (("c.csv", "Company name,Notes\nOak,x\n"), Bitrix24BulkWriteOperator, {
        **COMPANY, "mapping": {"title": "${Company name}", "comments": "$Notes"}}),
    "of one column without a last line break": (("d.csv", "title\nOak"), Bitrix24BulkWriteOperator, COMPANY),
    "signs of a spreadsheet": (("e.csv", "title\n=SUM(A1)\n#1\n-x\n@y\n"), Bitrix24BulkWriteOperator, COMPANY),
    "leading zeros": (("f.csv", "title,originId\nOak,00012\n"), Bitrix24BulkWriteOperator, COMPANY),
    "phones in some rows": (("g.csv", "title,PHONE,EMAIL\nOak,+7 (916) 0,a@b.example\nElm,,\n"),
                            Bitrix24BulkWriteOperator, COMPANY),
    "names in capitals": (("h.csv", "TITLE,ASSIGNED_BY_ID\nOak,1\n"), Bitrix24BulkWriteOperator, COMPANY),
    "days and flags": (("i.csv", "title,begindate,opened\nOak,2026-01-31,Y\nElm,,false\n"),
                       Bitrix24BulkWriteOperator, {"entity_type_id": "deal"}),
    "texts that look like nothing": (("j.csv", "title,comments\nNULL,N/A\nNone,-\n"),
                                     Bitrix24BulkWriteOperator, COMPANY),
    "many letters": (("k.csv", "title\n日本 🎉 ÄÖÜ\n"), Bitrix24BulkWriteOperator, COMPANY),
    "lines of JSON": (("l.jsonl", '{"title": "Oak", "revenue": 1e3}\r\n\r\n{"title": "Elm", "PHONE": ["+1", "+2"]}\n'),
                      Bitrix24BulkWriteOperator, COMPANY),
    "constants": ([{"t": "Oak"}], Bitrix24BulkWriteOperator, {
        **COMPANY, "mapping": {"title": "$t", "opened": "Y", "assignedById": 1, "comments": "loaded {{ ds }}"}}),
    "a price": ([{"t": "Oak", "p": 5}], Bitrix24BulkWriteOperator, {**COMPANY, "mapping": {"title": "$t: $p $$, 9$"}}),
    "a template in a cell": ([{"title": "Firm {{ dag_run.conf['low'] }}"}], Bitrix24BulkWriteOperator, COMPANY),
    "another task's rows": ("{{ dag_run.conf['rows'] | tojson }}", Bitrix24BulkWriteOperator, COMPANY),
    "ids of a database": ([{"id": Decimal(1), "title": "x"}, {"id": "2", "title": "y"}],
                          Bitrix24BulkWriteOperator, UPDATE),
    "rows as old methods list them": ([{"ID": "3", "TITLE": "x"}], Bitrix24BulkWriteOperator, UPDATE),
    "zeros and False": ([{"id": 1, "revenue": 0, "opened": False}], Bitrix24BulkWriteOperator, UPDATE),
    "keys": ([{"originId": "A-1", "title": "x"}, {"originId": 7, "title": "y"}], Bitrix24UpsertItemsOperator, UPSERT),
    "odd keys": ([{"originId": key, "title": key} for key in ("0", "NA", "100%_x", "a+b@x.example")],
                 Bitrix24UpsertItemsOperator, UPSERT),
    "two parts of a key": ([{"originatorId": "erp", "originId": "1", "title": "x"}],
                           Bitrix24UpsertItemsOperator, {**UPSERT, "key": ["ORIGINATOR_ID", "originId"]}),
    "old items": ([{"title": "x", "createdTime": "2020-07-01 09:30:00"}],
                  Bitrix24ImportItemsOperator, {**COMPANY, "timezone": "Europe/Berlin"}),
    "a method": ([{"d": 1, "t": "[]"}], Bitrix24BulkWriteOperator, {
        "method": "crm.timeline.comment.add",
        "mapping": {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": "$d", "COMMENT": "$t"}}}),
    "a method that deletes": ([{"id": 30}], Bitrix24BulkWriteOperator, {"method": "crm.deal.delete"}),
}  # fmt: skip


def test_tables_that_people_have_are_written(ran, tmp_path):
    tasks = {}
    for name, (rows, operator, arguments) in TABLES.items():
        given = rows
        if isinstance(rows, tuple):
            (tmp_path / rows[0]).write_bytes(rows[1].encode())
            given = str(tmp_path / rows[0])
        tasks[name] = (operator, {**arguments, "rows": given})
    outcomes = ran(tasks, {"low": 5, "rows": [{"title": "None"}]})
    assert [name for name, outcome in outcomes.items() if not isinstance(outcome, dict)] == []
    kept = ("failed", "unknown", "not_done", "skipped", "unchanged")
    assert [name for name, outcome in outcomes.items() if sum(outcome.get(word, 0) for word in kept)] == []


def waits(**arguments: Any) -> dict[str, Any]:
    return {"poke_interval": 1, "timeout": 5, **arguments}


def test_what_people_wait_for_and_load_passes(ran, tmp_path):
    title = {"result_path": "title", "operator": "=", "value": "Nanna"}
    outcomes = ran({
        "a deal of that name": (Bitrix24ItemSensor, waits(entity_type_id="deal", item_id=33, condition=title)),
        "a value in a list": (Bitrix24ItemSensor, waits(
            entity_type_id=2, item_id=33,
            condition={"result_path": "title", "operator": "in", "value": ["x", "Nanna"]})),
        "any with a name": (Bitrix24ItemSensor, waits(
            entity_type_id=2, item_filter={"=title": "nan", "!=comments": ""})),
        "rows": (Bitrix24Sensor, waits(
            method="crm.deal.list", method_params={"filter": {"CATEGORY_ID": 0}}, condition="count >= 3")),
        "zero": (Bitrix24Sensor, waits(
            method="crm.deal.get", method_params={"id": 31},
            condition={"result_path": "CATEGORY_ID", "operator": "=", "value": 0})),
        "an unpaid payment": (Bitrix24PaymentSensor, waits(payment_id="{{ dag_run.conf['pay'] }}", state="unpaid")),
        "paid by a template": (
            Bitrix24UpdatePaymentOperator, {"payment_id": 1002, "paid": "{{ dag_run.conf['pay'] > 3 }}"}),
        **{
            f"a load of {form}": (Bitrix24ToObjectStorageOperator, {
                "destination": f"file://{tmp_path}/{form}", "entity_type_id": "deal", "file_format": form,
                "select": ["ID", "title", "UF_CRM_1700000001"], "item_filter": {"=title": ["None", "nan"]}})
            for form in ("parquet", "jsonl", "csv")
        },
        "a load of tasks": (Bitrix24ToObjectStorageOperator, {
            "destination": f"file://{tmp_path}/tasks", "method": "tasks.task.list", "window": "all",
            "method_params": {"filter": {"!STATUS": 5}}}),
        "a file of the day": (Bitrix24ListOperator, {
            "method": "crm.deal.list", "destination": f"{tmp_path}/Сделки 100%/deals_{{{{ ds_nodash }}}}.jsonl"}),
        "a name with such a word": (Bitrix24ListItemsOperator, {
            "entity_type_id": "deal", "destination": f"file://{tmp_path}/Nonesuch/nan-2026.ndjson"}),
    }, {"pay": 1001})  # fmt: skip
    assert [name for name, outcome in outcomes.items() if outcome in ("failed", "upstream_failed")] == []
    assert {outcomes[f"a load of {form}"]["rows"] for form in ("parquet", "jsonl", "csv")} == {2}
