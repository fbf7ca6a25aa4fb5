"""Rows that are ready to be sent, and what an earlier try did with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rows.outcomes import Outcome
from airflow_provider_bitrix24.rows.row_names import RowName


@dataclass(frozen=True)
class RowContent:
    """
    What a row means to its writer.

    :param values: what is sent, in the writer's own form.
    :param example: the same in plain JSON, for people and for the digest.
    :param id: of the object that the row names.
    :param cleared: how many values of the object the row clears.
    :param unsent: the outcome of a row of which nothing is to be sent; empty for any other.
    :param key: values by field, of an upsert.
    """

    values: Any
    example: Mapping[str, Any]
    id: int | str | None = None
    cleared: int = 0
    unsent: str = ""
    key: Mapping[str, str] | None = None


@dataclass(frozen=True)
class PreparedRow:
    """
    A row with its content, or with what is wrong with it.

    :param number: from 0.
    :param digest: the same for rows of the same content, in every try of a task and whatever the order of the columns.
    :param error: why it cannot be sent; it has no content then.
    :param earlier: its outcome in an earlier try.
    :param may_have_run: an earlier try has sent it, and it is not known what became of it.
    :param size: characters of its content as JSON.
    :param note: what a reader should look at once it is done.
    """

    number: int
    digest: str
    content: RowContent | None
    error: ConfigurationError | None = None
    earlier: Outcome | None = None
    may_have_run: bool = False
    name: RowName = field(default_factory=RowName)
    size: int = 0
    note: str = ""

    @property
    def values(self) -> Any:
        """What is sent."""
        return None if self.content is None else self.content.values

    @property
    def id(self) -> int | str | None:
        return self.name.id

    @property
    def cleared(self) -> int:
        return 0 if self.content is None else self.content.cleared

    @property
    def unsent(self) -> str:
        return "" if self.content is None else self.content.unsent

    @property
    def is_settled(self) -> bool:
        """Whether an earlier try has ended it."""
        return self.earlier is not None and self.earlier.is_final
