"""Answers of batches, taken apart: tables, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.rest.batches.batch_exchange import command_answers

T = {"duration": 0.5}


def answer(**maps: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {f"result{name}": [] for name in ("", "_error", "_total", "_next", "_time")}
    return {**empty, **maps}


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"c0": 7, "c1": None, "c2": False}, id="an object"),
        pytest.param([7, None, False], id="a list"),
    ],
)
def test_results_are_read_from_objects_and_lists(result: Any) -> None:
    answers = command_answers(answer(result=result), 3)
    assert answers is not None
    assert [command.result for command in answers] == [(7,), (None,), (False,)]
    assert [command.error for command in answers] == [None] * 3


def test_each_part_of_an_answer_may_be_a_list_an_object_or_empty() -> None:
    maps = {"result_total": [5], "result_next": {"c0": 50}, "result_time": [T], "result_error": []}
    (command,) = command_answers(answer(result={"c0": []}, **maps), 1) or []
    assert (command.result, command.error, command.total, command.next, command.time) == (([],), None, 5, 50, T)


@pytest.mark.parametrize(
    ("error", "read"),
    [
        ({"error": "X", "error_description": "y"}, {"error": "X", "error_description": "y"}),
        ({"error": 0}, {"error": 0}),
        ({"error": ""}, {"error": ""}),
        ("text", {"error": "text"}),
        (None, {"error": None}),
        ([], {"error": []}),
        ({"code": 1}, {"error": {"code": 1}}),
    ],
)
def test_whatever_stands_among_the_errors_is_one(error: Any, read: dict[str, Any]) -> None:
    for errors in ({"c0": error}, [error]):
        (command,) = command_answers(answer(result_error=errors), 1) or []
        assert (command.result, command.error) == (None, read)


def test_a_key_that_did_not_come_back_has_neither_result_nor_error() -> None:
    answers = command_answers(answer(result={"c1": 1}), 3) or []
    assert [(command.result, command.error) for command in answers] == [(None, None), ((1,), None), (None, None)]


@pytest.mark.parametrize("whole", [None, True, [], "text", 5, {}, {"items": []}])
def test_what_is_not_an_answer_of_a_batch_is_none(whole: Any) -> None:
    assert command_answers(whole, 2) is None


@pytest.mark.parametrize("junk", ["text", 5, None, True])
def test_parts_that_are_junk_tell_nothing(junk: Any) -> None:
    maps = dict.fromkeys(("result", "result_error", "result_total", "result_next", "result_time"), junk)
    assert [(command.result, command.error, command.time) for command in command_answers(maps, 1) or []] == [
        (None, None, {})
    ]
