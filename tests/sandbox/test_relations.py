"""Contacts and companies of objects are one relation, however they are written, and end with the object."""

from __future__ import annotations

import pytest

OLD = {1: "lead", 2: "deal", 7: "quote"}
KINDS = (*OLD, 31, 128)


@pytest.fixture
def call(portal, ask):
    def answer(method, **params):
        body = ask(portal, method, params).json()
        return body.get("result", body)

    return answer


@pytest.fixture
def seen(call):
    """``seen(kind, id)`` -> the primary contact and all of them, as every method sees them: all see the same."""

    def read(kind, item_id):
        item = call("crm.item.get", entityTypeId=kind, id=item_id)["item"]
        primary, ids = item["contactId"], item["contactIds"]
        for select in ({}, {"select": ["id", "contactId", "contactIds"]}, {"select": ["CONTACT_ID", "CONTACT_IDS"]}):
            (row,) = call("crm.item.list", entityTypeId=kind, filter={"id": item_id}, **select)["items"]
            assert (row["contactId"], row["contactIds"]) == (primary, ids)
        for name in ("contactIds", "CONTACT_IDS"):
            for contact_id in ids:
                found = call("crm.item.list", entityTypeId=kind, filter={name: contact_id, "id": item_id})["items"]
                assert [row["id"] for row in found] == [item_id]
        found = call("crm.item.list", entityTypeId=kind, filter={"contactId": primary, "id": item_id})["items"]
        assert [row["id"] for row in found] == [item_id]
        if kind in OLD:
            word = OLD[kind]
            assert (call(f"crm.{word}.get", id=item_id)["CONTACT_ID"] or "0") == str(primary)
            bound = call(f"crm.{word}.contact.items.get", id=item_id)
            assert sorted(row["CONTACT_ID"] for row in bound) == sorted(ids)
            assert [row["CONTACT_ID"] for row in bound if row["IS_PRIMARY"] == "Y"] == ([primary] if primary else [])
            (row,) = call(f"crm.{word}.list", filter={"CONTACT_ID": primary, "ID": item_id}, select=["ID"])
            assert row == {"ID": str(item_id)}
        return primary, ids

    return read


#: What is written, and which contacts there are then.
FIELDS = [
    ({"contactId": 3}, (3, [3])),
    ({"contactIds": [5, 4]}, (5, [5, 4])),
    ({"CONTACT_ID": 6}, (6, [6])),
    ({"CONTACT_IDS": [8, 9]}, (8, [8, 9])),
    ({"contactIds": [5, 4], "contactId": 4}, (4, [5, 4])),
    ({"contactIds": []}, (0, [])),
]


@pytest.mark.parametrize("kind", KINDS)
def test_contacts_are_written_by_every_name_of_items(call, seen, kind):
    item_id = call("crm.item.add", entityTypeId=kind, fields={"title": "x"})["item"]["id"]
    assert seen(kind, item_id) == (0, [])
    for fields, expected in FIELDS:
        call("crm.item.update", entityTypeId=kind, id=item_id, fields=fields)
        assert seen(kind, item_id) == expected, fields
        for method in ("add", "import"):
            new = call(f"crm.item.{method}", entityTypeId=kind, fields={"title": "x", **fields})["item"]["id"]
            assert seen(kind, new) == expected, (method, fields)


