"""Kinds with a table of documented fields: what is written is read, filtered, changed and deleted."""

from __future__ import annotations

import pytest

WRITTEN = {
    "activity": {
        "OWNER_TYPE_ID": 2, "OWNER_ID": 1, "TYPE_ID": 2, "SUBJECT": "Call", "RESPONSIBLE_ID": 7, "COMPLETED": "N",
        "START_TIME": "2026-05-05T10:00:00+03:00", "PRIORITY": 3, "ORIGIN_ID": "erp-1",
        "COMMUNICATIONS": [{"VALUE": "+1", "ENTITY_ID": 1, "ENTITY_TYPE_ID": 3}],
    },
    "requisite": {"ENTITY_TYPE_ID": 4, "ENTITY_ID": 1, "PRESET_ID": 1, "NAME": "Firm", "RQ_INN": "1717586110"},
    "requisite.bankdetail": {"ENTITY_ID": 1, "NAME": "Bank", "RQ_IBAN": "DE89", "SORT": 7},
}  # fmt: skip
CHANGED = {
    "activity": {"SUBJECT": "Mail", "COMPLETED": "Y"},
    "requisite": {"NAME": "Other", "RQ_INN": "2"},
    "requisite.bankdetail": {"NAME": "Other", "COMMENTS": "Closed"},
}
FILTERED = {
    "activity": {">START_TIME": "2026-05-05T09:00:00+03:00", "ORIGIN_ID": "erp-1"},
    "requisite": {"RQ_INN": "1717586110"},
    "requisite.bankdetail": {"RQ_IBAN": "DE89", "ENTITY_ID": 1},
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_an_object_is_added_read_changed_and_deleted(portal, ask, kind):
    def call(action, **params):
        return ask(portal, f"crm.{kind}.{action}", params).json()

    if kind == "requisite.bankdetail":
        ask(portal, "crm.requisite.add", {"fields": WRITTEN["requisite"]})
    new_id = call("add", fields={**WRITTEN[kind], "NONSENSE": 1})["result"]
    row = call("get", id=new_id)["result"]
    single = {name: str(value) for name, value in WRITTEN[kind].items() if not isinstance(value, list)}
    assert {name: row[name] for name in single} == single
    fields = call("fields")["result"]
    assert set(row) <= set(fields)
    listed = call("list", filter=FILTERED[kind], select=["ID"])
    assert listed["result"] == [{"ID": str(new_id)}]
    assert call("update", id=new_id, fields=CHANGED[kind])["result"] is True
    assert CHANGED[kind].items() <= call("get", id=new_id)["result"].items()
    assert call("delete", id=new_id)["result"] is True
    assert "not found" in call("get", id=new_id)["error_description"]
    assert (
        ask(portal, f"crm.{kind}.add", {"fields": WRITTEN[kind]}, user=portal.clerk).json()["error_description"]
        == "Access denied."
    )


def test_lists_of_an_activity_are_answered_where_they_are_named(portal, ask):
    activity = ask(portal, "crm.activity.add", {"fields": WRITTEN["activity"]}).json()["result"]
    params = {"filter": {"ID": activity}, "select": ["*", "COMMUNICATIONS"]}
    (row,) = ask(portal, "crm.activity.list", params).json()["result"]
    assert row["COMMUNICATIONS"] == WRITTEN["activity"]["COMMUNICATIONS"]
    assert "COMMUNICATIONS" not in ask(portal, "crm.activity.get", {"id": activity}).json()["result"]


@pytest.mark.parametrize(
    ("kind", "left_out", "description"),
    [
        ("activity", "SUBJECT", "The field SUBJECT is not defined or empty."),
        ("activity", "COMMUNICATIONS", "The field COMMUNICATIONS is not defined or invalid."),
        ("requisite", "ENTITY_TYPE_ID", "ENTITY_TYPE_ID is not defined or invalid."),
    ],
)
def test_an_object_that_is_not_whole_is_refused(portal, ask, kind, left_out, description):
    fields = {name: value for name, value in WRITTEN[kind].items() if name != left_out}
    answer = ask(portal, f"crm.{kind}.add", {"fields": fields}).json()
    assert answer == {"error": "", "error_description": description}
