"""Fields that are read-only or set once, and texts in the place of lists: the portal silently drops their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context

READ_ONLY, ONCE, TEXT = "is read-only", "can only be set when", "is the text"
#: What the sandbox does not offer, as its page prints it.
ANSWERS = {
    "sale.order.getFields": {
        "order": {
            "id": {"isImmutable": False, "isReadOnly": True},
            "payed": {"isImmutable": False, "isReadOnly": True},
            "personTypeId": {"isImmutable": True, "isReadOnly": False},
            "price": {"isImmutable": False, "isReadOnly": False},
        }
    }
}


def fields(entity: int | None = None, /, **values: Any) -> dict[str, Any]:
    return {"id": 1, **({} if entity is None else {"entityTypeId": entity}), "fields": values}


#: Method, params, the name, what is said of it.
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("crm.deal.add", fields(TITLE="x", DATE_CREATE="2026-01-01"), "DATE_CREATE", READ_ONLY),
    ("crm.deal.update", fields(ID=5), "ID", READ_ONLY),
    ("crm.deal.update", fields(CATEGORY_ID=5), "CATEGORY_ID", ONCE),
    ("crm.lead.update", fields(HAS_PHONE="Y"), "HAS_PHONE", READ_ONLY),
    ("crm.company.update", fields(CREATED_BY_ID=1), "CREATED_BY_ID", READ_ONLY),
    ("crm.contact.add", fields(NAME="x", DATE_CREATE="2026-01-01"), "DATE_CREATE", READ_ONLY),
    ("crm.item.add", fields(2, title="x", createdTime="2026-01-01T00:00:00+00:00"), "createdTime", READ_ONLY),
    ("crm.item.add", fields(2, title="x", id=5), "id", READ_ONLY),
    ("crm.item.update", fields(2, DATE_CREATE="2026-01-01"), "createdTime", READ_ONLY),
    ("crm.requisite.add", fields(NAME="x", DATE_CREATE="2026-01-01"), "DATE_CREATE", READ_ONLY),
    ("crm.requisite.update", fields(PRESET_ID=2), "PRESET_ID", ONCE),
    ("crm.activity.update", fields(CREATED="2026-01-01"), "CREATED", READ_ONLY),
    ("crm.status.update", fields(STATUS_ID="NEW"), "STATUS_ID", ONCE),
    ("crm.timeline.comment.update", fields(ENTITY_ID=2), "ENTITY_ID", ONCE),
    ("crm.timeline.comment.add", fields(ENTITY_ID=2, COMMENT="x", CREATED="2026-01-01"), "CREATED", READ_ONLY),
    ("crm.item.productrow.add", fields(ownerId=1, ownerType="D", priceNetto=5), "priceNetto", READ_ONLY),
    ("crm.item.productrow.update", fields(ownerId=2), "ownerId", ONCE),
    ("tasks.task.update", {"taskId": 1, "fields": {"ID": 5}}, "ID", READ_ONLY),
    ("tasks.task.update", {"taskId": 1, "fields": {"CLOSED_DATE": ""}}, "CLOSED_DATE", READ_ONLY),
    ("tasks.task.update", {"taskId": 1, "fields": {"TIME_SPENT_IN_LOGS": 60}}, "TIME_SPENT_IN_LOGS", READ_ONLY),
    ("tasks.task.add", fields(TITLE="x", FAVORITE="Y"), "FAVORITE", READ_ONLY),
    ("catalog.product.update", fields(name="x", available="Y"), "available", READ_ONLY),
    ("catalog.product.update", fields(iblockId=5), "iblockId", ONCE),
    ("sale.order.update", fields(payed="Y"), "payed", READ_ONLY),
    ("sale.order.update", fields(personTypeId=2), "personTypeId", ONCE),
    ("sale.payment.add", fields(orderId=1, accountNumber="5/1"), "accountNumber", READ_ONLY),
    ("sale.payment.update", fields(orderId=2), "orderId", ONCE),
    ("crm.deal.add", fields(TITLE="x", CONTACT_IDS="1,2"), "CONTACT_IDS", f"{TEXT} '1,2'"),
    ("crm.contact.update", fields(COMPANY_IDS="1; 2"), "COMPANY_IDS", TEXT),
    ("crm.item.update", fields(2, contactIds="1 2"), "contactIds", TEXT),
    ("crm.item.add", fields(2, title="x", UF_CRM_1700000003="a"), "UF_CRM_1700000003", TEXT),
    ("crm.documentgenerator.template.add", fields(name="x", users="1,2"), "users", TEXT),
    ("tasks.task.add", fields(TITLE="x", AUDITORS="1,2"), "AUDITORS", TEXT),
    ("lists.field.add", {"FIELDS": {"NAME": "x", "LIST": "a,b"}}, "LIST", TEXT),
    ("crm.activity.configurable.add", fields(pingOffsets="0,15"), "pingOffsets", TEXT),
]

TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("crm.deal.add", fields(TITLE="x", CATEGORY_ID=0, CONTACT_IDS=[1, 2], STAGE_ID="NEW")),
    ("crm.deal.update", fields(CONTACT_IDS=[], UF_CRM_1700000003="")),
    ("crm.contact.add", {**fields(NAME="x", DATE_CREATE="2026-01-01", CREATED_BY_ID=1), "params": {"IMPORT": "Y"}}),
    ("crm.company.add", {**fields(TITLE="x", DATE_MODIFY="2026-01-01"), "PARAMS": {"import": True}}),
    ("crm.item.add", fields(2, title="x", categoryId=0, contactIds=[1], leadId=1, quoteId=1)),
    ("crm.item.update", fields(2, contactIds={"0": 1}, stageId="NEW")),
    ("crm.requisite.add", fields(PRESET_ID=1, ENTITY_ID=1)),
    ("crm.activity.update", fields(ASSOCIATED_ENTITY_ID=5, OWNER_ID=1)),
    ("crm.address.update", fields(TYPE_ID=1, ENTITY_TYPE_ID=8, ENTITY_ID=1, CITY="x")),
    ("crm.timeline.comment.add", fields(ENTITY_ID=1, ENTITY_TYPE="deal", COMMENT="1,2", AUTHOR_ID=1)),
    ("crm.item.productrow.set", {"ownerId": 1, "ownerType": "D", "productRows": [{"id": 7, "productName": "x"}]}),
    ("catalog.product.add", fields(iblockId=14, name="1,2")),
    ("tasks.task.add", fields(TITLE="1,2", AUDITORS=[1, 2], ACCOMPLICES="$result[users]")),
    ("im.chat.add", {"USERS": [1, 2], "TITLE": "x"}),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(deals=3) as portal:
        portal.answers.update(ANSWERS)
        yield portal


@pytest.mark.parametrize(("method", "params", "name", "says"), REFUSED)
def test_what_the_portal_would_drop_is_refused_by_name(
    method: str, params: dict[str, Any], name: str, says: str, client: Client
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FieldNames(client, method).check(params)
    message = str(caught.value)
    assert name in message
    assert says in message
    assert "silently drop" in message or ONCE in message


@pytest.mark.parametrize(("method", "params"), TAKEN)
def test_what_the_portal_takes_passes(method: str, params: dict[str, Any], client: Client) -> None:
    FieldNames(client, method).check(params)


def test_the_hint_is_the_form_to_write(client: Client) -> None:
    for text, form in [("1,2", "[1, 2]"), ("1", "[1]"), ("a; b", '["a", "b"]'), ("x" * 99, "[1, 2]")]:
        with pytest.raises(ConfigurationError) as caught:
            FieldNames(client, "crm.deal.update").check(fields(CONTACT_IDS=text))
        assert caught.value.next_step == f'write {{"CONTACT_IDS": {form}}}'


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("crm.deal.update", fields(DATE_CREATE="2026-01-01")),
        ("crm.item.update", fields(2, createdTime="2026-01-01T00:00:00+00:00")),
        ("crm.requisite.update", fields(NAME="x", DATE_MODIFY="2026-01-01")),
        ("crm.deal.update", fields(CONTACT_IDS="1,2")),
    ],
)
def test_every_operator_refuses_them(method: str, params: dict[str, Any], portal: Sandbox, connection: None) -> None:
    says = "DATE_CREATE|createdTime|DATE_MODIFY|CONTACT_IDS"
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24BatchOperator(task_id="b", commands={"a": [method, params]}).execute(context())
    for dry_run in (True, False):
        with pytest.raises(AirflowFailException, match=says):
            Bitrix24BulkWriteOperator(task_id="c", method=method, rows=[params], dry_run=dry_run).execute(context())
    assert portal.executed(method) == 0
    portal.answers[method] = True
    Bitrix24Operator(task_id="d", method=method, method_params=params, check_fields=False).execute(context())
    assert portal.count(method) == 1
