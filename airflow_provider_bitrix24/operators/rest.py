"""Operators for any method of Bitrix24: one call, a batch, a whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from logging import INFO, WARNING
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, TaskStopped
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    flag,
    one_of,
    positive_id,
    required,
)
from airflow_provider_bitrix24.execution.at_most_once import once
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER, Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.batch_progress import BatchProgress
from airflow_provider_bitrix24.execution.commands import (
    check_is_read,
    commands_of,
    of_command,
    parameters_of,
    written_params,
)
from airflow_provider_bitrix24.execution.lineage import TransferOperator
from airflow_provider_bitrix24.execution.literals import Check, is_literal
from airflow_provider_bitrix24.execution.rendered import (
    check_filter,
    check_lost_values,
    check_own_params,
    literal_of,
)
from airflow_provider_bitrix24.execution.results import of_user, part_of
from airflow_provider_bitrix24.execution.storage import check_file_or_folder, write_json_lines
from airflow_provider_bitrix24.execution.xcom import is_small, small_list, small_result
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.rest.message_parts import preview

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.write_names import FieldNames
    from airflow_provider_bitrix24.rest.batches.batch_result import BatchResult
    from airflow_provider_bitrix24.rest.client import Client

_PART_OF_A_RESULT = (
    "return a part of it with result_path or response_filter; for a list, use Bitrix24ListOperator with destination"
)
_LESS_IN_A_BATCH = "ask for fewer fields or in several tasks; for lists, use Bitrix24ListOperator with destination"


class Bitrix24Operator(Bitrix24BaseOperator):
    """
    Call any method and return its result, or a part of it, to XCom, up to 48 KiB.

    A method that must not be repeated, such as an add, is not called again after a lost answer, nor by the next try of
    a task that was killed meanwhile; but before Airflow 3.3 nothing remembers that: set ``retries=0`` there.

    :param method: e.g. ``"crm.item.get"``, but not ``"batch"``; templated.
    :param method_params: the method's parameters, an object or its JSON text; templated. Of methods that read them by
        position (``task.checklistitem.add``), a list too. Values are sent as they are; ``Bitrix24AddItemOperator`` and
        its like convert and check them too.
    :param check_fields: check the names of fields in methods that add and update, which the portal would silently drop
        where they are wrong; it is asked for those that are not on the page of the method. And names and values of the
        filter, names of ``select`` and of the order, in lists such as ``crm.deal.list`` and ``user.get``.
    :param clear: take an empty list, an empty text or None from a template or another task as meant, where it removes
        or clears something, e.g. ``rows`` of ``crm.deal.productrows.set``, or ``fields`` of an update. What is empty in
        the DAG file itself is always taken so.
    :param allow_cut: take hits that may have been cut off, see ``crm.duplicate.findbycomm``.
    :param version: 3 for a method of REST 3.0.
    :param result_path: the part of the result to return, e.g. ``"item.id"`` or ``"items.0"``; templated.
    :param response_check: called with the result (after ``result_path``); unless it returns something true, the task
        fails, without retry if the method must not be repeated, since it has been done.
    :param response_filter: called with the result (after ``result_path``); what it returns goes to XCom. If one of the
        two raises, a method that must not be repeated is not tried again either.
    :raises AirflowFailException: no retry would help, or repeating could do the work twice.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to call REST methods".
    """

    template_fields: Sequence[str] = ("method", "method_params", "result_path", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"method_params": "json"}

    def __init__(
        self,
        *,
        method: str,
        method_params: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        check_fields: bool = True,
        clear: bool = False,
        allow_cut: bool = False,
        version: int = 2,
        result_path: str | int | NotGiven = NOT_GIVEN,
        response_filter: Callable[[Any], Any] | NotGiven = NOT_GIVEN,
        response_check: Callable[[Any], bool] | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.method_params = self.given(method_params, "method_params")
        self.check_fields = self.fixed(flag, check_fields, "check_fields")
        self.clear = self.fixed(flag, clear, "clear")
        self.allow_cut = self.fixed(flag, allow_cut, "allow_cut")
        self.version = self.fixed(one_of, version, "version", (2, 3))
        self.result_path = self.given(result_path, "result_path")
        self.response_filter = self.given(response_filter, "response_filter")
        self.response_check = self.given(response_check, "response_check")
        self._made_with = frozenset(self.params)
        self._takes_params = method_params is not NOT_GIVEN or "params" in f"{method} {result_path}"
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            if is_literal(self.method):
                check_is_read(self.method)
            if is_literal(self.result_path):
                self._check_readers()

    def run(self, client: Client, context: Any) -> Any:
        # Only the run needs them.
        from airflow_provider_bitrix24.crm.shapes import check_shapes, is_written_empty
        from airflow_provider_bitrix24.crm.write_names import FieldNames
        from airflow_provider_bitrix24.rest.structured_parameters import check_structures

        version = self.version
        method = client.method(required(self.method, "method"), version)
        name = method.name
        check_own_params(self, takes=self._takes_params, made_with=self._made_with)
        params = parameters_of(name, self.method_params, "method_params")
        check_is_read(name)
        written = literal_of(self.as_written("method_params"), "method_params")
        check_filter(params, written, "method_params", method, sent_as_it_is=True)
        check_lost_values(params, written, "method_params", method, clear=self.clear)
        check_structures(method, params)
        check_shapes(name, params, may_empty=self.clear or is_written_empty(name, written))
        self._check_readers()
        if self.check_fields and version == 2:
            names = FieldNames(client, name)
            names.check(params)
            params = names.exact(params)
            client.check_filter(name, params)
        _warn_of_entries(self, [(name, params)])
        again = method.repeat_for(params) != "never"

        def ask() -> Any:
            reply = client.ask(name, params, version=version, allow_cut=self.allow_cut)
            self.log.info("%s: done (request %s)", name, reply.request_id)
            return reply.result

        result = ask() if again else once(context, name, params, ask)
        if self.result_path is not None:
            result = part_of(result, str(self.result_path), name, retryable=False)
        if self.response_check is not None and not of_user("response_check", self.response_check, result, name, again):
            raise Bitrix24Error("response_check refused the result", method=name, ran="yes", retryable=again)
        if self.response_filter is not None:
            result = of_user("response_filter", self.response_filter, result, name, again)
        return small_result(result, name, _PART_OF_A_RESULT)

    def _check_readers(self) -> None:
        """Check, before the method is called, what will read its result: it must not be called again for that."""
        path = None if self.result_path is None else required(self.result_path, "result_path")
        if isinstance(path, bool) or not isinstance(path, (str, int, type(None))):
            raise ConfigurationError(f"result_path is {preview(path)}", next_step='write e.g. "item.id" or 0')
        for argument, function in (("response_check", self.response_check), ("response_filter", self.response_filter)):
            if function is not None and not callable(function):
                raise ConfigurationError(
                    f"{argument} is not a function, but {preview(function)}",
                    next_step="write e.g. lambda result: result",
                )


class Bitrix24BatchOperator(Bitrix24BaseOperator):
    """
    Call many methods, 50 to a request.

    With a command that must not be repeated, the next try of a task that was killed meanwhile fails instead of sending
    it again; but before Airflow 3.3 nothing remembers that: set ``retries=0`` there.

    Returns ``{"results": {"a": …}, "errors": {"b": {"error": "NotFound", "code": "NOT_FOUND", "message": "…"}},
    "not_run": []}``, each command under its name, up to 48 KiB: use the list and bulk operators for many rows.

    :param commands: ``{"a": {"method": "crm.item.get", "params": {"entityTypeId": 2, "id": 7}}, …}`` or
        ``{"a": ["crm.item.get", {…}]}``, or its JSON text; templated.
    :param halt: stop after the first command that fails.
    :param references: take ``$result[a][item][id]`` in a value as a reference to an earlier command of the same 50.
        Without ``halt``, a command that refers to a failed one still runs, with something else as its value.
    :param check_fields: see :class:`Bitrix24Operator`.
    :param clear: see :class:`Bitrix24Operator`.
    :param allow_cut: see :class:`Bitrix24Operator`.
    :param on_error: ``"fail"`` fails the task when a command failed, without retry if commands were done that must not
        be done twice; the outcome is then in XCom under the key ``bitrix24_batch``. ``"continue"`` returns the outcome.
    :raises AirflowFailException: a command failed for good, or one was done that must not be done twice.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Execute a Batch Request".
    """

    template_fields: Sequence[str] = ("commands", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"commands": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {"commands": commands_of}

    def __init__(
        self,
        *,
        commands: Mapping[str, Any] | str,
        halt: bool = False,
        references: bool = False,
        check_fields: bool = True,
        clear: bool = False,
        allow_cut: bool = False,
        on_error: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.commands = self.given(commands, "commands")
        self.halt = self.fixed(flag, halt, "halt")
        self.references = self.fixed(flag, references, "references")
        self.check_fields = self.fixed(flag, check_fields, "check_fields")
        self.clear = self.fixed(flag, clear, "clear")
        self.allow_cut = self.fixed(flag, allow_cut, "allow_cut")
        self.on_error = self.fixed(one_of, on_error, "on_error", ("fail", "continue"))
        self.check_literals()

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        # Only the run needs them.
        from airflow_provider_bitrix24.crm.shapes import check_shapes, is_written_empty
        from airflow_provider_bitrix24.rest.structured_parameters import check_structures

        on_error = self.on_error
        written = literal_of(self.as_written("commands"), "commands")
        commands = commands_of(self.commands, "commands")
        for name, (method, params) in commands.items():
            command = written.get(name) if isinstance(written, Mapping) else None
            described = client.method(method)
            check_filter(params, written_params(command), f"commands[{name}]", described, sent_as_it_is=True)
            check_lost_values(params, written_params(command), f"commands[{name}]", described, clear=self.clear)
            with of_command(name):
                if method.lower() != "batch":
                    check_is_read(method)
                check_structures(described, params)
            may_empty = self.clear or is_written_empty(method, written_params(command))
            check_shapes(described.name, params, may_empty=may_empty, references=self.references)
        if self.check_fields:
            commands = self._checked(client, commands)
        if not self.references:
            self._warn_of_references(commands)
        _warn_of_entries(self, commands.values())
        unrepeatable = [name for name, command in commands.items() if _is_unrepeatable(client, *command)]
        progress = BatchProgress(context, commands, unrepeatable)

        def send() -> dict[str, Any]:
            left = progress.left(commands)
            done = client.batch(
                left,
                halt=self.halt,
                references=self.references,
                allow_cut=self.allow_cut,
                check_fields=self.check_fields,
            )
            outcome = progress.outcome_with(done)
            self.done = len(outcome["results"])
            level = WARNING if outcome["errors"] or done.not_run else INFO
            counts = self.done, len(outcome["errors"]), len(done.not_run)
            self.log.log(level, "batch: %d done, %d failed, %d not run", *counts)
            progress.wait(done, self.now(), whole=self.references, fails=on_error == "fail", waits_for=self.waits_for)
            stopped = any(isinstance(error, TaskStopped) for error in done.errors.values())
            if stopped or (on_error == "fail" and (done.errors or done.not_run)):
                # What failed and what was not sent is worth more than the results.
                pushed = outcome if is_small(outcome) else {**outcome, "results": None}
                context["ti"].xcom_push(key="bitrix24_batch", value=pushed)
                raise self._failure(done, progress.done_for_good(done))
            return outcome

        outcome = once(context, "batch", commands, send) if unrepeatable else send()
        return dict(small_result(outcome, "batch", _LESS_IN_A_BATCH))

    @staticmethod
    def _checked(
        client: Client, commands: Mapping[str, tuple[str, dict[str, Any]]]
    ) -> dict[str, tuple[str, dict[str, Any]]]:
        """The commands, with names of fields that the portal takes, and values as :meth:`FieldNames.exact` has them."""
        # Only the run needs it.
        from airflow_provider_bitrix24.crm.write_names import FieldNames

        names: dict[str, FieldNames] = {}
        checked: dict[str, tuple[str, dict[str, Any]]] = {}
        for name, (written, params) in commands.items():
            with of_command(name):
                method = client.method(written).name
                of_method = names.setdefault(method, FieldNames(client, method))
                of_method.check(params)
                checked[name] = (method, of_method.exact(params))
        return checked

    def _warn_of_references(self, commands: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        """What looks like a reference may be meant as one, or be a user's text that must not become one."""
        # Only the run needs it.
        from airflow_provider_bitrix24.rest.encoding import has_reference

        for name, (_, params) in commands.items():
            if has_reference(params):
                self.log.warning(
                    "The command %r has a value such as $result[…], which is sent as text: "
                    "set references=True if it refers to an earlier command.",
                    name,
                )

    def _failure(self, done: BatchResult[str], unrepeatable: list[str]) -> Bitrix24Error:
        """The error that the task fails with; not retryable where a retry would do something twice."""
        # Only the run needs it.
        from airflow_provider_bitrix24.triggers.watch import is_limit

        errors = done.errors
        if unrepeatable:
            # Their hints speak of another try of the task, which would do the others twice.
            errors = {name: error.but(next_step="") if error.retryable else error for name, error in errors.items()}
        try:
            replace(done, errors=errors).all_results()
        except Bitrix24Error as error:
            failure = error
        if not unrepeatable:
            return failure
        names = ", ".join(unrepeatable[:10]) + (f", … ({len(unrepeatable)})" if len(unrepeatable) > 10 else "")
        later = any(is_limit(error) for error in errors.values())
        return failure.but(
            retryable=False,
            next_step=f"done, and not to be done twice: {names}; send the others by themselves"
            + (" when the limit has ended" if later else ""),
        )


