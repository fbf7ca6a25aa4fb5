"""When what a limit has refused may be asked for again."""

from __future__ import annotations

from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error, OperationTimeLimit, QueryLimitExceeded

#: Where the portal does not say until when: its operating time is summed in buckets of a minute ("Limits").
BUCKET_SECONDS = 60.0
#: No limit lasts longer once the method rests: ten minutes, and the bucket that has begun.
LONGEST_SECONDS = 660.0


def seconds_to_limit_end(error: BaseException, now: float) -> float | None:
    """
    Seconds until what a limit has refused may be asked for again; None where no limit has refused it, or it may have
    run and must not be repeated.

    :param now: Unix seconds.
    """
    if isinstance(error, BatchError) and may_be_asked_again(error):
        several = [seconds_to_limit_end(inner, now) for inner in error.errors.values()]
        known = [seconds for seconds in several if seconds is not None]
        return max(known) if known and len(known) == len(several) else None
    if not isinstance(error, (OperationTimeLimit, QueryLimitExceeded)) or not may_be_asked_again(error):
        return None
    reset_at = error.reset_at if isinstance(error, OperationTimeLimit) else None
    return BUCKET_SECONDS if reset_at is None else min(max(reset_at - now, 1.0), LONGEST_SECONDS)


def may_be_asked_again(error: Bitrix24Error) -> bool:
    """Whether what ended with this error surely did not run, or may run twice."""
    return error.ran == "no" or error.retryable
