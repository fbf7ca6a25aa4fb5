"""
Write ``airflow_provider_bitrix24/methods.txt``: what is known of Bitrix24's methods.

    python ci/make_methods_table.py

With ``--check`` it writes nothing and fails if the file is not what it would write.

The lists come from ``tests/data/list-methods.json`` (facts of the official documentation, see the README beside it);
what that file does not have is in ``method_corrections.py``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from method_corrections import ANY_CASE, CALLS, CORRECTIONS, NOT_LISTS, SORTED_BY_ID, Call

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "data" / "list-methods.json"
TABLE = ROOT / "airflow_provider_bitrix24" / "methods.txt"

HEAD = """\
# What is known of Bitrix24's methods. Made by ci/make_methods_table.py from tests/data/list-methods.json
# and ci/method_corrections.py, which holds the reason of every line that differs from the documentation.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
#
# "-": there is none. "?": unknown. "*.list": every method with that ending that has no line of its own.
#
# [lists] only read. rows: where they are in the answer; id: the key of the id in a row; then the spelling of the
# parameters, with the key of the id in filter and order after a colon ("-": the method is not known to take it);
# sort: the parameter for the field, where order takes only the direction; limit, cursor: page size, and what moves on;
# page: rows of a full page; fields: the method that describes the fields of filter and select.
# also: keyed = an object keyed by id; values = rows are plain values; no-total = total is not true;
# any-case = parameter names in any case; drops-filters = unknown filter keys are silently dropped.
#
# [calls] repeat: read = changes nothing; harmless = twice is as good as once; never = must not be repeated.
# lookup: reads, with the same id parameters, the object that is deleted; done: what a good delete answers.
# also: must-be-true = only "true" is success; fails-if:A!=B = a failure unless A of the result is B; fails-if:A = what
# is in A of the result failed; max-values:A=N = values of A after N are ignored; max-hits:N = hits of one kind after N
# are left out; multifields = adds a phone or e-mail again when repeated; queue = takes what it returns, unless the
# parameters name a reservation to show again; empty-lookup = lookup answers nothing both for an object that is gone
# and for one that must not be seen.
"""

LIST_COLUMNS = (
    *("method", "v", "scope", "rows", "id", "filter", "order", "sort", "select", "limit", "cursor"),
    *("paging", "page", "fields", "also"),
)
CALL_COLUMNS = ("method", "v", "repeat", "scope", "lookup", "done", "also")

#: The documentation's words for how a list pages, in ours. A list that takes only a number of rows, or whose pages are
#: requested in a way of its own, is one answer that may be cut off: ``unknown`` raises on a full page.
PAGING = {
    "start": "start",
    "none": "single",
    "none-documented": "unknown",
    "limit-offset": "limit-offset",
    "limit-only": "unknown",
    "last-id": "last-id",
    "page": "page",
    "page-navigation": "unknown",
    "nav-params": "unknown",
    "v3-pagination": "v3",
    "v3-cursor": "unknown",
    # The page says nothing: treated like an unknown method.
    None: "start",
}


#: A method with one of these endings reads, and may be a list: paged by ``start``, with every check on.
ENDINGS = [
    {**dict.fromkeys(LIST_COLUMNS, "-"), "method": ending, "v": "2", "rows": "?", "id": "?"}
    | {"cursor": "start", "paging": "start", "page": "50"}
    for ending in ("*.get", "*.getList", "*.list", "*.search")
]
ENDINGS.append(
    {**dict.fromkeys(LIST_COLUMNS, "-"), "method": "*.list", "v": "3", "rows": "result.items", "id": "id"}
    | {"filter": "filter:-", "order": "order:-", "select": "select"}
    | {"cursor": "pagination", "paging": "v3", "page": "50"}
)


def list_line(fact: Mapping[str, Any]) -> dict[str, str]:
    """One line of ``[lists]``, as the documentation has it."""
    name, params, notes = fact["method"], fact["params"], " ".join(fact["notes"] or ())
    no_rows_shown = fact["rows_at"] is None
    id_key = fact["id_field"] or ("?" if no_rows_shown else "-")
    sorted_by = id_key if name.startswith(SORTED_BY_ID) and id_key not in "?-" else "-"
    others = fact["other_paging_params"] or {}
    pages_by = fact["paging"]
    also = []
    if fact["keyed_by_id"]:
        also.append("keyed")
    if "scalars, not objects" in notes:
        also.append("values")
    if name.startswith(ANY_CASE):
        also.append("any-case")
    paging = PAGING[pages_by]
    cursor = {
        "start": "start",
        "limit-offset": others.get("offset"),
        "last-id": others.get("last_id"),
        "page": others.get("page"),
        "v3": "pagination",
    }.get(paging)
    return {
        "method": name,
        "v": fact["rest"].removeprefix("v"),
        "scope": scope(fact["scope"]),
        "rows": fact["rows_at"] or "?",
        "id": id_key,
        "filter": f"{params['filter']}:-" if params["filter"] else "-",
        "order": f"{params['order']}:{sorted_by}" if params["order"] else "-",
        "sort": "-",
        "select": params["select"] or "-",
        "limit": others.get("limit", "-") if paging in ("start", "limit-offset", "last-id", "unknown") else "-",
        "cursor": cursor or "-",
        "paging": paging,
        "page": str(fact["page_size"] or 50),
        "fields": "-",
        "also": ",".join(also) or "-",
    }


def scope(scopes: Sequence[str] | None) -> str:
    """The first of the scopes that allow a method; some pages have a sentence there."""
    return scopes[0].split(",")[0] if scopes else "-"


def list_lines(facts: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """All lines of ``[lists]``: the documentation, corrected."""
    lines = {}
    for fact in facts:
        if fact["method"] not in NOT_LISTS:
            line = list_line(fact)
            lines[line["method"] if line["v"] == "2" else f"{line['method']} v3"] = line
    for correction in CORRECTIONS:
        line = lines[correction.methods]
        if correction.columns.get("paging") == "keyset" and "order" not in correction.columns:
            line["order"] = f"{line['order'].split(':')[0]}:{line['id']}"
        line.update(correction.columns)
    return [*ENDINGS, *sorted(lines.values(), key=by_name)]


def call_lines(calls: Iterable[Call]) -> list[dict[str, str]]:
    """All lines of ``[calls]``, one for each name."""
    lines = [
        dict(zip(CALL_COLUMNS, (name, str(call.version), *call[1:6]), strict=True))
        for call in calls
        for name in call.methods.split()
    ]
    return sorted(lines, key=by_name)


def by_name(line: Mapping[str, str]) -> tuple[str, str]:
    """Endings first, then by name without case, then by version."""
    return line["method"].lower(), line["v"]


def section(title: str, columns: Sequence[str], lines: Sequence[Mapping[str, str]]) -> str:
    """A table with a title, in aligned columns."""
    rows = [columns, *([line[column] for column in columns] for line in lines)]
    widths = [max(map(len, values)) for values in zip(*rows, strict=True)]
    padded = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join([f"[{title}]", *padded, ""])


def table(facts: Iterable[Mapping[str, Any]]) -> str:
    """The whole file, from the facts of the documentation."""
    lists = section("lists", LIST_COLUMNS, list_lines(facts))
    return f"{HEAD}\n{lists}\n{section('calls', CALL_COLUMNS, call_lines(CALLS))}"


def main() -> None:
    """Write the table, or check it."""
    text = table(json.loads(SOURCE.read_text(encoding="utf-8")))
    if "--check" not in sys.argv[1:]:
        TABLE.write_text(text, encoding="utf-8")
    elif TABLE.read_text(encoding="utf-8") != text:
        sys.exit(f"{TABLE.relative_to(ROOT)} is not what this script writes: run python ci/make_methods_table.py")


if __name__ == "__main__":
    main()
