"""
Multiple fields that an update has cleared: some portals answer with success and keep the values.

Source: see :attr:`FieldValues.clears_lists`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields
from airflow_provider_bitrix24.crm.items import GET, check_item, item_in, item_params
from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rows.outcomes import Outcome

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client


def checked(
    client: Client, fields: ItemFields, outcomes: Mapping[int, Outcome], sent: Mapping[int, Mapping[str, Any]]
) -> dict[int, Outcome]:
    """
    Outcomes of updates, with an error where the item, read back, still has values that were to be cleared.

    Only items whose multiple fields were cleared are read, 50 to a request.

    :param outcomes: by the number of the row.
    :param sent: the fields of each update.
    """
    cleared = {
        number: FieldValues({name: value for name, value in values.items() if value == []}, [])
        for number, values in sent.items()
        if outcomes[number].error is None and outcomes[number].id is not None
    }
    looks = {
        number: (GET, item_params(fields.entity_type_id, int(outcomes[number].id or 0)))
        for number, values in cleared.items()
        if values.clears_lists
    }
    if not looks:
        return dict(outcomes)
    try:
        read = client.batch(looks)
    except Bitrix24Error as error:
        # The rows are written anyway.
        return {**outcomes, **{number: _unread(outcomes[number], error) for number in looks}}
    found = dict(outcomes)
    for number in looks:
        if number in read.errors:
            found[number] = _unread(outcomes[number], read.errors[number])
        else:
            found[number] = _compared(fields, outcomes[number], cleared[number], read.replies[number].result)
    return found


def _compared(fields: ItemFields, outcome: Outcome, cleared: FieldValues, result: Any) -> Outcome:
    try:
        item = item_in(result, GET)
    except Bitrix24Error as error:
        return _unread(outcome, error)
    try:
        check_item(fields, item, cleared, outcome.id)
    except Bitrix24Error as error:
        kept = len(fields.not_taken(cleared, item))
        return replace(outcome, error=error, cleared=max(0, outcome.cleared - kept))
    return outcome


def _unread(outcome: Outcome, error: Bitrix24Error) -> Outcome:
    return replace(outcome, note=f"done, but the item could not be read back to see what is cleared ({error.reason})")
