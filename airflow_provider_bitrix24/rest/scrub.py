"""The one place that takes secrets out of text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from urllib.parse import quote, quote_plus

#: What stands where a secret stood.
MASK = "***"

#: Text to text without secrets.
Scrub = Callable[[str], str]


def scrubber(secrets: Iterable[str]) -> Scrub:
    """
    Return a function that replaces each secret by ``***``, in every spelling that a URL, JSON or HTML gives it.

    Case is ignored, since percent-encoding may be in either, and host names come back in lower case.
    """
    texts = tuple(secret for secret in secrets if secret)

    @cache
    def pattern() -> re.Pattern[str]:
        spelled = {spelling for secret in texts for spelling in spellings(secret)}
        return re.compile("|".join(map(re.escape, sorted(spelled, key=len, reverse=True))), re.IGNORECASE)

    # Compiled with the first text: most clients never meet an error.
    return lambda text: pattern().sub(MASK, text) if texts else text


def spellings(secret: str) -> set[str]:
    """Return all ways in which ``secret`` may be written in a URL, in JSON, in HTML or in a ``repr``."""
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
    }
