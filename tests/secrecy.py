"""Whether a secret is in an exception, in a log or in anything else that was written."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from tests.fixtures.output import AllOutput


def texts_of(error: BaseException | None) -> str:
    """All text that a handler or a log can get out of an exception and of those that it leads to."""
    said: list[str] = []
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        exception = waiting.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        said += [str(exception), repr(exception), repr(exception.args), repr(vars(exception))]
        said += traceback.format_exception(exception)
        for holder in ("request", "response"):
            said += [
                str(getattr(getattr(exception, holder, None), part, "")) for part in ("url", "headers", "path_url")
            ]
        waiting += [exception.__cause__, exception.__context__]
        waiting += [argument for argument in exception.args if isinstance(argument, BaseException)]
    return "\n".join(said)


def assert_untold(secret: str, all_output: AllOutput, error: BaseException | None = None) -> None:
    """``secret`` is neither in what was logged and written nor in ``error``, plain or percent-encoded."""
    assert all_output.places_of(secret) == []
    text = texts_of(error).lower()
    assert [form for form in (secret, quote(secret, safe="")) if form.lower() in text] == []
