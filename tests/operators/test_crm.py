"""One CRM item read, added, changed and deleted, and lists of them, by operators."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, OperationTimeLimit
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24DeleteItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.sleepless import SleeplessHook

ADD, DELETE, FIELDS, GET, LIST, UPDATE = (
    f"crm.item.{verb}" for verb in ("add", "delete", "fields", "get", "list", "update")
)
KINDS = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7, "invoice": 31, "128": 128, 128: 128}


def run(operator: type, *, try_number: int = 1, **arguments: Any) -> Any:
    """The operator's result; its client does not wait between attempts."""
    sleepless = type(operator.__name__, (operator,), {"hook": property(lambda self: SleeplessHook())})
    return sleepless(task_id="task", **arguments).execute(context(try_number=try_number))


def failure_of(operator: type, **arguments: Any) -> str:
    """The message of a task that fails without retry."""
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    assert caught.value.__cause__ is None
    return str(caught.value)


def methods(portal: Any) -> list[str]:
    return [call.method for call in portal.calls]


# Every kind


@pytest.mark.parametrize(("kind", "number"), KINDS.items())
def test_every_kind_is_added_read_changed_listed_and_deleted(kind, number, portal, connection):
    field = "name" if number == 3 else "title"
    item_id = run(Bitrix24AddItemOperator, entity_type_id=kind, fields={field: "Oak"})
    assert run(Bitrix24GetItemOperator, entity_type_id=kind, item_id=item_id)[field] == "Oak"
    assert run(Bitrix24UpdateItemOperator, entity_type_id=kind, item_id=item_id, fields={field.upper(): "Elm"}) is True
    listed = run(Bitrix24ListItemsOperator, entity_type_id=kind, item_filter={">=id": item_id}, select=[field])
    assert listed == [{field: "Elm"}]
    assert run(Bitrix24DeleteItemOperator, entity_type_id=kind, item_id=str(item_id)) is True
    assert portal.item(number, item_id) is None
    assert {call.params["entityTypeId"] for call in portal.calls} <= {number, str(number)}


@pytest.mark.parametrize(
    ("kind", "message"), [("deel", "did you mean deal"), (5, "write one of lead (1)"), ("order", "write one of")]
)
def test_a_kind_that_is_none_is_reported_before_anything_is_sent(kind, message, portal, connection):
    assert message in failure_of(Bitrix24GetItemOperator, entity_type_id=kind, item_id=1)
    assert portal.connections == 0


# Get


def test_an_item_comes_raw_and_on_request_typed(portal, connection):
    fields = {
        "opportunity": Decimal("999.90"),
        "begindate": datetime.date(2026, 1, 31),
        "UF_CRM_1700000001": True,
        "UF_CRM_1700000006": {"amount": 300, "currency": "EUR"},
    }
    item_id = run(Bitrix24AddItemOperator, entity_type_id="deal", fields=fields)
    portal.reset_calls()
    raw = run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=item_id)
    assert methods(portal) == [GET]
    assert (raw["begindate"], raw["ufCrm_1700000001"]) == ("2026-01-31T03:00:00+03:00", "Y")
    typed = run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=item_id, typed=True)
    names = ("opportunity", "begindate", "ufCrm_1700000001", "ufCrm_1700000006", "opened", "companyId")
    money = {"amount": "300", "currency": "EUR"}
    assert [typed[name] for name in names] == [999.9, "2026-01-31", True, money, True, 0]
    assert json.loads(json.dumps(typed)) == typed


@pytest.mark.parametrize("operator", [Bitrix24GetItemOperator, Bitrix24DeleteItemOperator])
def test_an_item_that_is_not_there_fails_or_is_fine(operator, portal, connection):
    failure = failure_of(operator, entity_type_id="deal", item_id=999)
    assert "crm.item.list gives the ids" in failure
    assert run(operator, entity_type_id="deal", item_id=999, missing_ok=True) in (None, False)


