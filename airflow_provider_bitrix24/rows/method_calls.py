"""Rows written with one call of a method each, 50 to a request."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.present_entries import PresentEntries
from airflow_provider_bitrix24.crm.shapes import check_shapes, is_written_empty, replaced_in
from airflow_provider_bitrix24.crm.typed_values import names_an_id
from airflow_provider_bitrix24.crm.write_names import FieldNames
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, NotFound
from airflow_provider_bitrix24.execution.arguments import positive_id
from airflow_provider_bitrix24.rest.encoding import plain
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.scalars import has_exponent
from airflow_provider_bitrix24.rest.structured_parameters import check_structures
from airflow_provider_bitrix24.rows import cleared_fields
from airflow_provider_bitrix24.rows.cells import CellRules, is_blank
from airflow_provider_bitrix24.rows.outcomes import UNCHANGED, Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.row_names import RowName, as_named
from airflow_provider_bitrix24.rows.template import RowTemplate
from airflow_provider_bitrix24.rows.values import RowValues, call_params, item_values

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import ItemFields
    from airflow_provider_bitrix24.rest.client import Client

#: Rows written by one request, and remembered as one step.
STEP = 50
#: Methods that answer the id of what they have added: without one, nobody knows whether it is there.
_ADDS_AN_ITEM = re.compile(r"crm\.(company|contact|deal|item|lead|quote)\.add")
#: How an author says that the rows or relations of an object are to be removed.
_SAY_EMPTY = "write [] in mapping if that is meant for every row; else check the cell, or leave the row out"
#: Longer texts of an answer are not ids.
_LONGEST_ID = 100


class CallWriter:
    """
    Calls a method for each row.

    :param method: any method.
    :param template: gives the params of the method.
    :param rules: what the author says of cells.
    :param check_fields: names of fields that the portal would drop fail the row.
    :param remembers: False where an earlier try may have sent rows and nothing remembers which.
    """

    rows_per_command = 1

    def __init__(
        self,
        client: Client,
        method: str,
        template: RowTemplate,
        rules: CellRules,
        *,
        check_fields: bool = True,
        remembers: bool = True,
    ) -> None:
        self._method = client.method(method)
        self.method = self._method.name
        self.repeats = self._method.repeat != "never"
        self._client = client
        self._template = template
        replaced = replaced_in(self.method)
        self.whole_lists = template.lists | ({plain_name(replaced)} if replaced else frozenset())
        self._rules = rules
        self._names = FieldNames(client, self.method) if check_fields else None
        self._present = PresentEntries(self.method)
        verb = self.method.lower().rpartition(".")[2]
        self._adds, self._updates, self._deletes = verb == "add", verb == "update", verb == "delete"
        self._remembers = remembers
        # Of others, such as messages to one dialog, the order is that of the batch.
        self._names_by_any_id = verb in ("update", "set", "delete")
        self.words: tuple[str, ...] = ("written", UNCHANGED) if self._updates else ("written",)

    def prepare(self, row: Mapping[str, Any]) -> RowContent:
        values = self._values(row)
        params = plain(values.values, method=self.method)
        id_ = self._object_of(params)
        fields = _fields_of(params)
        if self._adds and not (self._template.takes_a_value(row) and fields != {}):
            raise ConfigurationError("the row has no value for what is added", method=self.method)
        unsent = UNCHANGED if self._updates and fields == {} else ""
        return RowContent(params, params, id_, values.cleared, unsent)

    def _values(self, row: Mapping[str, Any]) -> RowValues:
        values = call_params(self._template.fill(row, whole=self._rules.blank == "fail"), self._rules, adds=self._adds)
        # What a template has lost in a mapping is refused, so that an empty list in it is written in the DAG.
        may_empty = is_written_empty(self.method, self._template.mapping)
        check_shapes(self.method, values.values, may_empty=may_empty, say_empty=_SAY_EMPTY)
        check_structures(self._method, values.values)
        if self._names is not None:
            self._names.check(values.values)
            values = replace(values, values=self._names.exact(values.values))
        return values

    def check_columns(self, columns: Sequence[str]) -> None:
        names = self._template.names_of(columns)
        if self._names is not None:
            self._names.check_parameter_names(names)

    def name(self, row: Mapping[str, Any]) -> RowName:
        return RowName(id=next(map(as_named, self._template.fill_some(row, _is_id).values()), None))

    def may_repeat(self, row: PreparedRow) -> bool:
        # What an update adds is looked up first.
        return self._present.are_added_by(row.values) or self._method.repeat_for(row.values) != "never"

    def step_size(self) -> int:
        return STEP

    def keeps_order(self, row: PreparedRow) -> bool:
        """Adds, what no name of an object tells apart, and methods of which it is not known whether they may wait."""
        return self._adds or not self._names_by_any_id or row.id is None

    def object_of(self, row: PreparedRow) -> Hashable | None:
        return None if self._adds or row.id is None else str(row.id)

    def kept_apart(self, row: PreparedRow) -> Hashable | None:
        return self.object_of(row)

    def _object_of(self, params: Mapping[str, Any]) -> int | str | None:
        """What a call is about: its ``id``, or what an update or a replacement has under other names of ids."""
        ids: dict[str, int | str] = {name: value for name, value in params.items() if _can_name(value)}
        if (own := next(filter(_is_id, ids), None)) is not None:
            return ids[own]
        others = [ids[name] for name in sorted(ids) if names_an_id(name)]
        if not others or not self._names_by_any_id:
            return None
        return others[0] if len(others) == 1 else ", ".join(map(str, others))

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        """Write rows; an update leaves out phones and the like that the item has already."""
        adding = {row.number for row in rows if self._present.are_added_by(row.values)}
        if not adding:
            return self._written(rows)
        looks = {row.number: self._present.look_up(row.values) for row in rows if row.number in adding}
        items = self._client.batch(looks)
        outcomes: dict[int, Outcome] = {}
        ready: list[PreparedRow] = []
        for row in rows:
            if row.number not in adding or row.content is None:
                ready.append(row)
                continue
            try:
                if row.number in items.errors:
                    raise items.errors[row.number]
                values = self._present.left_out_of(row.values, items.replies[row.number].result)
            except Bitrix24Error as error:
                # The update itself was not sent.
                outcomes[row.number] = Outcome.of(row.number, error.but(ran="no"), row.id)
                continue
            if _fields_of(values):
                ready.append(replace(row, content=replace(row.content, values=values)))
            else:
                outcomes[row.number] = Outcome(row.number, UNCHANGED, row.id)
        for row, outcome in zip(ready, self._written(ready), strict=True):
            lost = outcome.error
            if row.number in adding and lost is not None and lost.ran == "unknown":
                # The next try looks at the item first.
                lost = lost.but(retryable=True)
            outcomes[row.number] = replace(outcome, error=lost)
        return [outcomes[row.number] for row in rows]

    def _written(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        called = zip(rows, self._called(rows), strict=True)
        return self._checked({row.number: outcome for row, outcome in called}, rows).values()

    def _checked(self, outcomes: Mapping[int, Outcome], rows: Sequence[PreparedRow]) -> Mapping[int, Outcome]:
        """Outcomes in view of what was to be cleared."""
        return cleared_fields.checked_calls(self._client, self.method, outcomes, rows)

    def _called(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        done = self._client.batch({row.number: (self.method, row.values) for row in rows})
        for row in rows:
            if (error := done.errors.get(row.number)) is not None:
                yield self._refused(row, error)
            else:
                result = done.replies[row.number].result
                id_ = _id_in(result) if row.id is None else row.id
                if id_ is None and _ADDS_AN_ITEM.fullmatch(self.method.lower()):
                    yield Outcome.of(row.number, self._without_id(result))
                    continue
                yield Outcome(row.number, "written", id_, cleared=row.cleared)

    def _refused(self, row: PreparedRow, error: Bitrix24Error) -> Outcome:
        """A delete of what is not there is done if an earlier try may have sent it."""
        is_gone = self._deletes and isinstance(error, NotFound) and not error.referred
        if is_gone and row.may_have_run:
            return Outcome(row.number, "written", row.id)
        if is_gone and not self._remembers:
            note = "not there: an earlier try has deleted it, or nothing had this id"
            return Outcome(row.number, "written", row.id, note=note)
        if isinstance(error, NotFound) and not error.next_step:
            error = error.but(next_step="check the id: nothing has it, or it was deleted before")
        return Outcome.of(row.number, error, row.id)

    def _without_id(self, result: Any) -> Bitrix24Error:
        return Bitrix24Error(
            f"the answer is {preview(result, self._client.scrub)} and not an id",
            method=self.method,
            ran="unknown",
            retryable=False,
            next_step=f"look with {self.method.rpartition('.')[0]}.list before you run this again",
        )


class ItemWriter(CallWriter):
    """
    Adds or updates CRM items, with names and values of their fields as the portal wants them.

    :param template: gives the item's fields; the column ``id`` names the item of an update.
    """

    def __init__(
        self,
        client: Client,
        fields: ItemFields,
        operation: Literal["add", "update"],
        template: RowTemplate,
        rules: CellRules,
    ) -> None:
        super().__init__(client, f"crm.item.{operation}", template, rules)
        self._fields = fields
        self._operation: Literal["add", "update"] = operation

    def check_columns(self, columns: Sequence[str]) -> None:
        names = self._template.names_of(columns)
        if self._updates:
            column = _column_of_ids(dict.fromkeys(columns), "the source")
            names = [name for name in names if self._template.mapping is not None or name != column]
        self._fields.check_names(names, self._template.place)

    def name(self, row: Mapping[str, Any]) -> RowName:
        named = [value for column, value in row.items() if _is_id(column) and not is_blank(value)]
        return RowName(id=as_named(named[0]) if self._updates and named else None)

    def _checked(self, outcomes: Mapping[int, Outcome], rows: Sequence[PreparedRow]) -> Mapping[int, Outcome]:
        sent = {row.number: row.values["fields"] for row in rows} if self._updates else {}
        return cleared_fields.checked(self._client, self._fields, outcomes, sent)

    def _values(self, row: Mapping[str, Any]) -> RowValues:
        params: dict[str, Any] = {"entityTypeId": self._fields.entity_type_id}
        filled = self._template.fill(row, whole=self._rules.blank == "fail")
        if self._updates:
            column = _column_of_ids(row)
            params["id"] = _item_id(row[column], column.strip())
            if self._template.mapping is None:
                del filled[column]
        values = item_values(filled, self._rules, self._fields, adds=self._adds)
        prepared = self._fields.prepare(values.values, self._operation, place="the row")
        return RowValues({**params, "fields": prepared.params(self._operation)}, values.cleared)


def _column_of_ids(row: Mapping[str, Any], place: str = "the row") -> str:
    """:raises ConfigurationError: no column of a row is called ``id``, in any case, or several are."""
    columns = [column for column in row if _is_id(column)]
    if not columns:
        raise ConfigurationError(
            f"{place} has no column 'id'",
            next_step=f"name the column of the items' ids 'id'; it has: {', '.join(sorted(row)) or 'none'}",
        )
    if len(columns) > 1:
        raise ConfigurationError(
            f"{place} has {columns[0]!r} and {columns[1]!r}, which both name the item", next_step="keep one"
        )
    return columns[0]


def _item_id(value: Any, column: str) -> int:
    hint = "write the id of the item, a whole number such as 17"
    if is_blank(value):
        raise ConfigurationError(f"the row has no value in the column {column}", next_step=hint)
    # Parquet files and data frames keep a column of whole numbers as fractions where one is missing.
    whole = isinstance(value, float) and value.is_integer()
    try:
        return positive_id(int(value) if whole else value, f"the column {column}")
    except ConfigurationError as error:
        if has_exponent(value):
            raise
        # A hint for arguments would speak of mapped tasks.
        raise error.but(next_step=hint) from None


def _can_name(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _fields_of(params: Mapping[str, Any]) -> Any:
    return next((value for name, value in params.items() if name.lower() in ("fields", "arfields")), None)


def _is_id(name: str) -> bool:
    return str(name).strip().lower() == "id"


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
