"""
``crm.duplicate.findbycomm`` and ``crm.entity.mergeBatch``: objects with the same phone or e-mail, and making them one.

Source: pages under ``crm/duplicates``. What counts as a conflict is not documented: here it is two different values in
one field of one value that people fill in, see ``_JOINED`` for the exceptions.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24.sandbox.fields.item_kinds import COMPANY, CONTACT, LEAD, Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.crm import changes
from airflow_provider_bitrix24.sandbox.methods.registry import Params, Refusal, method
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.activity_bindings import rebind_all
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.users import User

#: Values that one call looks for, and objects of one kind that it answers: what is beyond is left out silently.
MAX_VALUES = MAX_HITS = 20

_KINDS = {"LEAD": LEAD, "CONTACT": CONTACT, "COMPANY": COMPANY}

#: Texts of several objects are put one under the other.
_JOINED = frozenset({"comments", "sourceDescription"})
#: The main object keeps its own, whatever the others have.
_KEPT = frozenset(
    {"assignedById", "opened", "export", "stageId", "stageSemanticId", "categoryId", "closed", "isManualOpportunity"}
)


@method("crm.duplicate.findbycomm", scope="crm", upper=True)
def find_by_communication(portal: PortalState, user: User, params: Params) -> Any:
    kind = str(params.get("TYPE") or "").upper()
    if not kind:
        raise Refusal("Communication type is not defined", "Parameter 'type' is required.")
    if kind not in ("PHONE", "EMAIL"):
        problem = f"Communication type '{kind}' is not supported in current context"
        raise Refusal(problem, "Parameter 'type' must be EMAIL or PHONE.")
    values = params.get("VALUES")
    wanted = list(as_map(values).values()) if isinstance(values, (dict, list)) else [values] if values else []
    if not wanted:
        raise Refusal("Communication values is not defined", "Parameter 'values' is required.")
    if not user.may("read"):
        raise Refusal("ACCESS_DENIED", "Access denied", 403)
    keys = {_comparable(kind, value) for value in wanted[:MAX_VALUES]} - {""}
    only = str(params.get("ENTITY_TYPE") or "").upper()
    hits: dict[str, list[int]] = {}
    for name, entity_type_id in _KINDS.items():
        if only not in ("", name):
            continue
        ids = [
            row["id"]
            for row in portal.store.items[entity_type_id]
            if changes.sees(user, row)
            and any(
                entry["typeId"] == kind and _comparable(kind, entry["value"]) in keys for entry in row.get("fm", ())
            )
        ]
        if ids:
            hits[name] = ids[:MAX_HITS]
    return hits or []


def _comparable(kind: str, value: Any) -> str:
    """Phones by their digits, e-mails without case."""
    text = str(value).strip().lower()
    return "".join(character for character in text if character.isdigit()) if kind == "PHONE" else text


@method("crm.entity.mergeBatch", scope="crm")
def merge_batch(portal: PortalState, user: User, params: Params) -> Any:
    asked = as_map(params.get("params"))
    if asked.get("entityTypeId") in (None, ""):
        raise Refusal("0", "The parameter entityTypeId is required.")
    entity_type_id = as_integer(asked["entityTypeId"]) or 0
    table = portal.store.items.get(entity_type_id)
    if table is None:
        raise Refusal("0", "Owner was not found")
    if not as_map(asked.get("entityIds")):
        raise Refusal("0", "The parameter entityIds does not contains valid elements.")
    ids = list(dict.fromkeys(as_integer(value) or 0 for value in as_map(asked["entityIds"]).values()))
    if len(ids) < 2:
        raise Refusal("0", "The parameter entityIds must contains at least two elements.")
    rows = [row for item_id in ids if (row := table.get(item_id)) is not None]
    if len(rows) < len(ids):
        raise Refusal("0", "The parameter entityIds does not contains valid elements.")
    if not user.may("change") or not all(changes.sees(user, row) for row in rows):
        raise Refusal("ACCESS_DENIED", "Access denied", 403)
    new = _merged(portal, entity_type_id, rows)
    if new is None:
        return {"STATUS": "CONFLICT", "ENTITY_IDS": []}
    main, *others = rows
    multi_fields = {
        f"n{number}": entry
        for number, entry in enumerate(entry for row in others for entry in row.get("fm", ()))
        if entry not in main.get("fm", ())
    }
    changes.update(portal, user, entity_type_id, main, new, multi_fields)
    for row in others:
        _hand_over(portal, entity_type_id, row["id"], main["id"])
        changes.remove(portal, entity_type_id, row)
    return {"STATUS": "SUCCESS", "ENTITY_IDS": [row["id"] for row in others]}


def _merged(portal: PortalState, entity_type_id: int, rows: list[Row]) -> Row | None:
    """What the main object, the first one, gets from the others; ``None`` if two of them contradict each other."""
    new: Row = {}
    for name, field in portal.store.kind(entity_type_id).listed.items():
        if field.read_only or name in _KEPT or name in ("contactId", "companyId"):
            continue
        values = list(dict.fromkeys(row[name] for row in rows if row.get(name) and not field.multiple))
        if field.multiple:
            # Phones and e-mails are merged by their own ids.
            if name == "fm":
                continue
            members = dict.fromkeys(member for row in rows for member in row.get(name, ()))
            values = [list(members)] if members else []
        elif name in _JOINED:
            values = ["\n".join(values)] if values else []
        elif name == "title":
            # What the portal made up itself says nothing.
            own = [value for value in values if not changes.is_default_title(portal.store, entity_type_id, value)]
            values = own or values[:1]
        if len(values) > 1:
            return None
        if values and values[0] != rows[0].get(name):
            new[name] = values[0]
    return new


def _hand_over(portal: PortalState, entity_type_id: int, from_id: int, to_id: int) -> None:
    """What belonged to the object that goes belongs to the one that stays."""
    changes.replace_references(portal.store, entity_type_id, from_id, to_id)
    for owned in (portal.store.comments, portal.store.product_rows):
        for row in owned:
            if row.get("owner") == (entity_type_id, from_id):
                row["owner"] = (entity_type_id, to_id)
    rebind_all(portal.store, (entity_type_id, from_id), (entity_type_id, to_id))
