"""How the commands of a batch ended."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from airflow_provider_bitrix24.exceptions import BatchError, Bitrix24Error
from airflow_provider_bitrix24.rest.answers.reply import Reply

Key = TypeVar("Key", bound=Hashable)


@dataclass
class BatchResult(Generic[Key]):
    """
    How each command ended, by the caller's keys in the caller's order.

    Every key is in exactly one of the three.

    :param replies: answers of the commands that succeeded: result, total, next, time.
    :param errors: what went wrong with the others, of the same classes as in a direct call.
    :param not_run: commands that were not executed, because ``halt`` stopped the batch before them.
    """

    replies: dict[Key, Reply] = field(default_factory=dict)
    errors: dict[Key, Bitrix24Error] = field(default_factory=dict)
    not_run: list[Key] = field(default_factory=list)

    @property
    def results(self) -> dict[Key, Any]:
        """Results of the commands that succeeded."""
        return {key: reply.result for key, reply in self.replies.items()}

    def all_results(self) -> dict[Key, Any]:
        """
        Return the results of all commands.

        :raises BatchError: a command failed or was not executed; it carries the errors and the other results.
        """
        if self.errors or self.not_run:
            first = next(iter(self.errors.items()), None)
            example = f"; the first that failed is {first[0]!r}: {first[1]}" if first else ""
            number = len(self.errors) + len(self.not_run) + len(self.replies)
            raise BatchError(
                f"of {number} commands {len(self.errors)} failed, {len(self.not_run)} did not run and "
                f"{len(self.replies)} succeeded{example}",
                method="batch",
                errors=self.errors,
                results=self.results,
            )
        return self.results

    def in_order_of(self, keys: Iterable[Key]) -> BatchResult[Key]:
        """The same in the order of ``keys``; errors without traceback and chain, whose frames hold all commands."""
        order, not_run = list(keys), set(self.not_run)
        return BatchResult(
            {key: self.replies[key] for key in order if key in self.replies},
            {key: self.errors[key].but() for key in order if key in self.errors},
            [key for key in order if key in not_run],
        )
