"""A sensor for any method that only reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, required
from airflow_provider_bitrix24.execution.commands import check_is_read, parameters_of
from airflow_provider_bitrix24.execution.literals import is_literal
from airflow_provider_bitrix24.execution.rendered import check_filter, check_lost_values, check_own_params
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.sensors.base_sensor import Bitrix24BaseSensor

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.answers.reply import Reply
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.triggers.watch import Verdict, Watch


class Bitrix24Sensor(Bitrix24BaseSensor):
    """
    Call a method that only reads, again and again, until a condition on its result holds.

    Returns what was seen at the condition's ``result_path``, for a condition that counts the rows of the first page; up
    to 48 KiB, else nothing, with a warning.

    :param method: e.g. ``"tasks.task.get"``; templated. One that is not known to read only is refused.
    :param method_params: the method's parameters, an object or its JSON text; templated.
    :param condition: ``{"result_path": "task.status", "operator": "=", "value": "5"}``, ``"any row"`` or
        ``"count >= 3"``; templated. Operators: ``=``, ``!=``, ``>``, ``>=``, ``<``, ``<=``, ``in``, ``not in``,
        ``empty``, ``not empty``, ``any row``, and ``count`` with ``=``, ``>``, ``>=``, ``<``, ``<=``. Or a function
        that is called with the result and returns something true: in a worker only, since it cannot travel.
    :param fail_when: a condition, and no function, with which the waiting is over and the task fails, without retry;
        templated.
    :param deferrable: wait in the triggerer and hold no worker; as ``[operators] default_deferrable`` says by default.
    :param tolerated_failures: see :class:`Bitrix24BaseSensor`, as for Airflow's own arguments of every sensor.
    :raises AirflowFailException: it can no longer come true (``fail_when``, an object that is not there, a missing
        right, a place that the result does not have), or an argument is wrong.
    :raises AirflowSensorTimeout: it did not come true within ``timeout``; not retried.
    :raises Bitrix24Error: the network or a fault of the portal, more often than ``tolerated_failures``: the task's
        ``retries`` apply.

    Source: Bitrix24 REST docs, "How to call REST methods".
    """

    template_fields: Sequence[str] = ("method", "method_params", "condition", "fail_when", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "method_params": "json",
        "condition": "json",
        "fail_when": "json",
    }

    def __init__(
        self,
        *,
        method: str,
        condition: Mapping[str, Any] | str | Callable[[Any], Any],
        method_params: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        fail_when: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        deferrable: bool | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        if callable(condition):
            with airflow_outcome():
                _check_stays(deferrable)
            # Airflow's setting is for what can be deferred.
            deferrable = False
        super().__init__(deferrable=deferrable, **kwargs)
        self.method = method
        self.method_params = self.given(method_params, "method_params")
        self._function = condition if callable(condition) else None
        # Airflow calls a function that it finds in a templated field.
        self.condition = self.given(condition, "condition")
        if callable(condition):
            self.condition = f"{getattr(condition, '__name__', 'function')}()"
        self.fail_when = self.given(fail_when, "fail_when")
        self._made_with = frozenset(self.params)
        self._takes_params = method_params is not NOT_GIVEN or "params" in f"{method} {self.condition} {fail_when}"

        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            if is_literal(self.method):
                check_is_read(self.method)
                if self.method_params is not None and is_literal(self.method_params):
                    _check_filter(parameters_of(self.method, self.method_params, "method_params"), self.method)

    def watch(self, client: Client) -> Watch:
        # Only the run needs them.
        from airflow_provider_bitrix24.rest.encoding import plain
        from airflow_provider_bitrix24.rest.structured_parameters import check_structures
        from airflow_provider_bitrix24.triggers.watch import Watch

        method = client.method(required(self.method, "method"))
        check_own_params(self, takes=self._takes_params, made_with=self._made_with)
        params = parameters_of(method.name, self.method_params, "method_params")
        check_is_read(method.name)
        if method.repeat_for(params) != "read":
            raise ConfigurationError(
                "it changes something, or is not known to read, and a sensor calls it again and again",
                method=method.name,
                next_step="wait with a method such as crm.item.get, and change things in a task of their own",
            )
        written = self.as_written("method_params")
        check_filter(params, written, "method_params", method, sent_as_it_is=True)
        _check_filter(params, method.name)
        check_lost_values(params, written, "method_params", method)
        check_structures(method, params)
        client.check_list(method.name, params)
        return Watch(
            method.name,
            plain(params, method=method.name),
            None if self._function else self.condition_in("condition"),
            self.condition_in("fail_when"),
        )

    def judge(self, watch: Watch, outcome: Reply | Bitrix24Error) -> Verdict:
        return watch.judge(outcome, self._function)


def _check_filter(params: Mapping[str, Any], method: str) -> None:
    """
    :raises ConfigurationError: a condition of the filter would not mean what it says. An empty list is one: whether the
        portal finds everything with it or nothing, nobody waits for that.
    """
    # Only a sensor with a filter needs it.
    from airflow_provider_bitrix24.rest.conditions import check_conditions

    for name, filter_ in params.items():
        if name.lower() == "filter":
            check_conditions(filter_, f"method_params[{name}]", method=method, drops_empty_lists=True)


def _check_stays(deferrable: bool | NotGiven) -> None:
    """
    :raises ConfigurationError: a sensor whose condition is a function is to be deferred.
    """
    if deferrable is True:
        raise ConfigurationError(
            "condition is a function, which cannot travel to the triggerer",
            next_step='write it as {"result_path": "item.stageId", "operator": "=", "value": "WON"}, "any row" or '
            '"count >= 3"; or set deferrable=False, with mode="reschedule" to free the worker between two looks',
        )
