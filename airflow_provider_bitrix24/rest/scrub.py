"""The one place that takes secrets out of text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
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
    forms = {form for secret in secrets if secret for form in spellings(secret)}
    if not forms:
        return lambda text: text
    pattern = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), re.IGNORECASE)
    return lambda text: pattern.sub(MASK, text)


def spellings(secret: str) -> set[str]:
    """All ways in which ``secret`` may stand in a URL, in JSON or on an HTML page."""
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
    }
