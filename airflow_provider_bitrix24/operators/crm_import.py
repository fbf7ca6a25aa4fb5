"""Operator that imports many CRM items, 20 to a command and many commands to a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rows.item_rows import Bitrix24BaseItemRowsOperator, Made, Outcome, Tally

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields, Purpose
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client

IMPORT = "crm.item.batchImport"
#: Most items of one command («crm.item.batchImport»).
MAX_ITEMS = 20


class Bitrix24ImportItemsOperator(Bitrix24BaseItemRowsOperator):
    """
    Import many CRM items: new ones only, 20 to a command, as many commands to a request as the portal does in time.

    Returns ``{"rows": 500, "imported": 498, "failed": 2, "unknown": 0, "outcomes": [{"row": 0, "outcome": "imported",
    "id": 17}, …], "report": None}``; outcomes only as long as they fit into XCom and no report is written.

    An import is not an add: it starts no automation and no workflow, and the connection's user needs the right to
    import. Administrators may set ``createdTime``, ``updatedTime``, ``movedTime``, ``createdBy``, ``updatedBy`` and
    ``movedBy``. It looks for no duplicates: that is what :class:`Bitrix24UpsertItemsOperator` does.

    What was sent and answered is remembered, in the task state store of Airflow 3.3 or else beside ``report``: a retry
    goes on where the task was killed. A row that may have been imported already is ``unknown``, and the task fails
    without retry. Where nothing remembers, a retry imports nothing and fails.

    :param entity_type_id: ``"deal"``, ``"lead"``, ``"contact"``, ``"company"``, ``"quote"``, ``"invoice"``, or a
        number, e.g. of a smart process; templated.
    :param rows: a list of objects (an XCom), or the address of a file ``.jsonl``, ``.csv`` or ``.parquet``; templated.
    :param sql: a query instead, ordered by something unique; templated.
    :param sql_conn_id: the database's connection; templated.
    :param mapping: the item's fields, in which ``"$column"`` stands for a row's value and ``"$$"`` for a dollar sign,
        e.g. ``{"title": "$name", "PHONE": "$phone"}``; the whole row by default; templated. See
        :class:`Bitrix24AddItemOperator` for names and values.
    :param max_failures: so many rows may fail by themselves before the task stops and fails, its summary in XCom under
        the key ``bitrix24_rows``; None for any number. What befalls all rows, such as a limit, stops it in any case.
    :param dry_run: import nothing; return ``{"rows": 500, "failed": 0, "examples": [fields of the first three], …}``.
    :param report: an ``ObjectStoragePath`` for the outcome of every row, as JSON lines; templated.
    :raises AirflowFailException: the arguments, a right, or more rows failed than may.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.batchImport``, ``crm.item.import``.
    """

    done = ("imported",)
    purpose: ClassVar[Purpose] = "import"

    def memory(self, context: Any, report: Any) -> Checkpoint:
        from airflow_provider_bitrix24.execution.checkpoint import checkpoint, is_repeated

        memory = checkpoint(context, report)
        if is_repeated(context) and not memory.lasting:
            raise ConfigurationError(
                "an earlier try may have imported rows, and nothing remembers which",
                method=IMPORT,
                next_step="look at the portal before you clear the task; with report, a retry goes on safely",
            )
        return memory

    def steps(
        self, client: Client, known: ItemFields, made: Iterator[Made], tally: Tally, memory: Checkpoint
    ) -> Iterator[list[Outcome]]:
        imports = Imports(client, known.entity_type_id, memory)
        chunks = enumerate(iter(lambda: list(islice(made, MAX_ITEMS)), []))
        while some := list(islice(chunks, imports.fit())):
            rows = [one for _, chunk in some for one in chunk]
            bad = [Outcome.of(number, one) for number, one in rows if isinstance(one, ConfigurationError)]
            if tally.is_over(len(bad)):
                yield bad
                return
            yield sorted([*bad, *imports.write(dict(some))], key=lambda outcome: outcome.row)


class Imports:
    """Imports of one kind of item, chunk by chunk, each remembered before it is sent and after."""

    def __init__(self, client: Client, entity_type_id: int, memory: Checkpoint) -> None:
        self.client, self.entity_type_id, self.memory = client, entity_type_id, memory

    def fit(self) -> int:
        """
        Chunks of the next request.

        The first goes alone: only then is it known how long the portal takes for one, and a request that takes more
        than 60 s is cut with its outcome unknown.
        """
        costs = self.client.command_costs
        return costs.fit(IMPORT) if costs.seconds(IMPORT) > 0 else 1

    def write(self, chunks: Mapping[int, Sequence[Made]]) -> list[Outcome]:
        """Import chunks, or tell what an earlier try did with them; rows that are not ready are passed over."""
        outcomes: list[Outcome] = []
        pending: dict[int, dict[int, FieldValues]] = {}
        for number, chunk in chunks.items():
            rows = {row: one for row, one in chunk if not isinstance(one, ConfigurationError)}
            kept, left = self._remembered(number, rows)
            outcomes += kept
            if left:
                pending[number] = left
                self.memory.put(f"outcome_{number}", [outcome.as_json() for outcome in kept])
                self.memory.put(f"intent_{number}", _fingerprint(rows))
        done = self.client.batch({number: (IMPORT, self._params(rows)) for number, rows in pending.items()})
        for number, rows in pending.items():
            if number in done.errors:
                new = [Outcome.of(row, done.errors[number]) for row in rows]
            else:
                new = self._answered(done.replies[number].result, list(rows))
            self.memory.put(f"outcome_{number}", self.memory.get(f"outcome_{number}") + [one.as_json() for one in new])
            outcomes += new
        for outcome in outcomes:
            # Only with what this try did in mind may another begin.
            if outcome.error is not None and not self.memory.lasting:
                outcome.error.retryable = False
        return outcomes

    def _params(self, rows: Mapping[int, FieldValues]) -> dict[str, Any]:
        return {"entityTypeId": self.entity_type_id, "data": [row.params("import") for row in rows.values()]}

    def _remembered(self, number: int, rows: Mapping[int, FieldValues]) -> tuple[list[Outcome], dict[int, FieldValues]]:
        """
        What is known of a chunk's rows, and the rows that are to be sent.

        A row that was meant to be sent and has no outcome may have been imported by the try that was killed.
        """
        intent = self.memory.get(f"intent_{number}")
        if intent is None:
            return [], dict(rows)
        if intent != _fingerprint(rows):
            raise ConfigurationError(
                f"the rows from {number * MAX_ITEMS} on are others than in the try before",
                next_step="keep the rows in a fixed order (ORDER BY), or clear the task to begin anew",
            )
        before = {told["row"]: told for told in self.memory.get(f"outcome_{number}") or []}
        kept, left = [], {}
        for row, one in rows.items():
            told = before.get(row)
            if told is None:
                killed = AnswerLost("an earlier try was killed while it imported this row", method=IMPORT)
                killed.retryable = False
                kept.append(Outcome.of(row, killed.advise("look whether it is there before you import it again")))
            elif told["outcome"] == "failed" and not told["final"]:
                left[row] = one
            else:
                kept.append(_outcome_of(told))
        return kept, left

    def _answered(self, result: Any, rows: Sequence[int]) -> list[Outcome]:
        """
        The outcome of each entry; the portal answers 200 although every one of them failed.

        Entries are a list, or an object by place, as PHP writes an array whose keys are not 0 to n-1.
        """
        from airflow_provider_bitrix24.rest.answers.reply import read_error

        items = result.get("items") if isinstance(result, dict) else None
        by_place = dict(enumerate(items)) if isinstance(items, list) else items if isinstance(items, dict) else {}
        outcomes = []
        for place, row in enumerate(rows):
            entry = by_place.get(place, by_place.get(str(place)))
            item = entry.get("item") if isinstance(entry, dict) else None
            if isinstance(item, dict) and isinstance(item.get("id"), int):
                outcomes.append(Outcome(row, "imported", item["id"]))
                continue
            error: Bitrix24Error
            if isinstance(entry, dict) and "error" in entry:
                error = read_error(entry, status=None, method=IMPORT, request_id=None, scrub=self.client.scrub)
                error.retryable = error.retryable and error.ran == "no"
            else:
                error = AnswerLost("the answer has nothing for this entry", method=IMPORT, retryable=False)
            outcomes.append(Outcome.of(row, error))
        return outcomes


def _outcome_of(told: Mapping[str, Any]) -> Outcome:
    error = None
    if told["outcome"] in ("failed", "unknown"):
        error = Bitrix24Error(
            told["message"],
            code=told["code"],
            ran="unknown" if told["outcome"] == "unknown" else "no",
            retryable=not told["final"],
        )
    return Outcome(told["row"], told["outcome"], told.get("id"), error)


def _fingerprint(rows: Mapping[int, FieldValues]) -> str:
    text = json.dumps({row: one.params("import") for row, one in rows.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