@pytest.mark.parametrize("operator", [Bitrix24GetItemOperator, Bitrix24DeleteItemOperator])
def test_a_smart_process_that_is_not_there_is_never_fine(operator, portal, connection):
    failure = failure_of(operator, entity_type_id=1500, item_id=1, missing_ok=True)
    assert "crm.type.list gives entityTypeId of each smart process" in failure
    assert run(operator, entity_type_id=128, item_id=999, missing_ok=True) in (None, False)


# List


def test_a_list_takes_any_spelling_and_answers_only_what_is_selected(portal, connection):
    won = run(
        Bitrix24ListItemsOperator,
        entity_type_id="deal",
        item_filter={"@STAGE_ID": ["WON"], ">=DATE_CREATE": "2026-01-01T00:00:00+03:00"},
        select=["TITLE", "UF_CRM_MY_FIELD"],
    )
    expected = [item["title"] for item in portal.items(2) if item["stageId"] == "WON"]
    assert expected
    assert won == [{"title": title, "ufCrm_MY_FIELD": None} for title in expected]
    asked = {"@stageId": ["WON"], ">=createdTime": "2026-01-01T00:00:00+03:00"}
    assert asked.items() <= portal.calls[1].params["filter"].items()


def test_user_fields_of_type_boolean_are_filtered_as_the_portal_stores_them(portal, connection):
    for deal in (3, 5):
        fields = {"UF_CRM_1700000001": True}
        run(Bitrix24UpdateItemOperator, entity_type_id="deal", item_id=deal, fields=fields)
    wanted = {"entity_type_id": "deal", "select": ["id"], "item_filter": {"UF_CRM_1700000001": True}}
    assert [item["id"] for item in run(Bitrix24ListItemsOperator, **wanted)] == [3, 5]
    wanted["item_filter"] = '{"UF_CRM_1700000001": false}'
    assert len(run(Bitrix24ListItemsOperator, **wanted)) == 28


def test_groups_of_a_filter_are_put_into_the_portals_names(portal, connection):
    either = {"logic": "OR", "0": {"ID": 3}, "1": {"TITLE": portal.item(2, 9)["title"]}}
    listed = run(Bitrix24ListItemsOperator, entity_type_id="deal", item_filter={"0": either}, select="id")
    assert [row["id"] for row in listed] == [3, 9]


def test_all_fields_come_by_default_and_typed_on_request(portal, connection):
    (one,) = run(Bitrix24ListItemsOperator, entity_type_id="contact", limit="1", typed=True)
    assert one["fm"]
    assert (one["hasPhone"], one["birthdate"]) == (True, None)
    assert set(portal.item(3, 1)) <= set(one)


def test_a_list_that_is_too_large_for_xcom_goes_to_a_file(connection, tmp_path, portal):
    portal.add_deals(100)
    failure = failure_of(Bitrix24ListItemsOperator, entity_type_id="deal")
    assert "larger than 48 KiB" in failure
    assert "give destination" in failure
    written = run(
        Bitrix24ListItemsOperator, entity_type_id="deal", destination=str(tmp_path / "deals.jsonl"), typed=True
    )
    lines = [json.loads(line) for line in (tmp_path / "deals.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [item["id"] for item in portal.items(2)]
    assert (lines[0]["begindate"], lines[0]["probability"]) == ("2026-01-12", None)
    assert (written["rows"], written["report"]["complete"]) == (130, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"item_filter": {"titel": "x"}},
            "item_filter names 'titel', which is not a field of a deal: did you mean title",
        ),
        ({"item_filter": {">=createdTime": "2026-01-31"}}, "a day without a time"),
        ({"item_filter": "x"}, "item_filter is not an object"),
        ({"select": ["titel"]}, "select names 'titel'"),
        ({"select": [7]}, "select has a member that is not a name"),
        ({"limit": 0}, "limit must be a whole number above 0"),
        ({"destination": "s3://bucket/"}, "destination does not name a folder"),
    ],
)
def test_what_a_list_cannot_mean_is_reported_before_it_is_asked_for(arguments, message, portal, connection):
    assert message in failure_of(Bitrix24ListItemsOperator, entity_type_id="deal", **arguments)
    assert LIST not in methods(portal)


# Add


