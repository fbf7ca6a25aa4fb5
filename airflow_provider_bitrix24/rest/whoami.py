"""Who a client is at its portal, and what it may do, in words for a person who tests a connection."""

from __future__ import annotations

from airflow_provider_bitrix24.rest.client import Client

#: Statuses of an application ("app.info").
_STATUS = {"F": "free", "D": "demo", "T": "trial", "P": "paid", "L": "local", "S": "subscription"}


def introduce(client: Client) -> tuple[bool, str]:
    """
    Ask the portal who calls. Changes nothing there.

    :return: whether its methods can be used, and a sentence: portal, webhook or application, user, rights, scopes. A
        missing scope ``crm`` comes first.
    :raises Bitrix24Error: the portal does not accept the webhook or the token, or cannot be asked.
    """
    host, profile, scopes = client.portal.host, client.call("profile"), client.call("scope")
    # An inactive user has an empty profile, and PHP writes an empty object as [] ("profile").
    if not isinstance(profile, dict) or not profile:
        return False, f"{host} accepts the connection, but its user is not active: create it again as an active user"
    names = sorted(str(scope) for scope in scopes) if isinstance(scopes, list) else []
    administrator = profile.get("ADMIN") is True
    name = " ".join(filter(None, (str(profile.get(key) or "") for key in ("NAME", "LAST_NAME")))) or "no name"
    rights = "administrator" if administrator else "not an administrator"
    summary = (
        f"{host}: {_kind(client)} of {name} (user {profile.get('ID')}, {rights}); scopes: {', '.join(names) or 'none'}."
    )
    if "crm" not in names:
        summary = (
            "Scope crm is missing: CRM items and payments cannot be reached; tick CRM in the permissions. " + summary
        )
    if not administrator:
        summary += " Lists silently leave out what this user may not see; an administrator sees everything."
    if client.tokens is not None and client.tokens.store_error:
        summary += f" This is the connection's own token: {client.tokens.store_error}."
    # A name may be anything, the webhook's address too.
    return True, " ".join(client.scrub(summary).split())


def _kind(client: Client) -> str:
    if client.tokens is None:
        return "webhook"
    info = client.call("app.info")
    status = info.get("STATUS") if isinstance(info, dict) else None
    return f"application (status {_STATUS.get(str(status), status)})"
