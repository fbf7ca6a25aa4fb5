"""Work that must not be done twice, over the tries of a task."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import checkpoint, digest_of, is_repeated
from airflow_provider_bitrix24.rest.message_parts import preview

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def once(
    context: Any,
    method: str,
    params: Any,
    work: Callable[[], Result],
    *,
    before: Any = None,
    find: Callable[[Any, Bitrix24Error], Result] | None = None,
) -> Result:
    """
    Do ``work`` and return its result, a JSON value; or the result of an earlier try of this task.

    Airflow tries a task again whose process was killed or timed out, and such a try may have been at the portal. The
    task state store of Airflow 3.3 remembers that; elsewhere nothing outlives a try, and the next one starts over, with
    a warning in its log.

    :param method: for messages.
    :param params: what the method is given; an earlier result with other ones is not taken for this one.
    :param before: what ``find`` needs to know of the time before the work, a JSON value.
    :param find: called with ``before`` and the error to raise, where this try or an earlier one may have done the work.
    :raises AnswerLost: an earlier try may have done it, and nothing tells; not retryable.
    :raises ConfigurationError: an earlier try has done it with other params.
    """
    memory, digest = checkpoint(context), digest_of(method, params)
    if (done := memory.get("done")) is not None:
        if done["params"] != digest:
            raise ConfigurationError(
                f"an earlier try of this task has called this method with other params (result: "
                f"{preview(done['result'])}), and both would be there",
                method=method,
                next_step="look at what was done; a task that is cleared calls the method again",
            )
        earlier: Result = done["result"]
        return earlier
    lost: Bitrix24Error
    intent = memory.get("intent")
    if intent is not None and not intent["over"]:
        before = intent["before"]
        lost = AnswerLost(
            "an earlier try of this task was killed or timed out while it called this method",
            method=method,
            retryable=False,
            next_step="check whether it was done before you clear the task",
        )
    else:
        if is_repeated(context) and not memory.lasting:
            log.warning(
                "%s: if an earlier try of this task was killed, it may have been done already: look there.", method
            )
        memory.put("intent", {"before": before, "over": False})
        try:
            result = work()
        except Bitrix24Error as error:
            if find is None or error.ran != "unknown":
                # It is known how this ended: there is a next try only where another one does no harm.
                memory.put("intent", {"before": None, "over": True})
                raise
            lost = error
        else:
            memory.put("done", {"params": digest, "result": result})
            return result
    if find is None:
        raise lost
    try:
        result = find(before, lost)
    except Bitrix24Error as error:
        if error is lost or memory.lasting:
            # The next try looks again.
            raise
        unread = error
    else:
        memory.put("done", {"params": digest, "result": result})
        return result
    raise lost.but(advice=f"(it could not be looked for: {unread.reason})")


@contextmanager
def after(context: Any, done: str, hint: str) -> Iterator[None]:
    """
    Around what a task does once its work that must not be done twice is done.

    Where a limit or the network gets in the way, a retry may go on from there only if the next try knows of the work.

    :param done: what is done, for the message: ``payment 1035 was added``.
    :param hint: what a person can do where no retry comes.
    """
    try:
        yield
    except Bitrix24Error as error:
        if error.ran == "yes":
            # What was done is wrong, and the message says so.
            raise
        may_retry = error.retryable and checkpoint(context).lasting
        then = "a retry goes on with it and adds no other, a cleared task adds another" if may_retry else hint
        failure = error.but(retryable=may_retry, advice=f"{done}: {then}")
    else:
        return
    raise failure
