"""Values that cannot be what their field holds, and shapes that hold no fields, in raw writes of CRM."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm.shapes import check_shapes
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context

CHOICE, NUMBER, SEVERAL = "UF_CRM_1700000004", "UF_CRM_1700000002", "UF_CRM_1700000003"


def deal(**values: Any) -> tuple[str, dict[str, Any]]:
    return "crm.deal.update", {"id": 1, "fields": values}


def item(values: Any, kind: int = 2, verb: str = "update") -> tuple[str, dict[str, Any]]:
    return f"crm.item.{verb}", {"entityTypeId": kind, "id": 1, "fields": values}


def phone(**entry: Any) -> tuple[str, dict[str, Any]]:
    return "crm.contact.add", {"fields": {"NAME": "x", "PHONE": [{"VALUE": "+1555", **entry}]}}


REFUSED: list[tuple[tuple[str, dict[str, Any]], str]] = [
    (deal(OPPORTUNITY="1 000,50"), "the field holds a number: the portal would silently drop or change it"),
    (deal(OPPORTUNITY="12,5"), "write digits, with a point for decimals"),
    (deal(OPPORTUNITY="abc"), "OPPORTUNITY is 'abc'"),
    (deal(COMPANY_ID="Oak Ltd"), "the field holds an id"),
    (deal(ASSIGNED_BY_ID="Ann"), "ASSIGNED_BY_ID is 'Ann'"),
    (deal(CONTACT_ID=[1, 2]), "the field holds one value of the type crm_contact"),
    (deal(CONTACT_ID=0), "CONTACT_ID is 0, which names no contact, and the portal would clear the field"),
    (deal(COMPANY_ID="0"), "COMPANY_ID is '0', which names no company"),
    (deal(ASSIGNED_BY_ID=0.0), "ASSIGNED_BY_ID is 0.0, which names no user"),
    (deal(COMPANY_ID=-1), "COMPANY_ID is -1, which names no company"),
    (item({"companyId": 0}), 'leave it out, or clear it with None in the DAG or blank="clear" and an empty cell'),
    (item({"contactId": Decimal(0)}, verb="add"), "which names no contact"),
    (item({"assignedById": " 0 "}, 4), "which names no user"),
    (item({"companyId": 0}, 3, "import"), "companyId is 0, which names no company"),
    (deal(CONTACT_IDS=5), 'write {"CONTACT_IDS": [5]}'),
    (deal(CONTACT_IDS=["Ann"]), "not an id above 0"),
    (deal(CLOSEDATE="soon"), "the field holds a day or a moment that there is"),
    (deal(CLOSEDATE="31.01.2027"), "write e.g. 2026-12-31"),
    (deal(CLOSEDATE="01/31/2027"), "CLOSEDATE is '01/31/2027'"),
    (deal(CLOSEDATE="2027-02-31"), "CLOSEDATE is '2027-02-31'"),
    (deal(CLOSEDATE=20270131), "CLOSEDATE is 20270131"),
    (deal(BEGINDATE="2027-01-31T25:00:00"), "BEGINDATE is '2027-01-31T25:00:00'"),
    (deal(UF_CRM_1700000007="31.01.2027 09:30:00"), "write e.g. 2026-12-31T09:30:00+03:00"),
    (("crm.contact.add", {"fields": {"NAME": "x", "BIRTHDATE": "31.12.1990"}}), "BIRTHDATE is '31.12.1990'"),
    (("crm.contact.add", {"fields": {"NAME": "x", "BIRTHDATE": "1990-13-01"}}), "BIRTHDATE is '1990-13-01'"),
    (item({"closedate": "31.01.2027"}), "closedate is '31.01.2027'"),
    (item({"birthdate": "2027-02-31"}, 3, "add"), "birthdate is '2027-02-31'"),
    (item({"CLOSEDATE": "tomorrow"}), "CLOSEDATE is 'tomorrow'"),
    (item({"title": "x", "createdTime": "01.01.2026"}, 4, "import"), "createdTime is '01.01.2026'"),
    (deal(CLOSED="yes"), "CLOSED is 'yes', and the field holds yes or no"),
    (deal(OPENED="true"), 'write "Y" or "N"'),
    (deal(OPENED=1), "OPENED is 1"),
    (("crm.contact.add", {"fields": {"NAME": "x", "EXPORT": "No"}}), "EXPORT is 'No'"),
    (deal(UF_CRM_1700000001="yes"), "UF_CRM_1700000001 is 'yes'"),
    (item({"opened": "yes"}), "opened is 'yes'"),
    (item({"opened": 1}), "opened is 1"),
    (deal(TITLE=["a", "b"]), "TITLE is ['a', 'b'], and the field holds one value"),
    (deal(TITLE={"a": 1}), "give one value"),
    (deal(**{CHOICE: "No such choice"}), "the field takes the id of a choice: "),
    (("crm.company.add", {"fields": {"TITLE": "x", "REVENUE": "1 million"}}), "REVENUE is '1 million'"),
    (("crm.deal.add", {"fields": [{"TITLE": "x"}]}), "fields is not an object, and the portal would lose all values"),
    (("crm.deal.add", {"fields": {}}), "fields is empty, and an empty object would be added"),
    (("crm.deal.add", {"fields": {"TITLE": "x"}, "parms": {}}), "'parms', which the portal would silently drop"),
    (item([["title", "y"]]), "fields is not an object"),
    (item({}, verb="add"), "fields is empty"),
    (item({"title": "y", "Title": "z"}), "fields has 'title' and 'Title', which are the same field"),
    (item({"stageId": "NEW", "STAGE_ID": "WON"}), "which are the same field"),
    (item({"fm": "+1555"}, 4), 'write {"fm": [{"typeId": "PHONE"'),
    (item({"fm": ["+1555"]}, 3), "fm is ['+1555'], which the portal would silently drop"),
    (item({"titel": "x"}, 4, "import"), "fields names 'titel', which is not a field of a company"),
    (item({"title": "x", "PHONE": "+1555"}, 4, "import"), 'write {"PHONE": [{"VALUE"'),
    (phone(VALUE_TIPE="WORK"), "an entry of PHONE names 'VALUE_TIPE', which the portal would silently drop"),
    (phone(VALUETYPE="WORK"), "did you mean VALUE_TYPE?"),
    (phone(TYPE="HOME"), "'TYPE', which the portal would silently drop: did you mean VALUE_TYPE?"),
    (phone(TYPE="PHONE"), "did you mean TYPE_ID?"),
    (phone(value_type="HOME"), "did you mean VALUE_TYPE?"),
    (phone(valueType="HOME"), "did you mean VALUE_TYPE?"),
    (phone(VALUE_TYP="HOME"), "did you mean VALUE_TYPE?"),
    (phone(COMMENT="at home"), "it takes VALUE, VALUE_TYPE, ID"),
    (("crm.lead.update", {"id": 1, "fields": {"WEB": {"n0": {"VALUE": "a.b", "type": "HOME"}}}}), "an entry of WEB"),
    (item({"fm": [{"typeId": "PHONE", "value": "+1", "TYPE": "HOME"}]}, 3), "did you mean valueType?"),
    (item({"fm": {"n0": {"TYPE_ID": "PHONE", "value": "+1"}}}, 4, "add"), "did you mean typeId?"),
    (item({"title": "x", "PHONE": [{"VALUE": "+1", "TYPE": "HOME"}]}, 4, "import"), "did you mean VALUE_TYPE?"),
]  # fmt: skip

TAKEN: list[tuple[str, dict[str, Any]]] = [
    deal(
        OPPORTUNITY="1000.50",
        COMPANY_ID="7",
        CONTACT_IDS=["1", 2],
        CLOSEDATE="2026-12-31T00:00:00+03:00",
        BEGINDATE="2026-12-31",
    ),
    deal(OPPORTUNITY=-5, COMPANY_ID="", PROBABILITY=0, CONTACT_IDS=[], CLOSEDATE="", COMMENTS="12,5", OPENED=True),
    deal(OPPORTUNITY=0, PROBABILITY="1e1", UF_CRM_1700000001="0", TITLE="0"),
    item({"opportunity": 0, "opened": "0", "contactId": None, "companyId": ""}),
    item({"title": "x", "categoryId": 0}, verb="add"),
    deal(OPPORTUNITY="$result[sum]", COMPANY_ID=None, CONTACT_ID=False, TITLE=5, STAGE_ID="C5:MY_STAGE"),
    deal(CLOSEDATE=None, BEGINDATE="$result[day]", OPENED="Y", CLOSED=False, UF_CRM_1700000001="1"),
    deal(CLOSEDATE=date(2026, 12, 31), BEGINDATE="2026-12-31 00:00", UF_CRM_1700000007="2026-12-31T09:30:00Z"),
    item({"closedate": "2026-12-31", "begindate": "", "opened": True}),
    item({"closedate": datetime(2026, 12, 31, tzinfo=timezone.utc), "opened": "n", "isManualOpportunity": "0"}),
    deal(**{CHOICE: "46", NUMBER: 1.5, SEVERAL: ["a"]}),
    ("crm.deal.update", {"id": 1, "fields": {}}),
    ("crm.deal.add", {"fields": {"TITLE": "x"}, "params": {"REGISTER_SONET_EVENT": "Y"}}),
    item({"fm": {"n0": {"typeId": "PHONE", "value": "+1"}}}, 4),
    item({"fm": [{"typeId": "PHONE", "value": "+1"}]}, 3, "add"),
    item({"title": "x", "PHONE": [{"VALUE": "+1"}], "createdTime": "2026-01-01T00:00:00+00:00"}, 4, "import"),
    item({}),
    phone(VALUE_TYPE="WORK", TYPE_ID="PHONE", VALUE_EXTRA={"COUNTRY_CODE": "LV"}),
]


def check(client: Client, method: str, params: dict[str, Any]) -> None:
    check_shapes(method, params)
    FieldNames(client, method).check(params)


@pytest.mark.parametrize(("call", "says"), REFUSED)
def test_what_cannot_be_stored_is_refused(call: tuple[str, dict[str, Any]], says: str, client: Client) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(client, *call)
    assert says in str(caught.value)


@pytest.mark.parametrize("call", TAKEN)
def test_what_may_be_right_passes(call: tuple[str, dict[str, Any]], client: Client) -> None:
    check(client, *call)


@pytest.mark.parametrize(
    "call",
    [
        deal(OPPORTUNITY="12,5"),
        deal(CLOSEDATE="31.01.2027"),
        deal(CLOSED="yes"),
        deal(COMPANY_ID=0),
        item({"companyId": 0}),
        phone(TYPE="HOME"),
        item({"closedate": "2027-02-31"}),
        item({"title": "y", "Title": "z"}),
        item({"fm": "+1"}, 4),
    ],
)
def test_every_operator_refuses_them(call: tuple[str, dict[str, Any]], portal: Sandbox, connection: None) -> None:
    method, params = call
    says = "silently|the same field|names no company"
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24Operator(task_id="a", method=method, method_params=params).execute(context())
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24BatchOperator(task_id="b", commands={"a": [method, params]}).execute(context())
    with pytest.raises(AirflowFailException, match=says):
        Bitrix24BulkWriteOperator(task_id="c", method=method, rows=[params]).execute(context())
    assert portal.executed(method) == 0