def test_an_added_item_has_what_was_meant_and_its_id_is_returned(portal, connection):
    fields = {
        "TITLE": "Oak door",
        "OPPORTUNITY": Decimal("999.90"),
        "opened": False,
        "BEGINDATE": datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc),
        "OBSERVERS": 7,
        "UF_CRM_1700000001": 1,
        "UF_CRM_1700000003": ["a", "b"],
        "UF_CRM_1700000004": "Red",
        "UF_CRM_1700000006": "300|EUR",
        "UF_CRM_1700000007": "2026-01-31T09:30:00Z",
        "COMMENTS": None,
    }
    item_id = run(Bitrix24AddItemOperator, entity_type_id="deal", fields=fields, read_back=True)
    item = portal.item(2, item_id)
    assert type(item_id) is int
    assert (item["title"], item["opportunity"], item["opened"], item["observers"]) == ("Oak door", 999.9, "N", [7])
    assert (item["ufCrm_1700000001"], item["ufCrm_1700000003"], item["ufCrm_1700000004"]) == ("Y", ["a", "b"], 45)
    assert item["ufCrm_1700000007"] == "2026-01-31T12:30:00+03:00"
    assert methods(portal) == [FIELDS, ADD, GET]


def test_phones_and_mails_are_added_with_the_item(portal, connection):
    fields = '{"NAME": "Ada", "PHONE": ["+1", "+2"], "EMAIL": "ada@example.com"}'
    item_id = run(Bitrix24AddItemOperator, entity_type_id="contact", fields=fields, read_back=True)
    entries = [(entry["typeId"], entry["value"]) for entry in portal.item(3, item_id)["fm"]]
    assert entries == [("PHONE", "+1"), ("PHONE", "+2"), ("EMAIL", "ada@example.com")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"titel": "x"}, "fields names 'titel', which is not a field of a deal: did you mean title"),
        ({"PHONE": "+1"}, "fields names 'PHONE', which is not a field of a deal"),
        ({"id": 7}, "id, which is read-only"),
        ({"begindate": "31.01.2026"}, "write e.g. 2026-01-31"),
        ({"ufCrm_1700000004": "Pink"}, "ufCrm_1700000004 takes one of 45 (Red), 46 (Green), 47 (Blue), not 'Pink'"),
        ({}, "fields is empty"),
        ("[1]", "fields is not an object"),
        ("{title: x}", "fields is not an object"),
    ],
)
def test_fields_that_the_portal_would_drop_are_never_sent(fields, message, portal, connection):
    assert message in failure_of(Bitrix24AddItemOperator, entity_type_id="deal", fields=fields)
    assert ADD not in methods(portal)


def test_what_the_portal_refuses_fails_without_retry(portal, connection):
    portal.fault(
        "error", ADD, code="CRM_FIELD_ERROR_VALUE_NOT_VALID", description="Invalid value for field", status=400
    )
    failure = failure_of(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "x"})
    assert "CRM_FIELD_ERROR_VALUE_NOT_VALID" in failure


@pytest.mark.parametrize("fault", ["close_after", "reset_after", "truncated"])
def test_an_add_whose_answer_was_lost_is_never_sent_again_and_fails_without_retry(fault, portal, connection):
    portal.fault(fault, ADD)
    count = len(portal.items(2))
    failure = failure_of(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "once"})
    assert "check with crm.item.list before you run this again" in failure
    assert (portal.executed(ADD), len(portal.items(2))) == (1, count + 1)


@pytest.mark.parametrize("item", [[], {}, {"id": None}, {"id": True}, {"id": "s3cr3tc0dex1"}, None])
def test_an_answer_without_an_id_is_not_a_success(item, portal, connection):
    portal.fault("body", ADD, body=json.dumps({"result": {"item": item}}).encode())
    failure = failure_of(Bitrix24AddItemOperator, entity_type_id=2, fields={"title": "x"})
    says = "the answer has no id" if item else "item of its result is"
    assert says in failure
    assert "look with crm.item.list before you run this again" in failure
    assert "s3cr3t" not in failure


