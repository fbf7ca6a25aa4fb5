"""What a failure means for the person who reads it; where only the portal knows, it is asked once."""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Forbidden,
    Invalid,
    NotFound,
    RestError,
    ServerFault,
)
from airflow_provider_bitrix24.methods import Method, Methods
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.scrub import Scrub
from airflow_provider_bitrix24.types import Params

log = logging.getLogger(__name__)

#: The portal's list may hold anything; what is not the name of a scope, or far too much, is left out.
_SCOPE, _MOST_SCOPES = re.compile(r"[A-Za-z0-9_.-]{1,40}"), 200

#: What controllers say of a parameter ("payments: success or failure").
_MISSING_PARAMETER = re.compile(r"Could not find value for parameter \{(\w{1,60})\}", re.ASCII)

#: Asks the portal once, without repeating.
Ask = Callable[[str, Params], Any]


def diagnose(
    failure: Bitrix24Error,
    method: Method,
    params: Params,
    *,
    methods: Methods,
    ask: Ask,
    scrub: Scrub,
    lost: Bitrix24Error | None = None,
    was_there: bool = False,
) -> Bitrix24Error:
    """
    Return ``failure`` with a hint, or a more exact error in its place.

    A lost answer of what must not be repeated is not retryable either.

    :param scrub: takes secrets out of what the portal sends.
    :param lost: an earlier attempt of the same call that may have run: a refusal without a known cause may come of it.
    :param was_there: whether the same call could read the object after an attempt that may have run.
    """
    if isinstance(failure, (AnswerLost, ServerFault)) and failure.ran != "no":
        if method.repeat_for(params) == "never":
            return failure.but(retryable=False, advice=_check_first(method, methods))
        return failure.but(advice=f"the {_object_name(method)} may already be deleted") if deletes(method) else failure
    if isinstance(failure, Forbidden) and (failure.code or "").upper().endswith(("_SCOPE", "SCOPEEXCEPTION")):
        return failure.but(advice=scrub(_scope_hint(method, ask)))
    if isinstance(failure, Invalid) and (missing := _MISSING_PARAMETER.search(failure.description)):
        return failure.but(next_step=_parameter_hint(missing[1], params))
    if method.lookup is not None and isinstance(failure, RestError) and not failure.cause_known:
        return _looked_up(failure, method, method.lookup, params, ask, lost, was_there)
    return failure


def is_empty(found: Any) -> bool:
    """
    Whether the answer of a look-up holds no object, ``[]`` or ``{"task": null}``: it is gone, or must not be seen.

    Source: ``tasks.task.get``: "an empty array if the task does not exist or the user does not have access to it".
    """
    return not found or (isinstance(found, Mapping) and not any(found.values()))


def done_earlier(method: Method, failure: Bitrix24Error) -> Reply:
    """The answer of a delete whose own answer was lost, and which has turned out to be done."""
    log.info("%s: an earlier attempt succeeded, although its answer was lost (%s).", method.name, failure.reason)
    return Reply(copy.copy(method.done), request_id=failure.request_id, repeated=True)


def needs_lookup(failure: Bitrix24Error, method: Method) -> bool:
    """Whether only reading the object shows what the portal's refusal means."""
    return method.lookup is not None and isinstance(failure, RestError) and not failure.cause_known


def deletes(method: Method) -> bool:
    return str(method.name).lower().endswith(".delete")


def _object_name(method: Method) -> str:
    """``crm.item.payment.delete`` -> payment."""
    parts = method.name.split(".")
    return parts[-2] if len(parts) > 1 else "object"


def identifying_params(params: Params) -> Params:
    """Return the parameters of a change that identify the object."""
    return {key: value for key, value in params.items() if not isinstance(value, (dict, list, tuple))}


def _looked_up(
    failure: RestError,
    method: Method,
    lookup: str,
    params: Params,
    ask: Ask,
    lost: Bitrix24Error | None,
    was_there: bool,
) -> Bitrix24Error:
    """Read the object of a refusal whose cause is in no words that we know: the answer is the same in any language."""
    name = _object_name(method)
    try:
        found = ask(lookup, identifying_params(params))
    except NotFound as missing:
        return _not_found(failure, missing.description)
    except Bitrix24Error as error:
        if lost is not None:
            return lost.but(advice=f"{_refused_again(failure)}; the {name} may already be deleted")
        if not isinstance(error, RestError):
            return failure
        return failure.but(
            next_step=f"the {name} cannot be read either: there is none with this id, or the connection's user has no "
            "right to it; this portal does not say which"
        )
    if is_empty(found):
        if was_there:
            return _not_found(failure, f"{lookup} does not find it any more")
        if lost is not None:
            return lost.but(advice=f"{_refused_again(failure)}, and {not_found_or_hidden(method)}")
        return failure.but(next_step=f"{not_found_or_hidden(method)}; this portal does not say which")
    fields = {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else {}
    paid = fields.get("paid") == "Y" and deletes(method)
    right = "check whether the connection's user has the right to change it"
    hint = "it is paid, so unpay it first" if paid else right
    return failure.but(
        cause_known=True,
        paid=paid,
        next_step=f"the {name} exists and can be read, so the change itself was refused: {hint}",
    )


def _refused_again(failure: RestError) -> str:
    return f"the {failure.method} that was sent after it was refused ({failure.reason})"


def not_found_or_hidden(method: Method) -> str:
    """What the empty answer of a look-up means."""
    return (
        f"{method.lookup} finds no {_object_name(method)} with this id: there is none, or the connection's user has no "
        "right to it"
    )


def _not_found(failure: RestError, hint: str) -> NotFound:
    return NotFound(
        failure.reason,
        method=failure.method,
        code=failure.code,
        description=failure.description,
        status=failure.status,
        request_id=failure.request_id,
        next_step=hint,
    )


def _parameter_hint(name: str, params: Params) -> str:
    """
    :param name: of a parameter that the portal misses.
    """

    def plain(text: object) -> str:
        return str(text).replace("_", "").strip().lower()

    spelled = next((str(given) for given in params if plain(given) == plain(name)), None)
    if spelled is None:
        return f"give the parameter {name}"
    return f"write {name} and not {spelled}: this method reads the names of its parameters letter by letter"


def _scope_hint(method: Method, ask: Ask) -> str:
    tick = f'tick "{method.scope}"' if method.scope else "tick the scope of this method"
    try:
        scopes = ask("scope", {})
    except Bitrix24Error:
        scopes = None
    names = [name for name in map(str, scopes) if _SCOPE.fullmatch(name)] if isinstance(scopes, list) else []
    has = f" (it has: {', '.join(names[:_MOST_SCOPES]) or 'none'})" if isinstance(scopes, list) else ""
    return f"{tick} in the permissions of the webhook or application{has}"


def _check_first(method: Method, methods: Methods) -> str:
    family, _, _ = method.name.rpartition(".")
    where = f"with {family}.list" if family and methods.find(f"{family}.list").rows else "at the portal"
    return f"it may have been done: check {where} before you run this again"
