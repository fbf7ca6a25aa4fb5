"""Many payments deleted, 50 to a request, with a true report after a crash."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.payments import (
    FIND_PAYMENT_ID,
    id_in,
    kind_with_payments,
    not_found,
    payment_conditions,
    payments_of_each,
)
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import (
    NOT_GIVEN,
    NotGiven,
    conditions,
    flag,
    ids,
    one_of,
    positive_id,
    some_conditions,
)
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.operators.list_payments import (
    check_chosen,
    check_one_of,
    check_payment_filter,
    found_owners,
)
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rows.base_operator import Bitrix24BaseWriteOperator, RowArguments

if TYPE_CHECKING:
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rows.row_writer import RowWriter

log = logging.getLogger(__name__)

#: Most ids that the summary names; it must fit into XCom.
_MOST_NOT_FOUND = 100


class Bitrix24DeletePaymentsOperator(Bitrix24BaseWriteOperator):
    """
    Delete many payments: named ones, or those of deals or invoices; one request for 50, several at once.

    Returns ``{"rows": 120, "deleted": 117, "missing": 1, "denied": 0, "paid": 2, "failed": 0, "unknown": 0, "not_done":
    0, "outcomes": [{"row": 0, "outcome": "deleted", "id": 1035}, …], "report": None}``; outcomes only as long as they
    fit into XCom and no report is written. A task that fails has the same in XCom under the key ``bitrix24_rows``.

    After a crash it counts as ``deleted_earlier`` those whose deletion an earlier try had sent, and which are gone.
    What was planned, sent and answered is remembered before the next step, in the task state store of Airflow 3.3 or
    else beside ``report``, so that a retry goes on where the task was killed. Without either, what a retry does not
    find is ``missing_or_deleted_earlier``; with ``entity_ids`` it does not even look for it, and ``deleted_earlier`` is
    null. A portal that answers alike for "not found" and "no right" adds ``denied_or_deleted_earlier``.

    Where some of ``entity_ids`` are not there, or the connection's user may not see them, the summary has
    ``"entities_not_found": {"count": 1, "first": [999]}`` too, with up to 100 ids, and the log has a warning.

    With ``entity_filter`` the summary has the number of ``entities`` that match. Which these are, and which payments
    they have, is found once, by the first try.

    :param payment_ids: ids of payments, a list or its JSON text; templated. This, ``entity_ids`` or ``entity_filter``.
    :param entity_ids: ids of deals or invoices whose payments are deleted; templated.
    :param entity_filter: or which deals or invoices, see ``item_filter`` of :class:`Bitrix24ListItemsOperator`; an
        empty one is refused; templated.
    :param entity_type_id: their kind, ``"deal"`` or ``"invoice"``, ``2`` or ``31``; templated.
    :param payment_filter: which of their payments, in the form of ``crm.item.payment.list``, e.g.
        ``{"=paid": "N"}``; ``paid`` takes booleans, Y and N; templated.
    :param missing_ok: a payment that is not there is not a failure.
    :param on_error: ``"fail"`` sends no further step after the first failure, waits for those under way (1 to
        ``parallel`` of 50 payments each) and fails the task; ``"continue"`` goes on and returns the counts. What stops
        every payment (a limit, the network, authorization) fails the task either way.
    :param dry_run: delete nothing: the same summary, with ``ready`` payments.
    :param max_deletions: more than this fails before anything is deleted; templated.
    :param report: an ``ObjectStoragePath`` for the outcome of every payment, as JSON lines; templated. The folder
        ``<report>.checkpoint`` beside it is how a retry knows what is done.
    :raises AirflowFailException: a payment that may not be deleted, a wrong argument, too many payments.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.item.payment.delete`` and ``.list``, "How to Execute a Batch Request".
    """

    template_fields: Sequence[str] = (
        "payment_ids",
        "entity_ids",
        "entity_filter",
        "entity_type_id",
        "payment_filter",
        "max_deletions",
        *Bitrix24BaseWriteOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"entity_filter": "json", "payment_filter": "json"}

    #: The deals or invoices whose payments are deleted.
    _entities: Sequence[int] = ()
    #: Those of ``entity_ids`` that are not there.
    _not_found: Sequence[int] = ()

    literal_checks: ClassVar[Mapping[str, Check]] = {
        "entity_filter": some_conditions,
        "entity_type_id": kind_with_payments,
        "payment_filter": check_payment_filter,
    }

    def __init__(
        self,
        *,
        payment_ids: Iterable[int | str] | str | NotGiven = NOT_GIVEN,
        entity_ids: Iterable[int | str] | str | NotGiven = NOT_GIVEN,
        entity_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        entity_type_id: int | str = "deal",
        payment_filter: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        missing_ok: bool = False,
        on_error: str = "fail",
        max_deletions: int | str = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.payment_ids = self.given(payment_ids, "payment_ids")
        self.entity_ids = self.given(entity_ids, "entity_ids")
        self.entity_filter = self.given(entity_filter, "entity_filter")
        self.entity_type_id = entity_type_id
        self.payment_filter = self.given(payment_filter, "payment_filter")
        self.missing_ok = self.fixed(flag, missing_ok, "missing_ok")
        self.on_error = self.fixed(one_of, on_error, "on_error", ("fail", "continue"))
        self.max_deletions = max_deletions
        self.check_literals(payment_ids=FIND_PAYMENT_ID)

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            self._check_source()

    def _check_source(self) -> None:
        """:raises ConfigurationError: the arguments that name what to delete do not go together."""
        check_one_of(self, ("payment_ids", "entity_ids", "entity_filter"), "name what to delete")
        if self.is_given("payment_ids") and self.is_given("payment_filter"):
            raise ConfigurationError(
                "payment_filter does not choose among payment_ids, and all of them would be deleted",
                next_step="give entity_ids or entity_filter with it, or only the payment_ids that are to be deleted",
            )

    def row_arguments(self) -> RowArguments:
        most = None if one_of(self.on_error, "on_error", ("fail", "continue")) == "continue" else 0
        positive_id(self.max_deletions, "max_deletions")
        self._check_source()
        check_chosen(self)
        if self.payment_ids is None:
            self._filter()
            kind_with_payments(self.entity_type_id, "entity_type_id")
            if self.entity_filter is None:
                ids(self.entity_ids, "entity_ids")
            else:
                some_conditions(self.entity_filter, "entity_filter")
            return RowArguments(None, most)
        return RowArguments(self._within_limit(ids(self.payment_ids, "payment_ids", FIND_PAYMENT_ID)), most)

    def source(self, client: Client, memory: Checkpoint) -> Iterable[int]:
        """The payments that the objects have, as the first try found them: the next one must not delete others."""
        key = f"plan_{self.arguments_digest()}"
        plan = memory.numbers(key)
        if plan is None:
            self._entities = found_owners(self, client)
            listed = self._listed(client, self._filter())
            plan = self._within_limit(list(listed))
            self._say(len(plan))
            if self.entity_ids is not None:
                without = set(self._entities) - set(listed.values())
                self._not_found = not_found(client, self.entity_type_id, sorted(without))
            if self.entity_filter is not None:
                memory.put_numbers(f"entities_{key}", self._entities)
            memory.put_numbers(f"not_found_{key}", self._not_found)
            memory.put_numbers(key, plan)
        else:
            chosen = self.entity_filter is not None
            self._entities = (memory.numbers(f"entities_{key}") or ()) if chosen else ids(self.entity_ids, "entity_ids")
            self._not_found = memory.numbers(f"not_found_{key}") or ()
        if self._not_found:
            log.warning(
                "%d of entity_ids are not there, or the connection's user may not see them: %s",
                len(self._not_found),
                preview(self._not_found),
            )
        return plan

    def writer(self, client: Client, *, remembers: bool) -> RowWriter:
        # Only the run needs it.
        from airflow_provider_bitrix24.rows.deletions import PaymentDeleter

        left = None if self.payment_ids is not None else lambda: set(self._listed(client, {}))
        return PaymentDeleter(client, missing_ok=self.missing_ok, remembers=remembers, left=left)

    def more_of_summary(self, *, remembers: bool) -> dict[str, Any]:
        more: dict[str, Any] = {} if self.entity_filter is None else {"entities": len(self._entities)}
        if self._not_found:
            first = list(self._not_found[:_MOST_NOT_FOUND])
            more["entities_not_found"] = {"count": len(self._not_found), "first": first}
        if not remembers and self.payment_ids is None:
            self.log.warning("What an earlier try deleted is not counted: nothing remembers it.")
            more["deleted_earlier"] = None
        return more

    def _within_limit(self, plan: list[int]) -> list[int]:
        too_many = self.too_many(len(plan))
        if too_many is not None and not self.is_dry_run:
            raise too_many
        return plan

    def too_many(self, rows: int) -> ConfigurationError | None:
        most = positive_id(self.max_deletions, "max_deletions")
        if rows <= most:
            return None
        look = "look at them" if self.is_dry_run else "look at them with dry_run=True"
        return ConfigurationError(
            f"{rows} payments would be deleted, more than max_deletions, {most}; nothing was deleted",
            next_step=f"{look}, and raise max_deletions if they are right",
        )

    def _filter(self) -> dict[str, Any]:
        return payment_conditions(conditions(self.payment_filter, "payment_filter"))

    def _say(self, payments: int) -> None:
        """Say in the log what is about to be deleted."""
        what = "would be" if self.is_dry_run else "are to be"
        of = "deals or invoices" if self.entity_filter is None else "deals or invoices that match entity_filter"
        log.info("%d payments of %d %s %s deleted", payments, len(self._entities), of, what)

    def _listed(self, client: Client, wanted: dict[str, Any]) -> dict[int, int]:
        """Ids of the payments that the objects have now, each with the object's."""
        found = payments_of_each(client, self.entity_type_id, self._entities, wanted)
        return {id_in(row): owner for owner, row in found}
