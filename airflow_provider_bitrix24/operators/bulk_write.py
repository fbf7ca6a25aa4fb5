"""Many rows written, 50 to a request, none of them twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import fields_of
from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import one_of, parameters, positive_id, required
from airflow_provider_bitrix24.hooks.outcome import MOST_LOGGED, befalls_all
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseRowsOperator
from airflow_provider_bitrix24.rows.template import WHOLE_ROW, filled

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client

#: Rows written by one request, and remembered as one step.
STEP = 50
_FAILED = ("failed", "unknown")
#: Gives the params of a row, or what is wrong with it.
_Made: TypeAlias = "Callable[[Mapping[str, Any]], dict[str, Any] | ConfigurationError]"


class Bitrix24BulkWriteOperator(Bitrix24BaseRowsOperator):
    """
    Write many rows: one call of a method for each, 50 to a request.

    Returns ``{"rows": 5000, "written": 4998, "failed": 2, "unknown": 0, "report": {"path": …}}``.

    What was sent and answered is remembered before the next step, in the task state store of Airflow 3.3 or else beside
    ``report``: a retry goes on where the task was killed. A row whose answer was lost is written again only if that
    does no harm by the method's nature (an absolute update); a row that may have been added already is ``unknown``,
    and the task fails without retry and names the report.

    :param method: what to call for each row, e.g. ``"crm.contact.add"``; templated. Either this or ``entity_type_id``.
        Of CRM's methods that add and update, names in ``fields`` that the portal would drop without a word fail the
        row; values are sent as they are.
    :param entity_type_id: kind of CRM item, ``"company"`` or ``4``; templated. Names and values of its fields are taken
        and checked as by :class:`Bitrix24AddItemOperator`: what the portal would drop without a word fails the row.
    :param operation: ``"add"`` or ``"update"`` for CRM items; an update takes the item's id from the column ``id``.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead, ordered by something unique; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the method's params, or the item's fields, in which ``"$column"`` stands for a row's value and
        ``"$$"`` for a dollar sign, e.g. ``{"title": "$name", "opened": "Y"}``; the whole row by default; templated.
    :param max_failures: so many rows may fail before the task stops and fails; None for any number. What befalls all
        rows, such as a limit, stops it in any case.
    :param dry_run: write nothing; return ``{"rows": 5000, "failed": 0, "examples": [params of the first three], …}``.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, JSON lines ``{"row": 0, "outcome": "written",
        "result": 17}``; templated.
    :raises AirflowFailException: more rows failed for good, or may be there already, than may; a wrong argument.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, «How to Execute a Batch Request», ``crm.item.add``, ``crm.item.update``.
    """

    template_fields: Sequence[str] = ("method", *Bitrix24BaseRowsOperator.template_fields)

    def __init__(self, *, method: str | None = None, operation: str = "add", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.operation = operation

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        from airflow_provider_bitrix24.execution.checkpoint import checkpoint, is_repeated
        from airflow_provider_bitrix24.execution.storage import write_json_lines

        method, ask = self._method()
        given = self.given()
        rows, most, report = given.rows, given.most, given.report
        if self.only_check:
            return self._checked(client, method, ask(client), rows)
        memory = checkpoint(context, report)
        if (done := memory.get("done")) is not None:
            self.log.info("An earlier try of this task has written all.")
            return dict(done)
        if is_repeated(context) and not memory.lasting and client.method(method).repeat == "never":
            raise ConfigurationError(
                "an earlier try may have written rows, and nothing remembers which",
                method=method,
                next_step="look at the portal before you clear the task; with report, a retry goes on safely",
            )
        made = ask(client)
        counts: Counter[str] = Counter()
        steps, too_many = 0, False
        failure: Bitrix24Error | None = None
        hindrance: Bitrix24Error | None = None
        unread: Bitrix24Error | None = None
        while unread is None:
            try:
                some = list(islice(rows, STEP))
            except ConfigurationError as one:
                if not steps:
                    raise
                # What was written before is told all the same.
                unread, some = one, []
            if not some:
                break
            outcomes, errors = self._step(client, memory, steps, method, [made(row) for row in some])
            steps += 1
            # One that no retry heals decides: a retry must not begin while a row may have been written.
            failure = failure or next((error for error in errors if not error.retryable), next(iter(errors), None))
            hindrance = hindrance or next(filter(befalls_all, errors), None)
            for outcome in outcomes:
                counts[outcome["outcome"]] += 1
                if outcome["outcome"] in _FAILED and sum(counts[word] for word in _FAILED) <= MOST_LOGGED:
                    self.log.warning("Row %d: %s", outcome["row"], outcome["message"])
            self.log.info("%d rows: %s", counts.total(), dict(counts))
            too_many = most is not None and counts["failed"] + counts["unknown"] > most
            if too_many or hindrance is not None:
                break
        written = report and write_json_lines(report, _remembered(memory, steps))
        summary = {
            "rows": counts.total(),
            "written": counts["written"],
            "failed": counts["failed"],
            "unknown": counts["unknown"],
            "report": written or None,
        }
        if unread is not None:
            context["ti"].xcom_push(key="bitrix24_writes", value=summary)
            raise unread.advise(f"({dict(counts)} before; nothing behind them was written)")
        if ended := failure if too_many else hindrance:
            context["ti"].xcom_push(key="bitrix24_writes", value=summary)
            # Only with what earlier tries did in mind may another try begin.
            ended.retryable = ended.retryable and memory.lasting
            raise ended.advise(f"({dict(counts)}{f'; more than max_failures, {most}' if too_many else ''})")
        memory.finish(summary)
        return summary

    def _method(self) -> tuple[str, Callable[[Client], _Made]]:
        """The method of each row, and what makes, once there is a client, the params of a row."""
        if (self.method is None) == (self.entity_type_id is None):
            raise ConfigurationError(
                "give either method or entity_type_id", next_step="one of the two is what to write"
            )
        shape = parameters(self.mapping, "mapping") or WHOLE_ROW
        if self.method is not None:
            name = required(self.method, "method")
            return name, lambda client: _called(client, client.method(name).name, shape)
        operation = one_of(self.operation, "operation", ("add", "update"))
        type_id, method = entity_type_id(self.entity_type_id), f"crm.item.{operation}"

        def ask(client: Client) -> _Made:
            known = fields_of(client, type_id)
            return _made_by(method, lambda row: _item(known, operation, shape, row))

        return method, ask

    def _step(
        self, client: Client, memory: Checkpoint, number: int, method: str, made: list[Any]
    ) -> tuple[list[dict[str, Any]], list[Bitrix24Error]]:
        """Write up to 50 rows, or tell what an earlier try did with them; and what went wrong."""
        first = number * STEP
        mark = _fingerprint(made)
        known, intent = memory.get(f"outcome_{number}"), memory.get(f"intent_{number}")
        if intent is not None and intent != mark:
            raise ConfigurationError(
                f"rows {first} to {first + len(made) - 1} are others than in the try before",
                next_step="keep the rows in a fixed order (ORDER BY), or clear the task to begin anew",
            )
        before = {row["row"]: row for row in known or []}
        pending: dict[int, Any] = {}
        outcomes: dict[int, dict[str, Any]] = {}
        errors: list[Bitrix24Error] = []
        how = client.method(method)
        for index, params in enumerate(made, first):
            if index in before and (before[index]["outcome"] != "failed" or before[index].get("final")):
                outcomes[index] = before[index]
            elif isinstance(params, Bitrix24Error):
                outcomes[index] = _outcome(index, params)
                errors.append(params)
            elif intent is not None and index not in before and how.repeat_for(params) == "never":
                unknown = AnswerLost(
                    "an earlier try was killed while it wrote this row", method=method, retryable=False
                )
                outcomes[index] = _outcome(index, unknown.advise("look whether it is there before you write it again"))
                errors.append(unknown)
            else:
                pending[index] = params
        if known is not None and pending:
            # What is sent once more has no outcome until it is answered once more.
            memory.put(f"outcome_{number}", [row for row in known if row["row"] not in pending])
        memory.put(f"intent_{number}", mark)
        done = client.batch({index: (method, params) for index, params in pending.items()})
        for index in pending:
            error = done.errors.get(index)
            outcomes[index] = (
                {"row": index, "outcome": "written", "result": _brief(done.replies[index].result)}
                if error is None
                else _outcome(index, error)
            )
        errors += done.errors.values()
        answer = [outcomes[index] for index in sorted(outcomes)]
        memory.put(f"outcome_{number}", answer)
        return answer, errors

    def _checked(self, client: Client, method: str, made: _Made, rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
        name = client.method(method).name
        examples: list[Any] = []
        count = failed = 0
        for row in rows:
            count += 1
            params = made(row)
            if isinstance(params, Bitrix24Error):
                failed += 1
                self.log.warning("Row %d cannot be written: %s", count - 1, params)
            elif len(examples) < 3:
                examples.append(params)
        self.log.info("%d rows would be written with %s, %d cannot.", count - failed, name, failed)
        return {"rows": count, "failed": failed, "method": name, "examples": examples, "dry_run": True}


def _called(client: Client, method: str, shape: Any) -> _Made:
    """The params of a method, in which fields that the portal would drop without a word fail the row."""
    from airflow_provider_bitrix24.crm.write_names import FieldNames

    names = FieldNames(client, method)

    def params_of(row: Mapping[str, Any]) -> Any:
        params = filled(shape, row)
        names.check(params)
        return params

    return _made_by(method, params_of)


def _made_by(method: str, params_of: Callable[[Mapping[str, Any]], Any]) -> _Made:
    """Gives the params of a row, in plain values; an error where the mapping or a value does not fit."""
    from airflow_provider_bitrix24.rest.encoding import plain

    def made(row: Mapping[str, Any]) -> Any:
        try:
            return plain(params_of(row), method=method)
        except ConfigurationError as error:
            return error

    return made


def _item(known: ItemFields, operation: Any, shape: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"entityTypeId": known.entity_type_id}
    given = filled(shape, row)
    if operation == "update":
        item_id = filled("$id", row)
        # Parquet files and data frames keep a column of whole numbers as fractions where one is missing.
        whole = isinstance(item_id, float) and item_id.is_integer()
        params["id"] = positive_id(int(item_id) if whole else item_id, "the column id")
        if shape is WHOLE_ROW:
            given.pop("id")
    return {**params, "fields": known.prepare(given, operation, place="the row").params(operation)}


def _brief(result: Any) -> Any:
    """The id of an item that the portal answers whole («crm.item.add»); anything else as it is."""
    item = result.get("item") if isinstance(result, dict) else None
    return item["id"] if isinstance(item, dict) and "id" in item else result


def _outcome(index: int, error: Bitrix24Error) -> dict[str, Any]:
    unknown = isinstance(error, AnswerLost) and not error.retryable
    return {
        "row": index,
        "outcome": "unknown" if unknown else "failed",
        "message": str(error),
        "final": not error.retryable,
    }


def _fingerprint(made: list[Any]) -> str:
    text = json.dumps([None if isinstance(one, Bitrix24Error) else one for one in made], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _remembered(memory: Checkpoint, steps: int) -> Iterator[dict[str, Any]]:
    for number in range(steps):
        yield from memory.get(f"outcome_{number}")
