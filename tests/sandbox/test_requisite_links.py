"""Which requisites an object shows: only those of its client and of the own company, while they are there."""

from __future__ import annotations

import pytest


@pytest.fixture
def call(portal, ask):
    return lambda method, **params: ask(portal, f"crm.{method}", params).json()


@pytest.fixture
def made(call):
    """Requisites and bank details of a client and of the own company, with a quote for the client."""
    own = call("company.add", fields={"TITLE": "Own", "IS_MY_COMPANY": "Y"})["result"]
    fields = {}
    for company, before in ((1, ""), (own, "MC_")):
        requisite = {"ENTITY_TYPE_ID": 4, "ENTITY_ID": company, "PRESET_ID": 1, "NAME": "x"}
        requisite_id = call("requisite.add", fields=requisite)["result"]
        bank_detail = {"ENTITY_ID": requisite_id, "NAME": "x"}
        fields[f"{before}REQUISITE_ID"] = requisite_id
        fields[f"{before}BANK_DETAIL_ID"] = call("requisite.bankdetail.add", fields=bank_detail)["result"]
    quote = call("quote.add", fields={"TITLE": "x", "COMPANY_ID": 1})["result"]
    return {"ENTITY_TYPE_ID": 7, "ENTITY_ID": quote, **fields}


def test_an_object_has_one_link(call, made):
    assert call("requisite.link.register", fields=made)["result"] is True
    without_own = {**made, "MC_REQUISITE_ID": 0, "MC_BANK_DETAIL_ID": 0}
    assert call("requisite.link.register", fields=without_own)["result"] is True
    (row,) = call("requisite.link.list", filter={"ENTITY_ID": made["ENTITY_ID"]})["result"]
    assert row == {name: str(value) for name, value in without_own.items()}
    key = {"entityTypeId": 7, "entityId": made["ENTITY_ID"]}
    assert call("requisite.link.get", **key)["result"]["ENTITY_ID"] == made["ENTITY_ID"]
    assert call("requisite.link.unregister", **key)["result"] is True
    assert call("requisite.link.get", **key)["error_description"] == "Not found"


@pytest.mark.parametrize(
    ("name", "of", "text"),
    [
        ("REQUISITE_ID", 99, "The Requisite with ID '99' is not found"),
        ("REQUISITE_ID", "MC_REQUISITE_ID", "The Requisite with ID '{}' is not assigned to Company with ID '1'"),
        ("BANK_DETAIL_ID", 99, "The BankDetail with ID '99' is not found"),
        ("BANK_DETAIL_ID", "MC_BANK_DETAIL_ID", "The BankDetail with ID '{}' is not assigned to Requisite with ID"),
        ("MC_REQUISITE_ID", "REQUISITE_ID", "The Requisite of your company with ID '{}' is not found"),
        ("MC_BANK_DETAIL_ID", "BANK_DETAIL_ID", "is not assigned to Requisite of your company with ID"),
        ("ENTITY_TYPE_ID", 3, "ENTITY_TYPE_ID is not defined or invalid."),
        ("MC_REQUISITE_ID", None, "MC_REQUISITE_ID is not defined or invalid."),
    ],
)
def test_what_does_not_belong_together_is_refused(call, made, name, of, text):
    value = made[of] if isinstance(of, str) else of
    refused = call("requisite.link.register", fields={**made, name: value})
    assert text.format(value) in refused["error_description"]
    assert call("requisite.link.list")["total"] == 0


def test_an_object_without_a_client_is_refused_by_name(call, made):
    quote = call("quote.add", fields={"TITLE": "x"})["result"]
    refused = call("requisite.link.register", fields={**made, "ENTITY_ID": quote})
    assert refused["error"] == "NOT_MODELLED_BY_SANDBOX"


def test_a_link_forgets_what_is_deleted_and_goes_with_its_object(call, made):
    call("requisite.link.register", fields=made)
    call("requisite.delete", id=made["REQUISITE_ID"])
    (row,) = call("requisite.link.list")["result"]
    assert (row["REQUISITE_ID"], row["BANK_DETAIL_ID"]) == ("0", "0")
    assert row["MC_BANK_DETAIL_ID"] == str(made["MC_BANK_DETAIL_ID"])
    call("quote.delete", id=made["ENTITY_ID"])
    assert call("requisite.link.list")["result"] == []
