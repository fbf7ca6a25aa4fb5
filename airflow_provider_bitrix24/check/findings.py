"""What a portal answers about a connection: whose it is, what it may do, how much there is. Nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES
from airflow_provider_bitrix24.exceptions import RestError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.message_parts import one_line

Level = Literal["ok", "look", "wrong"]

#: Scopes that operators need, with what they are for. Without the first nothing works that this package is mostly for.
_SCOPES = {
    "crm": "CRM items and payments",
    "im": "messages to users and chats",
    "task": "tasks and their comments",
}
_NEEDED = "crm"
#: A clock that differs by more than this is worth a look: loads of changed rows, and limits, count by it.
_CLOCK_SECONDS = 30.0


@dataclass(frozen=True)
class Finding:
    """
    One line of the table.

    :param level: ``ok``; ``look``: a person should know it; ``wrong``: tasks will fail because of it.
    """

    name: str
    value: str
    level: Level = "ok"


def findings(client: Client, now: Callable[[], float]) -> Iterator[Finding]:
    """
    Ask, and yield each finding as it comes.

    :param now: Unix seconds.
    :raises Bitrix24Error: the portal does not accept the connection, or cannot be asked.
    """
    portal = client.portal
    yield Finding("portal", portal.address)
    # It is the first call: with a webhook or a token that is not accepted there is nothing else to say.
    profile, scopes = client.call("profile"), client.call("scope")
    yield from _who(client, profile)
    yield from _scopes(scopes)
    yield _plan(client)
    rate, burst = portal.bucket.rate, portal.bucket.burst
    yield Finding("requests", f"{burst:g} at once, then {rate:g} a second; up to {portal.parallel} under way")
    yield _clock(client, now)
    yield from _counts(client)
    share = client.operating_share()
    used = f"{100 * share:.0f} % of {portal.operating_budget_seconds:g} s in ten minutes used"
    yield Finding("operating time", used if share else "nothing used, or not counted by this portal")


def _who(client: Client, profile: Any) -> Iterator[Finding]:
    kind = "incoming webhook" if client.tokens is None else "OAuth application"
    # An inactive user has an empty profile, and PHP writes an empty object as [] ("profile").
    if not isinstance(profile, dict) or not profile:
        yield Finding("signs in as", f"{kind} of a user who is not active: create it again as an active one", "wrong")
        return
    name = " ".join(filter(None, (str(profile.get(key) or "") for key in ("NAME", "LAST_NAME")))) or "no name"
    yield Finding("signs in as", _shown(client, f"{kind} of {name}, user {profile.get('ID')}"))
    if profile.get("ADMIN") is True:
        yield Finding("administrator", "yes: sees everything")
    else:
        yield Finding("administrator", "no: lists silently leave out what this user may not see", "look")


def _scopes(scopes: Any) -> Iterator[Finding]:
    given = sorted(str(scope) for scope in scopes) if isinstance(scopes, list) else []
    for scope, use in _SCOPES.items():
        if scope in given:
            yield Finding(f"scope {scope}", f"yes: {use}")
        else:
            yield Finding(f"scope {scope}", f"no: {use} cannot be used", "wrong" if scope == _NEEDED else "look")
    others = [scope for scope in given if scope not in _SCOPES]
    yield Finding("other scopes", ", ".join(others) or "none")


def _plan(client: Client) -> Finding:
    try:
        info = client.call("app.info")
    except RestError as error:
        if error.retryable:
            raise
        # "app.info" is refused to webhooks by some portals.
        info = None
    licence = info.get("LICENSE") if isinstance(info, dict) else None
    return Finding("plan", _shown(client, str(licence)) if licence else "not said by this portal")


def _clock(client: Client, now: Callable[[], float]) -> Finding:
    before = now()
    answered = client.call("server.time")
    middle = (before + now()) / 2
    try:
        ahead = datetime.fromisoformat(str(answered)).timestamp() - middle
    except ValueError:
        return Finding("clock", "the portal does not say what time it is", "look")
    size = abs(ahead)
    # The portal's time has no fractions.
    if size < 2:
        return Finding("clock", "the same as here")
    where = "ahead of" if ahead > 0 else "behind"
    return Finding("clock", f"{size:,.0f} s {where} this computer", "look" if size > _CLOCK_SECONDS else "ok")


def _counts(client: Client) -> Iterator[Finding]:
    kinds = dict(ENTITY_TYPES)
    try:
        for each in client.list("crm.type.list"):
            kinds[f"{each['title']} ({each['entityTypeId']})"] = int(each["entityTypeId"])
    except RestError as error:
        yield Finding("smart processes", _shown(client, error.reason), "look")
    counted = client.batch(
        {word: ("crm.item.list", {"entityTypeId": n, "select": ["id"]}) for word, n in kinds.items()}
    )
    for word in kinds:
        name = f"items: {_shown(client, word)}"
        if word in counted.errors:
            yield Finding(name, _shown(client, counted.errors[word].reason), "look")
            continue
        total = counted.replies[word].total
        yield Finding(name, "not counted by this portal" if total is None else f"{total:,}")


def _shown(client: Client, text: str) -> str:
    """A text of the portal as it may be shown: a name may be anything, the webhook's address too."""
    return one_line(client.scrub(text))
