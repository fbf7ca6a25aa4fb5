"""
What updates were to clear: a portal answers with success also where it keeps a value, or puts another in its place.

Sources: issue bitrix-tools/b24-rest-docs#269, on lists (enumerations) of ``crm.item.update``; who is responsible for an
item and the stage that it is in are never empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields
from airflow_provider_bitrix24.crm.items import GET, check_cleared, item_in, item_params, not_cleared
from airflow_provider_bitrix24.crm.plain_names import plain_name
from airflow_provider_bitrix24.crm.values import decimal_of
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.answers.diagnosis import identifying_params
from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.types import Params


def checked(
    client: Client, fields: ItemFields, outcomes: Mapping[int, Outcome], sent: Mapping[int, Mapping[str, Any]]
) -> dict[int, Outcome]:
    """
    Outcomes of updates of items, with an error where the item, read back, still has values that were to be cleared.

    Only items of which something was to be cleared are read, 50 to a request.

    :param outcomes: by the number of the row.
    :param sent: the fields of each update.
    """
    updated = {number: values for number, values in sent.items() if outcomes[number].error is None}
    cleared = {number: FieldValues(dict(values), []).cleared for number, values in updated.items()}
    looks = {
        number: (GET, item_params(fields.entity_type_id, int(outcomes[number].id or 0)))
        for number, values in cleared.items()
        if values.fields
    }

    def compared(outcome: Outcome, number: int, result: Any) -> Outcome:
        item, values = item_in(result, GET), cleared[number]
        _check_answers(values.fields, item, GET)
        kept = len(fields.not_taken(values, item))
        outcome = replace(outcome, cleared=len(values.fields) - kept)
        try:
            check_cleared(fields, item, values, outcome.id)
        except Bitrix24Error as error:
            return replace(outcome, error=error)
        return outcome

    return _read_back(client, outcomes, looks, compared)


def checked_calls(
    client: Client, method: str, outcomes: Mapping[int, Outcome], rows: Iterable[PreparedRow]
) -> dict[int, Outcome]:
    """
    The same of any method that updates: its object is read by the method with which a delete looks for it.

    :param outcomes: by the number of the row; those of ``rows`` that are done are looked at.
    """
    family, _, verb = method.rpartition(".")
    lookup = client.method(f"{family}.delete").lookup if verb.lower() == "update" else None
    looks: dict[int, tuple[str, Params]] = {}
    emptied: dict[int, list[str]] = {}
    found = dict(outcomes)
    for row in rows:
        if not row.cleared or outcomes[row.number].error is not None:
            continue
        emptied[row.number] = _emptied(row.values)
        if lookup is None or not emptied[row.number]:
            found[row.number] = _unread(outcomes[row.number], "no method is known that reads it")
        else:
            looks[row.number] = (lookup, identifying_params(row.values))

    def compared(outcome: Outcome, number: int, result: Any) -> Outcome:
        answered = _fields_in(result)
        names = emptied[number]
        _check_answers(map(plain_name, names), answered, lookup or "")
        kept = [name for name in names if not _is_empty(answered[plain_name(name)])]
        error = not_cleared(f"the object {outcome.id}", kept, lookup or "") if kept else None
        return replace(outcome, error=error, cleared=len(names) - len(kept))

    return _read_back(client, found, looks, compared)


def _read_back(
    client: Client,
    outcomes: Mapping[int, Outcome],
    looks: Mapping[int, tuple[str, Params]],
    compared: Callable[[Outcome, int, Any], Outcome],
) -> dict[int, Outcome]:
    if not looks:
        return dict(outcomes)
    try:
        read = client.batch(looks)
    except Bitrix24Error as error:
        # The rows are written anyway.
        return {**outcomes, **{number: _unread(outcomes[number], error.reason) for number in looks}}
    found = dict(outcomes)
    for number in looks:
        try:
            if number in read.errors:
                raise read.errors[number]
            found[number] = compared(outcomes[number], number, read.replies[number].result)
        except Bitrix24Error as error:
            found[number] = _unread(outcomes[number], error.reason)
    return found


def _unread(outcome: Outcome, reason: str) -> Outcome:
    note = f"done, but the item could not be read back to see what is cleared ({reason})"
    return replace(outcome, cleared=0, note=note)


def _check_answers(names: Iterable[str], answered: Mapping[str, Any], method: str) -> None:
    """:raises Bitrix24Error: a name is missing from an object that was read, and nothing says what its value is."""
    if missing := [name for name in names if name not in answered]:
        raise Bitrix24Error(f"{method} does not answer {', '.join(missing)}", method=method, ran="yes")


def _emptied(params: Mapping[str, Any]) -> list[str]:
    """Names of the fields that a call sends empty; none where it does something else too."""
    fields: Sequence[Any] = [value for name, value in params.items() if name.lower() in ("fields", "arfields")]
    own = fields[0] if len(fields) == 1 and isinstance(fields[0], Mapping) else {}
    return [name for name, value in own.items() if value in ("", [])]


def _fields_in(result: Any) -> dict[str, Any]:
    """The fields of an object that was read, by itself or under its name, by their plain names."""
    if isinstance(result, Mapping) and len(result) == 1 and isinstance(inner := next(iter(result.values())), Mapping):
        result = inner
    return {plain_name(name): value for name, value in result.items()} if isinstance(result, Mapping) else {}


def _is_empty(value: Any) -> bool:
    """Whether an answer's value is that of an empty field: old methods write ``"0"``, ``"0.00"`` and ``"N"``."""
    return value in (None, "", "N", [], {}, False) or decimal_of(value) == 0
