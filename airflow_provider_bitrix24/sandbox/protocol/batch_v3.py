"""
``batch`` of REST 3.0: a JSON array of calls, run in order until one fails.

The answer is then that one error, although earlier calls have taken effect. A call named with ``as`` can be referred to
by later ones.

Source: Bitrix24 REST docs, "REST 3.0", public copies of the server, and the official JavaScript SDK for references.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Method, Params
from airflow_provider_bitrix24.sandbox.methods.tasks.task_fields_v3 import invalid

#: Runs one call of a batch and returns its ``result``.
RunCall: TypeAlias = Callable[[Method, Params], Any]
#: Finds a method by its name, or raises :class:`Refusal`.
FindMethod: TypeAlias = Callable[[str], Method]


def run_batch(params: Params, find: FindMethod, run_call: RunCall) -> list[Any]:
    """
    The results in the order of the calls.

    :raises Refusal: of the first call that fails, or because one is none: then nothing has run.
    """
    calls = [as_map(call) for call in params.values()]
    if not calls:
        raise invalid("method", "Required field `method` is not specified")
    methods = [find(str(call.get("method"))) for call in calls]
    named: dict[str, Any] = {}
    results = []
    for entry, call in zip(methods, calls, strict=True):
        result = run_call(entry, as_map(_resolved(call.get("query"), named)))
        results.append(result)
        if call.get("as"):
            named[str(call["as"])] = result
    return results


def _resolved(value: Any, named: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, named) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$ref"}:
        return _look_up(str(value["$ref"]), named)
    if set(value) == {"$refArray"}:
        alias, _, field = str(value["$refArray"]).partition(".")
        return [as_map(item).get(field) for item in as_map(_look_up(f"{alias}.items", named)).values()]
    return {key: _resolved(item, named) for key, item in value.items()}


def _look_up(path: str, named: dict[str, Any]) -> Any:
    value: Any = named
    for key in path.split("."):
        children = as_map(value)
        if key not in children:
            raise invalid("query", f"Reference `{path}` is not found")
        value = children[key]
    return value
