"""What operators share that write many CRM items out of rows: sources, outcomes, and when to stop."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.crm.items import fields_of
from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    ConfigurationError,
)
from airflow_provider_bitrix24.execution.arguments import parameters
from airflow_provider_bitrix24.hooks.outcome import MOST_LOGGED, befalls_all
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseRowsOperator
from airflow_provider_bitrix24.rows.template import WHOLE_ROW, filled

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields, Purpose
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client

#: A row by its number: ready to be sent, or what is wrong with it.
Made: TypeAlias = "tuple[int, FieldValues | ConfigurationError]"
#: Where a task that fails leaves its summary in XCom.
SUMMARY_KEY = "bitrix24_rows"
_FAILED = ("failed", "unknown")


class _NoMoreRows(ConfigurationError):
    """The source of the rows cannot be read further."""


@dataclass
class Outcome:
    """
    How one row ended.

    :param outcome: ``failed``, ``unknown`` (it may have been written), or what was done.
    """

    row: int
    outcome: str
    id: int | None = None
    error: Bitrix24Error | None = None

    @classmethod
    def of(cls, row: int, error: Bitrix24Error) -> Outcome:
        """A row that was not written, or of which nobody can tell."""
        return cls(row, "unknown" if error.ran == "unknown" and not error.retryable else "failed", error=error)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"row": self.row, "outcome": self.outcome}
        if self.id is not None:
            told["id"] = self.id
        if self.error is not None:
            told |= {"code": self.error.code, "message": str(self.error), "final": not self.error.retryable}
        return told


@dataclass
class Tally:
    """
    Outcomes so far, and whether to stop.

    :param most: so many rows may fail; None for any number.
    :param failed: rows that failed by themselves.
    """

    most: int | None
    counts: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    _first: Bitrix24Error | None = None
    _for_all: Bitrix24Error | None = None

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.outcome] += 1
        error = outcome.error
        if error is None:
            return
        if befalls_all(error) or isinstance(error, _NoMoreRows):
            self._for_all = self._for_all or error
        else:
            self.failed += 1
            self._first = self._first or error

    def is_over(self, more: int = 0) -> bool:
        """Whether the failures, and ``more``, are too many, or nothing more can be written at all."""
        too_many = self.most is not None and self.failed + more > self.most
        return too_many or self._for_all is not None

    def failure(self) -> Bitrix24Error | None:
        """What the task fails of; None if it does not. Rows that may fail do not keep a retry from healing the rest."""
        if not self.is_over():
            return None
        if self._first is not None and self.most is not None and self.failed > self.most:
            return self._first.advise(f"({dict(self.counts)}; more than max_failures, {self.most})")
        return self._for_all and self._for_all.advise(f"({dict(self.counts)})")


class Bitrix24BaseItemRowsOperator(Bitrix24BaseRowsOperator):
    """Base of the operators that write many CRM items; a subclass writes them in ``steps``."""

    #: Outcomes of rows that were written.
    done: ClassVar[tuple[str, ...]] = ()
    purpose: ClassVar[Purpose]

    def __init__(self, *, entity_type_id: int | str, **kwargs: Any) -> None:
        super().__init__(entity_type_id=entity_type_id, **kwargs)

    def memory(self, context: Any, report: Any) -> Checkpoint:
        """What outlives a try; nothing, where it does no harm to begin anew."""
        from airflow_provider_bitrix24.execution.checkpoint import Checkpoint

        return Checkpoint()

    @abstractmethod
    def steps(
        self, client: Client, known: ItemFields, made: Iterator[Made], tally: Tally, memory: Checkpoint
    ) -> Iterator[list[Outcome]]:
        """Write the rows up to where ``tally`` is over, and yield the outcomes of each step."""

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
        from airflow_provider_bitrix24.execution.storage import write_json_lines

        type_id = entity_type_id(self.entity_type_id)
        given = self.given()
        shape = parameters(self.mapping, "mapping") or WHOLE_ROW
        memory = Checkpoint() if self.only_check else self.memory(context, given.report)
        if (done := memory.get("done")) is not None:
            self.log.info("An earlier try of this task has written all.")
            return dict(done)
        known = fields_of(client, type_id)
        made = _all_made(known, shape, given.rows, self.purpose)
        if self.only_check:
            return self._checked(made)
        tally = Tally(given.most)
        told = self._told(self.steps(client, known, made, tally, memory), tally)
        outcomes, written = (
            (small(told), None) if given.report is None else (None, write_json_lines(given.report, told))
        )
        summary = {
            "rows": tally.counts.total(),
            **{word: tally.counts[word] for word in (*self.done, *_FAILED)},
            "outcomes": outcomes,
            "report": written,
        }
        if failure := tally.failure():
            context["ti"].xcom_push(key=SUMMARY_KEY, value=summary)
            raise failure
        memory.finish(summary)
        return summary

    def _told(self, steps: Iterable[list[Outcome]], tally: Tally) -> Iterator[dict[str, Any]]:
        for outcomes in steps:
            for outcome in outcomes:
                tally.add(outcome)
                if outcome.error is not None and sum(tally.counts[word] for word in _FAILED) <= MOST_LOGGED:
                    self.log.warning("Row %d: %s", outcome.row, outcome.error)
                yield outcome.as_json()
            if outcomes:
                self.log.info("%d rows: %s", tally.counts.total(), dict(tally.counts))

    def _checked(self, made: Iterator[Made]) -> dict[str, Any]:
        tally = Tally(None)
        examples: list[dict[str, Any]] = []
        for number, one in made:
            if isinstance(one, _NoMoreRows):
                raise one
            if isinstance(one, ConfigurationError):
                tally.add(Outcome.of(number, one))
                self.log.warning("Row %d cannot be written: %s", number, one)
                continue
            tally.counts["ready"] += 1
            if len(examples) < 3:
                examples.append(one.params(self.purpose))
        return {"rows": tally.counts.total(), "failed": tally.failed, "examples": examples, "dry_run": True}


def small(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """All outcomes as long as they fit into XCom; None if not, and then a report is what tells them."""
    from airflow_provider_bitrix24.execution.xcom import MAX_XCOM_KIB

    kept: list[dict[str, Any]] = []
    size = 0
    for outcome in told:
        size += len(json.dumps(outcome, ensure_ascii=False).encode()) + 2
        if size <= MAX_XCOM_KIB * 1024:
            kept.append(outcome)
    return kept if size <= MAX_XCOM_KIB * 1024 else None


def _all_made(known: ItemFields, shape: Any, rows: Iterator[dict[str, Any]], purpose: Purpose) -> Iterator[Made]:
    """All rows; where they cannot be read further, that is the last one, so that what was written before is told."""
    number = 0
    while True:
        try:
            row = next(rows, None)
        except ConfigurationError as error:
            if number == 0:
                raise
            yield number, _NoMoreRows(error.reason, next_step=error.next_step)
            return
        if row is None:
            return
        yield number, _made(known, shape, row, purpose)
        number += 1


def _made(known: ItemFields, shape: Any, row: Mapping[str, Any], purpose: Purpose) -> FieldValues | ConfigurationError:
    from airflow_provider_bitrix24.crm.fields import METHOD, FieldValues
    from airflow_provider_bitrix24.rest.encoding import plain

    try:
        one = known.prepare(filled(shape, row), purpose, place="the row")
        return FieldValues(plain(one.fields, method=METHOD), plain(one.entries, method=METHOD))
    except ConfigurationError as error:
        return error
