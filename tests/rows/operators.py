"""The operators that write many rows, each with rows of its own, and what they have done at the portal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from tests.operators.context import context
from tests.sleepless import sleepless


@dataclass(frozen=True)
class Kind:
    """
    One way to write many rows.

    :param word: the outcome of a row that is done.
    :param argument: the argument that takes the rows.
    :param rows: makes that many rows.
    :param done: titles of the rows that are done, as far as items have them.
    """

    operator: type
    arguments: dict[str, Any]
    method: str
    word: str
    rows: Callable[[Any, int], list[Any]]
    done: Callable[[Any], list[Any]]
    argument: str = "rows"
    repeats: bool = True

    def run(self, rows: Any, *, given: dict[str, Any] | None = None, **arguments: Any) -> Any:
        operator = sleepless(self.operator)(task_id="task", **{**self.arguments, self.argument: rows, **arguments})
        return operator.execute(given or context())

    def failure(self, rows: Any, **arguments: Any) -> str:
        """The message of a failure that is not retried."""
        with pytest.raises(AirflowFailException) as caught:
            self.run(rows, **arguments)
        return str(caught.value)


def titles(portal: Any) -> list[Any]:
    """Titles of the companies and deals of these tests, in order of id."""
    items = [*portal.items(4), *portal.items(2)]
    return [item["title"] for item in items if str(item.get("title", "")).startswith("Firm ")]


def _gone(portal: Any) -> list[Any]:
    """How many payments were deleted, as titles of nothing."""
    return [None] * portal.executed("crm.item.payment.delete")


def _firms(portal: Any, number: int) -> list[Any]:
    return [{"title": f"Firm {index}"} for index in range(number)]


def _keyed_firms(portal: Any, number: int) -> list[Any]:
    return [{"originId": str(index), "title": f"Firm {index}"} for index in range(number)]


def _ids_of_firms(portal: Any, number: int) -> list[Any]:
    ids = portal.add_items(4, number, title="Old")
    return [{"id": item_id, "title": f"Firm {index}"} for index, item_id in enumerate(ids)]


def _payments(portal: Any, number: int) -> list[Any]:
    return [portal.add_payment(1 + index % 9) for index in range(number)]


KINDS: dict[str, Kind] = {
    "add": Kind(
        Bitrix24BulkWriteOperator, {"entity_type_id": 4}, "crm.item.add", "written", _firms, titles, repeats=False
    ),
    "add by method": Kind(
        Bitrix24BulkWriteOperator,
        {"method": "crm.deal.add", "mapping": {"fields": {"TITLE": "$title"}}},
        "crm.deal.add",
        "written",
        _firms,
        titles,
        repeats=False,
    ),
    "import": Kind(
        Bitrix24ImportItemsOperator,
        {"entity_type_id": 4},
        "crm.item.batchImport",
        "imported",
        _firms,
        titles,
        repeats=False,
    ),
    "update": Kind(
        Bitrix24BulkWriteOperator,
        {"entity_type_id": 4, "operation": "update"},
        "crm.item.update",
        "written",
        _ids_of_firms,
        titles,
    ),
    "upsert": Kind(
        Bitrix24UpsertItemsOperator,
        {"entity_type_id": 4, "key": "originId"},
        "crm.item.add",
        "created",
        _keyed_firms,
        titles,
    ),
    "delete": Kind(
        Bitrix24DeletePaymentsOperator,
        {"on_error": "continue"},
        "crm.item.payment.delete",
        "deleted",
        _payments,
        _gone,
        argument="payment_ids",
    ),
}
ADDS = [name for name, kind in KINDS.items() if not kind.repeats]
REPEATABLE = [name for name, kind in KINDS.items() if kind.repeats]


def any_number_may_fail(kind: Kind) -> dict[str, Any]:
    """The argument by which any number of rows may fail."""
    return {} if kind.argument == "payment_ids" else {"max_failures": None}
