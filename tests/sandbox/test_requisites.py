"""What hangs on a requisite: its bank details, and fields of the portal's own."""

from __future__ import annotations

import pytest


@pytest.fixture
def call(portal, ask):
    return lambda method, **params: ask(portal, f"crm.requisite.{method}", params).json()


@pytest.fixture
def requisite(call):
    fields = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Firm"}
    return lambda **own: call("add", fields={**fields, **own})["result"]


def test_bank_details_go_with_their_requisite_and_that_with_its_company(portal, ask, call, requisite):
    firm, other = requisite(), requisite(ENTITY_ID=2)
    for owner in (firm, other):
        call("bankdetail.add", fields={"ENTITY_ID": owner, "NAME": "Bank"})
        address = {"TYPE_ID": 1, "ENTITY_TYPE_ID": 8, "ENTITY_ID": owner}
        assert ask(portal, "crm.address.add", {"fields": address}).json()["result"] is True
    assert call("delete", id=firm)["result"] is True
    assert [row["ENTITY_ID"] for row in call("bankdetail.list")["result"]] == [str(other)]
    assert [row["ENTITY_ID"] for row in ask(portal, "crm.address.list").json()["result"]] == [str(other)]
    ask(portal, "crm.company.delete", {"id": 2})
    assert call("list")["total"] == call("bankdetail.list")["total"] == 0


def test_bank_details_need_a_requisite_that_is_there(call):
    refused = call("bankdetail.add", fields={"ENTITY_ID": 77, "NAME": "Bank"})
    assert (refused["error"], refused["error_description"]) == ("", "ENTITY_ID is not defined or invalid.")


def test_bank_details_stay_with_their_requisite(call, requisite):
    firm, other = requisite(), requisite()
    bank_detail = call("bankdetail.add", fields={"ENTITY_ID": firm, "NAME": "Bank"})["result"]
    assert call("bankdetail.update", id=bank_detail, fields={"ENTITY_ID": other, "NAME": "New"})["result"] is True
    row = call("bankdetail.get", id=bank_detail)["result"]
    assert (row["ENTITY_ID"], row["NAME"], row["ACTIVE"], row["SORT"]) == (str(firm), "New", "Y", "500")


@pytest.mark.parametrize(
    ("type_id", "value", "shown", "sought"),
    [("string", "Oak", "Oak", "Oak"), ("boolean", "1", "1", 1), ("double", 1.5, "1.50", 1.5)],
)
def test_requisites_have_the_own_fields_of_the_portal(call, requisite, type_id, value, shown, sought):
    own = {"FIELD_NAME": "own", "USER_TYPE_ID": type_id}
    field_id = call("userfield.add", fields=own)["result"]
    assert call("userfield.get", id=field_id)["result"]["ENTITY_ID"] == "CRM_REQUISITE"
    assert call("fields")["result"]["UF_CRM_OWN"]["type"] == type_id
    with_value, without = requisite(UF_CRM_OWN=value), requisite()
    assert call("get", id=with_value)["result"]["UF_CRM_OWN"] == shown
    found = call("list", filter={"UF_CRM_OWN": sought}, select=["ID", "UF_CRM_OWN"])["result"]
    assert found == [{"ID": str(with_value), "UF_CRM_OWN": shown}]
    assert call("userfield.delete", id=field_id)["result"] is True
    assert "UF_CRM_OWN" not in call("get", id=without)["result"]
    call("userfield.add", fields=own)
    assert call("get", id=with_value)["result"]["UF_CRM_OWN"] != shown


def test_a_field_that_is_there_is_refused(call):
    own = {"FIELD_NAME": "NEWTECH_v1_STRING", "USER_TYPE_ID": "string"}
    call("userfield.add", fields=own)
    refused = call("userfield.add", fields=own)
    text = "The field UF_CRM_NEWTECH_V1_STRING for the CRM_REQUISITE object already exists."
    assert (refused["error"], refused["error_description"]) == ("ERROR_CORE", text)


def test_own_fields_of_other_kinds_are_not_those_of_requisites(portal, ask, call):
    of_deals = ask(portal, "crm.deal.userfield.list").json()["result"][0]["ID"]
    assert call("userfield.list")["result"] == []
    assert call("userfield.get", id=of_deals)["error_description"] == "Access denied."


def test_a_directory_is_in_the_order_of_people(portal, ask):
    answer = ask(portal, "crm.status.entity.items", {"entityId": "DEAL_STAGE"}).json()["result"]
    assert answer[0] == {"NAME": "New", "SORT": 10, "STATUS_ID": "NEW"}
    assert [row["SORT"] for row in answer] == sorted(row["SORT"] for row in answer)
