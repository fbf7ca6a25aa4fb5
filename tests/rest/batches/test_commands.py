"""Packing and unpacking of batches: tables, without a network."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError, NotFound
from airflow_provider_bitrix24.methods import KNOWN
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.commands import (
    AIM_SECONDS,
    BatchResult,
    Command,
    Measured,
    body,
    command,
    packs,
    parts,
    seconds_of,
    with_our_keys,
)

GET, UPDATE = "crm.item.get", "crm.item.update"


def made(
    method: str = GET, params: dict[str, Any] | None = None, *, key: Any = "k", references: bool = False
) -> Command[Any]:
    return command(key, KNOWN.find(method), method, params or {}, references=references)


def sizes(count: int, measured: Measured | None = None, **params: Any) -> list[int]:
    commands = [made(params=params, key=number) for number in range(count)]
    packed = list(packs(commands, measured or Measured()))
    assert [one for pack in packed for one in pack] == commands
    return [len(pack) for pack in packed]


@pytest.mark.parametrize(
    ("count", "expected"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20]), (2000, [50] * 40)]
)
def test_fifty_commands_go_into_a_batch(count: int, expected: list[int]) -> None:
    assert sizes(count, id=1) == expected


@pytest.mark.parametrize(
    ("kib", "expected"), [(1, [50, 10]), (80, [50, 10]), (120, [34, 26]), (1500, [2] * 30), (2100, [50, 10])]
)
def test_a_request_stays_below_the_size_that_php_takes(kib: int, expected: list[int]) -> None:
    """A command of more than half of it goes as a direct call, and so takes no room."""
    assert sizes(60, text="x" * 1024 * kib) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, [50, 50]), (0.5, [50, 50]), (0.9, [44, 44, 12]), (2.0, [20] * 5), (30.0, [1] * 100), (100.0, [1] * 100)],
)
def test_a_batch_is_no_longer_than_its_commands_took_before(seconds: float, expected: list[int]) -> None:
    measured = Measured()
    measured.learn(GET, seconds, 100)
    assert sizes(100, measured, id=1) == expected
    assert measured.fit(GET) == expected[0]


@pytest.mark.parametrize(
    ("mib", "expected"), [(0.01, [50, 50]), (0.125, [32, 32, 32, 4]), (1.0, [4] * 25), (10.0, [1] * 100)]
)
def test_a_batch_answers_no_more_than_its_commands_answered_before(mib: float, expected: list[int]) -> None:
    measured = Measured()
    measured.learn(GET, 0.01, mib * 1024 * 1024)
    assert sizes(100, measured, id=1) == expected
    assert measured.fit(GET) == expected[0]


def test_each_batch_learns_from_the_ones_before() -> None:
    measured = Measured()
    packed = packs([made(params={"id": number}, key=number) for number in range(100)], measured)
    assert len(next(packed)) == 50
    measured.learn(GET, 4.0, 100)
    assert [len(pack) for pack in packed] == [10] * 5


def test_slowness_counts_at_once_and_is_forgotten_slowly() -> None:
    measured = Measured()
    measured.learn(GET, 0.1, 10)
    measured.learn(GET, 8.0, 10)
    assert measured.seconds(GET) == 8.0
    measured.learn(GET, 0.0, 10)
    assert measured.seconds(GET) == 4.0
    assert measured.seconds(UPDATE) == measured.size(UPDATE) == 0.0
    assert measured.fit(UPDATE) == 50


def test_methods_are_measured_apart_and_add_up() -> None:
    measured = Measured()
    measured.learn(GET, AIM_SECONDS / 4, 10)
    mixed = [made(GET if number % 2 else UPDATE, {"id": number}, key=number) for number in range(20)]
    assert [len(pack) for pack in packs(mixed, measured)] == [9, 8, 3]


def test_a_hundred_thousand_commands_are_packed_in_one_go() -> None:
    one = made(params={"id": 1})
    began = time.perf_counter()
    assert sum(len(pack) for pack in packs([one] * 100_000, Measured())) == 100_000
    outcome = BatchResult[int]({}, {}, list(range(100_000))).in_order_of(range(100_000))
    assert len(outcome.not_run) == 100_000
    assert time.perf_counter() - began < 5


def test_the_body_of_a_batch_has_keys_of_our_own() -> None:
    pack = [made(params={"id": 1}, key="0"), made("profile", key="1")]
    assert body(pack, halt=False) == {"halt": 0, "cmd": {"c0": "crm.item.get?id=1", "c1": "profile"}}
    assert body(pack, halt=True)["halt"] == 1


@pytest.mark.parametrize(
    "params",
    [{"a": True}, {"a": None}, {"a": []}, {"a": {}}, {"a": "$result[x]"}, {"a b": 1}, {"a": {"x]": 1}}, {"a.b": 1}],
)
def test_what_has_no_form_in_a_batch_has_no_text(params: dict[str, Any]) -> None:
    assert made(params=params).text is None


@pytest.mark.parametrize(("count", "batched"), [(998, True), (999, True), (1000, False)])
def test_a_command_has_fewer_variables_than_php_takes(count: int, batched: bool) -> None:
    assert (made(params={f"f{number}": 1 for number in range(count)}).text is not None) == batched


# Unpacking.

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
    found = parts(answer(result=result), 3)
    assert found is not None
    assert [part.result for part in found] == [(7,), (None,), (False,)]
    assert [part.error for part in found] == [None] * 3


def test_each_part_of_an_answer_may_be_a_list_an_object_or_empty() -> None:
    maps = {"result_total": [5], "result_next": {"c0": 50}, "result_time": [T], "result_error": []}
    (part,) = parts(answer(result={"c0": []}, **maps), 1) or []
    assert (part.result, part.error, part.total, part.next, part.time) == (([],), None, 5, 50, T)


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
        (part,) = parts(answer(result_error=errors), 1) or []
        assert (part.result, part.error) == (None, read)


def test_a_key_that_did_not_come_back_has_neither_result_nor_error() -> None:
    found = parts(answer(result={"c1": 1}), 3) or []
    assert [(part.result, part.error) for part in found] == [(None, None), ((1,), None), (None, None)]


@pytest.mark.parametrize("whole", [None, True, [], "text", 5, {}, {"items": []}])
def test_what_is_no_answer_of_a_batch_is_none(whole: Any) -> None:
    assert parts(whole, 2) is None


@pytest.mark.parametrize("junk", ["text", 5, None, True])
def test_parts_that_are_junk_tell_nothing(junk: Any) -> None:
    maps = dict.fromkeys(("result", "result_error", "result_total", "result_next", "result_time"), junk)
    assert [(part.result, part.error, part.time) for part in parts(maps, 1) or []] == [(None, None, {})]


@pytest.mark.parametrize(
    ("time_", "seconds"),
    [
        ({"duration": 0.5}, 0.5),
        ({"duration": "0.5"}, 0.5),
        ({"duration": 3}, 3.0),
        ({}, 0.0),
        ({"duration": None}, 0.0),
        ({"duration": -1}, 0.0),
        ({"duration": "x"}, 0.0),
        ({"duration": []}, 0.0),
        ({"duration": 10**400}, 0.0),
        ({"duration": float("inf")}, 0.0),
        ({"duration": float("nan")}, 0.0),
        ({"duration": 1e9}, 0.0),
    ],
)
def test_a_duration_counts_where_it_can_be_true(time_: dict[str, Any], seconds: float) -> None:
    assert seconds_of(time_) == seconds


# References.


def rewritten(*values: Any, keys: tuple[Any, ...] = ("deal", "b", "c")) -> list[str | None]:
    pack = [made(params={"v": value}, key=key, references=True) for key, value in zip(keys, values, strict=False)]
    return [one.text for one in with_our_keys(pack)]


def test_references_are_rewritten_to_our_keys() -> None:
    texts = rewritten("x", "$result[deal][ID]", {"a": ["no $total[b] $error[deal][x]"]})
    assert texts[1] == "crm.item.get?v=%24result%5Bc0%5D%5BID%5D"
    assert texts[2] == "crm.item.get?v%5Ba%5D%5B0%5D=no%20%24total%5Bc1%5D%20%24error%5Bc0%5D%5Bx%5D"


def test_references_to_numbered_keys_and_text_without_one() -> None:
    assert rewritten("x", "$result[1]", keys=(1, 2))[1] == "crm.item.get?v=%24result%5Bc0%5D"
    assert rewritten("costs $5 [net]")[0] == "crm.item.get?v=costs%20%245%20%5Bnet%5D"


@pytest.mark.parametrize("text", ["$result[b]", "$result[c]", "$next[nobody]", "$RESULT[]", "$total[ deal]"])
def test_a_reference_to_what_does_not_come_before_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the command 'b' refers to"):
        rewritten("x", text)


def test_how_a_batch_ended_is_one_of_three_for_each_key() -> None:
    outcome = BatchResult[str]({"c": Reply(3), "a": Reply(1)}, {"b": NotFound("gone")}, ["d"])
    ordered = outcome.in_order_of(["a", "b", "c", "d"])
    assert (list(ordered.results.items()), list(ordered.errors), ordered.not_run) == (
        [("a", 1), ("c", 3)],
        ["b"],
        ["d"],
    )
