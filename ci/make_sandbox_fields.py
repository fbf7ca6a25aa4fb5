"""
Write ``airflow_provider_bitrix24/sandbox/fields/fields.json``: the fields of the sandbox's objects.

    python ci/make_sandbox_fields.py

With ``--check`` it writes nothing and fails if the file is not what it would write.

The fields come from ``tests/contract/fields`` (facts of the official documentation, see the README there); what the
documentation leaves open or says of its own portal only is in ``CORRECTIONS``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "contract" / "fields"
TABLE = ROOT / "airflow_provider_bitrix24" / "sandbox" / "fields" / "fields.json"

ORIGIN = "bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT, Copyright (c) 2024 Bitrix24"

#: Of several spellings that stand for a family, none is a field.
_FAMILIES = ("UF_*", "PARENT_ID_*", "PROPERTY_*")

_FLAGS = {
    "read_only": "readOnly",
    "required": "required",
    "immutable": "immutable",
    "multiple": "multiple",
    "deprecated": "deprecated",
    "primary": "primary",
    "v3_filterable": "v3Filterable",
    "v3_sortable": "v3Sortable",
}

#: New-style fields of CRM objects that `crm.item.fields` lists, though only the table of all kinds names them.
_COMMON = {"webformId", "observers", "fm", "xmlId", "categoryId", "contactIds"}

_SET_BY_THE_PORTAL = (
    *("id", "createdTime", "updatedTime", "movedTime", "lastActivityTime"),
    *("createdBy", "updatedBy", "movedBy", "lastActivityBy", "previousStageId", "accountNumber", "quoteNumber"),
)

#: (object, name) -> what is other than gathered; a ``None`` takes a key away. The reason stands beside each.
CORRECTIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    # No page of invoices says what the page of smart processes says of the same fields.
    **{("smart_invoice", name): {"readOnly": True} for name in _SET_BY_THE_PORTAL},
    # Read-only on `crm.company.fields`' sisters, and never a parameter of `crm.company.add`.
    **{("company", name): {"readOnly": True} for name in ("lastActivityTime", "lastActivityBy")},
    # Marked as required on a page of a portal where somebody had made them so; the pages of `add` do not.
    **{("contact", name): {"required": None} for name in ("name", "secondName", "lastName")},
    # The tables of `add` and `update` have no star for them: without a title the portal makes one up.
    **{(kind, "title"): {"required": None} for kind in ("company", "quote")},
    **{("quote", name): {"readOnly": True} for name in ("quoteNumber",)},
    # Old and new lists name the binding of contacts; only `crm.<object>.contact.items.get` reads it in the old way.
    **{(kind, "contactIds"): {"writeOnlyOld": True} for kind in ("lead", "deal", "quote")},
    ("contact", "companyIds"): {"writeOnlyOld": True},
    ("company", "CONTACT_ID"): {"writeOnlyOld": True},
    # Parameters of `add` that no answer has.
    **{(kind, "TRACE"): {"writeOnlyOld": True} for kind in ("lead", "deal", "contact", "company")},
    # The scenario's own text was taken for a value.
    ("task", "SCENARIOS"): {"default": None},
    ("task", "scenarios"): {"default": None},
}


def main() -> None:
    text = table()
    if "--check" not in sys.argv:
        TABLE.write_text(text, encoding="utf-8")
    elif TABLE.read_text(encoding="utf-8") != text:
        sys.exit(f"{TABLE.relative_to(ROOT)} is not what ci/make_sandbox_fields.py writes: run it.")


def table() -> str:
    """One field a line, so that a change of one is a change of a line."""
    parts = []
    for file in sorted(SOURCE.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if "fields" not in content:
            continue
        records = [_record(content, field) for field in content["fields"] if field["field"] not in _FAMILIES]
        lines = ",\n".join(
            json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records if record
        )
        parts.append(f'"{content["object"]}":[\n{lines}\n]')
    return f'{{"source":{json.dumps(ORIGIN)},\n' + ",\n".join(parts) + "\n}\n"


def _record(content: Mapping[str, Any], field: Mapping[str, Any]) -> dict[str, Any]:
    names = {generation: name for generation, name in field["names"].items() if generation in ("new", "old", "v3")}
    kinds = content["methods"]
    if any(isinstance(name, list) for name in names.values()):
        names = {generation: name if isinstance(name, str) else name[0] for generation, name in names.items()}
    record: dict[str, Any] = dict(names)
    if field.get("type"):
        record["type"] = field["type"]
    record.update({flag: True for key, flag in _FLAGS.items() if field.get(key)})
    for key in ("default", "statusType", "settings", "items", "refers_to", "title"):
        if field.get(key) not in (None, ""):
            record[key] = field[key]
    if field.get("values"):
        record["values"] = field["values"]
    empty = {generation: values[0] for generation, values in field.get("empty_seen", {}).items()}
    if empty:
        record["empty"] = empty
    if "entityTypeId" in content and "new" in kinds and _is_answer_only(content, field):
        record["answerOnly"] = True
    for name in {names.get("new"), names.get("old")}:
        for key, value in CORRECTIONS.get((content["object"], str(name)), {}).items():
            record.pop(key, None)
            if value is not None:
                record[key] = value
    return record


def _is_answer_only(content: Mapping[str, Any], field: Mapping[str, Any]) -> bool:
    """
    Whether whole items of ``crm.item.*`` show a field that ``crm.item.fields`` does not list.

    Those are named by the table of the kind alone: neither old methods nor parameters of ``add`` know them.
    """
    new = field["names"].get("new")
    if not new or new in _COMMON:
        return False
    if new == "entityTypeId" or (isinstance(field.get("type"), dict) and field["type"].get("old") == "crm_multifield"):
        return True
    if "old" in content["methods"]:
        return "old" not in field["names"] and len(field["in"]) == 1
    # Smart invoices and processes: the accounting amounts are for the portal's own reports.
    return "ACCOUNT" in field["field"] and new != "accountNumber"


if __name__ == "__main__":
    main()
