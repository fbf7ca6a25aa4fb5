"""CRM items over a client: the methods, how a call names an item, and what the answers hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24.crm.entity_types import FIRST_SMART_PROCESS, entity_type_id
from airflow_provider_bitrix24.exceptions import Bitrix24Error, NotFound

if TYPE_CHECKING:
    from airflow_provider_bitrix24.crm.fields import FieldValues, ItemFields
    from airflow_provider_bitrix24.rest.client import Client

ADD, DELETE, GET, LIST, UPDATE = (f"crm.item.{verb}" for verb in ("add", "delete", "get", "list", "update"))

FIND_ITEM_ID = "crm.item.list gives the ids; the portal shows an item's id at the end of its address"

_IDS_IN_A_FILTER = 500

_FIND_KIND = "crm.type.list gives entityTypeId of each smart process (its id is another number)"


def item_params(type_id: Any, item_id: int) -> dict[str, int]:
    """
    The parameters that name an item, ``{"entityTypeId": 2, "id": 7}``.

    :param type_id: a word or a number, see :func:`entity_type_id`.
    :raises ConfigurationError: there is no such kind of item.
    """
    return {"entityTypeId": entity_type_id(type_id), "id": item_id}


def fields_of(client: Client, type_id: int) -> ItemFields:
    """
    The fields of a kind of item, asked for once in a run.

    :raises NotFound: there is no such kind of item.
    """
    # Only the run needs it.
    from airflow_provider_bitrix24.crm.fields import METHOD as FIELDS
    from airflow_provider_bitrix24.crm.fields import ItemFields

    try:
        result = client.described(FIELDS, {"entityTypeId": type_id}, fresh=True)
    except NotFound as error:
        raise error.but(advice=_FIND_KIND) from None
    descriptions = result.get("fields")
    if not isinstance(descriptions, dict) or not descriptions:
        raise Bitrix24Error("the answer names no fields", method=FIELDS, next_step="check what the portal answers")
    return ItemFields(type_id, descriptions)


def check_kind(client: Client, type_id: int) -> None:
    """
    Tell a missing smart process from a missing item: the portal has one code for both, and only its fields tell which.

    :raises NotFound: there is no smart process of this number.
    """
    if type_id >= FIRST_SMART_PROCESS:
        fields_of(client, type_id)


def not_listed(client: Client, type_id: int, item_ids: Iterable[int]) -> list[int]:
    """Those ids whose items are not there, or must not be seen by the user of the connection."""
    wanted = list(item_ids)
    there: set[int] = set()
    for start in range(0, len(wanted), _IDS_IN_A_FILTER):
        conditions = {"@id": wanted[start : start + _IDS_IN_A_FILTER]}
        params = {"entityTypeId": type_id, "select": ["id"], "filter": conditions}
        there.update(int(row["id"]) for row in client.list(LIST, params))
    return [item_id for item_id in wanted if item_id not in there]


def item_in(result: Any, method: str) -> dict[str, Any]:
    """
    The item in an answer.

    :raises Bitrix24Error: there is none.
    """
    item = result.get("item") if isinstance(result, dict) else None
    if not isinstance(item, dict):
        raise Bitrix24Error("the answer has no item", method=method, ran="unknown")
    return item


def added_id(result: Any, method: str = ADD) -> int:
    """
    The id of the item that an add answers, a whole number above 0.

    :raises Bitrix24Error: there is none; whether an item was added is unknown.
    """
    item = result.get("item") if isinstance(result, dict) else None
    item_id = item.get("id") if isinstance(item, dict) else None
    if isinstance(item_id, bool) or not isinstance(item_id, int) or item_id < 1:
        raise Bitrix24Error(
            "the answer has no id",  # What stands there instead is not shown: it may be the webhook's code.
            method=method,
            ran="unknown",
            next_step="look with crm.item.list before you run this again",
        )
    return item_id


def check_taken(client: Client, fields: ItemFields, item_id: int, sent: FieldValues) -> None:
    """
    Read an item back after a write.

    :raises Bitrix24Error: the portal dropped fields; not retryable, since it would drop them again.
    """
    item = item_in(client.call(GET, item_params(fields.entity_type_id, item_id)), GET)
    check_cleared(fields, item, sent.cleared, item_id)
    if missing := fields.not_taken(sent, item):
        raise Bitrix24Error(
            f"{fields.kind} {item_id} was written, but the portal silently dropped {', '.join(missing)}",
            method=GET,
            ran="yes",
            next_step="check the values: an enumeration's, a stage's or a currency's value must exist in the portal",
        )


def check_cleared(fields: ItemFields, item: dict[str, Any], cleared: FieldValues, item_id: int | str | None) -> None:
    """
    Whether an item that was read back is without what was to be cleared.

    :raises Bitrix24Error: it is not; not retryable, since the portal would answer the same.
    """
    if not (kept := fields.not_taken(cleared, item)):
        return
    error = not_cleared(f"{fields.kind} {item_id}", kept)
    if lists := [name for name in kept if cleared.fields[name] == []]:
        hint = "some portals do not clear a multiple field by crm.item.update: use e.g. crm.deal.update for it"
        error = error.but(next_step=hint) if lists == kept else error.but(advice=hint)
    raise error


def not_cleared(what: str, kept: list[str], method: str = GET) -> Bitrix24Error:
    """
    The error of an update that has cleared less than was said.

    :param kept: names of the fields that have a value.
    :param method: what has read them.
    """
    return Bitrix24Error(
        f"{what} was written, but not cleared: {', '.join(kept)}",
        method=method,
        ran="yes",
        next_step="a portal keeps what every object has, such as who is responsible, or puts its default there: write "
        "a value, or leave the field out",
    )
