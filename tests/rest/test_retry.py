"""When to try again and how long to wait: tables, and nobody waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    ConfigurationError,
    ExpiredToken,
    Forbidden,
    IncompleteList,
    Invalid,
    NotFound,
    NotSent,
    OperationTimeLimit,
    PortalMoved,
    QueryLimitExceeded,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.retry import PATIENCE_SECONDS, Doubling, delay_before_retry

NOW = 1_790_000_000.0
LOST = [1.0, 2.0, 4.0, None]
NEVER = [None]


def delays(error: Bitrix24Error, *, repeatable: bool, patience_seconds: float = PATIENCE_SECONDS) -> list[float | None]:
    """The delays after the first, second, … attempt that failed, up to the first None."""
    result: list[float | None] = []
    while not result or result[-1] is not None:
        result.append(
            delay_before_retry(
                error, len(result) + 1, repeatable=repeatable, patience_seconds=patience_seconds, now=NOW
            )
        )
    return result


@pytest.mark.parametrize(
    ("rule", "waits"),
    [
        (Doubling(first=1.0, cap=8.0, attempts=6), [1, 2, 4, 8, 8, None]),
        (Doubling(first=0.5, cap=5.0, attempts=3), [0.5, 1.0, None]),
        (Doubling(first=1.0, cap=1.0, attempts=1), [None]),
    ],
)
def test_waits_double_up_to_the_cap_and_end_after_the_last_attempt(rule, waits):
    assert [rule(attempt) for attempt in range(1, len(waits) + 1)] == waits


#: What happened -> waits where running the method twice does no harm, and where it does.
TABLE: list[tuple[Bitrix24Error, list[float | None], list[float | None]]] = [
    # Surely did not run: repeated whatever the method.
    (QueryLimitExceeded("full"), [1, 2, 4, 8, 8, None], [1, 2, 4, 8, 8, None]),
    (NotSent("refused"), [0.5, 1.0, None], [0.5, 1.0, None]),
    (OperationTimeLimit("used up", reset_at=NOW + 10), [10, 10, None], [10, 10, None]),
    (OperationTimeLimit("used up", reset_at=NOW - 10), [1, 1, None], [1, 1, None]),
    (ServerFault("no authorization server", ran="no"), LOST, LOST),
    (Unauthorized("away", code="authorization_error"), [1, 2, None], [1, 2, None]),
    (Unauthorized("away", code="AUTHORIZATION_ERROR"), [1, 2, None], [1, 2, None]),
    # May have run: only where twice is as good as once.
    (AnswerLost("reset"), LOST, NEVER),
    (ServerFault("INTERNAL_SERVER_ERROR"), LOST, NEVER),
    # Asking again is useless.
    (AnswerLost("page", retryable=False), NEVER, NEVER),
    (NotSent("certificate", retryable=False), NEVER, NEVER),
    (OperationTimeLimit("used up, nobody knows until when"), NEVER, NEVER),
    (OperationTimeLimit("used up for long", reset_at=NOW + 31), NEVER, NEVER),
    *(
        (error, NEVER, NEVER)
        for error in (
            ConfigurationError("x"),
            PortalMoved("x"),
            Unauthorized("x", code="INVALID_CREDENTIALS"),
            Unauthorized("x"),
            ExpiredToken("x"),
            Forbidden("x"),
            NotFound("x"),
            Invalid("x"),
            Invalid("x", ran="unknown"),
            Blocked("x", code="OVERLOAD_LIMIT"),
            IncompleteList("x"),
        )
    ),
]


@pytest.mark.parametrize(("error", "harmless", "harmful"), TABLE, ids=[repr(row[0]) for row in TABLE])
def test_did_it_run_decides_whether_to_try_again(error, harmless, harmful):
    assert delays(error, repeatable=True) == harmless
    assert delays(error, repeatable=False) == harmful


@pytest.mark.parametrize(
    ("error", "patience_seconds", "waits"),
    [
        (QueryLimitExceeded("full"), 4.0, [1, 2, 4, None]),
        (QueryLimitExceeded("full"), 3.9, [1, 2, None]),
        (AnswerLost("reset"), 0.0, [None]),
        (OperationTimeLimit("used up", reset_at=NOW + 31), 31.0, [31, 31, None]),
    ],
)
def test_what_takes_longer_than_the_patience_is_given_up(error, patience_seconds, waits):
    assert delays(error, repeatable=True, patience_seconds=patience_seconds) == waits


@given(
    st.sampled_from(TABLE).map(lambda row: row[0]),
    st.integers(1, 1000),
    st.booleans(),
    st.floats(0, 1e6, allow_nan=False),
)
def test_no_wait_is_negative_or_beyond_the_patience(error, attempt, repeatable, patience_seconds):
    delay = delay_before_retry(error, attempt, repeatable=repeatable, patience_seconds=patience_seconds, now=NOW)
    assert delay is None or 0 <= delay <= patience_seconds


def test_the_patience_of_one_call_is_half_a_minute():
    assert PATIENCE_SECONDS == 30.0
