"""What all operators share: the connection, the client, and how a task fails or is killed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_bitrix24._compat import BaseOperator, TaskDeferred
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, number_from_zero, one_of, required
from airflow_provider_bitrix24.execution.checkpoint import MEMORY_IN_CONTEXT, is_last_try
from airflow_provider_bitrix24.execution.limit_waits import (
    PATIENCE_SECONDS,
    WAYS,
    LimitWaits,
    not_resumed,
    way_to_wait,
)
from airflow_provider_bitrix24.execution.limit_waits import XCOM_KEY as WAIT_KEY
from airflow_provider_bitrix24.execution.literals import CHECKS, Check, is_literal
from airflow_provider_bitrix24.execution.rendered import as_written, check_parts, check_texts, is_shared
from airflow_provider_bitrix24.execution.summary import Summary
from airflow_provider_bitrix24.execution.xcom import warn_if_unmappable
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.links.bitrix24 import Bitrix24Link, leave
from airflow_provider_bitrix24.links.pages import page_of
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import is_missing
from airflow_provider_bitrix24.rest.retry import StoppableSleep

if TYPE_CHECKING:
    from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
    from airflow_provider_bitrix24.rest.client import Client

#: Arguments that name the object of a task.
_NAMING = ("method", "entity_type_id", "item_id", "entity_id", "payment_id", "row_id", "delivery_id", "key", "rows")
#: Characters of a log line that Airflow's page shows in a small window.
_LINE = 80
#: What the log says of a wait in a list.
LIST_STARTS_OVER = "The list is then read again from its start: nothing of it is kept."


class _StandIn:
    """In place of the task instance where no task runs, as in a test that calls ``execute({})``: a first try."""

    try_number, dag_id, map_index = 1, "", -1

    def __init__(self, task_id: str) -> None:
        self.task_id, self.run_id = task_id, str(uuid.uuid4())
        self._pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self._pushed[key] = value

    def xcom_pull(self, *, key: str, **_: Any) -> Any:
        return self._pushed.get(key)


class Bitrix24ConnectedOperator(BaseOperator):
    """
    Base of operators and sensors: a subclass does its work in ``run``, with a client.

    :param bitrix24_conn_id: the connection's id; templated.
    """

    template_fields: Sequence[str] = ("bitrix24_conn_id",)
    ui_color = "#d6f0fb"
    operator_extra_links = (Bitrix24Link(),)
    #: Checks of :meth:`check_literals` that differ from those of other operators.
    literal_checks: ClassVar[Mapping[str, Check]] = {}

    def __init__(self, *, bitrix24_conn_id: str = "bitrix24_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Airflow 3.3 and later. Here and not in kwargs, so that one of the author's wins, also in default_args.
        if getattr(self, "retry_policy", self) is None:
            from airflow_provider_bitrix24.hooks.retry_policy import Bitrix24RetryPolicy

            self.retry_policy = Bitrix24RetryPolicy()
        self.bitrix24_conn_id = bitrix24_conn_id
        self._given: dict[str, Any] = {}
        self._left_out: set[str] = set()
        self._client: Client | None = None
        self._killed = False
        self._has_link = False
        #: The portal's address, once it is known.
        self._address = ""
        self._in_all = Summary()

    def given(self, value: Any, name: str) -> Any:
        """
        An argument that may be left out: its value, or None where it was left out.

        If it was given, the task fails where it comes out as None, be it from a template, another task, ``expand()`` or
        ``default_args``: as a filter, None would mean everything.

        :param value: what ``__init__`` was given, ``NOT_GIVEN`` by default.
        :param name: the argument, and the attribute that holds it.
        """
        if value is NOT_GIVEN:
            self._left_out.add(name)
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

    def check_literals(self, **hints: str) -> None:
        """
        Check the arguments that may be templates and are none, when the DAG is parsed; the last thing in ``__init__``.

        Of a mapped task, when it begins. What comes out of templates and of other tasks is checked when it is used.

        :param hints: by argument whose check takes one, what to do where the value itself does not show it.
        :raises AirflowFailException: one is wrong, and no retry would help.
        """
        checks = {**CHECKS, **self.literal_checks}
        with airflow_outcome():
            for name in self.template_fields:
                # A field may hold another form of what was given, such as the name of a function.
                value = self._given.get(name, getattr(self, name, None))
                # None is refused by the task, wherever it comes from.
                optional = name in self._given or name in self._left_out
                if name not in checks or not is_literal(value) or (value is None and optional):
                    continue
                checks[name](value, name, *([hints[name]] if name in hints else []))

    def is_given(self, name: str) -> bool:
        """Whether an argument, see :meth:`given`, was not left out."""
        return name in self._given

    @property
    def hook(self) -> Bitrix24Hook:
        # Only the run needs it.
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

        return Bitrix24Hook(self.bitrix24_conn_id)

    def connected(self, context: Any) -> Any:
        """Check the arguments and :meth:`run` with a client; a sensor does so each time it looks."""
        with airflow_outcome(), self._log_of_failure():
            return self._run_once(_with_ti(context, self.task_id))

    def _run_once(self, context: Any) -> Any:
        self._check_given()
        self._client = self.hook.get_conn()
        if self._killed:
            self._client.stop()
        try:
            self._address = self._client.portal.address
            self._leave_link(self._client, context)
            return self.run(self._client, context)
        finally:
            self._in_all.add(self._client)
            self._client.close()
            self._client = None

    def _leave_link(self, client: Client, context: Any) -> None:
        """Leave the link before the work, so that a task that fails has it too; a sensor, with its first look."""
        if not self._has_link:
            self._has_link = True
            given = {name: getattr(self, name) for name in self.template_fields}
            user_id = getattr(client.portal.credentials, "user_id", None)
            leave(context["ti"], client.portal, page_of, given, user_id)

    @contextmanager
    def _log_of_failure(self) -> Iterator[None]:
        """
        Log what to do about a failure, where and about what it was, and what failed, on lines of their own.

        In Airflow's pages a message is one line, whose end is cut off.
        """
        try:
            yield
        except Bitrix24Error as error:
            named = [(name, getattr(self, name)) for name in _NAMING if name in self.template_fields]
            about = ", ".join(f"{name} {preview(value)}" for name, value in named if isinstance(value, (str, int)))
            place = f"the connection {self.bitrix24_conn_id}{f' ({self._address})' if self._address else ''}"
            failed = f"{error.method}: {error.reason}" if error.method else error.reason
            for text in (
                f"What to do: {error.next_step}" if error.next_step else "",
                f"It failed with {place}",
                f"It was about {about}" if about else "",
                f"What failed: {failed}",
            ):
                for line in wrap(text, _LINE, break_long_words=False, break_on_hyphens=False):
                    self.log.error("%s", line)
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
        check_parts(self.as_written(name), address, name)
        return writable_path(address, name)

    def folder_to_write(self, name: str) -> Any:
        """
        The folder that an argument names, see :func:`folder_path`.

        :raises ConfigurationError: nothing can be written there.
        """
        # Airflow imports its storage for it.
        from airflow_provider_bitrix24.execution.storage import folder_path

        check_parts(self.as_written(name), getattr(self, name), name)
        return folder_path(getattr(self, name), name)

    def names_folder(self, name: str) -> bool:
        """Whether an argument ends in a slash: the author's, not one behind which a template came out as nothing."""
        # Airflow imports its storage for it.
        from airflow_provider_bitrix24.execution.storage import is_folder

        written = self.as_written(name)
        return is_folder(getattr(self, name)) and (is_folder(written) or not isinstance(written, str))

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


