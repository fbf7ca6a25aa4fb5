"""Numbers, and scalars of numpy and pandas, in fields, phones, keys, rows and filters: sent exactly or refused."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24GetItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator, Bitrix24Operator
from tests.operators.context import context

EXACT = 2**53
LOST_DIGITS = "a float that cannot keep all digits of such a number: keep the column as text"


def run(operator: type, **arguments: Any) -> Any:
    return operator(task_id="task", **arguments).execute(context())


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


def added(portal: Any, kind: str, **fields: Any) -> dict[str, Any]:
    """The item as the portal has it."""
    item_id = run(Bitrix24AddItemOperator, entity_type_id=kind, fields=fields)
    number = {"deal": 2, "contact": 3, "company": 4}[kind]
    return next(item for item in portal.items(number) if item["id"] == item_id)


@pytest.mark.parametrize(
    "several",
    [
        {1, 2},
        frozenset({1, 2}),
        range(1, 3),
        (1, 2),
        {1: "a", 2: "b"}.keys(),
        {"a": 1, "b": 2}.values(),
        deque([1, 2]),
        np.array([1, 2]),
    ],
    ids=lambda several: type(several).__name__,
)
def test_several_values_of_any_kind_are_a_list_in_filters_and_params(several, portal, connection):
    assert run(Bitrix24ListItemsOperator, entity_type_id="deal", item_filter={"@id": several}, select=["id"]) == [
        {"id": 1},
        {"id": 2},
    ]
    asked = {"method": "crm.deal.list", "method_params": {"filter": {"@ID": several}, "select": ["ID"]}}
    for operator in (Bitrix24ListOperator, Bitrix24Operator):
        assert run(operator, **asked) == [{"ID": "1"}, {"ID": "2"}]
        assert portal.calls[-1].method in ("crm.deal.list", "batch")
    deal = run(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "Oak", "observers": several})
    assert next(item for item in portal.items(2) if item["id"] == deal)["observers"] == [1, 2]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda: (number for number in (1, 2)), "which can be read only once: write a list"),
        (lambda: map(int, "12"), "which can be read only once: write a list"),
        (lambda: {17: 1, 18: 2}, "write one value, or a list of values"),
        ({1: 1}.items, "has (1, 1) inside, where one value belongs"),
        (frozenset, "is an empty list"),
        (lambda: range(5, 5), "is an empty list"),
    ],
)
def test_what_is_not_a_list_of_values_is_refused_in_filters(value, message, portal, connection):
    params = {"filter": {"@ID": value()}}
    assert message in failure_of(Bitrix24ListOperator, method="crm.deal.list", method_params=params)
    assert message in failure_of(Bitrix24ListItemsOperator, entity_type_id="deal", item_filter={"@id": value()})
    assert portal.count("crm.deal.list") == portal.count("crm.item.list") == portal.count("batch") == 0


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("title", 12.0, "12"),
        ("title", np.float64(12), "12"),
        ("title", np.float32(0.1), "0.1"),
        ("title", 1e-7, "0.0000001"),
        ("title", float(EXACT - 1), str(EXACT - 1)),
        ("title", Decimal("40700000000000000000"), "40700000000000000000"),
        ("title", 40700000000000000000, "40700000000000000000"),
        ("title", np.int64(7), "7"),
        ("title", np.str_("Oak"), "Oak"),
        ("assignedById", np.int64(1), 1),
        ("opportunity", np.float64(10.5), 10.5),
        ("opportunity", np.float32(0.1), 0.1),
        ("opportunity", float(EXACT), EXACT),
        ("opened", np.bool_(True), "Y"),
        ("opened", np.False_, "N"),
        ("begindate", pd.Timestamp("2026-01-31", tz="UTC"), "2026-01-31"),
        ("begindate", np.datetime64("2026-01-31"), "2026-01-31"),
        ("begindate", np.datetime64("2026-01-31T00:00:00.000000001"), "2026-01-31"),
    ],
)
def test_a_scalar_is_sent_as_what_it_stands_for(field, value, stored, portal, connection):
    item = added(portal, "deal", **({"title": "Oak", field: value}))
    assert str(item[field]).startswith(str(stored))


@pytest.mark.parametrize("value", [float(EXACT), 4.07e19, -float(EXACT), 1e300, np.float64(4.07e19), math.inf])
@pytest.mark.parametrize(
    "fields",
    [
        lambda value: {"originId": value},
        lambda value: {"PHONE": value},
        lambda value: {"PHONE": ["+1", value]},
        lambda value: {"phone": [{"VALUE": value, "VALUE_TYPE": "HOME"}]},
        lambda value: {"fm": [{"typeId": "PHONE", "value": value}]},
        lambda value: {"fm": {"n0": {"typeId": "PHONE", "VALUE": value}}},
    ],
)  # fmt: skip
def test_a_float_that_has_lost_digits_is_refused_as_text_and_as_a_phone(value, fields, portal, connection):
    message = failure_of(Bitrix24AddItemOperator, entity_type_id="company", fields={"title": "Acme", **fields(value)})
    assert LOST_DIGITS in message
    assert portal.executed("crm.item.add") == 0


@pytest.mark.parametrize("value", [79161230001.0, np.float64(79161230001), Decimal(79161230001), np.int64(79161230001)])
@pytest.mark.parametrize(
    "fields",
    [
        lambda value: {"PHONE": value},
        lambda value: {"PHONE": [value]},
        lambda value: {"phone": [{"VALUE": value, "VALUE_TYPE": "HOME"}]},
        lambda value: {"fm": [{"typeId": "PHONE", "value": value}]},
        lambda value: {"fm": {"n0": {"typeId": "PHONE", "value": value}}},
    ],
)
def test_a_phone_of_a_data_frame_has_no_fraction_in_any_spelling(value, fields, portal, connection):
    item = added(portal, "company", title="Acme", **fields(value))
    assert [entry["value"] for entry in item["fm"]] == ["79161230001"]


@pytest.mark.parametrize("operator", [Bitrix24UpsertItemsOperator, Bitrix24BulkWriteOperator])
@pytest.mark.parametrize("key", [4.07e19, np.float64(4.07e19), float(EXACT)])
def test_two_firms_do_not_become_one_by_a_key_that_has_lost_digits(operator, key, portal, connection):
    others = {"key": "originId"} if operator is Bitrix24UpsertItemsOperator else {}
    rows = [{"originId": key, "title": "Acme"}, {"originId": key + 1, "title": "Berg"}]
    message = failure_of(operator, entity_type_id="company", rows=rows, **others)
    assert LOST_DIGITS in message
    assert portal.executed("crm.item.add") == 0


@pytest.mark.parametrize("key", [12.0, np.float64(12), np.int64(12), np.float32(12), Decimal(12), "12", 12])
def test_a_key_is_the_same_in_every_type_of_a_whole_number(key, portal, connection):
    fields = {"title": "Acme", "originId": key}
    results = [run(Bitrix24UpsertItemOperator, entity_type_id="company", key="originId", fields=fields) for _ in (1, 2)]
    assert [result["created"] for result in results] == [True, False]
    assert [item["title"] for item in portal.items(4) if item.get("originId") == "12"] == ["Acme"]


@pytest.mark.parametrize("value", [np.float32(79161230001), np.float32(2**24), np.float16(2048), [np.float32(2**25)]])
@pytest.mark.parametrize("field", ["title", "PHONE", "originId"])
def test_a_narrow_float_that_has_lost_digits_is_refused_where_text_belongs(field, value, portal, connection):
    single = value[0] if isinstance(value, list) and field != "PHONE" else value
    for operator, arguments in (
        (Bitrix24AddItemOperator, {"entity_type_id": "company", "fields": {"title": "Oak", field: single}}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": "company", "rows": [{"comments": "x", field: single}]}),
        (Bitrix24BulkWriteOperator, {"entity_type_id": "company", "rows": [{"a": single}], "mapping": {field: "K-$a"}}),
    ):
        if isinstance(single, list) and "mapping" in arguments:
            continue
        assert LOST_DIGITS in failure_of(operator, **arguments)
    assert portal.executed("crm.item.add") == 0


def test_a_narrow_float_is_a_number_as_it_is_rounded(portal, connection):
    fields = {"title": np.float32(1234567), "opportunity": np.float32(79161230001)}
    run(Bitrix24AddItemOperator, entity_type_id="deal", fields=fields)
    sent = portal.calls[-1].params["fields"]
    assert (sent["title"], float(sent["opportunity"])) == ("1234567", 79161230000.0)


@pytest.mark.parametrize("text", ["1_000", "1 000", "٣", "0x10", "1e", "--1", "1.2.3", "infinity", "NaN"])
@pytest.mark.parametrize("field", ["opportunity", "assignedById"])
def test_what_only_python_reads_as_a_number_is_none(field, text, portal, connection):
    message = failure_of(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "Oak", field: text})
    assert f"{field} takes a number, not {text!r}" in message
    assert portal.executed("crm.item.add") == 0


MISSING = [math.nan, np.float64("nan"), np.float32("nan"), Decimal("NaN"), pd.NA, pd.NaT, np.datetime64("NaT"),
           jinja2.Undefined(name="x")]  # fmt: skip


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("field", ["comments", "opportunity", "opened", "begindate", "PHONE", "categoryId"])
def test_a_missing_value_is_left_out_of_an_add(field, missing, portal, connection):
    kind = "company" if field == "PHONE" else "deal"
    run(Bitrix24AddItemOperator, entity_type_id=kind, fields={"title": "Oak", field: missing})
    (sent,) = [call.params["fields"] for call in portal.calls if call.method == "crm.item.add"]
    assert sent == {"title": "Oak"}


@pytest.mark.parametrize("missing", MISSING)
def test_an_add_of_nothing_but_missing_values_is_refused(missing, portal, connection):
    failure_of(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": missing, "comments": missing})
    assert portal.executed("crm.item.add") == 0


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_value_clears_nothing_in_an_update(missing, portal, connection):
    item_id = run(Bitrix24AddItemOperator, entity_type_id="deal", fields={"title": "Oak", "comments": "kept"})
    arguments = {"entity_type_id": "deal", "item_id": item_id}
    run(Bitrix24UpdateItemOperator, **arguments, fields={"comments": missing, "title": "Elm"})
    item = next(item for item in portal.items(2) if item["id"] == item_id)
    assert (item["title"], item["comments"]) == ("Elm", "kept")


@pytest.mark.parametrize("missing", MISSING)
def test_rows_take_missing_values_of_every_kind_as_blank_cells(missing, portal, connection):
    rows = [{"title": "Acme", "comments": missing, "PHONE": missing}]
    result = run(Bitrix24BulkWriteOperator, entity_type_id="company", rows=rows)
    assert result["written"] == 1
    assert not portal.items(4)[-1].get("comments")


FRAME = pd.DataFrame(
    {
        "title": ["Acme", "Berg"],
        "revenue": [10.5, None],
        "opened": [True, False],
        "originId": pd.array([1, None], "Int64"),
    }
)


def test_the_records_of_a_data_frame_are_rows(portal, connection):
    result = run(Bitrix24BulkWriteOperator, entity_type_id="company", rows=FRAME.to_dict("records"))
    assert result["written"] == 2
    acme, berg = portal.items(4)[-2:]
    assert (acme["title"], acme["revenue"], acme["opened"], acme["originId"]) == ("Acme", 10.5, "Y", "1")
    assert (berg["title"], berg["opened"], berg.get("originId") or "") == ("Berg", "N", "")


@pytest.mark.parametrize(
    ("filter_", "sent"),
    [
        ({"=id": np.int64(7)}, {"=id": 7}),
        ({"@id": np.array([7, 8])}, {"@id": [7, 8]}),
        ({"@id": [np.int32(7), np.uint8(8)]}, {"@id": [7, 8]}),
        ({"=opened": np.bool_(True)}, {"=opened": "Y"}),
        ({"%title": 12.0}, {"%title": "12"}),
        ({">=opportunity": np.float64(1.5)}, {">=opportunity": 1.5}),
        (
            {">=createdTime": pd.Timestamp("2026-01-31", tz="UTC")},
            {">=createdTime": "2026-01-31T00:00:00+00:00"},
        ),
    ],
)
def test_scalars_filter_as_what_they_stand_for(filter_, sent, portal, connection):
    run(Bitrix24ListItemsOperator, entity_type_id="deal", item_filter=filter_, select=["id"])
    assert next(call for call in portal.calls if call.method == "crm.item.list").params["filter"] == {**sent, ">id": 0}


def test_raw_parameters_take_scalars_too(portal, connection):
    params = {"filter": {"=ID": np.int64(7), "@STAGE_ID": np.array(["NEW", "WON"]), "=OPENED": np.bool_(True)}}
    run(Bitrix24ListOperator, method="crm.deal.list", method_params=params)
    moment = np.datetime64("2026-01-31T00:00:00")
    fields = {"UF_CRM_1700000007": moment}
    message = failure_of(Bitrix24Operator, method="crm.deal.update", method_params={"id": 7, "fields": fields})
    assert "a time without a time zone" in message
    for missing in (pd.NA, pd.NaT, np.float64("nan")):
        fields = {"id": 7, "fields": {"COMMENTS": missing}}
        message = failure_of(Bitrix24Operator, method="crm.deal.update", method_params=fields)
        assert "the parameter fields[COMMENTS] " in message


@pytest.mark.parametrize("kind", [np.int64(2), np.uint8(2), Decimal(2), Decimal("2.0"), np.str_("deal"), " Deals "])
def test_a_kind_may_be_a_number_of_a_database_or_a_data_frame(kind, portal, connection):
    assert run(Bitrix24GetItemOperator, entity_type_id=kind, item_id=1)["id"] == 1
    portal.reset_calls()
    for other in (Decimal("2.5"), np.float64(2), np.bool_(True), Decimal("NaN"), pd.NA, math.nan):
        failure_of(Bitrix24GetItemOperator, entity_type_id=other, item_id=1)
    assert portal.requests == 0


COLUMNS = [np.array([7, 0]), pd.Series([7, 0]), pd.Index([7, 0]), pd.array([7, 0], "Int64")]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: type(column).__name__)
def test_an_array_is_checked_as_the_list_that_it_stands_for(column, portal, connection):
    """They passed the checks of lists, and a column of pandas failed with an exception of its own."""
    for operator, arguments in (
        (Bitrix24UpdateItemOperator, {"entity_type_id": 2, "item_id": 1, "fields": {"title": column}}),
        (Bitrix24UpdateItemOperator, {"entity_type_id": 2, "item_id": 1, "fields": {"observers": column}}),
        (Bitrix24Operator, {"method": "crm.deal.update", "method_params": {"id": 1, "fields": {"TITLE": column}}}),
        (
            Bitrix24Operator,
            {"method": "crm.deal.update", "method_params": {"id": 1, "fields": {"CONTACT_IDS": column}}},
        ),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "operation": "update", "rows": [{"id": 1, "title": column}]}),
        (
            Bitrix24BulkWriteOperator,
            {"method": "crm.deal.update", "rows": [{"id": 1, "fields": {"CONTACT_IDS": column}}]},
        ),
    ):
        failure_of(operator, **arguments)
    assert portal.executed("crm.item.update") == portal.executed("crm.deal.update") == 0


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: type(column).__name__)
def test_an_array_is_sent_as_a_list(column, portal, connection):
    field = "UF_CRM_1700000003"
    fields = {field: column}
    run(Bitrix24UpdateItemOperator, entity_type_id=2, item_id=1, fields=fields)
    run(Bitrix24Operator, method="crm.deal.update", method_params={"id": 2, "fields": fields})
    run(Bitrix24BulkWriteOperator, entity_type_id=2, operation="update", rows=[{"id": 3, **fields}])
    run(Bitrix24BulkWriteOperator, method="crm.deal.update", rows=[{"id": 4, "fields": fields}])
    stored = [portal.item(2, deal)["ufCrm_1700000003"] for deal in (1, 2, 3, 4)]
    assert [[str(member) for member in members] for members in stored] == [["7", "0"]] * 4
