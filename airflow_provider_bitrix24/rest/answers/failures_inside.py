"""What is wrong with a good answer: a failure inside it, an empty result, or hits that were silently cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, IncompleteList, Invalid
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_error
from airflow_provider_bitrix24.rest.scrub import Scrub
from airflow_provider_bitrix24.types import Params

#: What a result is where the work is done, in words.
_PROMISES = {"true": "true", "true|false": "true or false", "id": "an id", "object": "an object"}


def check_number_of_values(method: Method, params: Params) -> None:
    """
    :raises ConfigurationError: the method would silently ignore some of the values; nothing was sent.
    """
    if method.max_values is None:
        return
    parameter, most = method.max_values
    for name, values in params.items():
        if name.lower() == parameter.lower() and isinstance(values, (list, tuple, Mapping)) and len(values) > most:
            raise ConfigurationError(
                f"{name} has {len(values)} values, and the portal silently ignores those after the first {most}",
                method=method.name,
                next_step=f"send {most} at most at once, many calls in a batch",
            )


def check_reply(reply: Reply, method: Method, scrub: Scrub) -> None:
    """
    :raises RestError: the good answer says that the method failed, or did its work only in part.
    :raises IncompleteList: it has as many hits as the method answers at most, so there may be more.
    """
    failure = (
        _failure_in(reply.result, method, scrub) or _broken_promise(reply.result, method) or _cut(reply.result, method)
    )
    if failure is not None:
        raise failure.but(method=method.name, request_id=reply.request_id)


def _failure_in(result: Any, method: Method, scrub: Scrub) -> Bitrix24Error | None:
    if method.fails_if is None:
        return None
    key, _, good = method.fails_if.partition("!=")
    value = result.get(key) if isinstance(result, Mapping) else None
    if good:
        if value == good:
            return None
        error = {"error": value, "error_description": f"{key} of the result is not {good}"}
        # What became of it is known only where the value has a rule of its own.
        refusal = read_error(error, method=method.name, status=None, request_id=None, scrub=scrub)
        return refusal if refusal.cause_known else refusal.but(ran="unknown")
    if not value:
        return None
    number = len(value) if isinstance(value, (list, Mapping)) else 1
    error = {"error": "", "error_description": f"{number} in {key!r} of the result: {value}"}
    return read_error(error, method=method.name, status=None, request_id=None, scrub=scrub).but(
        ran="unknown", next_step="the others are done"
    )


def _broken_promise(result: Any, method: Method) -> Bitrix24Error | None:
    """A result that lacks what its page shows: ``false`` says that it was not done, an empty one proves nothing."""
    key, _, promised = (method.promises or "").rpartition("=")
    where = "its result"
    if key and isinstance(result, Mapping) and key in result:
        where, result = f"{key} of its result", result[key]
    if not promised or result or (promised == "nothing" and result is not False and not method.null_fails):
        return None
    if result is False and promised == "true|false":
        return None
    if result is False or (result is None and method.null_fails):
        word = "null" if result is None else "false"
        return Invalid(f"the portal refused without a reason ({where} is {word})", cause_known=False)
    if promised == "nothing":
        return None
    word = "null" if result is None else json.dumps(result)
    return Invalid(
        f"{where} is {word} and not {_PROMISES[promised]}",
        cause_known=False,
        ran="unknown",
        next_step=f"it may have been done: look with {method.name.rpartition('.')[0]}.list before you run this again",
    )


def _cut(result: Any, method: Method) -> Bitrix24Error | None:
    if method.max_hits is None:
        return None
    for kind, hits in (result if isinstance(result, Mapping) else {"result": result}).items():
        if isinstance(hits, (list, Mapping)) and len(hits) >= method.max_hits:
            return IncompleteList(
                f"{kind} has {len(hits)} hits, and the method silently leaves out those after {method.max_hits}",
                rows=len(hits),
                next_step="ask for fewer values at once, or for one kind of object; allow_cut=True takes what came",
            )
    return None
