"""Names that the portal would silently drop, in methods beside those of deals, contacts and items."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm import written_fields
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.clients import client_of

ROOT = Path(__file__).parents[2]
LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1, "ELEMENT_CODE": "a"}
#: What the sandbox does not offer, as its page prints it.
ANSWERS = {
    "sale.order.getFields": {
        "order": {name: {"isReadOnly": False} for name in ("id", "statusId", "price", "recountFlag")}
    },
    "department.fields": {"ID": "ID", "NAME": "Department name", "SORT": "Sort", "PARENT": "Parent", "UF_HEAD": "Head"},
    "crm.productrow.fields": {"PRODUCT_NAME": {}, "PRICE": {}, "QUANTITY": {}, "STORE_ID": {}},
    "lists.field.get": {"NAME": {"FIELD_ID": "NAME"}, "L": {"FIELD_ID": "PROPERTY_121"}},
}

#: Method, params, the name that is refused, the hint.
UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("crm.requisite.add", {"fields": {"NAME": "x", "RQ_INNN": "7701"}}, "RQ_INNN", "did you mean RQ_INN"),
    ("crm.requisite.update", {"id": 1, "fields": {"rq_inn": "7701"}}, "rq_inn", "did you mean RQ_INN"),
    ("crm.requisite.add", {"fields": {"TAX_NUMBER": "1"}}, "TAX_NUMBER", "crm.requisite.fields gives the names"),
    ("crm.requisite.bankdetail.add", {"fields": {"RQ_BANK_NAMES": "x"}}, "RQ_BANK_NAMES", "mean RQ_BANK_NAME?"),
    ("tasks.task.update", {"taskId": 1, "fields": {"TITEL": "x"}}, "TITEL", "did you mean TITLE?"),
    ("tasks.task.add", {"fields": {"RESPONSABLE_ID": 1}}, "RESPONSABLE_ID", "did you mean RESPONSIBLE_ID?"),
    ("tasks.task.update", {"taskId": 1, "fields": {"OPPORTUNITY": 5}}, "OPPORTUNITY", "did you mean PRIORITY?"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "NOPE": 1}}, "NOPE", "tasks.task.getFields gives the names"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "assignee": 1}}, "assignee", "tasks.task.getFields gives the names"),
    ("tasks.task.update", {"taskId": 1, "fields": {"REPLICATE_PARAMS": {}}}, "REPLICATE_PARAMS", "mean REPLICATE?"),
    # What answers and REST 3.0 have is not what requests of version 2 take.
    ("tasks.task.update", {"taskId": 1, "fields": {"RESPONSIBLE": 7}}, "RESPONSIBLE", "did you mean RESPONSIBLE_ID?"),
    ("tasks.task.update", {"taskId": 1, "fields": {"responsibleId": 7}}, "responsibleId", "mean RESPONSIBLE_ID?"),
    ("tasks.task.update", {"taskId": 1, "fields": {"title": "x"}}, "title", "did you mean TITLE?"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "CREATOR": 7}}, "CREATOR", "tasks.task.getFields gives the names"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "GROUP": 7}}, "GROUP", "did you mean GROUP_ID?"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "STAGE": 7}}, "STAGE", "did you mean STAGE_ID?"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS_DATA": []}}, "AUDITORS_DATA", "did you mean AUDITORS?"),
    ("crm.item.productrow.add", {"fields": {"ownerId": 1, "produktName": "x"}}, "produktName", "mean productName?"),
    ("crm.item.productrow.set", {"productRows": [{"price": 1}, {"cost": 1}]}, "cost", "crm.item.productrow.fields"),
    ("crm.deal.productrows.set", {"id": 1, "rows": [{"PRISE": 1}]}, "PRISE", "did you mean PRICE?"),
    ("crm.activity.update", {"id": 1, "fields": {"SUBJEKT": "x"}}, "SUBJEKT", "did you mean SUBJECT?"),
    ("crm.activity.todo.add", {"ownerTypeId": 2, "ownerId": 1, "desciption": "x"}, "desciption", "mean description?"),
    ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 1, "TEXT": "x"}}, "TEXT", "crm.timeline.comment.fields"),
    ("crm.timeline.comment.update", {"id": 1, "fields": {"COMENT": "x"}}, "COMENT", "did you mean COMMENT?"),
    ("crm.status.add", {"fields": {"ENTITY_ID": "SOURCE", "NAMES": "x"}}, "NAMES", "did you mean NAME"),
    ("crm.address.add", {"fields": {"CITTY": "x"}}, "CITTY", "did you mean CITY?"),
    ("crm.category.add", {"entityTypeId": 2, "fields": {"title": "x"}}, "title", "crm.category.fields"),
    ("crm.deal.contact.items.set", {"id": 1, "items": [{"CONTACT": 1}]}, "CONTACT", "did you mean CONTACT_ID?"),
    ("crm.deal.userfield.add", {"fields": {"MANDATORYY": "Y"}}, "MANDATORYY", "did you mean MANDATORY?"),
    ("catalog.product.update", {"id": 1, "fields": {"nmae": "x"}}, "nmae", "did you mean name?"),
    ("catalog.product.add", {"fields": {"name": "x", "purchasingPrise": 5}}, "purchasingPrise", "purchasingPrice?"),
    ("sale.order.update", {"id": 1, "fields": {"status": "N"}}, "status", "did you mean statusId?"),
    ("sale.payment.update", {"id": 1, "fields": {"payd": "Y"}}, "payd", "did you mean paid?"),
    ("user.update", {"ID": 1, "TITEL": "x"}, "TITEL", "did you mean TITLE?"),
    ("user.update", {"ID": 1, "POSITION": "x"}, "POSITION", "did you mean WORK_POSITION?"),
    ("user.add", {"EMAIL": "a@b.example", "NIKNAME": "x"}, "NIKNAME", "NAME"),
    ("department.update", {"ID": 1, "HEAD": 5}, "HEAD", "did you mean UF_HEAD?"),
    ("lists.element.add", {**LIST, "FIELDS": {"PROPERTY_999": 1}}, "PROPERTY_999", "lists.field.get gives"),
    ("lists.element.update", {**LIST, "FIELDS": {"NAMME": "x"}}, "NAMME", "did you mean NAME?"),
    ("task.checklistitem.add", {"TASKID": 1, "FIELDS": {"TITEL": "x"}}, "TITEL", "did you mean TITLE?"),
    ("im.message.add", {"DIALOG_ID": 1, "MESAGE": "x"}, "MESAGE", "did you mean MESSAGE?"),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "nmae": "x"}, "nmae", "did you mean name?"),
    ("CRM.Requisite.Add", {"FIELDS": {"RQ_INNN": "7701"}}, "RQ_INNN", "did you mean RQ_INN"),
]  # fmt: skip

#: What may look unknown and is not, or not surely.
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("crm.requisite.add", {"fields": {"RQ_INN": "7701", "RQ_OKVED": "1", "PRESET_ID": 1}}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "TAGS": ["a"], "SE_PARAMETER": [{"CODE": 3}], "UF_AUTO_12345": "x"}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"TITLE": "x", "SE_PARAMETER": [], "DEPENDS_ON": [2]}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_MAIL_MESSAGE": 1, "XML_ID": "x", "SITE_ID": "s1"}}),
    ("crm.item.productrow.add", {"fields": {"ownerId": 1, "ownerType": "D", "PRODUCT_NAME": "x", "sort": 1}}),
    ("crm.activity.add", {"fields": {"SUBJECT": "x", "SETTINGS": {}, "PROVIDER_PARAMS": {}, "COMMUNICATIONS": []}}),
    ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "x", "AUTHOR_ID": 1}}),
    ("catalog.product.update", {"id": 1, "fields": {"property258": {"value": 1}, "weight": 1, "availableFrom": "x"}}),
    ("sale.order.update", {"id": 1, "fields": {"statusId": "N", "recountFlag": "Y", "xmlId": "x"}}),
    ("user.update", {"id": 1, "WORK_POSITION": "x", "UF_MINE": 1, "personal_city": "Riga"}),
    ("department.update", {"ID": 1, "NAME": "x", "UF_HEAD": 5}),
    ("lists.element.add", {**LIST, "FIELDS": {"PROPERTY_121": 1, "PREVIEW_TEXT": "x", "PROPERTY_CODE": "x"}}),
    ("lists.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "x", "FIELDS": {"NAME": "x", "CODE": "x"}}),
    ("crm.address.add", {"fields": {"ADDRESS_1": "x", "ADDRESS_2": "y"}}),
    ("im.message.add", {"DIALOG_ID": 1, "MESSAGE": "x", "FORWARD_ID": 5}),
    ("task.checklistitem.add", {"TASKID": 1, "FIELDS": {"TITLE": "x", "IS_IMPORTANT": "Y", "ATTACHMENTS": {}}}),
    ("acme.report.build", {"fields": {"TITEL": "x"}}),
    ("crm.deal.list", {"filter": {"TITEL": "x"}}),
]  # fmt: skip


#: Method, params, and what is said of the value that cannot be.
MISTYPED: list[tuple[str, dict[str, Any], str]] = [
    ("user.update", {"ID": 1, "PERSONAL_BIRTHDAY": "soon"}, "PERSONAL_BIRTHDAY is 'soon', which is not a day witho"),
    ("user.update", {"ID": 1, "ACTIVE": "perhaps"}, "ACTIVE is 'perhaps', which is not yes or no"),
    ("user.update", {"ID": "Ann", "NAME": "x"}, "ID is 'Ann', which is not a whole number"),
    ("user.update", {"ID": 1, "personal_birthday": True}, "personal_birthday is True, which is not a day"),
    ("tasks.task.update", {"taskId": "x", "fields": {"TITLE": "x"}}, "taskId is 'x', which is not a whole number"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "DEADLINE": "tomorrow"}}, "DEADLINE is 'tomorrow', which is not a"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": "Ann"}}, "RESPONSIBLE_ID is 'Ann', which is"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "GROUP_ID": 1.5}}, "GROUP_ID is 1.5, which is not a whole number"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "TASK_CONTROL": "maybe"}}, "TASK_CONTROL is 'maybe', which is"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "DEADLINE": "None"}}, "DEADLINE is 'None', which is not a day"),
    ("tasks.task.update", {"taskId": 1, "fields": {"PRIORITY": "High"}}, "PRIORITY is 'High', which is not one of 0"),
    ("tasks.task.update", {"taskId": 1, "fields": {"PRIORITY": 3}}, "PRIORITY is 3, which is not one of 0, 1, 2"),
    ("tasks.task.update", {"taskId": 1, "fields": {"MARK": "good"}}, "MARK is 'good', which is not one of N, P"),
    ("sale.order.update", {"id": "first", "fields": {"statusId": "N"}}, "id is 'first', which is not a whole number"),
    ("catalog.product.update", {"id": 1, "fields": {"weight": "heavy"}}, "weight is 'heavy', which is not a number"),
    ("calendar.event.add", {"type": "user", "ownerId": "me", "name": "x"}, "ownerId is 'me', which is not a whole"),
    ("crm.activity.add", {"fields": {"SUBJECT": "x", "RESPONSIBLE_ID": "Ann"}}, "RESPONSIBLE_ID is 'Ann'"),
    ("crm.requisite.add", {"fields": {"NAME": "x", "ACTIVE": "perhaps"}}, "ACTIVE is 'perhaps', which is not yes"),
    ("crm.deal.update", {"id": "x", "fields": {"TITLE": "x"}}, "id is 'x', which is not a whole number"),
]  # fmt: skip
#: Values that look odd, and that a portal may well take.
TYPED: list[tuple[str, dict[str, Any]]] = [
    ("user.update", {"ID": "1", "PERSONAL_BIRTHDAY": "31.12.1990", "ACTIVE": True}),
    ("user.update", {"ID": 1.0, "PERSONAL_BIRTHDAY": "", "ACTIVE": "y"}),
    ("user.update", {"ID": "$result[me][ID]", "PERSONAL_BIRTHDAY": "12/31/1990"}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "DEADLINE": "2026-12-31T19:00:00+03:00", "PRIORITY": "2"}}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "DEADLINE": "31.12.2026 19:00:00", "CREATED_BY": "$result[me][ID]"}}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "PRIORITY": 2.0, "MARK": "P"}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"PRIORITY": "$result[a]", "MARK": ""}}),
    ("tasks.task.update", {"taskId": " 1 ", "fields": {"GROUP_ID": None, "DEADLINE": "", "TASK_CONTROL": 1}}),
    ("catalog.product.update", {"id": 1, "fields": {"weight": "1.5", "active": "Y", "dateActiveFrom": "2026-01-31"}}),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "name": "x", "from": "2026-01-31", "to": 1780000000}),
]  # fmt: skip


#: Method, params, and what is said of a member that cannot be in the list.
MEMBERS: list[tuple[str, dict[str, Any], str]] = [
    ("tasks.task.update", {"taskId": 1, "fields": {"ACCOMPLICES": ["Anna"]}}, "ACCOMPLICES holds 'Anna', which is not"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS": [7, None]}}, "AUDITORS holds None, which is not an id"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS": {"0": "U7"}}}, "AUDITORS holds 'U7', which is not an id"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS": [0]}}, "AUDITORS holds 0, which is not an id"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS": 7}}, "AUDITORS is 7, and the portal takes a list there"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "DEPENDS_ON": ["first"]}}, "DEPENDS_ON holds 'first', which is not"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_CRM_TASK": ["Oak"]}}, "UF_CRM_TASK holds 'Oak', which is not an"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_CRM_TASK": "deal 10"}}, "UF_CRM_TASK is the text 'deal 10'"),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": "D_14"}}, 'write {"UF_CRM_TASK": ["D_14"]}'),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": "D_14, C_3"}}, '{"UF_CRM_TASK": ["D_14", "C_3"]'),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": 14}}, "UF_CRM_TASK is 14, and the portal takes a"),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": True}}, "UF_CRM_TASK is True, and the portal takes"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_CRM_TASK": [13]}}, "UF_CRM_TASK holds 13, which is not an object"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_CRM_TASK": ["deal_13"]}}, "UF_CRM_TASK holds 'deal_13', which is"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_CRM_TASK": ["D_0"]}}, "UF_CRM_TASK holds 'D_0', which is not an"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_TASK_WEBDAV_FILES": "n1"}}, '{"UF_TASK_WEBDAV_FILES": ["n1"]}'),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_TASK_WEBDAV_FILES": ["n0"]}}, "holds 'n0', which is not a file"),
    ("task.commentitem.add", {"TASKID": 1, "FIELDS": {"UF_FORUM_MESSAGE_DOC": "n1"}}, "is the text 'n1', and the"),
    ("im.chat.add", {"TITLE": "x", "USERS": "1,7"}, 'write {"USERS": [1, 7]}'),
    ("im.chat.user.add", {"CHAT_ID": 1, "USERS": "7"}, 'write {"USERS": [7]}'),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "attendees": "1,7"}, 'write {"attendees": [1, 7]}'),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "crm_fields": "D_13"}, 'write {"crm_fields": ["D_13"]}'),
    ("calendar.event.update", {"id": 1, "crm_fields": ["13"]}, "crm_fields holds '13', which is not an object of CRM"),
    ("tasks.task.add", {"fields": {"TITLE": "x", "UF_TASK_WEBDAV_FILES": ["a.pdf"]}}, "holds 'a.pdf', which is not a"),
    ("task.commentitem.add", {"TASKID": 1, "FIELDS": {"UF_FORUM_MESSAGE_DOC": ["a.pdf"]}}, "holds 'a.pdf', which is"),
    ("user.update", {"ID": 1, "UF_DEPARTMENT": ["Sales"]}, "UF_DEPARTMENT holds 'Sales', which is not an id above 0"),
    ("user.add", {"EMAIL": "a@b.example", "UF_DEPARTMENT": "Sales"}, "UF_DEPARTMENT holds 'Sales', which is not an id"),
    ("im.chat.add", {"TITLE": "x", "USERS": ["Anna"]}, "USERS holds 'Anna', which is not an id above 0"),
    ("im.chat.user.add", {"CHAT_ID": 1, "USERS": [1, "2,3"]}, "USERS holds '2,3', which is not an id above 0"),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "attendees": ["me"]}, "attendees holds 'me', which is not"),
    ("calendar.event.update", {"id": 1, "crm_fields": ["Oak"]}, "crm_fields holds 'Oak', which is not an object of"),
    ("catalog.product.add", {"fields": {"name": "x", "iblockSection": ["Doors"]}}, "iblockSection holds 'Doors'"),
]  # fmt: skip
#: Lists that the portal takes.
LISTS: list[tuple[str, dict[str, Any]]] = [
    ("tasks.task.add", {"fields": {"TITLE": "x", "AUDITORS": [7, "8", 9.0], "ACCOMPLICES": []}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"AUDITORS": [""], "ACCOMPLICES": "", "DEPENDS_ON": None}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"AUDITORS": {"0": 7}, "ACCOMPLICES": ["$result[me][ID]"]}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": ["D_10", "T80_3", "co_5", "SI_7"], "DEPENDS_ON": 5}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": False, "UF_TASK_WEBDAV_FILES": False}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": [], "UF_TASK_WEBDAV_FILES": ""}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": "$result[deal]", "AUDITORS": False}}),
    ("im.chat.user.add", {"CHAT_ID": 1, "USERS": "$result[users]"}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_TASK_WEBDAV_FILES": ["n12345", 17]}}),
    ("im.chat.add", {"TITLE": "x", "USERS": (1, 2)}),
    ("user.update", {"ID": 1, "UF_DEPARTMENT": [1, "2"]}),
    ("user.update", {"ID": 1, "UF_DEPARTMENT": 1}),
    ("calendar.event.add", {"type": "user", "ownerId": 1, "attendees": [1], "crm_fields": ["CO_5"]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(deals=3) as portal:
        portal.answers.update(ANSWERS)
        yield portal


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    sandbox.reset_calls()
    with client_of(sandbox) as client:
        yield client


@pytest.mark.parametrize(("method", "params", "name", "hint"), UNKNOWN)
def test_a_name_that_is_surely_unknown_is_refused(
    method: str, params: dict[str, Any], name: str, hint: str, sandbox: Sandbox, client: Client
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FieldNames(client, method).check(params)
    assert f"{name!r}, which the portal would silently drop: " in str(caught.value)
    assert hint in str(caught.value)
    assert caught.value.method == method
    # One question at most, and nothing written.
    assert [
        call.method for call in sandbox.calls if "ields" not in call.method and call.method != "lists.field.get"
    ] == []
    assert sandbox.requests <= 1


@pytest.mark.parametrize(("method", "params"), TAKEN)
def test_a_name_that_may_be_known_passes(method: str, params: dict[str, Any], sandbox: Sandbox, client: Client) -> None:
    FieldNames(client, method).check(params)
    assert sandbox.requests <= 1


@pytest.mark.parametrize(("method", "params", "message"), MISTYPED)
def test_a_value_that_cannot_be_of_its_documented_type_is_refused(
    method: str, params: dict[str, Any], message: str, sandbox: Sandbox, client: Client
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FieldNames(client, method).check(params)
    assert f"{method}: {message}" in str(caught.value)
    assert "the portal would ignore it or store another value: write " in str(caught.value)


@pytest.mark.parametrize(("method", "params"), TYPED)
def test_a_value_that_may_be_of_its_type_passes(
    method: str, params: dict[str, Any], sandbox: Sandbox, client: Client
) -> None:
    FieldNames(client, method).check(params)


@pytest.mark.parametrize(("method", "params", "message"), MEMBERS)
def test_a_member_that_the_portal_would_leave_out_is_refused(
    method: str, params: dict[str, Any], message: str, client: Client
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FieldNames(client, method).check(params)
    assert message in str(caught.value)
    assert ": write " in str(caught.value) or ": give " in str(caught.value) or "None" in message


@pytest.mark.parametrize(("method", "params"), LISTS)
def test_a_list_that_the_portal_takes_passes(method: str, params: dict[str, Any], client: Client) -> None:
    FieldNames(client, method).check(params)


@pytest.mark.parametrize("given", [False, []])
def test_the_false_that_a_portal_answers_for_an_empty_list_is_one(
    given: Any, portal: Sandbox, connection: None
) -> None:
    with client_of(portal) as client:
        values = {"TITLE": "x", "RESPONSIBLE_ID": 1, "UF_CRM_TASK": ["D_1"]}
        task = int(client.call("tasks.task.add", {"fields": values})["task"]["id"])
    params = {"taskId": task, "fields": {"UF_CRM_TASK": given, "UF_TASK_WEBDAV_FILES": given}}
    Bitrix24Operator(task_id="a", method="tasks.task.update", method_params=params).execute(context())
    sent = next(call for call in reversed(portal.calls) if call.method == "tasks.task.update")
    assert sent.params["fields"] == {"UF_CRM_TASK": [], "UF_TASK_WEBDAV_FILES": []}


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        (
            "tasks.task.update",
            {"taskId": 1, "fields": {"RESPONSIBLE_ID": 0}},
            "RESPONSIBLE_ID is 0, which names no user",
        ),
        ("tasks.task.add", {"fields": {"TITLE": "x", "CREATED_BY": "0"}}, "CREATED_BY is '0', which names no user"),
        ("tasks.task.update", {"taskId": 1, "fields": {"CHANGED_BY": Decimal(0)}}, "CHANGED_BY is .*names no user"),
        ("crm.activity.update", {"id": 1, "fields": {"RESPONSIBLE_ID": 0.0}}, "RESPONSIBLE_ID is 0.0, which names no"),
        ("crm.activity.todo.add", {"ownerTypeId": 2, "ownerId": 1, "responsibleId": -1}, "responsibleId is -1, which"),
        ("sale.payment.update", {"id": 1, "fields": {"companyId": 0}}, "companyId is 0, which names no company"),
        (
            "task.elapseditem.add",
            {"TASKID": 1, "ARFIELDS": {"SECONDS": 60, "USER_ID": 0}},
            "USER_ID is 0, which names no",
        ),
        ("tasks.task.update", {"taskId": "1E2", "fields": {"TITLE": "x"}}, "taskId is '1E2', with a number that was"),
        ("tasks.task.update", {"taskId": 1, "fields": {"RESPONSIBLE_ID": "1E2"}}, "RESPONSIBLE_ID is '1E2', with a"),
        ("crm.item.update", {"entityTypeId": 2, "id": "1E2", "fields": {"title": "x"}}, "id is '1E2', with a number"),
    ],
)
def test_zero_and_a_shortened_number_name_no_object(
    method: str, params: dict[str, Any], message: str, portal: Sandbox, connection: None
) -> None:
    with pytest.raises(AirflowFailException, match=f"{method}: {message}"):
        Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())
    with pytest.raises(AirflowFailException, match=message):
        Bitrix24BulkWriteOperator(task_id="b", method=method, rows=[params]).execute(context())
    assert portal.executed(method) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"RESPONSIBLE_ID": 1, "GROUP_ID": 0, "PARENT_ID": 0, "STAGE_ID": "0"},
        {"RESPONSIBLE_ID": "1", "PRIORITY": 0, "TIME_ESTIMATE": 0, "MARK": "", "XML_ID": "1E2"},
    ],
)
def test_zero_where_it_means_something_is_sent(fields: dict[str, Any], portal: Sandbox, connection: None) -> None:
    params = {"taskId": 1, "fields": fields}
    Bitrix24Operator(task_id="a", method="tasks.task.update", method_params=params).execute(context())
    assert portal.calls[-1].params == params


def test_the_false_of_an_empty_list_is_one_beside_the_fields_too(portal: Sandbox, connection: None) -> None:
    method = "calendar.event.update"
    portal.answers[method] = 1
    params = {"id": 1, "type": "user", "ownerId": 1, "name": "x", "attendees": False, "remind": False}
    Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())
    assert portal.calls[-1].params == {**params, "attendees": [], "remind": []}


#: Values of ``task.*`` that are given by position, and what is said of them.
POSITIONAL: list[tuple[str, list[Any], str]] = [
    ("task.elapseditem.add", [1, {"SECONDS": "an hour"}], "SECONDS is 'an hour', which is not a whole number"),
    ("task.elapseditem.update", [1, 2, {"SECONDS": "1:30"}], "SECONDS is '1:30', which is not a whole number"),
    ("task.checklistitem.add", [1, {"TITLE": "x", "SORT_INDEX": "first"}], "SORT_INDEX is 'first', which is not a"),
    ("task.checklistitem.update", [1, 2, {"TITEL": "x"}], "FIELDS names 'TITEL', which the portal would silently drop"),
    ("task.commentitem.add", [1, {"UF_FORUM_MESSAGE_DOC": "n1"}], "UF_FORUM_MESSAGE_DOC is the text 'n1'"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params", "message"), POSITIONAL)
def test_what_is_given_by_position_is_checked_too(
    method: str, params: list[Any], message: str, portal: Sandbox, connection: None
) -> None:
    numbered = {str(place): value for place, value in enumerate(params)}
    for given in (params, numbered):
        with pytest.raises(AirflowFailException, match=re.escape(message)):
            Bitrix24Operator(task_id="a", method=method, method_params=given).execute(context())
        with pytest.raises(AirflowFailException, match=re.escape(message)):
            Bitrix24BatchOperator(task_id="b", commands={"a": [method, given]}).execute(context())
    assert portal.executed(method) == 0


def test_most_methods_that_write_have_types_of_values() -> None:
    lines = Path(written_fields.__file__).with_name("written_fields.txt").read_text("utf-8").splitlines()
    typed = {line.split()[0] for line in lines if not line.startswith("#") and ":" in "".join(line.split()[4:])}
    assert len(typed) >= 160


def test_what_the_page_of_a_method_has_needs_no_question(sandbox: Sandbox, client: Client) -> None:
    names = FieldNames(client, "crm.requisite.add")
    for _ in range(3):
        names.check({"fields": {"NAME": "x", "RQ_INN": "7701", "ENTITY_ID": 1}})
    assert sandbox.requests == 0
    for _ in range(3):
        with pytest.raises(ConfigurationError, match="'ID', which is read-only"):
            names.check({"fields": {"NAME": "x", "ID": 5}})
    assert sandbox.count("crm.requisite.fields") == sandbox.requests == 1


@pytest.mark.parametrize(("code", "status"), [("ACCESS_DENIED", 403), ("ERROR_METHOD_NOT_FOUND", 404)])
def test_where_the_portal_does_not_tell_only_slips_are_refused(
    code: str, status: int, portal: Sandbox, connection: None, caplog: pytest.LogCaptureFixture
) -> None:
    portal.fault("error", "crm.requisite.fields", code=code, status=status, times=None)
    with client_of(portal) as client:
        names = FieldNames(client, "crm.requisite.add")
        names.check({"fields": {"NAME": "x", "NEW_FIELD": "x", "UF_CRM_1": "x"}})
        assert "The names of fields are not checked: crm.requisite.fields: " in caplog.text
        with pytest.raises(ConfigurationError, match="did you mean RQ_INN"):
            names.check({"fields": {"RQ_INNN": "x"}})
    assert portal.requests == 1


@pytest.mark.parametrize("method", ["crm.requisite.add", "crm.activity.update", "crm.status.update"])
def test_fields_outside_of_fields_are_refused(method: str, client: Client) -> None:
    with pytest.raises(ConfigurationError, match="the params have no fields, and the portal would lose all values"):
        FieldNames(client, method).check({"id": 1, "NAME": "x"})


@pytest.mark.parametrize("given", [[{"TITLE": "x"}], [["TITLE", "x"]], "TITLE=x", 5])
@pytest.mark.parametrize("method", ["tasks.task.update", "crm.requisite.add", "catalog.product.add", "lists.add"])
def test_fields_in_another_shape_are_refused(method: str, given: Any, sandbox: Sandbox, client: Client) -> None:
    with pytest.raises(ConfigurationError, match=r"is not an object, but .* and the portal would lose it"):
        FieldNames(client, method).check({"id": 1, "fields": given})
    for taken in ({}, [], "$result[first]"):
        FieldNames(client, method).check({"id": 1, "fields": taken})
    assert sandbox.requests == 0


WRITES: list[tuple[str, dict[str, Any]]] = [
    ("crm.requisite.add", {"fields": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "NAME": "x", "RQ_INNN": "1"}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"TITEL": "x"}}),
    ("user.update", {"ID": 1, "TITEL": "x"}),
    ("crm.timeline.comment.add", {"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "a", "COMENT": "b"}}),
    ("tasks.task.update", {"taskId": 1, "fields": {"RESPONSIBLE": 7}}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1, "ACCOMPLICES": ["Anna"]}}),
    ("im.chat.user.add", {"CHAT_ID": 1, "USERS": ["Anna"]}),
    ("im.chat.user.add", {"CHAT_ID": 1, "USERS": "1,7"}),
    ("tasks.task.update", {"taskId": 1, "fields": {"UF_CRM_TASK": "D_14"}}),
    ("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1, "UF_TASK_WEBDAV_FILES": "n1"}}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params"), WRITES)
def test_every_operator_refuses_them_unless_check_fields_is_off(
    method: str, params: dict[str, Any], portal: Sandbox, connection: None
) -> None:
    says = "which the portal would silently drop: did you mean|holds 'Anna', which is not an id above 0|takes a list"
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())
    commands = {"a": [method, params]}
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24BatchOperator(task_id="b", commands=commands).execute(context())
    for dry_run in (True, False):
        with pytest.raises(AirflowFailException, match=says):
            Bitrix24BulkWriteOperator(task_id="c", method=method, rows=[params], dry_run=dry_run).execute(context())
    assert portal.executed(method) == 0
    portal.answers[method] = 1
    Bitrix24Operator(task_id="d", method=method, method_params=params, check_fields=False).execute(context())
    Bitrix24BulkWriteOperator(task_id="e", method=method, rows=[params], check_fields=False).execute(context())
    assert portal.executed(method) == portal.count(method) == 2


# The documentation


def requests() -> Iterator[tuple[str, dict[str, Any]]]:
    """The requests that the pages of the sandbox's methods print."""
    for path in sorted((ROOT / "tests" / "contract").glob("*.json")):
        page = json.loads(path.read_text("utf-8"))
        if isinstance(page, dict) and page.get("rest") != "v3":
            for request in page.get("requests") or []:
                if request.get("method") == page.get("method") and isinstance(request.get("params"), dict):
                    yield page["method"], request["params"]


