"""Airflow itself runs tasks that wait for limits: deferred, as ``dag.test()`` does it, with what they have done."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow import DAG

from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator
from tests.accelerated import accelerate_trigger, accelerated
from tests.rest.clients import Naps


def dag_of(name: str, operator: type, **arguments: Any) -> Any:
    with DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        operator(task_id="task", wait_for_limits="defer", retries=0, **arguments)
    return dag


def test_a_batch_that_is_deferred_three_times_does_nothing_twice(
    portal, connection, run_dag, xcom, task_instance, monkeypatch
):
    naps = Naps(portal)
    triggers = accelerate_trigger(naps, monkeypatch)
    commands = {f"add_{n}": ["crm.deal.add", {"fields": {"TITLE": f"Deal {n}"}}] for n in range(4)}
    for n in (1, 2, 3):
        portal.fault("operation_time_limit", "crm.deal.add", after=n)
    operator = accelerated(Bitrix24BatchOperator, naps)
    run = run_dag(dag_of("batch_deferred", operator, commands=commands, halt=True))
    task = task_instance(run, "task")
    assert (run.state, task.state, task.try_number) == ("success", "success", 1)
    assert len(triggers) == 3
    assert list(xcom(run, "task")["results"]) == list(commands)
    titles = [deal["title"] for deal in portal.items(2)]
    assert titles[-4:] == [f"Deal {n}" for n in range(4)]
    assert portal.executed("crm.deal.add") == 4
