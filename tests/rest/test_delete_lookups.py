"""Deletes whose answer is lost: the method that reads the object says whether it is gone, as its page answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error
from airflow_provider_bitrix24.methods import METHODS
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.rest.client import Client
from tests.operators.context import context
from tests.rest.clients import Naps, client_of
from tests.sleepless import sleepless

FAULT = json.dumps({"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}).encode()
LOST: dict[str, dict[str, Any]] = {
    "a fault of the portal": {"kind": "body", "status": 500, "body": FAULT, "executed": True},
    "reset": {"kind": "reset_after"},
    "a page": {"kind": "status_after", "status": 502},
}
LIST = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": "a1"}


def lists_element(client: Client) -> dict[str, Any]:
    if not client.call("lists.get", LIST):
        client.call("lists.add", {**LIST, "FIELDS": {"NAME": "x"}})
    number = len(client.call("lists.element.get", LIST))
    added = client.call("lists.element.add", {**LIST, "ELEMENT_CODE": f"e{number}", "FIELDS": {"NAME": "x"}})
    return {**LIST, "ELEMENT_ID": added}


def a_list(client: Client) -> dict[str, Any]:
    number = len(client.call("lists.get", {"IBLOCK_TYPE_ID": "lists"}))
    new = {"IBLOCK_TYPE_ID": "lists", "IBLOCK_CODE": f"l{number}", "FIELDS": {"NAME": "x"}}
    return {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": client.call("lists.add", new)}


def file(client: Client) -> dict[str, Any]:
    (storage, *_) = client.call("disk.storage.getlist")
    number = len(client.call("disk.storage.getchildren", {"id": storage["ID"]}))
    content = {"data": {"NAME": f"{number}.txt"}, "fileContent": [f"{number}.txt", "eA=="]}
    return {"id": client.call("disk.storage.uploadfile", {"id": storage["ID"], **content})["ID"]}


def added(method: str, fields: dict[str, Any], path: str = "") -> Callable[[Client], dict[str, Any]]:
    numbers = iter(range(100, 1000))

    def add(client: Client) -> dict[str, Any]:
        number = str(next(numbers))
        result = client.call(
            method, {"fields": {name: str(value).replace("#", number) for name, value in fields.items()}}
        )
        return {"id": result[path]["id"] if path else result}

    return add


def category(client: Client) -> dict[str, Any]:
    made = client.call("crm.category.add", {"entityTypeId": 2, "fields": {"name": "x"}})
    return {"entityTypeId": 2, "id": made["category"]["id"]}


#: Makes an object, and returns what names it, for each method that the sandbox offers.
MADE: dict[str, Callable[[Client], dict[str, Any]]] = {
    "crm.category.delete": category,
    "crm.currency.delete": added("crm.currency.add", {"CURRENCY": "#", "AMOUNT": 1, "AMOUNT_CNT": 1}),
    "crm.status.delete": added("crm.status.add", {"ENTITY_ID": "SOURCE", "STATUS_ID": "S#", "NAME": "x"}),
    "crm.requisite.delete": added(
        "crm.requisite.add", {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "x"}
    ),
    "crm.documentgenerator.numerator.delete": added(
        "crm.documentgenerator.numerator.add", {"name": "x", "template": "{NUMBER}"}, "numerator"
    ),
    **{
        f"crm.{kind}.userfield.delete": added(
            f"crm.{kind}.userfield.add", {"USER_TYPE_ID": "string", "FIELD_NAME": "OWN_#"}
        )
        for kind in ("company", "contact", "lead", "quote")
    },
    "lists.delete": a_list,
    "lists.element.delete": lists_element,
    "disk.file.delete": file,
}


@pytest.fixture
def client(portal: Any) -> Iterator[Client]:
    with client_of(portal, naps=Naps(portal)) as client:
        yield client


def is_there(client: Client, method: str, params: dict[str, Any]) -> bool:
    try:
        return bool(client.call(METHODS.find(method).lookup or "", params))
    except Bitrix24Error:
        return False


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("method", MADE)
def test_rows_whose_objects_are_gone_are_written(method, lost, portal, in_turn, client):
    rows = [MADE[method](client) for _ in range(3)]
    assert all(is_there(client, method, row) for row in rows)
    portal.reset_calls()
    before = 1 if METHODS.find(method).lookup_may_be_empty else 0
    portal.fault(method="batch", after=before, **LOST[lost])
    summary = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=rows).execute(context())
    assert (summary["written"], summary["failed"], summary["unknown"]) == (3, 0, 0)
    assert not any(is_there(client, method, row) for row in rows)
    # Those that were gone were not deleted again.
    assert portal.executed(method) == 3


@pytest.mark.parametrize("method", MADE)
def test_a_request_that_never_arrived_is_sent_again(method, portal, in_turn, client):
    rows = [MADE[method](client) for _ in range(2)]
    portal.fault("close_before", method="batch", after=1 if METHODS.find(method).lookup_may_be_empty else 0)
    summary = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=rows).execute(context())
    assert summary["written"] == 2
    assert not any(is_there(client, method, row) for row in rows)


@pytest.mark.parametrize("method", [name for name in MADE if not METHODS.find(name).lookup_may_be_empty])
def test_a_single_call_too(method, portal, in_turn, client):
    params = MADE[method](client)
    portal.fault("reset_after", method=method)
    client.call(method, params)
    assert not is_there(client, method, params)
    assert portal.executed(method) == 1


@pytest.mark.parametrize("method", MADE)
def test_an_object_that_was_never_there_is_not_written(method, portal, in_turn, client):
    """A refusal is one, although an answer was lost before."""
    params = MADE[method](client)
    client.call(method, params)
    given = context()
    with pytest.raises((AirflowFailException, Bitrix24Error)):
        sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=[params]).execute(given)
    (line,) = given["ti"].pushed["bitrix24_rows"]["outcomes"]
    assert line["outcome"] == "failed"


#: What pages of methods that the sandbox does not offer print for an object, or for none.
ANSWERS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "department.delete": ({"ID": 5}, [{"ID": "5", "NAME": "R&D"}], []),
    "sonet_group.delete": ({"GROUP_ID": 77}, [{"ID": "77", "NAME": "x"}], []),
    "log.blogpost.delete": ({"POST_ID": 217}, [{"ID": "217", "TITLE": "x"}], []),
}


@pytest.mark.parametrize("method", ANSWERS)
def test_an_empty_list_after_one_that_was_not_means_gone(method, portal, in_turn):
    row, there, gone = ANSWERS[method]
    lookup = METHODS.find(method).lookup
    portal.answers[lookup] = [there, gone]
    portal.answers[method] = True
    portal.fault("reset_after", method="batch", after=1)
    summary = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=[row]).execute(context())
    assert (summary["written"], summary["unknown"]) == (1, 0)
    assert portal.count(method) <= 2


@pytest.mark.parametrize("method", ANSWERS)
def test_an_empty_list_from_the_start_says_nothing(method, portal, in_turn):
    row, _, gone = ANSWERS[method]
    portal.answers[METHODS.find(method).lookup] = [gone]
    portal.answers[method] = True
    portal.fault("reset_after", method="batch", after=1)
    portal.fault("error", method=method, code="0", description="Nein", status=400, times=None)
    with pytest.raises((AirflowFailException, AnswerLost)) as caught:
        sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=[row]).execute(context())
    assert f"{METHODS.find(method).lookup} finds no" in str(caught.value)


@pytest.mark.parametrize("kind", ["deal", "lead", "company", "quote"])
def test_contacts_that_are_taken_off_all_at_once(kind, portal, in_turn, client):
    fields = {"TITLE": "x", "CONTACT_IDS": [1, 2]} if kind != "company" else {"TITLE": "x"}
    id_ = client.call(f"crm.{kind}.add", {"fields": fields})
    client.call(f"crm.{kind}.contact.items.set", {"id": id_, "items": [{"CONTACT_ID": 1}, {"CONTACT_ID": 2}]})
    portal.fault("reset_after", method="batch", after=1)
    method = f"crm.{kind}.contact.items.delete"
    rows = [{"id": id_}]
    summary = sleepless(Bitrix24BulkWriteOperator)(task_id="task", method=method, rows=rows).execute(context())
    assert (summary["written"], summary["unknown"]) == (1, 0)
    assert client.call(f"crm.{kind}.contact.items.get", {"id": id_}) == []


def test_no_delete_loses_its_lookup():
    """Of all deletes that are documented, and known here, so many can be looked for after a lost answer."""
    deletes = [method for method in METHODS if method.name.lower().endswith(".delete")]
    looked_up = [method.name for method in deletes if method.lookup]
    assert len(looked_up) == 51
    assert {method.repeat for method in deletes if method.lookup} == {"harmless"}
