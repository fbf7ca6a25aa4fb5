"""How a batch ended, in the caller's order."""

from __future__ import annotations

from airflow_provider_bitrix24.exceptions import NotFound
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_result import BatchResult


def test_how_a_batch_ended_is_one_of_three_for_each_key() -> None:
    outcome = BatchResult[str]({"c": Reply(3), "a": Reply(1)}, {"b": NotFound("gone")}, ["d"])
    ordered = outcome.in_order_of(["a", "b", "c", "d"])
    assert (list(ordered.results.items()), list(ordered.errors), ordered.not_run) == (
        [("a", 1), ("c", 3)],
        ["b"],
        ["d"],
    )
