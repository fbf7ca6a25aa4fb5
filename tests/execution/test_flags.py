"""Impossible arguments that are not templates: they fail when the DAG is parsed."""

from __future__ import annotations

import inspect
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.execution.base_operator import Bitrix24ConnectedOperator
from airflow_provider_bitrix24.get_provider_info import get_provider_info
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator

INFO = get_provider_info()
#: Of all of them: operators, sensors, transfers.
OPERATORS: list[type[Bitrix24ConnectedOperator]] = [
    member
    for name in [
        *(module for kind in ("operators", "sensors") for group in INFO[kind] for module in group["python-modules"]),
        *(transfer["python-module"] for transfer in INFO["transfers"]),
    ]
    for _, member in inspect.getmembers(import_module(name), inspect.isclass)
    # The module first: to Python 3.10, `dict[str, Any]` under a name of the module is a class.
    if member.__module__ == name and issubclass(member, Bitrix24ConnectedOperator)
]


def parameters_of(operator: type[Bitrix24ConnectedOperator]) -> dict[str, inspect.Parameter]:
    makers = [base.__init__ for base in reversed(operator.__mro__) if issubclass(base, Bitrix24ConnectedOperator)]
    return {name: given for maker in makers for name, given in inspect.signature(maker).parameters.items()}


FLAGS = [
    (operator, name)
    for operator in OPERATORS
    for name, parameter in parameters_of(operator).items()
    if parameter.annotation == "bool"
]


@pytest.mark.parametrize(("operator", "name"), FLAGS)
@pytest.mark.parametrize("value", ["false", "", None, 1, "{{ params.missing_ok }}"])
def test_what_is_neither_true_nor_false_fails_when_the_dag_is_parsed(operator, name, value):
    others = {
        other: 1
        for other, parameter in parameters_of(operator).items()
        if parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
    }
    with pytest.raises(AirflowFailException, match=rf"{name} must be True or False, not .*: write it without quotes"):
        operator(task_id="task", **others, **{name: value})


def test_every_operator_with_a_flag_is_tried():
    assert len({operator for operator, _ in FLAGS}) > 10


@pytest.mark.parametrize(
    ("operator", "arguments", "hint"),
    [
        (Bitrix24BatchOperator, {"commands": {}, "on_error": "Fail"}, "on_error is 'Fail': write one of: 'fail'"),
        (Bitrix24DeletePaymentsOperator, {"payment_ids": [1], "on_error": "stop"}, "on_error is 'stop'"),
        (Bitrix24Operator, {"method": "profile", "version": "3"}, "version is '3': write one of: 2, 3"),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "version": 1}, "version is 1"),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": [], "operation": "upsert"}, "operation is 'upsert'"),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": [], "blank": "null"}, "blank is 'null'"),
        (Bitrix24BulkWriteOperator, {"method": "crm.deal.add", "entity_type_id": 2, "rows": []},
         "give either method or entity_type_id"),
    ],
)  # fmt: skip
def test_an_impossible_argument_fails_when_the_dag_is_parsed(operator, arguments, hint):
    with pytest.raises(AirflowFailException) as caught:
        operator(task_id="task", **arguments)
    assert hint in str(caught.value)


def test_of_a_mapped_task_it_fails_when_the_task_begins_and_is_not_retried(portal, connection, run_dag, task_instance):
    with DAG("mapped_flag", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24DeletePaymentOperator.partial(task_id="task", payment_id=1001, retries=2).expand(missing_ok=["false"])
    task: Any = task_instance(run_dag(dag), "task", 0)
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.requests == 0
