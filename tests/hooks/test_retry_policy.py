"""Each failure has its own delay before Airflow tries again: by a policy on Airflow 3.3, elsewhere by Airflow alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24 import exceptions
from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    BatchError,
    Bitrix24Error,
    ConfigurationError,
    NotSent,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    UnprovenLimit,
)
from airflow_provider_bitrix24.hooks.limit_end import seconds_to_limit_end
from airflow_provider_bitrix24.operators.rest import Bitrix24Operator
from tests.sleepless import sleepless

try:
    from airflow.sdk import RetryPolicy
except ImportError:
    RetryPolicy = None

NOW = 1_800_000_000.0
LIMIT = OperationTimeLimit("blocked", reset_at=NOW + 240)


def batch_error(*errors: Bitrix24Error) -> BatchError:
    return BatchError("failed", errors=dict(enumerate(errors)), results={})


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (LIMIT, 240),
        (OperationTimeLimit("blocked"), 60),
        (OperationTimeLimit("blocked", reset_at=NOW - 5), 1),
        (OperationTimeLimit("blocked", reset_at=NOW + 9e9), 660),
        (QueryLimitExceeded("full"), 60),
        (UnprovenLimit("a page"), 60),
        (UnprovenLimit("a page", retryable=False), None),
        (OperationTimeLimit("after an attempt that was lost", ran="unknown", retryable=False), None),
        (batch_error(LIMIT, QueryLimitExceeded("full")), 240),
        (batch_error(LIMIT, NotSent("no connection")), None),
        (batch_error(), None),
        (batch_error(LIMIT).but(retryable=False), None),
        (batch_error(LIMIT).but(retryable=False, ran="no"), 240),
        (NotSent("no connection"), None),
        (ValueError(), None),
    ],
)
def test_a_limit_is_waited_for_until_it_ends(error, seconds):
    assert seconds_to_limit_end(error, NOW) == seconds


def test_every_error_of_the_tree_is_decided():
    kinds = [kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Bitrix24Error)]
    waited = {kind.__name__ for kind in kinds if kind is not BatchError and seconds_to_limit_end(kind("x"), NOW)}
    assert waited == {"OperationTimeLimit", "QueryLimitExceeded", "UnprovenLimit"}


if RetryPolicy is not None:
    from airflow.sdk import RetryDecision

    from airflow_provider_bitrix24.hooks.retry_policy import Bitrix24RetryPolicy

    class Own(RetryPolicy):
        def evaluate(self, exception, try_number, max_tries, context=None):
            return RetryDecision.default()

    POLICY = Bitrix24RetryPolicy(clock=lambda: NOW)

    def decided(error: BaseException, try_number: int = 1, **task: Any) -> Any:
        task = {"retry_delay": timedelta(seconds=300), "retry_exponential_backoff": 0, **task}
        decision = POLICY.evaluate(error, try_number, 3, {"task": SimpleNamespace(**task)})
        delay = decision.retry_delay
        return (decision.action.value, None if delay is None else delay.total_seconds())

    @pytest.mark.parametrize(
        ("error", "try_number", "decision"),
        [
            (LIMIT, 1, ("retry", 240.0)),
            (batch_error(LIMIT), 1, ("retry", 240.0)),
            (NotSent("no connection"), 1, ("retry", 30.0)),
            (AnswerLost("reset"), 3, ("retry", 120.0)),
            (ServerFault("fault"), 99, ("retry", 600.0)),
            (batch_error(LIMIT, NotSent("no connection")), 2, ("retry", 60.0)),
            (AnswerLost("an add", retryable=False), 1, ("fail", None)),
            (ConfigurationError("wrong"), 1, ("fail", None)),
            (ConfigurationError("the secrets backend is away", retryable=True), 1, ("default", None)),
            (ValueError("not ours"), 1, ("default", None)),
        ],
    )
    def test_each_failure_has_its_own_delay(error, try_number, decision):
        assert decided(error, try_number) == decision

    @pytest.mark.parametrize("own", [{"retry_delay": timedelta(seconds=7)}, {"retry_exponential_backoff": 2}])
    def test_a_delay_of_the_author_is_kept_except_for_limits(own):
        assert decided(NotSent("no connection"), **own) == ("default", None)
        assert decided(LIMIT, **own) == ("retry", 240.0)

    def test_the_context_may_be_missing():
        assert POLICY.evaluate(NotSent("no connection"), 1, 3, None).retry_delay == timedelta(seconds=30)

    def test_operators_have_the_policy_unless_the_author_names_another():
        own = Own()
        with DAG("policies", schedule=None, start_date=datetime(2026, 1, 1), default_args={"retry_policy": own}):
            by_default_args = Bitrix24Operator(task_id="a", method="profile")
        assert by_default_args.retry_policy is own
        assert Bitrix24Operator(task_id="a", method="profile", retry_policy=own).retry_policy is own
        assert type(Bitrix24Operator(task_id="a", method="profile").retry_policy) is Bitrix24RetryPolicy

    def test_airflow_asks_the_policy_and_keeps_its_delay(portal, connection, airflow_db, task_instance, monkeypatch):
        from airflow.sdk.execution_time import task_runner

        from tests.fixtures.airflow import _register

        # The network comes back within the delay of the first retry, which is shortened here and nowhere else.
        monkeypatch.setattr("airflow_provider_bitrix24.hooks.retry_policy.FIRST_SECONDS", 0.5)
        decisions = []
        asked = task_runner._evaluate_retry_policy
        monkeypatch.setattr(
            task_runner, "_evaluate_retry_policy", lambda *given: decisions.append(asked(*given)) or decisions[-1]
        )
        portal.fault("error", "profile", times=4)
        with DAG("asks_policy", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
            sleepless(Bitrix24Operator)(task_id="task", method="profile", result_path="ID", retries=1)
        _register(dag)
        run = dag.test()
        assert run.state == "success"
        assert [decision.retry_delay for decision in decisions] == [timedelta(seconds=0.5)]
        assert task_instance(run, "task").try_number == 2
