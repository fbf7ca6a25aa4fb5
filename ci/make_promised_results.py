"""
Write ``airflow_provider_bitrix24/promised_results.txt``: what a writing method answers when it has done its work.

    python ci/make_promised_results.py DIRECTORY

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
TABLE = ROOT / "airflow_provider_bitrix24" / "promised_results.txt"

HEAD = """\
# What the result of a writing method is where it has done its work: method, version, result.
# Made by ci/make_promised_results.py from the successful answers that the pages print.
# Facts from bitrix24/b24restdocs commit 5988ed130d13802764a555edbfe12d0fc81e7d7a, MIT,
# Copyright (c) 2024 Bitrix24
#
# true; true|false = false is an answer too: it was so already; id = a number or a text; object; nothing = null or [];
# task=object: an object under the key task. null-fails: the page says that null is a failure.
"""

#: They read, although the ends of their names do not say so; where nothing is found, an empty answer is right.
_READS = re.compile(
    r"(?!im\.notify\.read)(.*\.)?(get(?!ExternalLink|PublicUrl)\w*|\w*list|fields|search|count|children|subordinates|multidepartment"
    r"|canmovetask|countries|mode|types?|availabletoadd|access|admin|current|info|name|statistic|scope|time|profile"
    r"|events|methods?|tail|ownertype|isactionallowed|findbycomm|nearest|instances|id|url|status|entity|searchCrmEntities"
    r"|settings|batch|dayfulldata)",
    re.IGNORECASE,
)
#: Keys of an answer that say whether the work is done.
_FLAGS = ("result", "success")
#: ``false``: the contact or company was there, or was not there, already ("crm.deal.contact.add" and its sisters).
_FALSE_IS_AN_ANSWER = re.compile(r"crm\.\w+\.(contact|company)\.(add|delete)")
#: Of ``null``: "on error = `null`", "In case of failure, it will return `null`".
_NULL_FAILS = re.compile(r"error.{1,4}`null`|`null`.{1,4}on error|failure.{1,20}`null`|`null`.*not be deleted")


def promised(page: Mapping[str, Any]) -> list[str]:
    """The shape of the first answer that the page prints, and what else it says; empty where it prints none."""
    bodies = [answer["body"] for answer in page.get("responses") or [] if answer.get("status") == 200]
    if not bodies or not isinstance(bodies[0], dict) or "result" not in bodies[0]:
        return []
    shape = _shape(bodies[0]["result"])
    if shape == "true" and _FALSE_IS_AN_ANSWER.fullmatch(page["method"]):
        shape = "true|false"
    words = " ".join(
        row["description"].replace("\n", " ")
        for table in page.get("returns") or []
        for row in table["rows"]
        if row["name"] == "result"
    )
    return [shape, *(["null-fails"] if _NULL_FAILS.search(words) else [])] if shape else []


def _shape(result: Any) -> str:
    if result is True:
        return "true"
    if result is None or result == []:
        return "nothing"
    if isinstance(result, (int, str)):
        return "id" if result else ""
    # Some pages print the time of the request inside the result.
    parts = {key: value for key, value in result.items() if key != "time"} if isinstance(result, dict) else {}
    if not parts:
        return ""
    if any(parts.get(flag) is True for flag in _FLAGS):
        return next(f"{flag}=true" for flag in _FLAGS if parts.get(flag) is True)
    ((key, value), *others) = parts.items()
    inner = _shape(value).partition("=")
    # Lists under a key may be empty: rows that were all removed. Of none, ``count`` is 0.
    if others or inner[0] in ("", "nothing") or key == "count":
        return "object"
    return f"{key}={'object' if inner[1] else inner[0]}"


def lines(directory: Path) -> Iterator[str]:
    for path in sorted(directory.glob("*.json"), key=lambda path: path.name.lower()):
        page = json.loads(path.read_text("utf-8"))
        if isinstance(page, dict) and page.get("method") and not _READS.fullmatch(page["method"]):
            version = 3 if page["rest"] == "v3" else 2
            if facts := promised(page):
                yield " ".join((page["method"], str(version), *facts))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("python ci/make_promised_results.py DIRECTORY")
    TABLE.write_text(HEAD + "".join(f"{line}\n" for line in lines(Path(sys.argv[1]))), encoding="utf-8")


if __name__ == "__main__":
    main()