class Bitrix24BaseOperator(Bitrix24ConnectedOperator):
    """
    Base of the operators, which wait for limits of the portal.

    :param wait_for_limits: what to do where the portal asks for a wait of more than 30 seconds: ``"defer"`` waits in
        the triggerer, without a worker; ``"sleep"`` in the worker, up to ``patience``; ``"fail"`` leaves it to
        ``retries``. By default ``"defer"`` where Airflow's ``[operators] default_deferrable`` is true, else
        ``"sleep"``.
    :param patience: most seconds that the task sleeps for limits without having done anything in between.
    """

    #: How many rows, or commands, are done: a task that is deferred again and again must get on in between.
    done = 0
    #: What the log says of a wait, where nothing of the work is kept over it.
    after_wait = ""

    def __init__(
        self, *, wait_for_limits: str | NotGiven = NOT_GIVEN, patience: int = PATIENCE_SECONDS, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        is_given = wait_for_limits is not NOT_GIVEN
        self.wait_for_limits = self.fixed(one_of, wait_for_limits, "wait_for_limits", WAYS) if is_given else None
        self.patience = self.fixed(number_from_zero, patience, "patience")
        self._sleeper = StoppableSleep()
        self._waits: LimitWaits | None = None

    def execute(self, context: Any) -> Any:
        context = _with_ti(context, self.task_id)
        with airflow_outcome(), self._log_of_failure(), self._letting_go(context):
            return self._run_over_limits(context, LimitWaits(*self.how_to_wait(), clock=self.now))

    def resume(self, context: Any, event: Any = None, **_: Any) -> Any:
        """Go on after a deferral; Airflow calls it with what the trigger has brought."""
        context = _with_ti(context, self.task_id)
        with airflow_outcome(), self._log_of_failure(), self._letting_go(context):
            return self._run_over_limits(context, LimitWaits.from_event(event, *self.how_to_wait(), clock=self.now))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        # What Airflow calls where a trigger failed, or no triggerer was there in time.
        note = context["ti"].xcom_pull(**_own_xcom(context)) if next_method == "__fail__" else None
        if note is None:
            return super().resume_execution(next_method, next_kwargs, context)
        with airflow_outcome(), self._log_of_failure(), self._letting_go(context):
            raise not_resumed(note, trace=(next_kwargs or {}).get("traceback"))

    @contextmanager
    def _letting_go(self, context: Any) -> Iterator[None]:
        try:
            yield
        except TaskDeferred:
            raise
        # A timeout is a BaseException.
        except BaseException as error:
            if is_last_try(context) or (isinstance(error, Bitrix24Error) and not error.retryable):
                self.let_go(context)
            raise

    def let_go(self, context: Any) -> None:
        """Let go of what the work holds; for a task that fails and is not tried again."""

    def how_to_wait(self) -> tuple[str, float, float | None]:
        """The first parameters of :class:`LimitWaits`."""
        timeout = self.execution_timeout
        return way_to_wait(self.wait_for_limits), self.patience, None if timeout is None else timeout.total_seconds()

    def _run_over_limits(self, context: Any, waits: LimitWaits) -> Any:
        """Run until no limit is in the way, or it is not to be waited for."""
        self._waits, context[MEMORY_IN_CONTEXT] = waits, waits.memory
        self._in_all = Summary()
        try:
            return self._run_until_no_limit(context, waits)
        finally:
            if line := str(self._in_all):
                self.log.info("In all: %s", line)

    def _run_until_no_limit(self, context: Any, waits: LimitWaits) -> Any:
        while True:
            try:
                result = self._run_once(context)
                warn_if_unmappable(self, result)
                return result
            except Exception as error:
                failure = waits.failure(error)
                if not isinstance(failure, Bitrix24Error):
                    raise
                if not self.waits_for(failure):
                    waits.tell_why_not(failure, self.done)
                    raise failure from (None if isinstance(error, Bitrix24Error) else error)
                limit = failure
            until = waits.begin(limit, self.done, self.after_wait)
            if waits.defers:
                self._defer(context, waits, until, limit)
            seconds = until - self.now()
            self.sleep(seconds)
            self._in_all.waited(seconds)

    def count(self, done: int) -> None:
        """Note how many rows, or commands, are done."""
        self.done = done

    def sleep(self, seconds: float) -> None:
        """Sleep for this time, or until a moment after the task is killed."""
        self._sleeper(seconds)

    @staticmethod
    def now() -> float:
        """Unix seconds."""
        return time.time()

    def waits_for(self, error: Bitrix24Error) -> bool:
        """Whether the task waits for the limit that :meth:`run` is about to fail with, and runs again."""
        return self._waits is not None and self._waits.may(error, self.done)

    def _defer(self, context: Any, waits: LimitWaits, until: float, error: Bitrix24Error) -> NoReturn:
        # Airflow imports it with its triggerer.
        from airflow_provider_bitrix24.triggers.wait import Bitrix24WaitTrigger

        note = {"until": until, "method": error.method, "retryable": error.retryable}
        context["ti"].xcom_push(key=WAIT_KEY, value=note)
        self.defer(
            trigger=Bitrix24WaitTrigger(until, waits.state()),
            method_name=self.resume.__name__,
            timeout=timedelta(seconds=waits.timeout_seconds(until)),
        )

    def on_kill(self) -> None:
        self._sleeper.stop()
        super().on_kill()


def _with_ti(context: Any, task_id: str) -> Any:
    return context if "ti" in context else {**context, "ti": _StandIn(task_id)}


def _own_xcom(context: Any) -> dict[str, Any]:
    ti = context["ti"]
    return {"task_ids": ti.task_id, "key": WAIT_KEY, "map_indexes": ti.map_index}
