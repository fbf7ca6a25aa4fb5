"""An iterator whose failure cannot be taken for its end."""

from __future__ import annotations

from collections.abc import Iterator
from types import GeneratorType
from typing import TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, IncompleteList

T = TypeVar("T")


class Stream(Iterator[T]):
    """
    What a generator yields. Once it has failed, it fails again and again.

    A generator that has failed seems to have come to its end when it is asked for more: rows read around a caught error
    would pass for the whole list.
    """

    def __init__(self, generator: Iterator[T]) -> None:
        self._generator = generator
        self._failure: Bitrix24Error | None = None

    def __next__(self) -> T:
        if self._failure is None:
            try:
                return next(self._generator)
            except StopIteration:
                raise
            except Bitrix24Error as error:
                # Without the traceback, whose frames would keep the rows of a page in memory.
                self._failure = error.but()
            except BaseException as error:
                self._failure = IncompleteList(
                    f"{type(error).__name__} interrupted the list", retryable=True, next_step="read it again"
                )
                raise
        raise self._failure.but()

    def close(self) -> None:
        """Read no further: what is under way is waited for, and nothing more is sent. A list at its end stays so."""
        if isinstance(self._generator, GeneratorType) and self._generator.gi_frame is not None:
            self._generator.close()
            self._failure = IncompleteList("the list was closed before its end", next_step="read it again")
