"""Names of methods that tests write: a slip in one would make a test green for the wrong reason."""

from __future__ import annotations

import difflib
from functools import cache

from airflow_provider_bitrix24.sandbox.methods import METHODS, METHODS_V3


@cache
def check_name(method: str) -> None:
    """:raises ValueError: a name much like those of methods, which is called by nobody."""
    known = {name.lower(): name for name in (entry.name for entry in (*METHODS.values(), *METHODS_V3.values()))}
    # A portal has more methods than the sandbox: crm.lead.productrows.set is none of its own, and no slip.
    words = {word for name in (*known, "batch") for word in name.split(".")}
    if words.issuperset(method.lower().split(".")):
        return
    near = difflib.get_close_matches(method.lower(), known, n=3, cutoff=0.9)
    if near:
        raise ValueError(f"There is no method {method!r}: write {' or '.join(known[name] for name in near)}.")
