"""Rows that are ready to be sent, and what an earlier try did with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.checkpoint import digest_of
from airflow_provider_bitrix24.rows.outcomes import Outcome


@dataclass(frozen=True)
class RowContent:
    """
    What a row means to its writer.

    :param values: what is sent, in the writer's own form.
    :param example: the same in plain JSON, for people and for the digest.
    :param id: of the object that the row names.
    """

    values: Any
    example: Mapping[str, Any]
    id: int | str | None = None


@dataclass(frozen=True)
class PreparedRow:
    """
    A row with its content, or with what is wrong with it.

    :param number: from 0.
    :param digest: the same for rows of the same content, in every try of a task.
    :param error: why it cannot be sent; it has no content then.
    :param earlier: its outcome in an earlier try.
    :param may_have_run: an earlier try has sent it, and it is not known what became of it.
    """

    number: int
    digest: str
    content: RowContent | None
    error: ConfigurationError | None = None
    earlier: Outcome | None = None
    may_have_run: bool = False

    @property
    def values(self) -> Any:
        """What is sent."""
        return None if self.content is None else self.content.values

    @property
    def id(self) -> int | str | None:
        return None if self.content is None else self.content.id

    @property
    def is_settled(self) -> bool:
        """Whether an earlier try has ended it."""
        return self.earlier is not None and self.earlier.is_final


class PreparedRows:
    """
    The rows of a source, prepared one by one, up to where it ends or cannot be read further.

    :param method: is part of the digests: the same row is another one for another method.
    """

    def __init__(self, source: Iterable[Any], prepare: Callable[[Any], RowContent], method: str) -> None:
        self._source = iter(source)
        self._prepare = prepare
        self._method = method
        self._number = 0
        #: Why the source could not be read to its end.
        self.error: BaseException | None = None
        #: What the first three rows send.
        self.examples: list[Mapping[str, Any]] = []

    def __iter__(self) -> Iterator[PreparedRow]:
        return self

    def __next__(self) -> PreparedRow:
        """:raises Exception: the very first row cannot be read."""
        if self.error is not None:
            raise StopIteration
        try:
            row = self._prepared(next(self._source))
        except StopIteration:
            raise
        except BaseException as error:
            # Whatever is raised, the task's timeout too: what was written before is reported first.
            if self._number == 0:
                raise
            self.error = error
            raise StopIteration from None
        self._number += 1
        return row

    def _prepared(self, row: Any) -> PreparedRow:
        number = self._number
        try:
            content = self._prepare(row)
        except ConfigurationError as error:
            return PreparedRow(number, digest_of(self._method, "row", row), None, error)
        if len(self.examples) < 3:
            self.examples.append(content.example)
        return PreparedRow(number, digest_of(self._method, content.example), content)
