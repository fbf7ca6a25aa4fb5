"""The sandbox's fields are the documentation's: no name, type or flag is typed by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from tests.sandbox import contract

ROOT = Path(__file__).parents[2]
FIELDS = contract.CONTRACT / "fields"

#: Object -> what `crm.item.fields` calls it.
ITEM_KINDS = {"lead": 1, "deal": 2, "contact": 3, "company": 4, "quote": 7, "smart_invoice": 31, "smart_process": 128}
OLD_KINDS = ("lead", "deal", "contact", "company", "quote")


def documented(kind: str, generation: str) -> dict[str, dict]:
    """Documented fields of a kind by their names in a generation; families such as ``UF_*`` are not fields."""
    fields = json.loads((FIELDS / f"{kind}.json").read_text())["fields"]
    return {
        field["names"][generation]: field
        for field in fields
        if "*" not in field["field"] and generation in field["names"]
    }


def test_the_table_is_made_from_the_documentation():
    command = [sys.executable, str(ROOT / "ci" / "make_sandbox_fields.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("file", sorted(FIELDS.glob("*.json")), ids=lambda file: file.stem)
def test_every_object_is_in_the_table(file):
    content = json.loads(file.read_text())
    if "fields" in content:
        assert fields_of(content["object"])


@pytest.mark.parametrize(("kind", "entity_type_id"), ITEM_KINDS.items())
def test_a_whole_item_has_every_documented_field(portal, ask, kind, entity_type_id):
    added = {"entityTypeId": entity_type_id, "fields": {"title": "x", "name": "x", "fm": {"n0": {"value": "+1"}}}}
    item = ask(portal, "crm.item.add", added).json()["result"]["item"]
    assert documented(kind, "new").keys() - item.keys() == set()


@pytest.mark.parametrize(("kind", "entity_type_id"), ITEM_KINDS.items())
def test_new_fields_are_described_with_their_documented_types(portal, ask, kind, entity_type_id):
    described = ask(portal, "crm.item.fields", {"entityTypeId": entity_type_id}).json()["result"]["fields"]
    for name, field in documented(kind, "new").items():
        if name in described:
            kinds = field["type"]
            assert described[name]["type"] == (kinds if isinstance(kinds, str) else kinds["new"]), name


@pytest.mark.parametrize("kind", OLD_KINDS)
def test_old_fields_are_described_and_answered(portal, ask, kind):
    described = ask(portal, f"crm.{kind}.fields").json()["result"]
    known = documented(kind, "old")
    assert known.keys() == {name for name in described if not name.startswith("UF_CRM_")}
    contacts = {name: [{"VALUE": "x", "VALUE_TYPE": "WORK"}] for name in ("PHONE", "EMAIL", "WEB", "IM", "LINK")}
    new_id = ask(portal, f"crm.{kind}.add", {"fields": {"TITLE": "x", "NAME": "x", **contacts}}).json()["result"]
    row = ask(portal, f"crm.{kind}.get", {"id": new_id}).json()["result"]
    write_only = {"TRACE", "CONTACT_IDS", "COMPANY_IDS"} | ({"CONTACT_ID"} if kind == "company" else set())
    assert known.keys() - row.keys() == write_only & known.keys()


@pytest.mark.parametrize("kind", OLD_KINDS)
def test_every_writable_old_field_keeps_what_is_written(portal, ask, kind):
    values = {
        "string": "text", "text": "text", "char": "Y", "integer": 7, "double": 7.5, "user": 7, "date": "2026-05-05",
        "datetime": "2026-05-05T10:00:00+03:00", "crm_status": "OTHER", "crm_currency": "EUR", "crm_company": 2,
        "crm_contact": 2, "crm_lead": 2, "crm_deal": 2, "crm_category": 9, "location": 5,
    }  # fmt: skip
    written = {}
    for name, field in documented(kind, "old").items():
        kinds = field["type"] if isinstance(field["type"], str) else field["type"]["old"]
        if kinds in values and not field.get("read_only") and not field.get("multiple") and name != "TRACE":
            written[name] = values[kinds]
    for name in ("LAST_ACTIVITY_TIME", "LAST_ACTIVITY_BY"):
        written.pop(name, None)
    new_id = ask(portal, f"crm.{kind}.add", {"fields": written}).json()["result"]
    row = ask(portal, f"crm.{kind}.get", {"id": new_id}).json()["result"]
    shown = {7.5: "7.50", "2026-05-05": "2026-05-05T03:00:00+03:00"}
    assert {name: row[name] for name in written} == {
        name: shown.get(value, str(value)) for name, value in written.items()
    }
    for name, value in written.items():
        if name in ("ADDRESS_LOC_ADDR_ID",):
            continue
        found = ask(portal, f"crm.{kind}.list", {"filter": {name: value, "ID": new_id}, "select": ["ID"]}).json()
        assert [entry["ID"] for entry in found["result"]] == [str(new_id)], name