def test_what_the_documentation_sends_passes(client: Client) -> None:
    refused: list[str] = []
    checked = 0
    names: dict[str, FieldNames] = {}
    for method, params in requests():
        checked += 1
        try:
            names.setdefault(method, FieldNames(client, method)).check(params)
        except ConfigurationError as error:
            refused.append(str(error))
    assert checked > 500
    # Fields that somebody has made at the portal of the page, and a slip of the pen of its author.
    own = ("'UF_CRM_17", "'ufCrm_17", "'PROPERTY_", "'IS_RECCURING'", "'isReccurring'")
    # Days such as 11.11.2001, which a portal reads by its own language.
    own += ("the field holds a day or a moment",)
    # Times of days, which "crm.quote.add" prints and a portal cuts off.
    own += ("DATE is '2026-03-",)
    # What the reader of the page has to fill in.
    own += ("is '<$(date ", "is '**put_")
    assert [error for error in refused if not any(name in error for name in own)] == []


def script() -> Any:
    spec = importlib.util.spec_from_file_location("made", ROOT / "ci" / "make_written_fields.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_documentation_of_the_sandbox_says() -> None:
    made = list(script().Pages(ROOT / "tests" / "contract").lines())
    table = Path(written_fields.__file__).with_name("written_fields.txt").read_text("utf-8").splitlines()
    # Without the pages of all methods that describe fields, some lines have less.
    sources = {
        line.split()[0] for line in table if " catalog." in line or " sale." in line or " crm.orderentity" in line
    }
    assert len(made) > 100
    assert {line for line in made if line.split()[0] not in sources} <= set(table)
