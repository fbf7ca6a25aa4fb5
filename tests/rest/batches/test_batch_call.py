"""Batches over the wire: numbers, order, keys, values, halt and references."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    ConfigurationError,
    NotFound,
)
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import client_of
from tests.rest.commands import ADD, DEAL, GET, UPDATE, add, get, titles, update
from tests.rest.hostile import Hostile, client_of_hostile


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


# Numbers, order, keys.


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (49, 1), (50, 1), (51, 2), (100, 2), (120, 3)])
def test_any_number_of_commands_goes_fifty_to_a_request(
    portal: Sandbox, client: Client, count: int, requests: int
) -> None:
    outcome = client.batch({f"deal {number}": get(1 + number % 30) for number in range(count)})
    assert list(outcome.results) == [f"deal {number}" for number in range(count)]
    assert [result["item"]["id"] for result in outcome.results.values()] == [1 + n % 30 for n in range(count)]
    assert (portal.requests, portal.count(GET), outcome.errors, outcome.not_run) == (requests, count, {}, [])
    assert not any(reply.repeated for reply in outcome.replies.values())


def test_results_come_under_the_callers_keys_in_the_callers_order(client: Client) -> None:
    """Whether a command failed, went alone or came in another request."""
    commands: dict[Any, Any] = {"none": (GET, {"entityTypeId": DEAL, "id": 3, "x": None})}
    commands |= {0: get(1), 1: get(999), ("a", 2): get(2), "c0": get(4), "0": get(5)}
    outcome = client.batch(commands)
    assert list(outcome.results) == ["none", 0, ("a", 2), "c0", "0"]
    assert [result["item"]["id"] for result in outcome.results.values()] == [3, 1, 2, 4, 5]
    assert isinstance(outcome.errors[1], NotFound)


@pytest.mark.parametrize("place", [0, 25, 49])
@pytest.mark.parametrize(("slow", "sizes"), [(5.0, [50, 50]), (75.0, [50, 25, 25])])
def test_the_next_batch_is_sized_by_what_all_commands_took_whichever_was_slow(
    place: int, slow: float, sizes: list[int]
) -> None:
    def spoil(body: dict[str, Any], method: str) -> None:
        for number, time in enumerate(body["result"]["result_time"].values()):
            time["duration"] = slow if number == place and len(portal.asked) == 1 else 0.1

    with Hostile(lambda method, params: True, spoil=spoil) as portal, client_of_hostile(portal) as client:
        client.batch({number: get(number) for number in range(100)})
    assert [len(params["cmd"]) for _, params in portal.asked] == sizes


@pytest.mark.parametrize("failed", [[], [0], [1], [0, 1, 2]])
def test_commands_with_the_keys_0_to_n_are_told_apart_whatever_fails(client: Client, failed: list[int]) -> None:
    """With such keys a portal answers lists, objects with one failure, and ``[]`` with nothing."""
    outcome = client.batch({n: get(999 if n in failed else n + 1) for n in range(3)})
    assert sorted(outcome.errors) == failed
    assert {key: result["item"]["id"] for key, result in outcome.results.items()} == {
        n: n + 1 for n in range(3) if n not in failed
    }


def test_a_command_carries_nothing_but_what_it_was_given(portal: Sandbox, client: Client) -> None:
    client.batch({"a": get(1)})
    (command,) = portal.calls[0].commands
    assert command.params == {"entityTypeId": "2", "id": "1"}


@pytest.mark.parametrize(("method", "params"), [("batch", {"cmd": {}}), ("Batch", {}), ("no name", {}), ("", {})])
def test_what_cannot_be_a_command_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, method: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        client.batch({"add": add("x"), "bad": (method, params)})
    with pytest.raises(ConfigurationError):
        client.batch({"add": add("x"), "bad": (ADD, {"fields": {"opportunity": float("nan")}})})
    assert portal.requests == 0


@pytest.mark.parametrize("commands", [None, [], "profile", [("profile", {})]])
def test_what_is_not_an_object_of_commands_is_refused(portal: Sandbox, client: Client, commands: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"the commands of a batch are not an object: write each command under a key"
    ):
        client.batch(commands)
    assert portal.requests == 0


@pytest.mark.parametrize("name", ["halt", "references"])
@pytest.mark.parametrize("value", ["false", None, [], 1])
def test_halt_and_references_are_true_or_false(portal: Sandbox, client: Client, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} of a batch is neither True nor False"):
        client.batch({"a": get(1)}, **{name: value})
    assert portal.requests == 0


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused_before_anything_is_sent(portal: Sandbox, client: Client, text: str) -> None:
    for commands in ({"add": add(text)}, {"x": add("fine"), "add": (ADD, {text: 1})}):
        with pytest.raises(ConfigurationError, match="half a character"):
            client.batch(commands)
    with pytest.raises(ConfigurationError, match="half a character"):
        next(client.list("crm.item.list", {"entityTypeId": 2, "filter": {"title": text}}))
    assert portal.requests == 0


# Values.


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00+03:00",
        "a #1 & b=c; d%20e + f?g",
        "John&Martin",
        "Дом «Ёж» 日本 😀 é",
        "line\nbreak\ttab \"quoted\" \\ 'single'",
        "[brackets] {braces} $dollar $result $next",
        "   blanks   ",
        "%2B%00 +",
        "Y",
        "0",
    ],
)
def test_text_arrives_in_a_batch_as_it_does_in_a_call(portal: Sandbox, client: Client, text: str) -> None:
    outcome = client.batch({"a": add(text)})
    called = client.call(*add(text))
    assert outcome.results["a"]["item"]["title"] == called["item"]["title"] == text
    assert [len(call.commands) for call in portal.calls] == [1, 0]


@pytest.mark.parametrize("name", ["result", "next", "total", "time", "error", "Result"])
def test_text_that_looks_like_a_reference_is_not_replaced_by_another_result(
    portal: Sandbox, client: Client, name: str
) -> None:
    text = f"Order ${name}[c0][item][title]"
    outcome = client.batch({"secret": get(1), "a": add(text), "b": update(2, text)})
    assert outcome.errors == {}
    assert titles(portal).count(text) == 2
    assert [call.method for call in portal.calls] == ["batch", ADD, UPDATE]


@pytest.mark.parametrize("value", [True, False, None, [], {}])
def test_what_a_query_string_cannot_say_goes_as_a_call_of_its_own(portal: Sandbox, client: Client, value: Any) -> None:
    fields = {"title": "direct", "comments": value}
    client.batch({"a": get(1), "b": (ADD, {"entityTypeId": DEAL, "fields": fields}), "c": get(2)})
    assert [(call.method, len(call.commands)) for call in portal.calls] == [("batch", 2), (ADD, 0)]
    assert portal.calls[1].params["fields"] == fields


def test_a_command_of_too_many_variables_goes_alone(portal: Sandbox, client: Client) -> None:
    """PHP reads 1,000 variables of a query string, and drops the others."""
    many = {f"f{number}": number for number in range(1000)}
    client.batch({"a": (UPDATE, {"entityTypeId": DEAL, "id": 1, "fields": many}), "b": get(2)})
    assert [(call.method, len(call.commands)) for call in portal.calls] == [("batch", 1), (UPDATE, 0)]


# Halt.


def test_halt_stops_after_the_first_failure(portal: Sandbox, client: Client) -> None:
    outcome = client.batch({"a": get(1), "b": get(999), "c": add("never"), "d": get(2)}, halt=True)
    assert (list(outcome.replies), list(outcome.errors), outcome.not_run) == (["a"], ["b"], ["c", "d"])
    assert "never" not in titles(portal)


@pytest.mark.parametrize(("failing", "requests"), [(10, 1), (49, 1), (50, 2), (55, 2), (59, 2)])
def test_halt_stops_across_requests(portal: Sandbox, client: Client, failing: int, requests: int) -> None:
    outcome = client.batch({n: get(999 if n == failing else 1) for n in range(60)}, halt=True)
    assert (len(outcome.replies), list(outcome.errors)) == (failing, [failing])
    assert outcome.not_run == list(range(failing + 1, 60))
    assert portal.requests == requests


def test_halt_and_a_direct_call_do_not_go_together(portal: Sandbox, client: Client) -> None:
    for value in (None, True, "$result[x]", []):
        with pytest.raises(ConfigurationError, match="can only be sent as a direct call"):
            client.batch({"a": add("x"), "b": (UPDATE, {"id": 1, "fields": {"title": value}})}, halt=True)
    assert portal.requests == 0


def test_halt_stops_after_a_lost_answer(portal: Sandbox, client: Client) -> None:
    portal.fault("reset_after", method="batch")
    outcome = client.batch({n: add(f"halt {n}") for n in range(60)}, halt=True)
    assert (len(outcome.errors), outcome.not_run) == (50, list(range(50, 60)))
    assert {type(error) for error in outcome.errors.values()} == {AnswerLost}
    assert portal.executed(ADD) == 50


def test_a_command_that_did_not_come_back_is_not_taken_for_halted(portal: Sandbox, client: Client) -> None:
    """A caller who gets "it did not run" may send it again."""
    body = b'{"result": {"result": {"c1": {"item": {"id": 1}}}, "result_error": []}}'
    portal.fault("body", method="batch", body=body, executed=False)
    outcome = client.batch({"lost": add("x"), "b": get(1), "also": add("y")}, halt=True)
    assert (list(outcome.replies), list(outcome.errors), outcome.not_run) == (["b"], ["lost", "also"], [])
    assert {type(error) for error in outcome.errors.values()} == {AnswerLost}


@pytest.mark.parametrize(
    ("came_back", "failed", "lost", "not_run"),
    [
        ([0], 1, [], [2, 3]),
        ([], 1, [0], [2, 3]),
        ([0, 3], 1, [2], []),
    ],
    ids=["after a failed command", "and one missing before it", "but the portal went on"],
)
def test_only_what_comes_after_a_failed_command_was_not_run(
    portal: Sandbox, client: Client, came_back: list[int], failed: int, lost: list[int], not_run: list[int]
) -> None:
    parts = {"result": {f"c{n}": True for n in came_back}, "result_error": {f"c{failed}": {"error": "NOT_FOUND"}}}
    portal.fault("body", method="batch", body=json.dumps({"result": parts}).encode(), executed=False)
    outcome = client.batch({n: add(f"halt {n}") for n in range(4)}, halt=True)
    assert (list(outcome.replies), outcome.not_run) == (came_back, not_run)
    assert sorted(outcome.errors) == sorted([failed, *lost])
    assert all(isinstance(outcome.errors[n], AnswerLost) for n in lost)


# References.


def test_an_author_may_refer_to_a_command_before(portal: Sandbox, client: Client) -> None:
    commands = {
        "deal": add("parent"),
        "copy": (ADD, {"entityTypeId": DEAL, "fields": {"title": "copy of $result[deal][item][id]"}}),
        "read": (GET, {"entityTypeId": DEAL, "id": "$result[copy][item][id]"}),
    }
    results = client.batch(commands, references=True).all_results()
    assert results["read"]["item"]["title"] == f"copy of {results['deal']['item']['id']}"
    assert portal.requests == 1


@pytest.mark.parametrize(("key", "refers_to"), [(5, "nowhere"), (5, 5), (5, 7), (50, 0), (59, 49)], ids=str)
def test_a_reference_that_the_request_cannot_resolve_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, key: int, refers_to: Any
) -> None:
    commands: dict[int, Any] = {n: add(f"title {n}") for n in range(60)}
    commands[key] = (GET, {"entityTypeId": DEAL, "id": f"$result[{refers_to}][item][id]"})
    with pytest.raises(ConfigurationError, match="not an earlier command of the same request"):
        client.batch(commands, references=True)
    assert portal.requests == 0


@pytest.mark.parametrize("text", ["$result[a", "id $next[a[x]][0]", "$result[a][item][id] and $time[["])
def test_what_only_begins_like_a_reference_is_refused_before_anything_is_sent(
    portal: Sandbox, client: Client, text: str
) -> None:
    """It would be written into the object as it stands, or be replaced by something else."""
    with pytest.raises(
        ConfigurationError, match=r"a text of the command 'b' has \$\w+\[ without the name of a command"
    ):
        client.batch({"a": get(1), "a[x]": get(1), "b": add(text)}, references=True)
    assert portal.requests == 0


def test_a_key_that_is_two_commands_to_a_reference_is_refused(portal: Sandbox, client: Client) -> None:
    commands: dict[Any, Any] = {1: get(1), "1": get(2), "c": (GET, {"id": "$result[1][item][id]"})}
    with pytest.raises(ConfigurationError, match="the same key"):
        client.batch(commands, references=True)
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("user.get", {"ID": "$result[deal][ASSIGNED_BY_ID]"}),
        ("user.get", {"FILTER": {"@ID": ["$result[deal][ASSIGNED_BY_ID]", 1]}}),
        ("crm.contact.list", {"filter": {">ID": "$result[deal][CONTACT_ID]", "!NAME": "x"}}),
        ("crm.deal.list", {"filter": {"=ID": "$result[deal][ID]"}}),
        ("crm.status.list", {"filter": {"SORT": "$result[deal][ID]"}}),
    ],
)
def test_a_condition_may_be_a_reference(client, method, params):
    commands = {"deal": ("crm.deal.get", {"id": 1}), "rows": (method, params)}
    assert client.batch(commands, references=True).errors == {}
    with pytest.raises(ConfigurationError, match="the command 'rows'"):
        client.batch(
            {**commands, "rows": (method, {**params, "filter": {"NAM": "x", "ID": "$result[deal][ID]"}})},
            references=True,
        )
