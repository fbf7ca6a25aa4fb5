"""A stream that has failed fails again, and keeps nothing of what was read."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from airflow_provider_bitrix24.exceptions import IncompleteList
from airflow_provider_bitrix24.rest.lists.stream import Stream


def test_an_error_of_others_ends_the_stream_as_incomplete_from_then_on() -> None:
    def rows() -> Iterator[int]:
        yield 1
        raise KeyError("deal")

    stream = Stream(rows())
    assert next(stream) == 1
    with pytest.raises(KeyError):
        next(stream)
    for _ in range(2):
        with pytest.raises(IncompleteList, match="KeyError interrupted the list") as caught:
            next(stream)
        assert caught.value.retryable


def test_a_stream_that_failed_keeps_nothing_of_what_was_read() -> None:
    """Its error's traceback would keep the frames, and they a page, until the garbage is collected."""
    collected = []

    def rows() -> Iterator[int]:
        page = Page()
        weakref.finalize(page, collected.append, True)
        yield 1
        raise IncompleteList("the rest is missing")

    stream = Stream(rows())
    assert next(stream) == 1
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(IncompleteList, match="the rest is missing") as caught:
                next(stream)
            del caught
        assert collected
    finally:
        gc.enable()


class Page:
    """Rows that record that they were closed."""
