"""The documentation's examples (``tests/contract``) made ready for a portal: its ids, its times, its keys."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

from tests.sandbox.stand_ins import STAND_INS

CONTRACT = Path(__file__).parent.parent / "contract"

#: Kinds of CRM objects that every portal has; another number is a smart process of the documentation's portal.
_EVERYWHERE = (1, 2, 3, 4, 7, 31)


#: Pages whose example has another method in its address.
_SLIPS = {"task.commentitem.update"}


def pages() -> dict[str, dict[str, Any]]:
    """The files by name without ``.json``; a request that does not say how it is signed is a webhook's."""
    found = {file.name.removesuffix(".json"): json.loads(file.read_text()) for file in sorted(CONTRACT.glob("*.json"))}
    for content in found.values():
        for request in content["requests"]:
            request.setdefault("auth", "webhook")
            if content["method"] in _SLIPS:
                request["method"] = content["method"]
    return found


#: Parameters of examples that the sandbox refuses by name, see ``methods/not_modelled.py``.
_REFUSED = {
    "crm.documentgenerator.document.add": (("fields",),),
    "tasks.task.list": (("params",), ("filter", "::SUBFILTER-PARAMS")),
}


def made_ready(page: str, params: Any, objects: dict[str, Any]) -> Any:
    """A printed request with ids that exist, and times where the page has placeholders."""
    ready = _with_times(copy.deepcopy(params))
    for *above, last in _REFUSED.get(page, ()):
        (ready[above[0]] if above else ready).pop(last, None)
    for place, name in STAND_INS.get(page, {}).items():
        *above, last = place.split(".")
        target = ready
        for key in above:
            target = target[int(key)] if isinstance(target, list) else target.get(key, {})
        if isinstance(target, list):
            if last.isdigit() and int(last) < len(target):
                target[int(last)] = objects[name]
        elif last in target and not (name == "kind" and target[last] in _EVERYWHERE):
            target[last] = objects[name]
    return ready


def _with_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_times(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_times(part) for part in value]
    if isinstance(value, str) and re.match(r"[A-Za-z0-9+/]{20,}\.\.\.", value):
        # The documentation shortens what is long.
        return "dGVzdA=="
    is_placeholder = isinstance(value, str) and re.search(r"\$\(date|formatDate\(|_date_here|_date_", value)
    return "2025-10-01T00:00:00+03:00" if is_placeholder else value
