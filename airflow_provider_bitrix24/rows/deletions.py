"""Payments deleted, 50 to a request, with a true outcome also after a crash."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitrix24.exceptions import Bitrix24Error, Forbidden, NotFound, RestError
from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.row_names import RowName

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

METHOD = "crm.item.payment.delete"
#: Payments deleted by one request, and remembered as one step.
STEP = 50


class PaymentDeleter:
    """
    Deletes payments by id.

    :param missing_ok: a payment that is not there is not a failure.
    :param remembers: False where an earlier try may have sent deletions and nothing remembers which.
    :param left: ids of the payments that are there now, where a list tells; None where none does.
    """

    method = METHOD
    words: tuple[str, ...] = ("deleted", "missing", "denied", "paid")
    #: A payment that an earlier try has deleted is not found.
    repeats = True
    rows_per_command = 1
    whole_lists: frozenset[str] = frozenset()

    def __init__(
        self, client: Client, *, missing_ok: bool, remembers: bool, left: Callable[[], set[int]] | None
    ) -> None:
        self._client = client
        self._missing_ok = missing_ok
        self._remembers = remembers
        self._left = left

    def prepare(self, row: int) -> RowContent:
        params = {"id": row}
        return RowContent(params, params, row)

    def check_columns(self, columns: Sequence[str]) -> None:
        """Ids have none."""

    def name(self, row: int) -> RowName:
        return RowName(id=row)

    def may_repeat(self, row: PreparedRow) -> bool:
        return True

    def step_size(self) -> int:
        return STEP

    def keeps_order(self, row: PreparedRow) -> bool:
        return False

    def object_of(self, row: PreparedRow) -> Hashable | None:
        return row.id

    def kept_apart(self, row: PreparedRow) -> Hashable | None:
        return self.object_of(row)

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        done = self._client.batch({row.number: (METHOD, row.values) for row in rows})
        doubtful = {row.number for row in rows if row.may_have_run or not self._remembers} & done.errors.keys()
        left = None
        if self._left is not None and any(_says_little(done.errors[number]) for number in doubtful):
            left = self._left()
        for row in rows:
            error = done.errors.get(row.number)
            if error is None:
                yield Outcome(row.number, "deleted", row.id)
            elif row.number in doubtful:
                yield self._of_doubtful(row, error, left)
            else:
                yield self._refused(row, error)

    def _of_doubtful(self, row: PreparedRow, error: Bitrix24Error, left: set[int] | None) -> Outcome:
        """A payment that an earlier try may have deleted."""
        outcome = self._refused(row, error)
        if outcome.outcome == "missing" or (left is not None and row.id not in left):
            word = "deleted_earlier" if self._remembers else "missing_or_deleted_earlier"
            return Outcome(row.number, word, row.id)
        if left is None and _says_little(error):
            unclear = error.but(advice="an earlier try of this task may have deleted it")
            return Outcome(row.number, "denied_or_deleted_earlier", row.id, unclear)
        return outcome

    def _refused(self, row: PreparedRow, error: Bitrix24Error) -> Outcome:
        # Its class says what became of it, also where the portal's code is one that proves nothing.
        if isinstance(error, NotFound):
            return Outcome(row.number, "missing", row.id, None if self._missing_ok else error)
        if isinstance(error, RestError) and error.paid:
            return Outcome(row.number, "paid", row.id, error)
        if isinstance(error, Forbidden):
            return Outcome(row.number, "denied", row.id, error)
        return Outcome.of(row.number, error, row.id)


def _says_little(error: Bitrix24Error) -> bool:
    """
    Whether a payment may be gone although the portal says no: it says so both for "not found" and for "no right"
    ("payments: success or failure"), and a right that is missing hides whether the payment is there.
    """
    return isinstance(error, Forbidden) or (isinstance(error, RestError) and not error.cause_known)