def test_what_was_dropped_silently_is_found_by_reading_back(portal, connection):
    """The enumeration's value 46 was deleted after the portal had named it: a race that only reading back shows."""
    answer = run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=3)
    body = json.dumps({"result": {"item": {**answer, "ufCrm_1700000004": None}}}).encode()
    portal.fault("body", GET, body=body, times=None)
    arguments = {"entity_type_id": "deal", "item_id": 3, "fields": {"ufCrm_1700000004": 46, "closed": "N"}}
    assert run(Bitrix24UpdateItemOperator, **arguments) is True
    failure = failure_of(Bitrix24UpdateItemOperator, **arguments, read_back=True)
    assert "deal 3 was written, but the portal silently dropped ufCrm_1700000004:" in failure


# Update


def test_only_what_is_given_is_changed_and_nothing_clears(portal, connection):
    run(Bitrix24UpdateItemOperator, entity_type_id=2, item_id=3, fields={"ufCrm_1700000003": ["a"], "comments": "c"})
    before = portal.item(2, 3)
    fields = {"ufCrm_1700000003": [], "comments": None}
    assert run(Bitrix24UpdateItemOperator, entity_type_id=2, item_id=3, fields=fields, read_back=True) is True
    after = portal.item(2, 3)
    assert (after["ufCrm_1700000003"], after["comments"]) == ([], "")
    assert {name for name in before if before[name] != after.get(name)} <= {
        *("ufCrm_1700000003", "comments", "updatedTime", "lastActivityTime")
    }


@pytest.mark.parametrize("cleared", [{"observers": []}, {"observers": None}, {"OBSERVERS": ""}, {"contactIds": []}])
def test_a_multiple_field_that_the_portal_did_not_clear_fails_the_task(cleared, portal, connection):
    arguments = {"entity_type_id": "deal", "item_id": 3, "fields": cleared}
    assert run(Bitrix24UpdateItemOperator, **arguments) is True
    item = {**run(Bitrix24GetItemOperator, entity_type_id="deal", item_id=3), "observers": [1], "contactIds": [1]}
    portal.fault("body", GET, body=json.dumps({"result": {"item": item}}).encode(), times=None)
    message = failure_of(Bitrix24UpdateItemOperator, **arguments)
    assert "deal 3 was written, but not cleared: " in message
    assert "do not clear a multiple field by crm.item.update: use e.g. crm.deal.update" in message


def test_a_phone_that_is_there_is_not_added_again(portal, connection):
    arguments = {"entity_type_id": "contact", "item_id": 1, "fields": {"PHONE": "+77", "POST": "CEO"}}
    run(Bitrix24UpdateItemOperator, **arguments, read_back=True)
    run(Bitrix24UpdateItemOperator, **arguments, read_back=True)
    assert [entry["value"] for entry in portal.item(3, 1)["fm"]].count("+77") == 1
    portal.reset_calls()
    assert run(Bitrix24UpdateItemOperator, entity_type_id=3, item_id=1, fields={"PHONE": "+77"}) is True
    assert UPDATE not in methods(portal)


def test_a_phone_is_removed_by_its_id(portal, connection):
    phone = portal.item(3, 1)["fm"][0]
    fields = {"fm": {str(phone["id"]): {"value": ""}}}
    run(Bitrix24UpdateItemOperator, entity_type_id="contact", item_id=1, fields=fields, read_back=True)
    assert phone["id"] not in [entry["id"] for entry in portal.item(3, 1)["fm"]]


def test_a_change_whose_answer_was_lost_is_sent_again(portal, connection):
    portal.fault("close_after", UPDATE)
    assert run(Bitrix24UpdateItemOperator, entity_type_id=2, item_id=3, fields={"title": "Elm"}) is True
    assert (portal.executed(UPDATE), portal.item(2, 3)["title"]) == (2, "Elm")


def test_a_new_phone_whose_answer_was_lost_is_not_sent_again(portal, connection):
    portal.fault("close_after", UPDATE)
    failure = failure_of(Bitrix24UpdateItemOperator, entity_type_id="contact", item_id=1, fields={"PHONE": "+77"})
    assert "before you run this again" in failure
    assert portal.executed(UPDATE) == 1


