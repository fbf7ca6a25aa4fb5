from __future__ import annotations

import pytest

from airflow_provider_bitrix24.sandbox import Sandbox


@pytest.fixture
def portal():
    with Sandbox(data={"contacts": []}) as portal:
        yield portal


@pytest.fixture
def result(portal, ask):
    return lambda method, **params: ask(portal, method, params).json()["result"]


def contact(result, **fields):
    return result("crm.contact.add", fields=fields)


def test_objects_are_found_by_phones_and_mails_as_people_write_them(result):
    ada = contact(result, NAME="Ada", PHONE=[{"VALUE": "+1 (555) 010-01"}])
    bob = contact(result, NAME="Bob", EMAIL=[{"VALUE": "Bob@Example.com"}])
    lead = result("crm.lead.add", fields={"TITLE": "Lead", "PHONE": [{"VALUE": "155501001"}]})
    found = result("crm.duplicate.findbycomm", type="PHONE", values=["1-555-01001", "777"])
    assert found == {"LEAD": [lead], "CONTACT": [ada]}
    assert result("crm.duplicate.findbycomm", type="EMAIL", values=["bob@example.com"]) == {"CONTACT": [bob]}
    assert result("crm.duplicate.findbycomm", type="PHONE", values=["777"], entity_type="LEAD") == []


def test_more_than_20_values_and_hits_are_cut_silently(result):
    ids = [contact(result, NAME=f"No {number}", PHONE=[{"VALUE": "1"}]) for number in range(22)]
    last = contact(result, NAME="Last", PHONE=[{"VALUE": "2"}])
    assert result("crm.duplicate.findbycomm", type="PHONE", values=["1"]) == {"CONTACT": ids[:20]}
    values = ["0"] * 20 + ["2"]
    assert result("crm.duplicate.findbycomm", type="PHONE", values=values) == []
    assert result("crm.duplicate.findbycomm", type="PHONE", values=values[1:]) == {"CONTACT": [last]}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "Communication type is not defined"),
        ({"type": "FAX", "values": ["1"]}, "Communication type 'FAX' is not supported in current context"),
        ({"type": "PHONE"}, "Communication values is not defined"),
    ],
)
def test_a_search_that_is_not_whole_is_refused(portal, ask, params, error):
    answer = ask(portal, "crm.duplicate.findbycomm", params)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def merge(result, *ids, entity_type_id=3):
    return result("crm.entity.mergeBatch", params={"entityTypeId": entity_type_id, "entityIds": list(ids)})


def test_objects_become_one_with_what_each_had(portal, result):
    main = contact(result, NAME="Ada", COMMENTS="a", PHONE=[{"VALUE": "1"}])
    other = contact(result, NAME="Ada", POST="Boss", COMMENTS="b", EMAIL=[{"VALUE": "ada@example.com"}])
    deal = result("crm.deal.add", fields={"TITLE": "Deal", "CONTACT_ID": other})
    assert merge(result, main, other) == {"STATUS": "SUCCESS", "ENTITY_IDS": [other]}
    assert portal.item(3, other) is None
    ada = portal.item(3, main)
    assert (ada["post"], ada["comments"], [entry["value"] for entry in ada["fm"]]) == (
        "Boss", "a\nb", ["1", "ada@example.com"],
    )  # fmt: skip
    assert portal.item(2, deal)["contactId"] == main


def test_a_contradiction_leaves_all_as_they_were_and_is_said_in_a_good_answer(portal, result):
    main, other = contact(result, NAME="Ada"), contact(result, NAME="Bob")
    before = portal.items(3)
    assert merge(result, main, other) == {"STATUS": "CONFLICT", "ENTITY_IDS": []}
    assert portal.items(3) == before


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"entityIds": [1, 2]}, "The parameter entityTypeId is required."),
        ({"entityTypeId": 3}, "The parameter entityIds does not contains valid elements."),
        ({"entityTypeId": 3, "entityIds": [1]}, "The parameter entityIds must contains at least two elements."),
        ({"entityTypeId": 3, "entityIds": [1, 2]}, "The parameter entityIds does not contains valid elements."),
        ({"entityTypeId": 999, "entityIds": [1, 2]}, "Owner was not found"),
    ],
)
def test_a_merge_that_cannot_be_is_refused(portal, ask, params, description):
    answer = ask(portal, "crm.entity.mergeBatch", {"params": params})
    assert (answer.status_code, answer.json()) == (400, {"error": "0", "error_description": description})
