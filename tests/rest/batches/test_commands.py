"""Commands of batches and how they are packed: tables, without a network."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import METHODS
from airflow_provider_bitrix24.rest.batches.batch_result import BatchResult
from airflow_provider_bitrix24.rest.batches.commands import Command, batch_params, make_command, packs, with_our_keys
from airflow_provider_bitrix24.rest.limits.command_costs import AIM_SECONDS, CommandCosts

GET, UPDATE = "crm.item.get", "crm.item.update"


def made(
    method: str = GET, params: dict[str, Any] | None = None, *, key: Any = "k", references: bool = False
) -> Command[Any]:
    return make_command(key, METHODS.find(method), params or {}, references=references)


def sizes(count: int, costs: CommandCosts | None = None, **params: Any) -> list[int]:
    commands = [made(params=params, key=number) for number in range(count)]
    packed = list(packs(commands, costs or CommandCosts()))
    assert [command for pack in packed for command in pack] == commands
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
    costs = CommandCosts()
    costs.learn(GET, seconds, 100)
    assert sizes(100, costs, id=1) == expected
    assert costs.fit(GET) == expected[0]


@pytest.mark.parametrize(
    ("mib", "expected"), [(0.01, [50, 50]), (0.125, [32, 32, 32, 4]), (1.0, [4] * 25), (10.0, [1] * 100)]
)
def test_a_batch_answers_no_more_than_its_commands_answered_before(mib: float, expected: list[int]) -> None:
    costs = CommandCosts()
    costs.learn(GET, 0.01, mib * 1024 * 1024)
    assert sizes(100, costs, id=1) == expected
    assert costs.fit(GET) == expected[0]


def test_each_batch_learns_from_the_ones_before() -> None:
    costs = CommandCosts()
    packed = packs([made(params={"id": number}, key=number) for number in range(100)], costs)
    assert len(next(packed)) == 50
    costs.learn(GET, 4.0, 100)
    assert [len(pack) for pack in packed] == [10] * 5


def test_methods_are_measured_apart_and_add_up() -> None:
    costs = CommandCosts()
    costs.learn(GET, AIM_SECONDS / 4, 10)
    mixed = [made(GET if number % 2 else UPDATE, {"id": number}, key=number) for number in range(20)]
    assert [len(pack) for pack in packs(mixed, costs)] == [9, 8, 3]


def test_a_hundred_thousand_commands_are_packed_in_one_go() -> None:
    command = made(params={"id": 1})
    began = time.perf_counter()
    assert sum(len(pack) for pack in packs([command] * 100_000, CommandCosts())) == 100_000
    outcome = BatchResult[int]({}, {}, list(range(100_000))).in_order_of(range(100_000))
    assert len(outcome.not_run) == 100_000
    assert time.perf_counter() - began < 5


def test_the_params_of_a_batch_have_keys_of_our_own() -> None:
    pack = [made(params={"id": 1}, key="0"), made("profile", key="1")]
    assert batch_params(pack, halt=False) == {"halt": 0, "cmd": {"c0": "crm.item.get?id=1", "c1": "profile"}}
    assert batch_params(pack, halt=True)["halt"] == 1


@pytest.mark.parametrize(
    "params",
    [{"a": True}, {"a": None}, {"a": []}, {"a": {}}, {"a": "$result[x]"}, {"a b": 1}, {"a": {"x]": 1}}, {"a.b": 1}],
)
def test_what_has_no_form_in_a_batch_has_no_text(params: dict[str, Any]) -> None:
    assert made(params=params).text is None


@pytest.mark.parametrize(("count", "batched"), [(998, True), (999, True), (1000, False)])
def test_a_command_has_fewer_variables_than_php_takes(count: int, batched: bool) -> None:
    assert (made(params={f"f{number}": 1 for number in range(count)}).text is not None) == batched


# References.


def rewritten(*values: Any, keys: tuple[Any, ...] = ("deal", "b", "c")) -> list[str | None]:
    pack = [made(params={"v": value}, key=key, references=True) for key, value in zip(keys, values, strict=False)]
    return [command.text for command in with_our_keys(pack)]


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
