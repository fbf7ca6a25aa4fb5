"""What becomes of the result of a method: a part of it, or what a function of the DAG's author makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_bitrix24.exceptions import Bitrix24Error


def part_of(result: Any, path: str, method: str, *, retryable: bool) -> Any:
    """``item.id`` of ``{"item": {"id": 7}}`` is 7; a number takes an element of a list."""
    for step in path.split("."):
        try:
            result = result[int(step)] if isinstance(result, list) else result[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise Bitrix24Error(
                f"the result has no {step!r} of result_path {path!r}", method=method, ran="yes", retryable=retryable
            ) from None
    return result


def of_user(argument: str, function: Callable[[Any], Any], result: Any, method: str, again: bool) -> Any:
    """Call a function of the DAG's author with the result; if it raises, the method is not called again for that."""
    try:
        return function(result)
    except Exception as error:
        if again:
            raise
        raise Bitrix24Error(
            f"{argument} raised {type(error).__name__}, and the method has been done",
            method=method,
            ran="yes",
            retryable=False,
            next_step=f"fix {argument}, and do not run this again as it is",
        ) from error