class Bitrix24ListOperator(TransferOperator):
    """
    Read a whole list: every row once, or the task fails.

    Without ``destination`` it returns the rows, as the portal sends them, up to 48 KiB. With it, rows stream to a file
    of JSON lines, and it returns ``{"path": "s3://…", "rows": 50000, "bytes": 9000000, "sha256": "…", "report":
    {"method": "crm.deal.list", "complete": True, "first_id": "1", …}}``. With a ``destination`` that ends in ``/`` they
    become part files of JSON lines in a folder of their own below it, as :class:`Bitrix24ToObjectStorageOperator` has
    them, with ``_manifest.json`` and ``_SUCCESS``: ``{"path": "s3://…/load=…", "rows": 50000, "bytes": 9000000,
    "parts": 1}``. There a retry, and the task after a wait for a limit, goes on behind the last part; a list to XCom or
    to one file begins again from its start.

    :param method: a list method, e.g. ``"crm.item.list"``; templated.
    :param method_params: the method's own, without order and start; templated.
    :param limit: the most rows to read; templated.
    :param destination: an ``ObjectStoragePath``, ``s3://conn_id@bucket/{{ ds }}.jsonl``; overwritten. Or a folder,
        ``s3://conn_id@bucket/deals/``, in which each run has one of its own. Templated.
    :param version: 3 for a method of REST 3.0.
    :raises AirflowFailException: the arguments, a right, a list that cannot be proven whole, or too large for XCom.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, "How to Retrieve Large Volumes of Data".
    """

    after_wait = LIST_STARTS_OVER
    template_fields: Sequence[str] = ("method", "method_params", "limit", "destination", "bitrix24_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"method_params": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {"destination": check_file_or_folder}

    def __init__(
        self,
        *,
        method: str,
        method_params: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        limit: int | str | NotGiven = NOT_GIVEN,
        destination: str | NotGiven = NOT_GIVEN,
        version: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.method_params = self.given(method_params, "method_params")
        self.limit = self.given(limit, "limit")
        self.destination = self.given(destination, "destination")
        self._made_with = frozenset(self.params)
        self._takes_params = method_params is not NOT_GIVEN or "params" in f"{method} {limit} {destination}"
        self.version = self.fixed(one_of, version, "version", (2, 3))
        self.check_literals()

    def run(self, client: Client, context: Any) -> Any:
        # Only the run needs it.
        from airflow_provider_bitrix24.exports.sources import raw_source_of

        folder = self.folder_to_write("destination") if self.names_folder("destination") else None
        path = self.file_to_write(context, "destination") if folder is None else None
        version = self.version
        method = client.method(required(self.method, "method"), version)
        check_own_params(self, takes=self._takes_params, made_with=self._made_with)
        params = parameters_of(method.name, self.method_params, "method_params")
        check_filter(params, self.as_written("method_params"), "method_params", method)
        check_lost_values(params, self.as_written("method_params"), "method_params", method)
        limit = None if self.limit is None else positive_id(self.limit, "limit")
        if folder is not None:
            # Only this run needs them.
            from airflow_provider_bitrix24.exports.folder_loads import load_rows
            from airflow_provider_bitrix24.exports.raw_lines import RawLines

            source = raw_source_of(method, params)
            self.after_wait = "" if source.is_resumable else LIST_STARTS_OVER
            done = load_rows(client, context, folder, source, RawLines(), limit, self.count)
            return self.reported(context, done, lambda: source.brought_to(folder, client, done))
        rows = client.list(method.name, params, limit=limit, version=version)
        if path is None:
            kept = small_list(rows, self.method)
            self.log.info("%s", rows.report)
            return kept
        written = {**write_json_lines(path, rows), "report": asdict(rows.report)}
        self.log.info("%s", rows.report)
        return self.reported(context, written, lambda: raw_source_of(method, params).brought_to(path, client, written))


def _is_unrepeatable(client: Client, method: str, params: Mapping[str, Any]) -> bool:
    return client.method(method).repeat_for(params) == "never"


def _warn_of_entries(operator: Bitrix24BaseOperator, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """An update of phones and the like is sent as it is, and each run of the task adds them once more."""
    # Only the run needs it.
    from airflow_provider_bitrix24.crm.present_entries import PresentEntries

    for method, names in {(method, ", ".join(PresentEntries(method).added_by(params))) for method, params in calls}:
        if names:
            operator.log.warning(
                "%s adds what %s has each time that it is called, also where the item has it already: "
                "Bitrix24UpdateItemOperator adds only what is new.",
                method,
                names,
            )
