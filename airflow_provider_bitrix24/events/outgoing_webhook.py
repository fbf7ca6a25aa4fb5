"""What a portal sends to the address of an outgoing webhook or of an event handler: an event with a proof of origin."""

from __future__ import annotations

import hmac
import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_bitrix24.exceptions import ConfigurationError, Unauthorized

#: Larger bodies are not read: a portal's have some hundred characters.
LARGEST_BODY = 65_536
#: The last second of the year 9999.
_LAST_SECOND = 253_402_300_799
_TOKEN = "auth[application_token]"  # noqa: S105 - the name of the field


def verified_event(body: bytes | str, application_token: str) -> dict[str, Any]:
    """
    Return the event in a request to our address, if the portal sent it.

    ``{"event": "ONCRMDEALUPDATE", "object_id": 662, "time": "2026-01-31T09:00:00Z", "member_id": "…"}``. It says that
    the object changed: read it for its values.

    :param body: of the request, ``application/x-www-form-urlencoded``.
    :param application_token: what the form of the outgoing webhook shows, or what an application got when it was
        installed. It is compared in the same time, however much of it is right.
    :raises Unauthorized: the token is missing, wrong or there twice: answer 403, and do nothing.
    :raises ConfigurationError: no token is given to compare with, or the body is not an event.
    """
    if not isinstance(application_token, str) or not application_token.strip():
        raise ConfigurationError(
            "there is no application token to compare with",
            next_step="take it from the form of the outgoing webhook, and keep it in a secret of the receiver",
        )
    if len(body) > LARGEST_BODY:
        raise ConfigurationError(f"the body has more than {LARGEST_BODY} bytes, which no event of a portal has")
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    fields = parse_qsl(text, keep_blank_values=True, max_num_fields=1000)
    tokens = [value for name, value in fields if name == _TOKEN]
    given = tokens[0] if len(tokens) == 1 else ""
    if not hmac.compare_digest(given.encode(), application_token.strip().encode()):
        raise Unauthorized("the request does not have the application token of this webhook")
    form = dict(fields)
    ids = [value for name, value in fields if name in ("data[FIELDS][ID]", "data[FIELDS_AFTER][ID]", "data[ID]")]
    ids += [value for name, value in fields if name == "data[FIELDS_BEFORE][ID]"]
    moment = _number(form.get("ts"))
    if not form.get("event") or moment is None or moment > _LAST_SECOND:
        raise ConfigurationError(
            "the body has no event or ts", next_step="send here what a portal sends, and nothing else"
        )
    found: dict[str, Any] = {
        "event": form["event"].upper(),
        "object_id": _number(ids[0]) if ids else None,
        "time": datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "member_id": form.get("auth[member_id]", ""),
    }
    if (kind := _number(form.get("data[FIELDS][ENTITY_TYPE_ID]"))) is not None:
        found["entity_type_id"] = kind
    return found


def _number(text: str | None) -> int | None:
    """None too for one of more digits than any id or time has."""
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
