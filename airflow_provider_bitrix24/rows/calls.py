"""Rows written with one call of a method each, 50 to a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.execution.arguments import positive_id
from airflow_provider_bitrix24.rest.encoding import plain
from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.prepared import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.template import WHOLE_ROW, filled

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields
    from airflow_provider_bitrix24.rest.client import Client

#: Rows written by one request, and remembered as one step.
STEP = 50
#: Longer texts of an answer are no id.
_LONGEST_ID = 100


class CallWriter:
    """
    Calls a method for each row.

    :param method: any method; names in ``fields`` of CRM's own that the portal would drop fail the row.
    :param mapping: the params of the method, see :func:`filled`.
    """

    words: tuple[str, ...] = ("written",)

    def __init__(self, client: Client, method: str, mapping: Any) -> None:
        self._method = client.method(method)
        self.method = self._method.name
        self.repeats = self._method.repeat != "never"
        self._client = client
        self._mapping = mapping
        self._names = FieldNames(client, self.method)

    def prepare(self, row: Mapping[str, Any]) -> RowContent:
        params = plain(self._params(row), method=self.method)
        id_ = params.get("id")
        return RowContent(params, params, id_ if isinstance(id_, (int, str)) and not isinstance(id_, bool) else None)

    def _params(self, row: Mapping[str, Any]) -> Any:
        params = filled(self._mapping, row)
        self._names.check(params)
        return params

    def may_repeat(self, row: PreparedRow) -> bool:
        return self._method.repeat_for(row.values) != "never"

    def step_size(self) -> int:
        return STEP

    def takes(self, step: Sequence[PreparedRow], row: PreparedRow) -> bool:
        return True

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        done = self._client.batch({row.number: (self.method, row.values) for row in rows})
        for row in rows:
            if (error := done.errors.get(row.number)) is not None:
                yield Outcome.of(row.number, error, row.id)
            else:
                id_ = _id_in(done.replies[row.number].result) if row.id is None else row.id
                yield Outcome(row.number, "written", id_)


class ItemWriter(CallWriter):
    """
    Adds or updates CRM items, with names and values of their fields as the portal wants them.

    :param mapping: the item's fields; the column ``id`` names the item of an update.
    """

    def __init__(self, client: Client, fields: ItemFields, operation: Literal["add", "update"], mapping: Any) -> None:
        super().__init__(client, f"crm.item.{operation}", mapping)
        self._fields = fields
        self._operation: Literal["add", "update"] = operation

    def _params(self, row: Mapping[str, Any]) -> Any:
        params: dict[str, Any] = {"entityTypeId": self._fields.entity_type_id}
        values = filled(self._mapping, row)
        if self._operation == "update":
            item_id = filled("$id", row)
            # Parquet files and data frames keep a column of whole numbers as fractions where one is missing.
            whole = isinstance(item_id, float) and item_id.is_integer()
            params["id"] = positive_id(int(item_id) if whole else item_id, "the column id")
            if self._mapping is WHOLE_ROW:
                values.pop("id")
        prepared = self._fields.prepare(values, self._operation, place="the row")
        return {**params, "fields": prepared.params(self._operation)}


def _id_in(result: Any) -> int | str | None:
    """
    The id that a method answers: by itself (``crm.deal.add``), or in the object that it has made (``crm.item.add``,
    ``tasks.task.add``); None where it answers none.
    """
    if isinstance(result, dict) and len(result) == 1:
        (result,) = result.values()
    if isinstance(result, dict):
        result = result.get("id", result.get("ID"))
    if isinstance(result, bool) or not isinstance(result, (int, str)):
        return None
    return result if isinstance(result, int) or 0 < len(result) <= _LONGEST_ID else None
