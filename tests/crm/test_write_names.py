"""Names of fields that the portal would silently drop, in rows that are written with a method of CRM."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import OperationTimeLimit
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from tests.operators.context import StateStore, context

DEALS = [{"name": "Oak door"}, {"name": "Elm door"}]


def write(*, given: dict[str, Any] | None = None, rows: Any = DEALS, **arguments: Any) -> Any:
    return Bitrix24BulkWriteOperator(task_id="write", rows=rows, **arguments).execute(given or context())


def failure_of(**arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        write(**arguments)
    return str(caught.value)


def executed(portal: Any) -> int:
    return sum(
        portal.executed(f"crm.{kind}.{verb}") for kind in ("deal", "contact", "item") for verb in ("add", "update")
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TITEL", "did you mean TITLE"),
        ("title", "did you mean TITLE?"),
        ("assignedById", "did you mean ASSIGNED_BY_ID?"),
        ("UF_CRM_170000000", "did you mean UF_CRM_17000000"),
        ("PHONE", "crm.deal.fields gives the names"),
        ("zzzzzz", "crm.deal.fields gives the names"),
    ],
)
@pytest.mark.parametrize("method", ["crm.deal.add", "crm.deal.update", "CRM.Deal.Add"])
def test_a_name_that_the_portal_would_drop_is_reported_and_its_row_is_not_sent(method, name, hint, portal, connection):
    failure = failure_of(method=method, mapping={"id": 1, "fields": {"TITLE": "$name", name: "x"}})
    assert f"fields names {name!r}, which the portal would silently drop: " in failure
    assert hint in failure
    assert executed(portal) == 0


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("crm.deal.add", {"TITLE": "$name", "UF_CRM_1700000001": "Y", "CONTACT_IDS": [1], "PARENT_ID_1220": 22}),
        ("crm.deal.add", {"TITLE": "$name", "TRACE": "{}"}),
        ("crm.contact.add", {"NAME": "$name", "PHONE": [{"VALUE": "+1"}], "WEB": [{"VALUE": "w"}]}),
        ("crm.lead.add", {"TITLE": "$name", "ADDRESS_CITY": "Riga"}),
        ("crm.quote.update", {"TITLE": "$name"}),
        ("crm.company.update", {"TITLE": "$name", "EMAIL": [{"VALUE": "a@b.example"}]}),
    ],
)
@pytest.mark.parametrize("params", ["fields", "FIELDS", "Fields"])
def test_what_the_portal_takes_is_sent(params, method, fields, portal, connection):
    summary = write(method=method, mapping={"id": 1, params: fields}, rows=DEALS[:1])
    assert summary["written"] == 1
    # An update with e-mails reads first which of them are there.
    batches = ["batch", "batch"] if method == "crm.company.update" else ["batch"]
    assert [call.method for call in portal.calls] == [f"{method.rpartition('.')[0]}.fields", *batches]


def test_fields_are_asked_for_once_in_a_task_and_not_without_rows(portal, connection):
    write(method="crm.deal.add", mapping={"fields": {"TITLE": "$name"}}, rows=DEALS * 60)
    assert portal.count("crm.deal.fields") == 1
    portal.reset_calls()
    write(method="crm.deal.add", mapping={"fields": {"TITLE": "$name"}}, rows=[])
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("mapping", "hint"),
    [
        ({"id": 1}, "the params have no fields"),
        ({"TITLE": "$name"}, "no fields"),
        ({"fields": "$name"}, "is not an object"),
    ],
)
def test_rows_without_fields_do_not_add_empty_deals(mapping, hint, portal, connection):
    message = failure_of(method="crm.deal.add", mapping=mapping)
    assert hint in message
    assert 'write {"fields": {"TITLE": "…"}}' in message
    assert executed(portal) == 0


def test_a_dry_run_tells_them_too(portal, connection):
    mapping = {"fields": {"TITEL": "$name"}}
    summary = write(method="crm.deal.add", mapping=mapping, max_failures=2, dry_run=True)
    assert (summary["rows"], summary["failed"]) == (2, 2)


def test_the_universal_methods_are_checked_by_the_kind_of_each_row(portal, connection):
    rows = [
        {"kind": 2, "field": {"title": "x", "UF_CRM_1700000001": "Y"}},
        {"kind": "3", "field": {"name": "x", "fm": {}}},
    ]
    mapping = {"entityTypeId": "$kind", "fields": "$field"}
    assert write(method="crm.item.add", mapping=mapping, rows=rows * 2)["written"] == 4
    assert portal.count("crm.item.fields") == 2
    failure = failure_of(method="crm.item.add", mapping=mapping, rows=[{"kind": 2, "field": {"titel": "x"}}])
    assert "fields names 'titel', which is not a field of a deal: did you mean title" in failure


def test_methods_that_nobody_described_take_any_name(portal, connection):
    write(
        method="crm.timeline.comment.add", mapping={"fields": {"ENTITY_ID": 1, "ENTITY_TYPE": "deal", "COMMENT": "x"}}
    )
    assert portal.requests == 1


@pytest.mark.parametrize(("code", "status"), [("ACCESS_DENIED", 403), ("ERROR_METHOD_NOT_FOUND", 404)])
def test_where_the_portal_does_not_tell_its_fields_nothing_is_refused(code, status, portal, connection, caplog):
    portal.fault("error", "crm.deal.fields", code=code, status=status, times=None)
    assert write(method="crm.deal.add", mapping={"fields": {"TITLE": "$name", "NEW": "x"}})["written"] == 2
    assert "The names of fields are not checked: crm.deal.fields: " in caplog.text
    assert portal.count("crm.deal.fields") == 1


def test_an_answer_that_is_not_a_list_of_fields_refuses_nothing(portal, connection):
    portal.fault("body", "crm.deal.fields", body=json.dumps({"result": []}).encode(), times=None)
    assert write(method="crm.deal.add", mapping={"fields": {"TITLE": "$name", "NEW": "x"}})["written"] == 2


def test_a_limit_of_the_list_of_fields_is_left_to_the_retries(portal, connection):
    store = StateStore()
    portal.fault("operation_time_limit", "crm.deal.fields", times=None)
    arguments: dict[str, Any] = {"method": "crm.deal.add", "mapping": {"fields": {"TITLE": "$name"}}}
    with pytest.raises(OperationTimeLimit):
        write(given=context(store=store), **arguments)
    portal.clear_faults()
    assert write(given=context(store=store, try_number=2), **arguments)["written"] == 2
