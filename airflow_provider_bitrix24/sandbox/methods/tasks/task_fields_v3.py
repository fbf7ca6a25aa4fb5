"""Fields of a task in REST 3.0: typed, under names of their own; rows keep the values of REST v2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.sandbox.fields.catalogue import fields_of
from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Refusal, not_modelled
from airflow_provider_bitrix24.sandbox.methods.tasks.task_defaults import RIGHTS_V3, UNSET_V3
from airflow_provider_bitrix24.sandbox.php import BadValue, as_server_time
from airflow_provider_bitrix24.sandbox.state.store import new_task

PREFIX = "BITRIX_REST_V3_EXCEPTION_"

#: Words of version 3 for what version 2 says in letters and numbers.
_WORDS: Mapping[str, Mapping[Any, str]] = {
    "status": {2: "pending", 3: "in_progress", 4: "supposedly_completed", 5: "completed", 6: "deferred"},
    "priority": {0: "low", 1: "average", 2: "high"},
    "mark": {None: "none", "": "none", "P": "positive", "N": "negative"},
}
#: Documented scalars that rows keep: name -> key in a row and type.
_KEPT = {
    spec.names["v3"]: (spec.key, spec.type_in("v3"))
    for spec in fields_of("task")
    if {"v3", "new"} <= spec.names.keys() and spec.type_in("v3") in ("boolean", "integer", "datetime", "string")
}
#: What the portal alone sets.
_NOT_EDITABLE = frozenset(
    {
        *("id", "created", "changed", "changedById", "statusChanged", "statusChangedById", "closed", "closedById"),
        *("activity", "started", "guid", "outlookVersion", "actualDuration", "chatId", "link", "archiveLink", "rights"),
    }
)
_TYPES = {"integer": "int", "boolean": "bool", "datetime": "DateTime", "string": "string"}


def shown_task(task: Row) -> Row:
    """Every field of a task."""
    own = {
        name: _shown_value(name, kind, task[key]) for name, (key, kind) in _KEPT.items() if task.get(key) is not None
    }
    return {
        **dict.fromkeys(_KEPT),
        **UNSET_V3,
        **own,
        "crmItemIds": task["ufCrmTask"],
        "activity": task["changedDate"],
        "chatId": task["id"],
        "guid": f"{{00000000-0000-4000-8000-{task['id']:012}}}",
        "link": f"/company/personal/user/{task['responsibleId']}/tasks/task/view/{task['id']}/",
        "archiveLink": f"/bitrix/tools/disk/uf.php?entityId={task['id']}&entity=TASKS_TASK",
        "rights": RIGHTS_V3,
    }


def _shown_value(name: str, kind: str, value: Any) -> Any:
    if name in _WORDS:
        return _WORDS[name][value]
    if kind == "boolean":
        return value == "Y"
    return int(value) if kind == "integer" and value != "" else value


#: Every field with the value that an empty task has.
TASK_FIELDS = shown_task({"id": 0, **new_task("", at="", responsible_id=0, created_by=0)})
#: What one task has where nothing is selected.
BASIC = (
    *("id", "title", "description", "deadline", "creatorId", "created", "changed", "responsibleId", "status"),
    *("priority", "groupId", "crmItemIds", "activity", "chatId", "guid", "link", "archiveLink", "rights"),
    *UNSET_V3,
)


def unknown(name: str, entity: str) -> Refusal:
    return Refusal(f"{PREFIX}UNKNOWNDTOPROPERTYEXCEPTION", f"Unknown field `{name}` for entity `{entity}`")


def invalid(field: str, message: str) -> Refusal:
    validation = [{"message": message, "field": field}]
    code = f"{PREFIX}VALIDATION_REQUESTVALIDATIONEXCEPTION"
    return Refusal(code, "Error during request object validation", extra={"validation": validation})


def written(fields: Mapping[str, Any]) -> Row:
    """
    What a row keeps of the fields of a new task.

    :raises Refusal: an unknown field, one that only the portal sets, a value of another type, or a field that the
        sandbox does not keep.
    """
    row: Row = {}
    for name, value in fields.items():
        if name not in _DOCUMENTED:
            raise unknown(name, "TaskDto")
        if name in _NOT_EDITABLE:
            problem = f"In DTO `TaskDto`, the field `{name}` requires the presence of the `Editable` attribute"
            raise invalid(name, f"{problem} for such a request")
        if name == "crmItemIds":
            row["ufCrmTask"] = [str(member) for member in as_map(value).values()]
        elif name in _KEPT:
            key, kind = _KEPT[name]
            row[key] = None if value is None else _written_value(name, kind, value)
        else:
            raise not_modelled(f"tasks.task.add: the sandbox does not model the field {name} of version 3")
    return row


_DOCUMENTED = frozenset(spec.names["v3"] for spec in fields_of("task") if "v3" in spec.names)


def _written_value(name: str, kind: str, value: Any) -> Any:
    wrong = invalid(name, f"Field `{name}` requires data type `{_TYPES[kind]}` for this request")
    if name in _WORDS:
        codes = {word: code for code, word in _WORDS[name].items() if code != ""}
        if value not in codes:
            raise wrong
        return codes[value]
    if kind == "datetime":
        try:
            return as_server_time(value)
        except BadValue:
            raise wrong from None
    if kind == "boolean" and isinstance(value, bool):
        return "Y" if value else "N"
    # Text that is a whole number counts as a number.
    number = isinstance(value, int) or (isinstance(value, str) and value.isascii() and value.isdigit())
    if kind == "integer" and number and not isinstance(value, bool):
        return int(value)
    if kind == "string" and isinstance(value, str):
        return value
    raise wrong
