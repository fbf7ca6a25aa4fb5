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
