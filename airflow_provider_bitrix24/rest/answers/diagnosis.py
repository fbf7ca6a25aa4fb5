"""What a person needs to know of a failure, and where it takes a question to the portal to know it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Forbidden,
    NotFound,
    RestError,
    ServerFault,
)
from airflow_provider_bitrix24.methods import Method, Methods
from airflow_provider_bitrix24.rest.scrub import Scrub
from airflow_provider_bitrix24.types import Params

#: The portal's list may hold anything; what is no name of a scope, or far too much, is left out.
_SCOPE, _MOST_SCOPES = re.compile(r"[A-Za-z0-9_.-]{1,40}"), 200

#: Asks the portal once, without repeating.
Ask = Callable[[str, Params], Any]


def explained(
    failure: Bitrix24Error,
    known: Method,
    params: Params,
    *,
    methods: Methods,
    ask: Ask,
    scrub: Scrub,
    lost: Bitrix24Error | None = None,
) -> Bitrix24Error:
    """
    Return ``failure`` with its next step, or a more exact error in its place.

    A lost answer of what must not be repeated is not retryable either.

    :param scrub: takes secrets out of what the portal tells.
    :param lost: an earlier attempt of the same call that may have run: a refusal whose cause nobody can tell may come
        from that.
    """
    if isinstance(failure, (AnswerLost, ServerFault)) and failure.ran != "no":
        if known.repeat_for(params) == "never":
            failure.retryable = False
            return failure.advise(_look_first(known, methods))
        return failure.advise(f"the {noun(known)} may already be deleted") if deletes(known) else failure
    if isinstance(failure, Forbidden) and (failure.code or "").upper().endswith(("_SCOPE", "SCOPEEXCEPTION")):
        return failure.advise(scrub(_scopes(known, ask)))
    if known.lookup is not None and isinstance(failure, RestError) and needs_a_look(failure, known):
        return _refused(failure, known, known.lookup, params, ask, lost)
    return failure


def needs_a_look(failure: Bitrix24Error, known: Method) -> bool:
    """Whether only reading the object tells what the portal's refusal means."""
    return known.lookup is not None and isinstance(failure, RestError) and not failure.cause_known


def deletes(known: Method) -> bool:
    return str(known.name).lower().endswith(".delete")


def noun(known: Method) -> str:
    """``crm.item.payment.delete`` -> payment."""
    parts = known.name.split(".")
    return parts[-2] if len(parts) > 1 else "object"


def identifying(params: Params) -> Params:
    """What names the object among the parameters of a change."""
    return {key: value for key, value in params.items() if not isinstance(value, (dict, list, tuple))}


def _refused(
    failure: RestError, known: Method, lookup: str, params: Params, ask: Ask, lost: Bitrix24Error | None
) -> Bitrix24Error:
    """A refusal whose cause the portal did not name in words we know: reading the object tells, in any language."""
    name = noun(known)
    try:
        found = ask(lookup, identifying(params))
    except NotFound as missing:
        return NotFound(
            failure.reason,
            method=failure.method,
            code=failure.code,
            description=failure.description,
            status=failure.status,
            request_id=failure.request_id,
            next_step=missing.description,
        )
    except Bitrix24Error as error:
        if lost is not None:
            return lost.advise(f"then {failure.reason}; the {name} may already be deleted")
        if not isinstance(error, RestError):
            return failure
        failure.next_step = (
            f"the {name} cannot be read either: there is none with this id, or the connection's user has no right to "
            "it; this portal does not tell which"
        )
        return failure
    fields = {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else {}
    failure.cause_known = True
    failure.next_step = f"the {name} exists and can be read, so the change itself was refused: "
    if fields.get("paid") == "Y" and deletes(known):
        failure.next_step += "it is paid, so unpay it first"
    else:
        failure.next_step += "look whether the connection's user has the right to change it"
    return failure


def _scopes(known: Method, ask: Ask) -> str:
    tick = f"tick «{known.scope}»" if known.scope else "tick the scope of this method"
    try:
        granted = ask("scope", {})
    except Bitrix24Error:
        granted = None
    names = [name for name in map(str, granted) if _SCOPE.fullmatch(name)] if isinstance(granted, list) else []
    has = f" (it has: {', '.join(names[:_MOST_SCOPES]) or 'none'})" if isinstance(granted, list) else ""
    return f"{tick} in the permissions of the webhook or application{has}"


def _look_first(known: Method, methods: Methods) -> str:
    family, _, _ = known.name.rpartition(".")
    where = f"with {family}.list" if family and methods.find(f"{family}.list").rows else "at the portal"
    return f"it may have been done: look {where} before you run this again"
