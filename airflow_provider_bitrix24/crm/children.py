"""
What belongs to CRM items and is listed for one item at a time.

Sources: pages of ``crm.item.productrow.list`` and ``crm.item.payment.list``, "CRM object types".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.crm.entity_types import ENTITY_TYPES, FIRST_SMART_PROCESS, WITH_PAYMENTS, entity_type_id
from airflow_provider_bitrix24.crm.payments import payment_owner, payment_row
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.types import Row

#: The portal's short names of kinds of items that may have product rows; smart processes have others.
_SHORT = {"lead": "L", "deal": "D", "quote": "Q", "invoice": "SI"}


@dataclass(frozen=True)
class Children:
    """
    One kind of rows that belong to CRM items.

    :param owners: words of the kinds of items that may have them.
    :param smart: whether those of smart processes may have them too.
    :param params_of: from the kind and the id of an owner to the parameters of its list.
    """

    method: str
    owners: tuple[str, ...]
    smart: bool
    params_of: Callable[[int, int], Mapping[str, Any]]
    row: Callable[[Row], Row]


#: By the word of the argument ``children``.
CHILDREN: Mapping[str, Children] = {
    "product_rows": Children(
        "crm.item.productrow.list",
        tuple(_SHORT),
        True,
        lambda type_id, owner: {"filter": {"=ownerType": short_name(type_id), "=ownerId": owner}},
        lambda row: row,
    ),
    "payments": Children("crm.item.payment.list", WITH_PAYMENTS, False, payment_owner, payment_row),
}


def short_name(type_id: int) -> str:
    """``"D"`` of deals, ``"T80"`` of the smart process 128."""
    if type_id >= FIRST_SMART_PROCESS:
        return f"T{type_id:x}"
    words = {number: word for word, number in ENTITY_TYPES.items()}
    return _SHORT[words[type_id]]


def check_owners(children: str, type_id: Any) -> int:
    """
    The number of a kind of items that may have such children.

    :raises ConfigurationError: it has none.
    """
    kind = CHILDREN[children]
    number = entity_type_id(type_id)
    words = {ENTITY_TYPES[word] for word in kind.owners}
    if number not in words and not (kind.smart and number >= FIRST_SMART_PROCESS):
        smart = ", or the number of a smart process" if kind.smart else ""
        raise ConfigurationError(
            f'children is "{children}", and items of the kind {type_id!r} have none',
            next_step=f"set entity_type_id to one of {', '.join(kind.owners)}{smart}",
        )
    return number
