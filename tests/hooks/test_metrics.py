"""Requests in Airflow's metrics: names, tags and units, the switch, and a backend that fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_bitrix24 import _compat
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.operators.payment import Bitrix24DeletePaymentOperator
from tests.operators.context import context


class Backend:
    def __init__(self) -> None:
        self.received: list[tuple[str, Any, dict[str, str]]] = []

    def incr(self, stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
        self.received.append((stat, count, dict(tags or {})))

    def timing(self, stat: str, dt: Any, *, tags: dict[str, str] | None = None) -> None:
        self.received.append((stat, dt, dict(tags or {})))


class Failing:
    def incr(self, *parts: Any, **named: Any) -> None:
        raise RuntimeError("the backend is away")

    timing = incr


@pytest.fixture
def backend(monkeypatch) -> Backend:
    made = Backend()
    monkeypatch.setattr(_compat, "Stats", made, raising=False)
    return made


def test_a_request_is_counted_and_timed_by_method_and_outcome(portal, connection, backend):
    Bitrix24Hook().call("crm.deal.get", {"ID": 3})
    counter, timer = backend.received
    assert counter == ("bitrix24.requests", 1, {"method": "crm.deal.get", "outcome": "ok"})
    name, seconds, tags = timer
    assert (name, tags) == ("bitrix24.request.duration", {"method": "crm.deal.get"})
    assert timedelta(0) < seconds < timedelta(seconds=10)


@pytest.mark.parametrize("value", ["off", "OFF", "false", False, "no"])
def test_the_extra_turns_it_off(value, portal, connect, backend):
    connect(metrics=value)
    Bitrix24Hook().call("crm.deal.get", {"ID": 3})
    assert backend.received == []


@pytest.mark.parametrize("value", ["on", "true", True, None, ""])
def test_it_is_on_otherwise(value, portal, connect, backend):
    connect(metrics=value)
    Bitrix24Hook().call("crm.deal.get", {"ID": 3})
    assert backend.received != []


@pytest.mark.parametrize("value", ["perhaps", 7, ["on"]])
def test_another_value_is_refused_by_name(value, portal, connect):
    connect(metrics=value)
    with pytest.raises(Exception, match=r"the extra `metrics` is wrong: it must be on or off"):
        Bitrix24Hook().call("crm.deal.get", {"ID": 3})


def test_no_secret_and_no_value_is_in_what_is_given_to_the_backend(portal, connection, backend):
    Bitrix24DeletePaymentOperator(task_id="task", payment_id=1001).execute(context())
    assert backend.received
    # Not the times, whose digits may be any.
    shown = repr([(part[0], part[-1]) for part in backend.received])
    assert portal.admin.code not in shown
    assert "1001" not in shown


def test_a_backend_that_fails_changes_no_outcome(portal, connection, monkeypatch, all_output):
    monkeypatch.setattr(_compat, "Stats", Failing(), raising=False)
    assert Bitrix24DeletePaymentOperator(task_id="task", payment_id=1001).execute(context()) is True
    assert "Metrics are not counted any more: RuntimeError" in all_output.printed + all_output.records


def test_an_airflow_without_metrics_changes_no_outcome(portal, connection, monkeypatch):
    monkeypatch.delitem(vars(_compat), "Stats", raising=False)
    monkeypatch.setitem(_compat._PLACES, "Stats", ("airflow.no_such_module",))
    assert Bitrix24DeletePaymentOperator(task_id="task", payment_id=1001).execute(context()) is True


def test_what_airflows_statsd_logger_makes_of_it(portal, connection, monkeypatch):
    """It drops names that it finds wrong, and, without a form of tags, the tags."""
    try:
        from airflow.sdk._shared.observability.metrics.statsd_logger import SafeStatsdLogger
    except ImportError:
        from airflow.metrics.statsd_logger import SafeStatsdLogger
    client = Backend()
    client.timing = client.incr = lambda stat, *parts: client.received.append((stat, parts[0], {}))
    monkeypatch.setattr(_compat, "Stats", SafeStatsdLogger(client, influxdb_tags_enabled=False), raising=False)
    Bitrix24Hook().call("crm.deal.get", {"ID": 3})
    assert [name for name, _, _ in client.received] == [
        "bitrix24.requests",
        "bitrix24.request.duration",
    ]
