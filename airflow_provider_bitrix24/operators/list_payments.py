"""Payments of one deal or invoice, or of many, listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.payments import (
    kind_with_payments,
    owners_where,
    payment_conditions,
    payment_owner,
    payment_row,
    payments_of_each,
)
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    conditions,
    flag,
    ids,
    positive_id,
    some_conditions,
)
from airflow_provider_bitrix24.execution.base_operator import LIST_STARTS_OVER, Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.execution.rendered import check_empty_texts
from airflow_provider_bitrix24.execution.xcom import small_list
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client


def check_payment_filter(value: Any, name: str) -> None:
    """:raises ConfigurationError: not a filter of payments, or one that might choose every payment."""
    payment_conditions(conditions(value, name))


def check_chosen(operator: Any) -> None:
    """:raises ConfigurationError: a filter that chooses payments has an empty text that its author did not write."""
    for name in ("entity_filter", "payment_filter"):
        if (value := getattr(operator, name)) is not None:
            check_empty_texts(operator.as_written(name), value, name)


def check_one_of(operator: Any, names: Sequence[str], purpose: str) -> None:
    """:raises ConfigurationError: of arguments that name what is meant, none is given, or several are."""
    if sum(map(operator.is_given, names)) != 1:
        raise ConfigurationError(
            f"give one of {', '.join(names[:-1])} and {names[-1]}", next_step=f"{purpose} by one of the three"
        )


def found_owners(operator: Any, client: Client) -> list[int]:
    """
    Ids of the deals or invoices that ``entity_ids`` or ``entity_filter`` of an operator name.

    :raises ConfigurationError: no ids, or no filter that chooses among them.
    """
    if operator.entity_filter is None:
        return ids(operator.entity_ids, "entity_ids")
    chosen = some_conditions(operator.entity_filter, "entity_filter")
    owners = owners_where(client, operator.entity_type_id, chosen)
    operator.log.info("%d deals or invoices match entity_filter", len(owners))
    return owners


class Bitrix24ListPaymentsOperator(Bitrix24BaseOperator):
    """
    List the payments of a deal or an invoice, or of many.

    Returns a list of payments in the shape of :class:`Bitrix24GetPaymentOperator`, in ascending order of id; ``[]`` for
    an object without payments, and also for an id that does not exist: the portal does not tell the two apart. Those of
    many objects have ``entityTypeId`` and ``entityId`` too, and stand in the order of the objects.

    :param entity_type_id: ``"deal"``, ``"invoice"``, ``2`` or ``31``; templated.
    :param entity_id: the id of the deal or invoice; templated. This, ``entity_ids`` or ``entity_filter``.
    :param entity_ids: ids of deals or invoices, a list or its JSON text; templated.
    :param entity_filter: or which deals or invoices, see ``item_filter`` of :class:`Bitrix24ListItemsOperator`; an
        empty one is refused; templated.
    :param payment_filter: the method's own filter, e.g. ``{"=paid": "N"}`` or ``{"=paid": False}``, or the same as JSON
        text; templated.
    :param ids_only: return the payments' ids alone, ``[1035, 1036]``, as dynamic mapping wants them.
    :raises AirflowFailException: no right, a wrong id, word or filter, or a list too large for XCom.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.list``.
    """

    after_wait = LIST_STARTS_OVER
    template_fields: Sequence[str] = (
        "entity_type_id",
        "entity_id",
        "entity_ids",
        "entity_filter",
        "payment_filter",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"entity_filter": "json", "payment_filter": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {
        "entity_type_id": kind_with_payments,
        "entity_filter": some_conditions,
        "payment_filter": check_payment_filter,
    }

    def __init__(
        self,
        *,
        entity_id: int | str | NotGiven = NOT_GIVEN,
        entity_ids: Iterable[int | str] | str | NotGiven = NOT_GIVEN,
        entity_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        entity_type_id: int | str = "deal",
        payment_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        ids_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.entity_type_id = entity_type_id
        self.entity_id = self.given(entity_id, "entity_id")
        self.entity_ids = self.given(entity_ids, "entity_ids")
        self.entity_filter = self.given(entity_filter, "entity_filter")
        self.payment_filter = self.given(payment_filter, "payment_filter")
        self.ids_only = self.fixed(flag, ids_only, "ids_only")
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_owners()

    def _check_owners(self) -> None:
        check_one_of(self, ("entity_id", "entity_ids", "entity_filter"), "name whose payments are listed")

    def run(self, client: Client, context: Any) -> list[Any]:
        self._check_owners()
        check_chosen(self)
        wanted = payment_conditions(conditions(self.payment_filter, "payment_filter"))
        rows = small_list(self._rows(client, wanted), "crm.item.payment.list")
        return [row["id"] for row in rows] if self.ids_only else rows

    def _rows(self, client: Client, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self.entity_id is not None:
            owner = payment_owner(self.entity_type_id, positive_id(self.entity_id, "entity_id"))
            yield from map(
                payment_row, client.list("crm.item.payment.list", owner | ({"filter": wanted} if wanted else {}))
            )
            return
        kind = kind_with_payments(self.entity_type_id, "entity_type_id")
        for owner_id, row in payments_of_each(client, kind, found_owners(self, client), wanted):
            yield row if self.ids_only else {**row, "entityTypeId": kind, "entityId": owner_id}


def payments_of(
    entity_id: Any = NOT_GIVEN,
    *,
    deals: Any = NOT_GIVEN,
    invoices: Any = NOT_GIVEN,
    entity_type_id: int | str | NotGiven = NOT_GIVEN,
    payment_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
    task_id: str = "payments_of",
    **kwargs: Any,
) -> Any:
    """
    A task that returns the ids of payments, to map other tasks over.

    ``Bitrix24DeletePaymentOperator.partial(task_id="delete").expand(payment_id=payments_of(deals={"@stageId":
    ["LOSE"]}))``. Airflow maps at most ``max_map_length`` ids (1,024 by default);
    ``Bitrix24DeletePaymentsOperator`` deletes more in one task.

    :param entity_id: the id of one deal, or of an object of ``entity_type_id``; a number, a template, or another
        task's result.
    :param deals: the deals instead: their ids, or a filter that is written as an object; one that comes out of a
        template or of a task is ``entity_filter`` of :class:`Bitrix24ListPaymentsOperator`.
    :param invoices: the invoices instead, in the same forms.
    :param entity_type_id: the kind of ``entity_id``, a deal by default.
    :param kwargs: any other argument of :class:`Bitrix24ListPaymentsOperator`.
    :raises AirflowFailException: none of the three is given, or several; a kind with ``deals`` or ``invoices``.
    """
    named = {"entity_id": entity_id, "deals": deals, "invoices": invoices}
    given = {name: value for name, value in named.items() if value is not NOT_GIVEN}
    with airflow_outcome():
        if len(given) != 1:
            raise ConfigurationError(
                "give one of entity_id, deals and invoices", next_step="name whose payments are meant"
            )
        ((name, value),) = given.items()
        is_kind_given = not isinstance(entity_type_id, NotGiven)
        if is_kind_given and name != "entity_id":
            raise ConfigurationError(f"entity_type_id is given beside {name}", next_step="leave it out")
    if name == "entity_id":
        owners = {"entity_id": value, **({"entity_type_id": entity_type_id} if is_kind_given else {})}
    else:
        which = "entity_filter" if isinstance(value, Mapping) else "entity_ids"
        owners = {"entity_type_id": name.removesuffix("s"), which: value}
    return Bitrix24ListPaymentsOperator(
        task_id=task_id, **owners, payment_filter=payment_filter, ids_only=True, **kwargs
    ).output
