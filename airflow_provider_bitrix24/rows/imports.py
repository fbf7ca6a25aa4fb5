"""Rows imported as CRM items, 20 to a command and many commands to a request."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.exceptions import AnswerLost, ConfigurationError
from airflow_provider_bitrix24.rest.answers.reply import read_error
from airflow_provider_bitrix24.rest.encoding import plain
from airflow_provider_bitrix24.rows.cells import CellRules
from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.row_names import RowName
from airflow_provider_bitrix24.rows.template import RowTemplate
from airflow_provider_bitrix24.rows.values import item_values

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields
    from airflow_provider_bitrix24.rest.client import Client

METHOD = "crm.item.batchImport"
#: Most items of one command (``crm.item.batchImport``).
MAX_ITEMS = 20


class ImportWriter:
    """
    Imports CRM items; an import that is repeated adds them again.

    :param template: gives the item's fields.
    :param rules: what the author says of cells.
    """

    method = METHOD
    words: tuple[str, ...] = ("imported",)
    repeats = False
    rows_per_command = MAX_ITEMS
    whole_lists: frozenset[str] = frozenset()

    def __init__(self, client: Client, fields: ItemFields, template: RowTemplate, rules: CellRules) -> None:
        self._client = client
        self._fields = fields
        self._template = template
        self._rules = rules

    def prepare(self, row: Mapping[str, Any]) -> RowContent:
        values = item_values(
            self._template.fill(row, whole=self._rules.blank == "fail"), self._rules, self._fields, adds=True
        )
        prepared = self._fields.prepare(values.values, "import", place="the row")
        if not self._template.takes_a_value(row):
            raise ConfigurationError("the row has no value for what is imported", method=METHOD)
        entry = plain(prepared.params("import"), method=METHOD)
        return RowContent(entry, {"entityTypeId": self._fields.entity_type_id, "fields": entry})

    def check_columns(self, columns: Sequence[str]) -> None:
        self._fields.check_names(self._template.names_of(columns), self._template.place)

    def name(self, row: Mapping[str, Any]) -> RowName:
        return RowName()

    def may_repeat(self, row: PreparedRow) -> bool:
        return False

    def step_size(self) -> int:
        """
        As many commands as the portal does in time.

        The first goes alone: only then is it known how long the portal takes for one, and a request that takes more
        than 60 s is cut with its outcome unknown.
        """
        costs = self._client.command_costs
        commands = costs.fit(METHOD) if costs.seconds(METHOD) > 0 else 1
        return commands * MAX_ITEMS

    def keeps_order(self, row: PreparedRow) -> bool:
        return True

    def object_of(self, row: PreparedRow) -> Hashable | None:
        return None

    def kept_apart(self, row: PreparedRow) -> Hashable | None:
        return self.object_of(row)

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        commands = [rows[start : start + MAX_ITEMS] for start in range(0, len(rows), MAX_ITEMS)]
        done = self._client.batch({place: (METHOD, self._params(chunk)) for place, chunk in enumerate(commands)})
        for place, chunk in enumerate(commands):
            if place in done.errors:
                for row in chunk:
                    yield Outcome.of(row.number, done.errors[place])
            else:
                yield from self._answered(done.replies[place].result, chunk)

    def _params(self, rows: Sequence[PreparedRow]) -> dict[str, Any]:
        return {"entityTypeId": self._fields.entity_type_id, "data": [row.values for row in rows]}

    def _answered(self, result: Any, rows: Sequence[PreparedRow]) -> Iterator[Outcome]:
        """
        The outcome of each entry; the portal answers 200 although every one of them failed.

        Entries are a list, or an object by place, as PHP writes an array whose keys are not 0 to n-1.
        """
        items = result.get("items") if isinstance(result, dict) else None
        by_place = dict(enumerate(items)) if isinstance(items, list) else items if isinstance(items, dict) else {}
        for place, row in enumerate(rows):
            entry = by_place.get(place, by_place.get(str(place)))
            item = entry.get("item") if isinstance(entry, dict) else None
            if isinstance(item, dict) and isinstance(item.get("id"), int):
                yield Outcome(row.number, "imported", item["id"])
            elif isinstance(entry, dict) and "error" in entry:
                error = read_error(entry, status=None, method=METHOD, request_id=None, scrub=self._client.scrub)
                yield Outcome.of(row.number, error)
            else:
                lost = AnswerLost("the answer has nothing for this entry", method=METHOD, retryable=False)
                yield Outcome.of(row.number, lost)
