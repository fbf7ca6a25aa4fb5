"""Reading what a person pastes after signing in: the address to which the browser was sent, or the code in it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.settings.extras import trimmed

_CODE = re.compile(r"[A-Za-z0-9._~-]{8,200}")
_HOST = re.compile(r"[\w.:-]{1,253}")


@dataclass(frozen=True, slots=True)
class Redirect:
    """
    What the portal sent with the browser after signing in; None for what was not pasted.

    :param domain: where the person signed in.
    :param server_domain: the authorization server, ``oauth.bitrix.info``.
    """

    code: str = field(repr=False)
    domain: str | None = None
    member_id: str | None = None
    server_domain: str | None = None


def read_redirect(pasted: str, state: str) -> Redirect:
    """
    Read a whole address, its query, ``code=CODE`` or the code alone.

    :param state: the state that this authorization was started with; a whole address must have it.
    :raises ConfigurationError: there is no code in it, or it belongs to another authorization.

    Source: Bitrix24 REST docs, "Full OAuth 2.0 flow", step 1.
    """
    text = trimmed(pasted) or ""
    if "=" not in text:
        if not _CODE.fullmatch(text):
            raise ConfigurationError(
                "this is neither a code nor an address with one",
                next_step="paste the whole address that the browser shows after signing in",
            )
        return Redirect(text)
    query = parse_qs(text.partition("#")[0].rpartition("?")[2])
    values_of = {name: trimmed(values[-1]) for name, values in query.items()}
    code = values_of.get("code")
    if not code or not _CODE.fullmatch(code):
        raise ConfigurationError(
            "this is the address to open" if "client_id" in values_of else "this address has no code in it",
            next_step="paste the address to which the browser is sent after signing in; it has code= in it",
        )
    if values_of.keys() == {"code"} and text.lstrip("?").startswith("code="):
        # The code alone, as the prompt offers it: a state belongs to an address.
        return Redirect(code)
    if not secrets.compare_digest((values_of.get("state") or "").encode(), state.encode()):
        raise ConfigurationError(
            "this address belongs to another authorization (its state is not the one of this run)",
            next_step="open the address that was shown last, and paste the one to which it leads",
        )
    return Redirect(
        code, _host(values_of.get("domain")), values_of.get("member_id"), _host(values_of.get("server_domain"))
    )


def _host(text: str | None) -> str | None:
    return text.lower() if text and _HOST.fullmatch(text) else None
