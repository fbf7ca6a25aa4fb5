"""
Write ``airflow_provider_bitrix24/exports/documented_tables.txt``: fields of objects whose methods do not describe them.

    python ci/make_documented_tables.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIELDS = ROOT / "tests" / "contract" / "fields"
TABLE = ROOT / "airflow_provider_bitrix24" / "exports" / "documented_tables.txt"

HEAD = """\
# Fields of objects whose methods do not describe them: the method, then name=ORIGINAL_NAME:type of each; a star after
# the type says that there are several values. Made by ci/make_documented_tables.py.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
"""

#: By list method, the object of which it lists.
METHODS = {
    "crm.activity.list": "activity",
    "crm.category.list": "category",
    "crm.currency.list": "currency",
    "crm.item.payment.list": "item_payment",
    "crm.item.productrow.list": "product_row",
    "crm.stagehistory.list": "stage_history",
    "crm.status.list": "status",
    "crm.timeline.comment.list": "timeline_comment",
    "department.get": "department",
    "sale.payment.list": "sale_payment",
    "task.elapseditem.getlist": "task_elapsed_item",
    "tasks.task.list": "task",
    "user.get": "user",
    "voximplant.statistic.get": "call",
}
#: Lists and objects are JSON, whatever is in them.
_SEVERAL = {"array", "object", "array<object>"}
#: Types that the pages leave out, or call "string", and show by their examples.
_SHOWN = {
    ("user", "LAST_LOGIN"): "datetime",
    ("user", "DATE_REGISTER"): "datetime",
    ("user", "TIMESTAMP_X"): "datetime",
    ("user", "PERSONAL_BIRTHDAY"): "date",
    ("user", "IS_ONLINE"): "boolean",
    ("user", "UF_DEPARTMENT"): "integer*",
}


def tables() -> dict[str, list[str]]:
    return {
        method: list(_fields(json.loads((FIELDS / f"{name}.json").read_text()))) for method, name in METHODS.items()
    }


def _fields(page: dict[str, Any]) -> Iterator[str]:
    for field in page["fields"]:
        names = field["names"]
        name = _first(names.get("new") or names.get("old"))
        original = _first(names.get("upper") or names.get("old") or name)
        if name is None or "*" in original:
            # REST 3.0 alone has it, or it stands for names that each portal has of its own.
            continue
        if shown := _SHOWN.get((page["object"], original)):
            yield f"{name}={original}:{shown}"
            continue
        type_ = field.get("type")
        if isinstance(type_, dict):
            type_ = type_.get("old") or type_.get("new")
        several = "*" if field.get("multiple") or type_ in _SEVERAL else ""
        if type_ in ("integer", "int", "double") and not all(map(_is_number, _examples(field))):
            # matchWorkTime is an integer by its table, and Y or N in the answers.
            type_ = "string"
        yield f"{name}={original}:{type_ or 'string'}{several}"


def _examples(field: dict[str, Any]) -> list[Any]:
    return [value for several in (field.get("examples") or {}).values() for value in several]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _first(spelling: str | list[str] | None) -> str | None:
    """Answers have the first of several spellings."""
    return spelling[0] if isinstance(spelling, list) else spelling


def main() -> None:
    lines = [" ".join((method, *fields)) for method, fields in tables().items()]
    TABLE.write_text(HEAD + "\n".join(lines) + "\n")
    print(f"{TABLE.relative_to(ROOT)}: {len(lines)} methods")


if __name__ == "__main__":
    main()
