"""Whether a secret was told, by an exception or by anything else that was said."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from tests.fixtures.output import AllOutput


def told_by(error: BaseException | None) -> str:
    """All that a handler, a log or a curious person gets out of an exception and of those it leads to."""
    said: list[str] = []
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        said += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        for holder in ("request", "response"):
            said += [str(getattr(getattr(one, holder, None), part, "")) for part in ("url", "headers", "path_url")]
        waiting += [one.__cause__, one.__context__, *(arg for arg in one.args if isinstance(arg, BaseException))]
    return "\n".join(said)


def assert_untold(secret: str, all_output: AllOutput, error: BaseException | None = None) -> None:
    """``secret`` is neither in what was logged and written nor in ``error``, plain or percent-encoded."""
    assert all_output.places_of(secret) == []
    told = told_by(error).lower()
    assert [form for form in (secret, quote(secret, safe="")) if form.lower() in told] == []