@pytest.mark.parametrize("kind", OLD)
def test_contacts_are_written_by_the_old_methods(call, seen, kind):
    word = f"crm.{OLD[kind]}"
    item_id = call(f"{word}.add", fields={"TITLE": "x", "CONTACT_IDS": [5, 4]})
    assert seen(kind, item_id) == (5, [5, 4])
    call(f"{word}.update", id=item_id, fields={"CONTACT_ID": 3})
    assert seen(kind, item_id) == (3, [3])
    call(f"{word}.contact.items.set", id=item_id, items=[{"CONTACT_ID": 7}, {"CONTACT_ID": 2, "IS_PRIMARY": "Y"}])
    assert seen(kind, item_id) == (2, [7, 2])
    call(f"{word}.contact.add", id=item_id, fields={"CONTACT_ID": 10})
    assert seen(kind, item_id) == (2, [2, 7, 10]) or seen(kind, item_id) == (2, [7, 2, 10])
    call(f"{word}.contact.delete", id=item_id, fields={"CONTACT_ID": 2})
    assert seen(kind, item_id) == (7, [7, 10])
    call(f"{word}.contact.items.delete", id=item_id)
    assert seen(kind, item_id) == (0, [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_contact_is_in_no_relation(call, seen, kind):
    first, second, third = (call("crm.contact.add", fields={"NAME": "x"}) for _ in range(3))
    both = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "contactIds": [first, second]})["item"]["id"]
    alone = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "contactId": first})["item"]["id"]
    others = call("crm.item.add", entityTypeId=kind, fields={"title": "x", "contactIds": [second, third]})["item"]["id"]
    assert call("crm.contact.delete", id=first) is True
    assert seen(kind, both) == (second, [second])
    assert seen(kind, alone) == (0, [])
    assert seen(kind, others) == (second, [second, third])


def test_a_deleted_company_is_in_no_relation(call):
    first, second = (call("crm.company.add", fields={"TITLE": "x"}) for _ in range(2))
    contact = call("crm.contact.add", fields={"NAME": "x", "COMPANY_IDS": [first, second]})
    deal = call("crm.deal.add", fields={"TITLE": "x", "COMPANY_ID": first})
    assert call("crm.company.delete", id=first) is True
    assert [row["COMPANY_ID"] for row in call("crm.contact.company.items.get", id=contact)] == [second]
    assert call("crm.contact.get", id=contact)["COMPANY_ID"] == str(second)
    assert call("crm.deal.get", id=deal)["COMPANY_ID"] is None
    assert call("crm.item.get", entityTypeId=2, id=deal)["item"]["companyId"] == 0


def test_contacts_of_a_company_are_the_companies_of_its_contacts(call):
    first, second = (call("crm.contact.add", fields={"NAME": "x"}) for _ in range(2))
    company = call("crm.item.add", entityTypeId=4, fields={"title": "x", "contactIds": [first, second]})["item"]
    assert company["contactIds"] == [first, second]
    assert [row["CONTACT_ID"] for row in call("crm.company.contact.items.get", id=company["id"])] == [first, second]
    assert call("crm.item.get", entityTypeId=3, id=second)["item"]["companyIds"] == [company["id"]]
    call("crm.contact.update", id=second, fields={"COMPANY_ID": 0})
    assert call("crm.item.get", entityTypeId=4, id=company["id"])["item"]["contactIds"] == [first]


def test_activities_and_requisites_go_with_their_owner(call):
    company = call("crm.company.add", fields={"TITLE": "x"})
    requisite = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": company, "PRESET_ID": 1, "NAME": "x"}
    requisite_id = call("crm.requisite.add", fields=requisite)
    of_company = {"OWNER_TYPE_ID": 4, "OWNER_ID": company}
    communication = {"VALUE": "+15550000001", "TYPE": "PHONE", "ENTITY_TYPE_ID": 4, "ENTITY_ID": company}
    fields = {**of_company, "TYPE_ID": 2, "SUBJECT": "x", "RESPONSIBLE_ID": 1, "COMMUNICATIONS": [communication]}
    activity_id = call("crm.activity.add", fields=fields)
    assert isinstance(activity_id, int)
    assert call("crm.company.delete", id=company) is True
    assert call("crm.activity.list", filter=of_company) == []
    assert call("crm.activity.get", id=activity_id)["error_description"] == "Activity is not found."
    assert "is not found" in call("crm.requisite.get", id=requisite_id)["error_description"]
