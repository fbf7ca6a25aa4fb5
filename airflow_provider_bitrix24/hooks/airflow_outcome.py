"""How a failure ends a task: retried by Airflow, or failed for good. The only place that decides it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error


@contextmanager
def airflow_outcome() -> Iterator[None]:
    """
    Let the errors in its block fail the task in the right way.

    An error that a retry cannot help (a missing right, a wrong argument, an object that is not there, a lost answer to
    what must not be repeated) becomes ``AirflowFailException``, which Airflow does not retry. Every other error is
    raised as it is, and the task's ``retries`` apply.

    :raises AirflowFailException: for a :class:`~airflow_provider_bitrix24.exceptions.Bitrix24Error` whose ``retryable``
        is False.
    """
    failure = None
    try:
        yield
    except Bitrix24Error as error:
        if error.retryable:
            raise
        failure = AirflowFailException(str(error))
    if failure is not None:
        # The message is complete, and a chain would print it twice.
        raise failure from None
