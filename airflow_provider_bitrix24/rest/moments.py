"""Dates and times in the ISO form that Bitrix24 writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pendulum

#: pendulum reads more (weeks, ordinal days, durations, ``20260131``), none of which Bitrix24 writes.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)


def parse(text: str) -> pendulum.DateTime | pendulum.Date | None:
    """
    A date (``2026-01-31``) or a datetime, with a zone if the text has one; None for any other text.

    Fractions of a second are cut.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    import pendulum

    date, minutes, seconds, zone = match.groups()
    iso = date if minutes is None else f"{date}T{minutes}{seconds or ':00'}{(zone or '').upper()}"
    try:
        parsed = pendulum.parse(iso, exact=True, tz=None)
    except ValueError:
        return None
    return parsed if isinstance(parsed, pendulum.Date) else None
