from __future__ import annotations

import pytest


def batch(ask, portal, commands, user=None, **params):
    response = ask(portal, "batch", {"cmd": commands, **params}, user)
    assert response.status_code == 200
    assert set(response.json()) == {"result", "time"}
    return response.json()["result"]


def test_commands_answer_under_their_keys_and_empty_maps_are_lists(portal, ask):
    result = batch(ask, portal, {"me": "user.current", "deals": "crm.item.payment.list?entityTypeId=2&entityId=1"})
    assert result["result"]["me"]["ID"] == "1"
    assert list(result["result_time"]) == ["me", "deals"]
    assert (result["result_error"], result["result_total"], result["result_next"]) == ([], [], [])
    assert [command.method for command in portal.calls[0].commands] == ["user.current", "crm.item.payment.list"]


@pytest.mark.parametrize("commands", [["profile", "profile"], {"0": "profile", "1": "profile"}])
def test_maps_with_counted_keys_are_lists(portal, ask, commands):
    result = batch(ask, portal, commands)
    assert [row["ID"] for row in result["result"]] == ["1", "1"]
    assert isinstance(result["result_time"], list)


def test_one_failure_turns_a_counted_list_into_a_map(portal, ask):
    result = batch(ask, portal, ["no.such.method", "profile"])
    assert list(result["result"]) == ["1"]
    assert result["result_error"] == [{"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}]


def test_errors_stand_under_their_keys_and_do_not_stop_the_rest(portal, ask):
    portal.scopes.discard("user")
    result = batch(ask, portal, {"a": "user.current", "b": "crm.item.payment.get?id=1", "c": "profile"})
    assert list(result["result"]) == ["c"]
    assert result["result_error"] == {
        "a": {"error": "insufficient_scope", "error_description": ""},
        "b": {"error": "0", "error_description": "Payment has not been found"},
    }


@pytest.mark.parametrize(("halt", "ran"), [(1, []), (True, []), ("0", ["b"]), (False, ["b"])])
def test_halt_stops_after_the_first_error(portal, ask, halt, ran):
    result = batch(ask, portal, {"a": "no.such.method", "b": "profile"}, halt=halt)
    assert list(result["result"]) == ran


def test_the_51st_command_is_refused_and_50_run(portal, ask):
    result = batch(ask, portal, {f"c{number}": "profile" for number in range(52)})
    assert len(result["result"]) == 50
    assert {key: error["error"] for key, error in result["result_error"].items()} == {
        "c50": "ERROR_BATCH_LENGTH_EXCEEDED",
        "c51": "ERROR_BATCH_LENGTH_EXCEEDED",
    }
    assert portal.executed("profile") == 50


def test_a_batch_in_a_batch_is_refused(portal, ask):
    result = batch(ask, portal, {"a": "batch?cmd[x]=profile"})
    assert result["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


def test_a_command_that_is_not_a_text_leaves_no_trace(portal, ask):
    result = batch(ask, portal, {"a": {"method": "app.info"}, "b": None})
    assert list(result.values()) == [[]] * 5


def test_references_take_values_of_earlier_commands(portal, ask):
    first, second = portal.add_payment(2), portal.add_payment(2)
    result = batch(
        ask,
        portal,
        {
            "list": "crm.item.payment.list?entityTypeId=2&entityId=2",
            "whole": "crm.item.payment.get?id=$result[list][1][id]",
            "missing": "crm.item.payment.get?id=$result[list][7][id]",
            "text": "crm.item.payment.get?id=0$result[list][0][id]",
        },
    )
    assert result["result"]["whole"]["id"] == second
    assert result["result"]["text"]["id"] == first
    # A path that ends early resolves to its deepest parent, here the list.
    assert result["result_error"]["missing"]["error"] == "100"
    assert isinstance(portal.calls[0].commands[2].params["id"], list)


def test_text_that_looks_like_a_reference_is_rewritten_and_a_dead_one_stays(portal, ask):
    batch(
        ask, portal, {"a": "profile", "b": "profile?x=It+is+$result[a][NAME]!+$result[z][y]+$result[a][ID][z]&y=5#cut"}
    )
    assert portal.calls[0].commands[1].params == {"x": "It is Anna! $result[z][y] $result[a][ID][z]", "y": "5"}


def test_a_denied_command_can_turn_the_status_of_the_whole_batch(portal, ask):
    """A side effect of real controllers: the body is still a good batch answer."""
    payment_id = portal.add_payment(1)
    commands = {"a": f"crm.item.payment.delete?id={payment_id}", "b": "profile"}
    response = ask(portal, "batch", {"cmd": commands}, portal.clerk)
    assert response.status_code == 403
    assert response.json()["result"]["result_error"]["a"]["error"] == "ACCESS_DENIED"
    assert response.json()["result"]["result"]["b"]["ID"] == "7"


def test_a_batch_by_form_is_the_same_batch(portal, http):
    data = {"cmd[a]": "crm.item.payment.get?id=%31", "halt": "0"}
    result = http.post(portal.webhook() + "batch", data=data, verify=portal.ca_file).json()["result"]
    assert result["result_error"]["a"]["error"] == "0"
    assert portal.calls[0].commands[0].params == {"id": "1"}


def test_commands_count_as_received_and_executed(portal, ask):
    ids = [portal.add_payment(1), portal.add_payment(1)]
    batch(ask, portal, {f"c{number}": f"crm.item.payment.delete?id={number}" for number in [*ids, 5]})
    assert (portal.requests, portal.count("crm.item.payment.delete")) == (1, 3)
    assert portal.executed("crm.item.payment.delete") == 2
