"""What all operators share: the connection, the client, and how a task fails or is killed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import BaseOperator
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, required
from airflow_provider_bitrix24.execution.rendered import as_written, check_texts, is_shared
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_missing

if TYPE_CHECKING:
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_bitrix24.rest.client import Client

#: Arguments that name the object of a task.
_NAMING = ("method", "entity_type_id", "item_id", "entity_id", "payment_id", "row_id", "delivery_id", "key", "rows")
#: Characters of a log line that Airflow's page shows in a small window.
_LINE = 80


class _StandIn:
    """In place of the task instance where no task runs, as in a test that calls ``execute({})``: a first try."""

    try_number, dag_id, map_index = 1, "", -1

    def __init__(self, task_id: str) -> None:
        self.task_id, self.run_id = task_id, str(uuid.uuid4())

    def xcom_push(self, key: str, value: Any) -> None:
        """There is nowhere to push to."""


class Bitrix24BaseOperator(BaseOperator):
    """
    Base of the operators: a subclass does its work in ``run``.

    :param bitrix24_conn_id: the connection's id; templated.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id",)
    ui_color = "#d6f0fb"

    def __init__(self, *, bitrix24_conn_id: str = "bitrix24_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Airflow 3.3 and later. Here and not in kwargs, so that one of the author's wins, also in default_args.
        if getattr(self, "retry_policy", self) is None:
            from airflow_provider_bitrix24.hooks.retry_policy import Bitrix24RetryPolicy

            self.retry_policy = Bitrix24RetryPolicy()
        self.bitrix24_conn_id = bitrix24_conn_id
        self._given: dict[str, Any] = {}
        self._client: Client | None = None
        self._killed = False

    def given(self, value: Any, name: str) -> Any:
        """
        An argument that may be left out: its value, or None where it was left out.

        If it was given, the task fails where it comes out as None, be it from a template, another task, ``expand()`` or
        ``default_args``: as a filter, None would mean everything.

        :param value: what ``__init__`` was given, ``NOT_GIVEN`` by default.
        :param name: the argument, and the attribute that holds it.
        """
        if value is NOT_GIVEN:
            return None
        self._given[name] = value
        return value

    @staticmethod
    def fixed(check: Callable[..., Any], value: Any, name: str, *more: Any) -> Any:
        """
        An argument that is not templated, checked when the DAG is parsed; of a mapped task, when it begins.

        :param check: of :mod:`execution.arguments`.
        :raises AirflowFailException: it is wrong, and no retry would help.
        """
        with airflow_outcome():
            return check(value, name, *more)

    @property
    def hook(self) -> Bitrix24Hook:
        # Only the run needs it.
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        return Bitrix24Hook(self.bitrix24_conn_id)

    def execute(self, context: Any) -> Any:
        return self.connected(context)

    def connected(self, context: Any) -> Any:
        """Check the arguments and :meth:`run` with a client; a sensor does so each time it looks."""
        if "ti" not in context:
            context = {**context, "ti": _StandIn(self.task_id)}
        with airflow_outcome(), self._log_of_failure():
            self._check_given()
            self._client = self.hook.get_conn()
            if self._killed:
                self._client.stop()
            try:
                return self.run(self._client, context)
            finally:
                self._client.close()
                self._client = None

    @contextmanager
    def _log_of_failure(self) -> Iterator[None]:
        """
        Log what to do about a failure, and what it is about, on lines of their own.

        In Airflow's page a message is one line, whose end is cut off.
        """
        try:
            yield
        except Bitrix24Error as error:
            hint = f"What to do: {error.next_step}" if error.next_step else ""
            for line in wrap(hint, _LINE, break_long_words=False, break_on_hyphens=False):
                self.log.error("%s", line)
            named = [(name, getattr(self, name)) for name in _NAMING if name in self.template_fields]
            about = ", ".join(f"{name} {preview(value)}" for name, value in named if isinstance(value, (str, int)))
            self.log.error("It failed with the connection %s%s", self.bitrix24_conn_id, f", {about}" if about else "")
            raise

    def _check_given(self) -> None:
        """:raises ConfigurationError: an argument was given, but has no value."""
        required(self.bitrix24_conn_id, "bitrix24_conn_id")
        for name in self._given:
            value = getattr(self, name)
            if is_missing(value):
                required(value, name)
            if name.endswith("filter") and name in self.template_fields:
                check_texts(self.as_written(name), value, name)

    def file_to_write(self, context: Any, name: str) -> Any:
        """
        The path that an argument names, see :func:`writable_path`; None where it was left out.

        :raises ConfigurationError: it cannot be written, or is that of another mapped task too.
        """
        # Airflow imports its storage for it.
        from airflow_provider_bitrix24.execution.storage import writable_path

        address = getattr(self, name)
        if address is None:
            return None
        if getattr(context["ti"], "map_index", -1) > 0 and is_shared(self, name, self._given[name]):
            raise ConfigurationError(
                f"{name} is also that of another mapped task of this run",
                next_step="give each its own: put {{ ti.map_index }} into the name",
            )
        return writable_path(address, name)

    def as_written(self, name: str) -> Any:
        """An argument that :meth:`given` was called with, as the DAG file has it."""
        return as_written(self, name, self._given.get(name))

    def run(self, client: Client, context: Any) -> Any:
        """Do the task's work and return what goes to XCom, in plain JSON types."""
        raise NotImplementedError(f"{type(self).__name__} has no run()")

    def on_kill(self) -> None:
        """Send nothing more; a request that is under way is not called back."""
        # Airflow 3 goes on with the task after a signal that came while the connection was looked up.
        self._killed = True
        if self._client is not None:
            self._client.stop()
