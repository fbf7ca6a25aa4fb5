"""Work that must not be done twice, over the tries of a task."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def once(
    context: Any,
    method: str,
    work: Callable[[], Result],
    *,
    before: Any = None,
    find: Callable[[Any, AnswerLost], Result] | None = None,
) -> Result:
    """
    Do ``work`` and return its result, a JSON value; or what an earlier try of this task has got for it.

    Airflow tries a task again whose process was killed or timed out, and such a try may have been at the portal. The
    task state store of Airflow 3.3 remembers that; elsewhere nothing outlives a try, and the next one begins anew, with
    a warning in its log.

    :param method: for messages.
    :param before: what ``find`` needs to know of the time before the work, a JSON value.
    :param find: called with ``before`` and the error to raise, where an earlier try may have done the work.
    :raises AnswerLost: an earlier try may have done it, and nothing tells; not retryable.
    """
    from airflow_provider_bitrix24.operators.checkpoint import checkpoint, is_repeated

    memory = checkpoint(context)
    if (done := memory.get("done")) is not None:
        result: Result = done["result"]
        return result
    if (intent := memory.get("intent")) is not None:
        lost = AnswerLost(
            "an earlier try of this task was killed or timed out while it called this method",
            method=method,
            retryable=False,
            next_step="look whether it was done before you clear the task",
        )
        if find is None:
            raise lost
        result = find(intent["before"], lost)
    else:
        if is_repeated(context) and not memory.lasting:
            log.warning(
                "%s: if an earlier try of this task was killed, it may have been done already: look there.", method
            )
        memory.put("intent", {"before": before})
        try:
            result = work()
        except Bitrix24Error:
            # It is known how this ended: there is a next try only where another one does no harm.
            memory.forget()
            raise
    memory.finish({"result": result})
    return result
