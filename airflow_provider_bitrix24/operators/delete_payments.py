"""Many payments deleted, 50 to a request, with a true report after a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, Forbidden, NotFound
from airflow_provider_bitrix24.operators.arguments import ids, one_of, parameters, positive_id
from airflow_provider_bitrix24.operators.base import Bitrix24BaseOperator
from airflow_provider_bitrix24.operators.payment import FIND_PAYMENT_ID, payment_owner
from airflow_provider_bitrix24.operators.payment_rows import payment_row

if TYPE_CHECKING:
    from airflow_provider_bitrix24.operators.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.batch import BatchResult
    from airflow_provider_bitrix24.rest.client import Client

#: Payments deleted by one request, and remembered as one step.
STEP = 50
#: Outcomes that leave nothing to do.
GONE = ("deleted", "deleted_earlier", "missing_or_deleted_earlier")


class Bitrix24DeletePaymentsOperator(Bitrix24BaseOperator):
    """
    Delete many payments, named by their ids or by their deals or invoices; one request for 50.

    Returns ``{"planned": 120, "deleted": 117, "missing": 1, "denied": 0, "paid": 2, "failed": 0, "report": null}``, and
    with a crash behind it ``deleted_earlier`` (an earlier try had sent the deletion, and the payment is gone) or, where
    nothing outlives a try, ``missing_or_deleted_earlier``.

    What was planned, sent and answered is remembered before the next step, in the task state store of Airflow 3.3 or
    else beside ``report``: a retry goes on where the task was killed.

    :param payment_ids: ids of payments, a list or its JSON text; templated. Either this or ``entity_ids``.
    :param entity_ids: ids of deals or invoices whose payments go; templated.
    :param entity_type_id: their kind, ``"deal"`` or ``"invoice"``, ``2`` or ``31``; templated.
    :param payment_filter: which of their payments, in the form of ``crm.item.payment.list``, e.g. ``{"=paid": "N"}``;
        templated.
    :param missing_ok: a payment that is not there is no failure.
    :param on_error: ``"fail"`` stops after the step with the first failure and fails the task; ``"continue"`` goes on
        and returns the counts.
    :param dry_run: delete nothing, return ``{"planned": 120, "payment_ids": [first 100], "dry_run": true, …}``.
    :param max_deletions: more than this fails before anything is deleted; templated.
    :param report: an ``ObjectStoragePath`` for the outcome of every payment, JSON lines ``{"payment_id": 1035,
        "outcome": "denied", "message": "…"}``; templated.

    Source: Bitrix24 REST docs, ``crm.item.payment.delete`` and ``.list``, «How to Execute a Batch Request».
    """

    template_fields: Sequence[str] = (
        "payment_ids",
        "entity_ids",
        "entity_type_id",
        "payment_filter",
        "max_deletions",
        "report",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"payment_filter": "json"}

    def __init__(
        self,
        *,
        payment_ids: Iterable[int | str] | str | None = None,
        entity_ids: Iterable[int | str] | str | None = None,
        entity_type_id: int | str = "deal",
        payment_filter: Mapping[str, Any] | str | None = None,
        missing_ok: bool = False,
        on_error: str = "fail",
        dry_run: bool = False,
        max_deletions: int | str = 1000,
        report: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.payment_ids = payment_ids
        self.entity_ids = entity_ids
        self.entity_type_id = entity_type_id
        self.payment_filter = payment_filter
        self.missing_ok = missing_ok
        self.on_error = on_error
        # BaseOperator has a method of the name dry_run.
        self.only_plan = dry_run
        self.max_deletions = max_deletions
        self.report = report

    def run(self, client: Client, context: Any) -> dict[str, Any]:
        from airflow_provider_bitrix24.operators.checkpoint import checkpoint, is_repeated
        from airflow_provider_bitrix24.operators.storage import storage_path, write_json_lines

        one_of(self.on_error, "on_error", ("fail", "continue"))
        most = positive_id(self.max_deletions, "max_deletions")
        report = None if self.report is None else storage_path(self.report, "report")
        memory = checkpoint(context, report)
        plan: list[int] = memory.get("plan") or self._plan(client)
        if len(plan) > most:
            raise ConfigurationError(
                f"{len(plan)} payments would be deleted, more than max_deletions, {most}; nothing was deleted",
                next_step="look at them with dry_run=True, and raise max_deletions if they are right",
            )
        if self.only_plan:
            self.log.info("%d payments would be deleted.", len(plan))
            written = report and write_json_lines(report, ({"payment_id": one, "outcome": "planned"} for one in plan))
            return {"planned": len(plan), "payment_ids": plan[:100], "dry_run": True, "report": written or None}
        memory.put("plan", plan)
        outcomes = {}
        failure: Bitrix24Error | None = None
        for number, some in enumerate(_steps(plan)):
            answers, failure = self._step(client, memory, number, some, is_repeated(context))
            outcomes.update(answers)
            self.log.info("%d of %d payments: %s", len(outcomes), len(plan), dict(_counts(outcomes)))
            if failure is not None and self.on_error == "fail":
                break
        written = report and write_json_lines(report, (row for row in outcomes.values()))
        summary = {"planned": len(plan), **_counts(outcomes), "report": written or None}
        if failure is not None and self.on_error == "fail":
            context["ti"].xcom_push(key="bitrix24_deletions", value=summary)
            raise failure.advise(f"({dict(_counts(outcomes))} of {len(plan)} planned)")
        memory.forget()
        return summary

    def _plan(self, client: Client) -> list[int]:
        if (self.payment_ids is None) == (self.entity_ids is None):
            raise ConfigurationError(
                "give either payment_ids or entity_ids", next_step="one of the two names what goes"
            )
        if self.payment_ids is not None:
            return ids(self.payment_ids, "payment_ids", FIND_PAYMENT_ID)
        owners = ids(self.entity_ids, "entity_ids")
        wanted = parameters(self.payment_filter, "payment_filter")
        params = {
            owner: {**payment_owner(self.entity_type_id, owner), **({"filter": wanted} if wanted else {})}
            for owner in owners
        }
        rows = client.children("crm.item.payment.list", owners, params.__getitem__)
        return list(dict.fromkeys(int(payment_row(row)["id"]) for _, row in rows))

    def _step(
        self, client: Client, memory: Checkpoint, number: int, some: list[int], repeated: bool
    ) -> tuple[dict[int, dict[str, Any]], Bitrix24Error | None]:
        """Delete up to 50 payments, or tell what an earlier try did with them."""
        known = memory.get(f"outcome_{number}")
        if known is not None and all(row["outcome"] in GONE or row.get("final") for row in known):
            return {row["payment_id"]: row for row in known}, None
        sent_before = bool(memory.get(f"intent_{number}"))
        memory.put(f"intent_{number}", True)
        earlier = {row["payment_id"]: row for row in known or [] if row["outcome"] in GONE}
        done = client.batch({one: ("crm.item.payment.delete", {"id": one}) for one in some if one not in earlier})
        gone_word = (
            "deleted_earlier"
            if sent_before and memory.lasting
            else "missing_or_deleted_earlier"
            if repeated and not memory.lasting
            else "missing"
        )
        rows = [earlier.get(one) or self._row(one, done, gone_word) for one in some]
        memory.put(f"outcome_{number}", rows)
        failed = [error for error in done.errors.values() if self._is_failure(error, gone_word)]
        # One that a retry may heal decides, so that the retry takes place.
        worst = next((error for error in failed if error.retryable), failed[0] if failed else None)
        return {row["payment_id"]: row for row in rows}, worst

    def _is_failure(self, error: Bitrix24Error, gone_word: str) -> bool:
        return not (isinstance(error, NotFound) and (self.missing_ok or gone_word != "missing"))

    def _row(self, payment_id: int, done: BatchResult[int], gone_word: str) -> dict[str, Any]:
        error = done.errors.get(payment_id)
        if error is None:
            return {"payment_id": payment_id, "outcome": "deleted"}
        outcome = gone_word if isinstance(error, NotFound) else "denied" if isinstance(error, Forbidden) else "failed"
        if "unpay it first" in error.next_step:
            outcome = "paid"
        final = not error.retryable
        return {"payment_id": payment_id, "outcome": outcome, "message": str(error), "final": final}


def _steps(plan: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(plan), STEP):
        yield plan[start : start + STEP]


def _counts(outcomes: Mapping[int, Mapping[str, Any]]) -> dict[str, int]:
    counted = Counter(row["outcome"] for row in outcomes.values())
    always = {name: counted.pop(name, 0) for name in ("deleted", "missing", "denied", "paid", "failed")}
    return {**always, **counted}
