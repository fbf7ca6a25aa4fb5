"""Operators with a client that does not wait between attempts."""

from __future__ import annotations

from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from airflow_provider_bitrix24.rest.client import Client


class SleeplessHook(Bitrix24Hook):
    def get_conn(self) -> Client:
        return Client(self.get_portal(), sleep=lambda seconds: None)


def sleepless(operator: type) -> type:
    """The same operator, whose client does not wait."""
    return type(operator.__name__, (operator,), {"hook": property(lambda self: SleeplessHook(self.bitrix24_conn_id))})


class SleeplessDelete(Bitrix24DeletePaymentOperator):
    @property
    def hook(self) -> Bitrix24Hook:
        return SleeplessHook(self.bitrix24_conn_id)
