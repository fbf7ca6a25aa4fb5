"""Many payments deleted, 50 to a request, with a true report after a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.payments import FIND_PAYMENT_ID, id_in, payment_conditions, payment_owner
from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    ConfigurationError,
    Forbidden,
    NotFound,
    OperationTimeLimit,
    QueryLimitExceeded,
    RestError,
    TaskStopped,
    Unauthorized,
)
from airflow_provider_bitrix24.execution.arguments import ids, one_of, parameters, positive_id
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.hooks.outcome import MOST_LOGGED

if TYPE_CHECKING:
    from airflow_provider_bitrix24.execution.checkpoint import Checkpoint
    from airflow_provider_bitrix24.rest.client import Client

#: Payments deleted by one request, and remembered as one step.
STEP = 50
#: Outcomes that leave nothing to do.
GONE = ("deleted", "deleted_earlier", "missing_or_deleted_earlier")
#: Outcomes that say that no deletion took place.
REFUSED = ("missing", "denied", "paid")
#: What the portal says of a webhook or a method, and so of every payment that is left.
_OF_ALL = (Unauthorized, Blocked, QueryLimitExceeded, OperationTimeLimit)


class Bitrix24DeletePaymentsOperator(Bitrix24BaseOperator):
    """
    Delete many payments, named by their ids or by their deals or invoices; one request for 50.

    Returns ``{"planned": 120, "deleted": 117, "missing": 1, "denied": 0, "paid": 2, "failed": 0, "report": null}``.

    After a crash it counts as ``deleted_earlier`` those whose deletion an earlier try had sent, and which are gone.
    What was planned, sent and answered is remembered before the next step, in the task state store of Airflow 3.3 or
    else beside ``report``, so that a retry goes on where the task was killed. Without either, what a retry does not
    find is ``missing_or_deleted_earlier``; with ``entity_ids`` it does not even look for it, and ``deleted_earlier`` is
    null. A portal that answers alike for «not found» and «no right» adds ``denied_or_deleted_earlier``.

    :param payment_ids: ids of payments, a list or its JSON text; templated. Either this or ``entity_ids``.
    :param entity_ids: ids of deals or invoices whose payments go; templated.
    :param entity_type_id: their kind, ``"deal"`` or ``"invoice"``, ``2`` or ``31``; templated.
    :param payment_filter: which of the payments of ``entity_ids``, in the form of ``crm.item.payment.list``, e.g.
        ``{"=paid": "N"}``; templated.
    :param missing_ok: a payment that is not there is no failure.
    :param on_error: ``"fail"`` stops after the step with the first failure and fails the task, with the counts in the
        XCom ``bitrix24_deletions``; ``"continue"`` goes on and returns the counts. What is wrong with the portal and
        not with a payment (a limit, the network, authorization) fails the task either way.
    :param dry_run: delete nothing, return ``{"planned": 120, "payment_ids": [first 100], "dry_run": true, …}``.
    :param max_deletions: more than this fails before anything is deleted; templated.
    :param report: an ``ObjectStoragePath`` for the outcome of every payment, JSON lines ``{"payment_id": 1035,
        "outcome": "denied", "message": "…"}``; templated. The folder ``<report>.checkpoint`` beside it is how a retry
        knows what is done.
    :raises AirflowFailException: a payment that may not be deleted, a wrong argument, too many payments.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

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
    flags: ClassVar[Mapping[str, str]] = {"missing_ok": "missing_ok", "dry_run": "only_plan"}

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
        from airflow_provider_bitrix24.execution.checkpoint import checkpoint, is_repeated
        from airflow_provider_bitrix24.execution.storage import writable_path, write_json_lines

        one_of(self.on_error, "on_error", ("fail", "continue"))
        most = positive_id(self.max_deletions, "max_deletions")
        report = None if self.report is None else writable_path(self.report, "report")
        if self.only_plan:
            return self._planned(self._plan(client), most, report)
        memory = checkpoint(context, report)
        if (done := memory.get("done")) is not None:
            self.log.info("An earlier try of this task has done it all.")
            return dict(done)
        remembered = memory.numbers("plan")
        plan: list[int] = self._plan(client) if remembered is None else remembered
        if len(plan) > most:
            raise ConfigurationError(
                f"{len(plan)} payments would be deleted, more than max_deletions, {most}; nothing was deleted",
                next_step="look at them with dry_run=True, and raise max_deletions if they are right",
            )
        if remembered is None:
            memory.put_numbers("plan", plan)
        unsure = is_repeated(context) and not memory.lasting
        outcomes: dict[int, dict[str, Any]] = {}
        failure: Bitrix24Error | None = None
        for number, some in enumerate(_steps(plan)):
            answers, failure = self._step(client, memory, number, some, unsure)
            failed = sum("message" in row for row in outcomes.values())
            outcomes.update(answers)
            for row in [row for row in answers.values() if "message" in row][: max(0, MOST_LOGGED - failed)]:
                self.log.warning("Payment %d: %s: %s", row["payment_id"], row["outcome"], row["message"])
            self.log.info("%d of %d payments: %s", len(outcomes), len(plan), _counts(outcomes))
            if failure is not None and (self.on_error == "fail" or _concerns_all(failure)):
                break
            failure = None
        written = None if report is None else write_json_lines(report, outcomes.values())
        summary = {"planned": len(plan), **_counts(outcomes), "report": written}
        if unsure and self.entity_ids is not None:
            self.log.warning("What an earlier try deleted is not counted: nothing remembers it.")
            summary["deleted_earlier"] = None
        if failure is not None:
            context["ti"].xcom_push(key="bitrix24_deletions", value=summary)
            raise failure.advise(f"({_counts(outcomes)} of {len(plan)} planned)")
        memory.finish(summary)
        return summary

    def _planned(self, plan: list[int], most: int, report: Any) -> dict[str, Any]:
        from airflow_provider_bitrix24.execution.storage import write_json_lines

        self.log.info("%d payments would be deleted.", len(plan))
        if len(plan) > most:
            self.log.warning("That is more than max_deletions, %d: without dry_run the task fails.", most)
        rows = ({"payment_id": one, "outcome": "planned"} for one in plan)
        written = None if report is None else write_json_lines(report, rows)
        return {"planned": len(plan), "payment_ids": plan[:100], "dry_run": True, "report": written}

    def _plan(self, client: Client) -> list[int]:
        if (self.payment_ids is None) == (self.entity_ids is None):
            raise ConfigurationError(
                "give either payment_ids or entity_ids", next_step="one of the two names what goes"
            )
        if self.payment_ids is not None:
            if self.payment_filter is not None:
                raise ConfigurationError(
                    "payment_filter does not choose among payment_ids, and all of them would go",
                    next_step="give entity_ids with the filter, or only the payment_ids that are to go",
                )
            return ids(self.payment_ids, "payment_ids", FIND_PAYMENT_ID)
        return self._listed(client, payment_conditions(parameters(self.payment_filter, "payment_filter")))

    def _listed(self, client: Client, wanted: dict[str, Any]) -> list[int]:
        """Ids of the payments that the objects have now."""
        owners = ids(self.entity_ids, "entity_ids")
        params = {
            owner: {**payment_owner(self.entity_type_id, owner), **({"filter": wanted} if wanted else {})}
            for owner in owners
        }
        rows = client.children("crm.item.payment.list", owners, params.__getitem__)
        return list(dict.fromkeys(id_in(row) for _, row in rows))

    def _step(
        self, client: Client, memory: Checkpoint, number: int, some: list[int], unsure: bool
    ) -> tuple[dict[int, dict[str, Any]], Bitrix24Error | None]:
        """
        Delete up to 50 payments, but for those that an earlier try is known to have deleted.

        :param unsure: an earlier try may have sent this step, and nothing remembers it.
        """
        known = {row["payment_id"]: row for row in memory.get(f"outcome_{number}") or []}
        sent_before = memory.get(f"intent_{number}") is not None
        rows = {one: known[one] for one in some if one in known and known[one]["outcome"] in GONE}
        pending = [one for one in some if one not in rows]
        if not pending:
            return rows, None
        if not sent_before:
            memory.put(f"intent_{number}", True)
        done = client.batch({one: ("crm.item.payment.delete", {"id": one}) for one in pending})
        maybe_sent = {
            one for one in pending if unsure or (sent_before and known.get(one, {}).get("outcome") not in REFUSED)
        }
        left = self._left(client, [error for one, error in done.errors.items() if one in maybe_sent])
        gone = "missing_or_deleted_earlier" if unsure else "deleted_earlier"
        failures: list[Bitrix24Error] = []
        for one in pending:
            error = done.errors.get(one)
            if error is None:
                rows[one] = {"payment_id": one, "outcome": "deleted"}
                continue
            if isinstance(error, TaskStopped):
                # Not sent, and so without an outcome.
                failures.append(error)
                continue
            outcome = _outcome(error)
            if one in maybe_sent and (outcome == "missing" or (left is not None and one not in left)):
                outcome = gone
            elif one in maybe_sent and _ambiguous(error) and left is None:
                outcome = "denied_or_deleted_earlier"
                error.advise("an earlier try of this task may have deleted it")
            rows[one] = {"payment_id": one, "outcome": outcome, "message": str(error)}
            if outcome not in GONE and not (outcome == "missing" and self.missing_ok):
                failures.append(error)
        memory.put(f"outcome_{number}", list(rows.values()))
        return rows, _decisive(failures)

    def _left(self, client: Client, errors: list[Bitrix24Error]) -> set[int] | None:
        """Ids of the payments that are still there, where an answer alone does not tell; None where nothing tells."""
        if self.entity_ids is None or not any(map(_ambiguous, errors)):
            return None
        return set(self._listed(client, {}))


