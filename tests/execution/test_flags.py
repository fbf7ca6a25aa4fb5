"""Arguments that are True or False, of all operators."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.get_provider_info import get_provider_info
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from tests.operators.context import context

OPERATORS: list[type[Bitrix24BaseOperator]] = [
    member
    for group in get_provider_info()["operators"]
    for name in group["python-modules"]
    for module in [import_module(name)]
    for _, member in inspect.getmembers(module, inspect.isclass)
    if issubclass(member, Bitrix24BaseOperator) and member.__module__ == name
]


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_names_all_its_arguments_that_are_true_or_false(operator):
    makers = [base.__init__ for base in operator.__mro__ if issubclass(base, Bitrix24BaseOperator)]
    parameters = [parameter for maker in makers for parameter in inspect.signature(maker).parameters.values()]
    assert {parameter.name for parameter in parameters if parameter.annotation == "bool"} == set(operator.flags)


@pytest.mark.parametrize("value", ["false", "", None, 1, "{{ params.missing_ok }}"])
def test_what_is_neither_true_nor_false_is_refused_and_nothing_is_sent(value: Any, portal, connection):
    before = portal.requests
    with pytest.raises(
        AirflowFailException, match=r"missing_ok must be True or False, not .*: write it without quotes"
    ):
        Bitrix24DeletePaymentOperator(task_id="delete", payment_id=999_999, missing_ok=value).execute(context())
    with pytest.raises(AirflowFailException, match="dry_run must be True or False"):
        Bitrix24DeletePaymentsOperator(task_id="delete", payment_ids=[999_999], dry_run=value).execute(context())
    assert portal.requests == before
