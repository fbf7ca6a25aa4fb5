"""What differs between the operators that write many rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol

from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.prepared_rows import PreparedRow, RowContent
from airflow_provider_bitrix24.rows.row_names import RowName


class RowWriter(Protocol):
    """
    How rows are written with one method, or one set of methods.

    :param method: for messages.
    :param words: outcomes of its own, counted also where there are none.
    :param repeats: whether rows may be sent again when it is not known whether they were done.
    :param rows_per_command: how many rows a command of a batch carries.
    :param whole_lists: names, see :func:`plain_name`, of lists that replace those of an earlier row about its object.
    """

    method: str
    words: tuple[str, ...]
    repeats: bool
    rows_per_command: int
    whole_lists: frozenset[str]

    def prepare(self, row: Any) -> RowContent:
        """
        What a row of the source means.

        :raises ConfigurationError: it cannot be sent.
        """
        ...

    def check_columns(self, columns: Sequence[str]) -> None:
        """
        Whether rows with these columns could be sent; asked of a source that has no rows to show it.

        :raises ConfigurationError: one that is needed is missing, or one is unknown.
        """
        ...

    def name(self, row: Any) -> RowName:
        """What a row that cannot be sent says of its object: the id, or the key."""
        ...

    def may_repeat(self, row: PreparedRow) -> bool:
        """``repeats`` of a single row."""
        ...

    def keeps_order(self, row: PreparedRow) -> bool:
        """Whether a row waits for those before it, unless the author lets go of their order."""
        ...

    def object_of(self, row: PreparedRow) -> Hashable | None:
        """What no two rows of one step may be about; None: nothing in particular."""
        ...

    def kept_apart(self, row: PreparedRow) -> Hashable | None:
        """What no two steps under way may be about: the object, or all that are too similar to it."""
        ...

    def step_size(self) -> int:
        """Most rows of the next step."""
        ...

    def send(self, rows: Sequence[PreparedRow]) -> Iterable[Outcome]:
        """
        Send rows of a step, and say how each ended, in their order. Called by several threads at once.

        :raises Bitrix24Error: none of them was sent, for this reason.
        """
        ...
