"""Floats where raw writes of CRM hold text: sent as the text that they stand for, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context

EXACT = 2**53
CONTACT, COMPANY = 3, 4

Call = tuple[str, dict[str, Any]]


def one(method: str, params: dict[str, Any]) -> Any:
    return Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())


def batch(method: str, params: dict[str, Any]) -> Any:
    return Bitrix24BatchOperator(task_id="b", commands={"a": [method, params]}).execute(context())


def rows(method: str, params: dict[str, Any]) -> Any:
    return Bitrix24BulkWriteOperator(task_id="c", method=method, rows=[params]).execute(context())


WAYS = [one, batch, rows]


def old(value: Any) -> Call:
    return "crm.contact.add", {"fields": {"NAME": "x", "ORIGIN_ID": value, "PHONE": [{"VALUE": value}]}}


def new(value: Any) -> Call:
    fm = {"n0": {"typeId": "PHONE", "valueType": "WORK", "value": value}}
    return "crm.item.add", {"entityTypeId": CONTACT, "fields": {"name": "x", "originId": value, "fm": fm}}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", [old, new])
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (79161230001.0, "79161230001"),
        (np.float64(79161230001), "79161230001"),
        (np.float32(12), "12"),
        (float(EXACT - 1), str(EXACT - 1)),
        (1e-7, "0.0000001"),
        (np.float32(0.1), "0.1"),
    ],
)
def test_a_key_and_a_phone_have_no_fraction_and_no_exponent(
    way: Any, call: Any, value: Any, stored: str, portal: Sandbox, connection: None
) -> None:
    way(*call(value))
    item = portal.items(CONTACT)[-1]
    assert item["originId"] == stored
    assert [entry["value"] for entry in item["fm"]] == [stored]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "call",
    [
        old,
        new,
        lambda value: ("crm.contact.add", {"FIELDS": {"NAME": "x", "PHONE": {"n0": {"VALUE": value}}}}),
        lambda value: ("crm.lead.add", {"fields": {"TITLE": value}}),
        lambda value: ("crm.deal.update", {"id": 1, "fields": {"COMMENTS": value}}),
        lambda value: ("crm.deal.update", {"id": 1, "fields": {"UF_CRM_1700000003": ["a", value]}}),
        lambda value: ("crm.item.update", {"entityTypeId": 2, "id": 1, "fields": {"ORIGIN_ID": value}}),
        lambda value: (
            "crm.item.import",
            {"entityTypeId": COMPANY, "fields": {"title": "x", "PHONE": [{"VALUE": value}]}},
        ),
        lambda value: ("crm.requisite.add", {"fields": {"NAME": "x", "PRESET_ID": 1, "RQ_INN": value}}),
        lambda value: ("crm.deal.productrows.set", {"id": 1, "rows": [{"PRODUCT_NAME": value, "PRICE": 1.0}]}),
    ],
)
@pytest.mark.parametrize("value", [float(EXACT), np.float64(4.07e19)])
def test_a_float_that_has_lost_digits_is_refused(
    way: Any, call: Any, value: Any, portal: Sandbox, connection: None
) -> None:
    # Not among the methods of the sandbox.
    portal.answers["crm.productrow.fields"] = {"PRODUCT_NAME": {"type": "string"}, "PRICE": {"type": "double"}}
    method, params = call(value)
    with pytest.raises(AirflowFailException, match="keep the column as text where it is made"):
        way(method, params)
    assert portal.executed(method) == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("value", "stored"), [(float(EXACT), EXACT), (1e16, 10**16), (10.5, 10.5), (0.0, 0)])
def test_number_fields_take_any_float(way: Any, value: float, stored: float, portal: Sandbox, connection: None) -> None:
    way("crm.deal.update", {"id": 1, "fields": {"OPPORTUNITY": value}})
    assert next(deal for deal in portal.items(2) if deal["id"] == 1)["opportunity"] == stored
