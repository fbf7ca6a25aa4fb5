"""The one place that turns our exceptions into Airflow's outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error


@contextmanager
def airflow_outcome() -> Iterator[None]:
    """
    Let a task fail as it should.

    What no retry can heal (permission, authorization, arguments, not found, blocked, a lost answer of what must not be
    repeated) becomes ``AirflowFailException``, which Airflow does not retry. Everything else is raised as it is, and
    the task's ``retries`` apply.
    """
    failure = None
    try:
        yield
    except Bitrix24Error as error:
        if error.retryable:
            raise
        failure = AirflowFailException(str(error))
    if failure is not None:
        # The message says it all, and a chain would print it twice.
        raise failure from None
