from __future__ import annotations

import pytest


@pytest.fixture
def deal(portal):
    """A deal with the contacts 3 (primary) and 2."""
    return portal.add_deals(1, contactId=3, contactIds=[2, 3])[0]


def contacts(portal, ask, deal):
    rows = ask(portal, "crm.deal.contact.items.get", {"id": deal}).json()["result"]
    return [(row["CONTACT_ID"], row["SORT"], row["IS_PRIMARY"]) for row in rows]


def test_contacts_of_a_deal_begin_with_the_primary_one(portal, ask, deal):
    assert contacts(portal, ask, deal) == [(3, 100, "Y"), (2, 200, "N")]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"CONTACT_ID": 5}, {"CONTACT_ID": 4}], [(5, 10, "Y"), (4, 20, "N")]),
        ([{"CONTACT_ID": 5, "SORT": 300}, {"CONTACT_ID": 4}], [(4, 20, "N"), (5, 300, "Y")]),
        (
            [{"CONTACT_ID": 5}, {"CONTACT_ID": 4, "IS_PRIMARY": "Y"}, {"CONTACT_ID": 6, "IS_PRIMARY": "Y"}],
            [(5, 10, "N"), (4, 20, "Y"), (6, 30, "N")],
        ),
        ([], []),
    ],
)
def test_contacts_are_replaced(portal, ask, deal, items, expected):
    assert ask(portal, "crm.deal.contact.items.set", {"id": deal, "items": items}).json()["result"] is True
    assert contacts(portal, ask, deal) == expected


def test_a_contact_is_added_moved_and_taken_away(portal, ask, deal):
    def change(action, **fields):
        return ask(portal, f"crm.deal.contact.{action}", {"id": deal, "fields": fields}).json()["result"]

    assert change("add", CONTACT_ID=5) is True
    assert contacts(portal, ask, deal) == [(3, 100, "Y"), (2, 200, "N"), (5, 210, "N")]
    change("add", CONTACT_ID=5, IS_PRIMARY="Y", SORT=1)
    assert contacts(portal, ask, deal) == [(5, 1, "Y"), (3, 100, "N"), (2, 200, "N")]
    assert portal.item(2, deal)["contactId"] == 5
    assert change("delete", CONTACT_ID=5) is True
    assert contacts(portal, ask, deal) == [(3, 100, "Y"), (2, 200, "N")]
    assert ask(portal, "crm.deal.contact.items.delete", {"id": deal}).json()["result"] is True
    assert contacts(portal, ask, deal) == []
    change("add", CONTACT_ID=7)
    assert contacts(portal, ask, deal) == [(7, 10, "Y")]


@pytest.mark.parametrize(
    ("action", "params", "description"),
    [
        ("add", {"id": 0}, "The parameter 'ownerEntityID' is invalid or not defined."),
        ("items.get", {}, "The parameter ownerEntityID is invalid or not defined."),
        ("add", {"id": 1, "fields": "5"}, "The parameter 'fields' must be array."),
        ("delete", {"id": 1, "fields": "5"}, "The parameter 'item' must be array."),
        ("add", {"id": 1, "fields": {"CONTACT_ID": 0}}, "The parameter 'fields' is not valid."),
        ("items.set", {"id": 1, "items": "5"}, "The parameter items must be array."),
        ("delete", {"id": 999, "fields": {}}, "Not found."),
    ],
)
def test_a_wrong_parameter_is_refused_without_a_code(portal, ask, action, params, description):
    answer = ask(portal, f"crm.deal.contact.{action}", params)
    assert (answer.status_code, answer.json()) == (400, {"error": "", "error_description": description})


def test_who_may_only_read_changes_no_contacts(portal, ask, deal):
    for action in ("add", "delete", "items.set", "items.delete"):
        params = {"id": deal, "fields": {"CONTACT_ID": 5}, "items": []}
        answer = ask(portal, f"crm.deal.contact.{action}", params, user=portal.clerk)
        assert answer.json() == {"error": "", "error_description": "Access denied."}
    assert contacts(portal, ask, deal) == [(3, 100, "Y"), (2, 200, "N")]


def result(portal, ask, method, **params):
    return ask(portal, method, params).json()["result"]


def test_contacts_are_one_relation_however_they_are_written(portal, ask):
    deal = result(portal, ask, "crm.deal.add", fields={"TITLE": "x", "CONTACT_IDS": [4, 5]})
    assert contacts(portal, ask, deal) == [(4, 100, "Y"), (5, 200, "N")]
    item = result(portal, ask, "crm.item.get", entityTypeId=2, id=deal)["item"]
    assert (item["contactId"], item["contactIds"]) == (4, [4, 5])
    result(portal, ask, "crm.item.update", entityTypeId=2, id=deal, fields={"contactIds": [6, 4]})
    assert result(portal, ask, "crm.deal.get", id=deal)["CONTACT_ID"] == "6"
    assert contacts(portal, ask, deal) == [(6, 100, "Y"), (4, 200, "N")]
    result(
        portal,
        ask,
        "crm.deal.contact.items.set",
        id=deal,
        items=[{"CONTACT_ID": 7}, {"CONTACT_ID": 8, "IS_PRIMARY": "Y"}],
    )
    item = result(portal, ask, "crm.item.get", entityTypeId=2, id=deal)["item"]
    assert (item["contactId"], item["contactIds"]) == (8, [7, 8])
    result(portal, ask, "crm.deal.update", id=deal, fields={"CONTACT_ID": 9})
    assert contacts(portal, ask, deal) == [(9, 100, "Y")]
    listed = result(portal, ask, "crm.item.list", entityTypeId=2, filter={"contactIds": 9, "id": deal}, select=["id"])
    assert listed == {"items": [{"id": deal}]}


@pytest.mark.parametrize("owner", ["lead", "company", "quote"])
def test_other_objects_have_contacts_too(portal, ask, owner):
    owner_id = result(portal, ask, f"crm.{owner}.add", fields={"TITLE": "x"})
    assert result(
        portal, ask, f"crm.{owner}.contact.items.set", id=owner_id, items=[{"CONTACT_ID": 4}, {"CONTACT_ID": 5}]
    )
    rows = result(portal, ask, f"crm.{owner}.contact.items.get", id=owner_id)
    assert [(row["CONTACT_ID"], row["IS_PRIMARY"]) for row in rows] == [(4, "Y"), (5, "N")]
    assert result(portal, ask, f"crm.{owner}.contact.delete", id=owner_id, fields={"CONTACT_ID": 4}) is True
    assert [row["CONTACT_ID"] for row in result(portal, ask, f"crm.{owner}.contact.items.get", id=owner_id)] == [5]


def test_a_company_and_its_contacts_are_one_relation(portal, ask):
    company = result(portal, ask, "crm.company.add", fields={"TITLE": "Oak", "CONTACT_ID": [4]})
    assert company in result(portal, ask, "crm.item.get", entityTypeId=3, id=4)["item"]["companyIds"]
    result(portal, ask, "crm.contact.company.items.set", id=5, items=[{"COMPANY_ID": company}])
    assert result(portal, ask, "crm.contact.get", id=5)["COMPANY_ID"] == str(company)
    assert result(portal, ask, "crm.item.get", entityTypeId=4, id=company)["item"]["contactIds"] == [4, 5]
    listed = result(portal, ask, "crm.item.list", entityTypeId=4, filter={"contactIds": 5}, select=["id"])
    assert listed == {"items": [{"id": company}]}
