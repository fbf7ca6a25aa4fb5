"""
Write ``airflow_provider_bitrix24/rest/structured_parameters.txt``: which parameters are lists or objects.

    python ci/make_structured_parameters.py DIRECTORY

``DIRECTORY`` holds the documentation as data, one JSON file a method in the form of ``tests/contract/README.md``. The
repository has only the methods of its sandbox so; tests compare the table with them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "airflow_provider_bitrix24" / "rest" / "structured_parameters.txt"

HEAD = """\
# Parameters that are documented as a list or an object, never as text: method, version, and their names, those inside
# an object or in the objects of a list after a full stop. Made by ci/make_structured_parameters.py.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
"""

#: Types that are never text. "string|lang_map", "array | string" and the like may be.
_STRUCTURED = re.compile(r"object|array|object ?\| ?array|array ?\| ?object|lang_map|crm_multifield|\w+(\.\w+)?\[\]")
_OF_THE_METHOD = re.compile(r"(method|request)? ?parameters?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What is in them are conditions and names, whatever the type of the field is.
_OPAQUE = {"filter", "order", "select"}


def structured(page: Mapping[str, Any]) -> list[str]:
    """The parameters of one method, ``["fields", "fields.CONTACT_IDS"]``."""
    tables = page.get("parameters") or []
    own = [table for table in tables if _OF_THE_METHOD.fullmatch(table["table"].strip())]
    if not own and tables and page["method"].lower() in tables[0]["table"].lower():
        own = tables[:1]
    found: dict[str, None] = {}
    others: set[str] = set()
    #: Names in lower case -> where they stand.
    places = {row["name"].lower(): row["name"] for table in own for row in table["rows"]}

    def keep(row: Mapping[str, Any], above: str) -> None:
        if _NAME.fullmatch(row["name"]):
            place = f"{above}.{row['name']}" if above else row["name"]
            places.setdefault(row["name"].lower(), place)
            if _STRUCTURED.fullmatch((row.get("type") or "").strip()):
                found[place] = None
            else:
                # Settings of custom fields: what is an object for one type is a text for another.
                others.add(place)

    for table in own:
        for row in table["rows"]:
            keep(row, "")
    for table in tables:
        # "Parameter fields", "SETTINGS Parameter": the one word that is the name of a parameter says of which.
        named = {places[word] for word in re.findall(r"\w+", table["table"].lower()) if word in places}
        if table not in own and len(named) == 1 and not named & _OPAQUE:
            above = named.pop()
            if above.rpartition(".")[2].lower() not in _OPAQUE:
                for row in table["rows"]:
                    keep(row, above)
    known = [place for place in found if place not in others]
    # Without what it stands in, it is not known where it stands.
    return [place for place in known if "." not in place or place.rpartition(".")[0] in known]


def lines(directory: Path) -> Iterator[str]:
    for path in sorted(directory.glob("*.json"), key=lambda path: path.name.lower()):
        page = json.loads(path.read_text("utf-8"))
        if isinstance(page, dict) and page.get("method") and (places := structured(page)):
            version = 3 if page["rest"] == "v3" else 2
            yield " ".join((page["method"], str(version), *places))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("python ci/make_structured_parameters.py DIRECTORY")
    TABLE.write_text(HEAD + "".join(f"{line}\n" for line in lines(Path(sys.argv[1]))), encoding="utf-8")


if __name__ == "__main__":
    main()