def test_an_item_that_is_not_there_cannot_be_changed(portal, connection):
    for fields in ({"name": "x"}, {"PHONE": "+1"}):
        failure = failure_of(Bitrix24UpdateItemOperator, entity_type_id="contact", item_id=999, fields=fields)
        assert "crm.item.list gives the ids" in failure


# Delete


def test_a_lost_answer_to_a_delete_is_looked_after(portal, connection):
    portal.fault("close_after", DELETE)
    assert run(Bitrix24DeleteItemOperator, entity_type_id="deal", item_id=3) is True
    assert (portal.executed(DELETE), portal.item(2, 3)) == (1, None)


def test_an_item_that_an_earlier_try_may_have_deleted_is_reported_as_such(portal, connection):
    failure = failure_of(Bitrix24DeleteItemOperator, entity_type_id="deal", item_id=999, try_number=2)
    assert "an earlier try of this task may have deleted it" in failure


# Outcomes


ARGUMENTS: dict[type, dict[str, Any]] = {
    Bitrix24GetItemOperator: {"item_id": 3},
    Bitrix24ListItemsOperator: {},
    Bitrix24AddItemOperator: {"fields": {"title": "x"}},
    Bitrix24UpdateItemOperator: {"item_id": 3, "fields": {"title": "x"}},
    Bitrix24DeleteItemOperator: {"item_id": 3},
}
METHOD = {
    Bitrix24GetItemOperator: GET, Bitrix24ListItemsOperator: LIST, Bitrix24AddItemOperator: ADD,
    Bitrix24UpdateItemOperator: UPDATE, Bitrix24DeleteItemOperator: DELETE,
}  # fmt: skip


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_a_missing_scope_fails_without_retry_and_names_it(operator, portal, connection):
    portal.scopes = {"task"}
    assert 'tick "crm"' in failure_of(operator, entity_type_id="deal", **ARGUMENTS[operator])


@pytest.mark.parametrize("operator", [Bitrix24AddItemOperator, Bitrix24UpdateItemOperator, Bitrix24DeleteItemOperator])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_missing_right_fails_without_retry_in_any_language(operator, language, monkeypatch):
    with Sandbox(deals=30, language=language) as portal:
        monkeypatch.setenv("AIRFLOW_CONN_BITRIX24_DEFAULT", portal.connection_json(portal.clerk))
        failure = failure_of(operator, entity_type_id="deal", **ARGUMENTS[operator])
        assert "ACCESS_DENIED" in failure
        assert portal.executed(METHOD[operator]) == 0


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_a_limit_is_left_to_the_tasks_retries(operator, portal, connection):
    portal.fault("operation_time_limit", METHOD[operator], times=None)
    with pytest.raises(OperationTimeLimit):
        run(operator, entity_type_id="deal", **ARGUMENTS[operator])
    assert portal.executed(METHOD[operator]) == 0


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_a_lost_network_is_left_to_the_tasks_retries(operator, portal, connection):
    portal.fault("close_before", FIELDS if operator is not Bitrix24DeleteItemOperator else DELETE, times=None)
    portal.fault("close_before", GET, times=None)
    with pytest.raises(AnswerLost):
        run(operator, entity_type_id="deal", **ARGUMENTS[operator])


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_nothing_is_sent_after_the_task_was_killed(operator, portal, connection):
    one = operator(task_id="task", entity_type_id="deal", **ARGUMENTS[operator])
    client = one.hook.get_conn()
    one._client = client
    one.on_kill()
    with pytest.raises(Bitrix24Error, match="the task is being stopped"):
        one.run(client, context())
    assert portal.requests == 0


@pytest.mark.parametrize("operator", ARGUMENTS)
def test_arguments_are_templates_and_are_not_checked_before(operator):
    templates = dict.fromkeys(operator.template_fields, "{{ params.x }}")
    one = operator(task_id="task", **templates)
    one.render_template_fields({"params": {"x": "7"}})
    assert {name: getattr(one, name) for name in templates} == dict.fromkeys(templates, "7")