def _concerns_all(error: Bitrix24Error) -> bool:
    """Whether it befalls the next payments too: no connection, a task that is being stopped, a limit."""
    return isinstance(error, _OF_ALL) or not isinstance(error, (RestError, AnswerLost))


def _ambiguous(error: Bitrix24Error) -> bool:
    """Whether a portal says so both for «not found» and for «no right» («payments: success or failure»)."""
    return isinstance(error, RestError) and not error.cause_known


def _outcome(error: Bitrix24Error) -> str:
    if "unpay it first" in error.next_step:
        return "paid"
    return "missing" if isinstance(error, NotFound) else "denied" if isinstance(error, Forbidden) else "failed"


def _decisive(failures: list[Bitrix24Error]) -> Bitrix24Error | None:
    """What ends the task; one that a retry may heal decides over one of a single payment, so that the retry comes."""
    for wanted in (_concerns_all, lambda one: one.retryable, lambda one: True):
        if found := next(filter(wanted, failures), None):
            return found
    return None


def _steps(plan: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(plan), STEP):
        yield plan[start : start + STEP]


def _counts(outcomes: Mapping[int, Mapping[str, Any]]) -> dict[str, int]:
    counted = Counter(row["outcome"] for row in outcomes.values())
    always = {name: counted.pop(name, 0) for name in ("deleted", "missing", "denied", "paid", "failed")}
    return {**always, **counted}
