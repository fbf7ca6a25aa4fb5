"""A look-up that finds nothing does not say whether the object is gone or must not be seen."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import AnswerLost, Bitrix24Error, Invalid, NotFound
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.rest.clients import Naps, client_of
from tests.rest.hostile import Hostile, Refusal, client_of_hostile

DELETE = "tasks.task.delete"
FINDS_NONE = "tasks.task.get finds no task with this id: there is none, or the connection's user has no right to it"


def asked(portal: Sandbox) -> list[str]:
    return [call.method.removeprefix("tasks.task.") for call in portal.calls]


@pytest.fixture
def tasks() -> Any:
    with Sandbox(deals=1, tasks=3) as portal:
        yield portal


def delete(portal: Sandbox, task_id: int, **settings: Any) -> Any:
    with client_of(portal, naps=Naps(portal), **settings) as client:
        return client.call(DELETE, {"taskId": task_id})


def failure_of(portal: Sandbox, task_id: int, **settings: Any) -> Bitrix24Error:
    with pytest.raises(Bitrix24Error) as caught:
        delete(portal, task_id, **settings)
    return caught.value


def test_a_lost_delete_of_a_task_that_is_not_found_afterwards_names_both_causes(tasks: Sandbox) -> None:
    tasks.fault("reset_after", method=DELETE)
    error = failure_of(tasks, 1)
    assert isinstance(error, AnswerLost)
    assert (error.ran, error.retryable) == ("unknown", True)
    assert str(error).count(FINDS_NONE) == 1
    assert "No access to delete the task" in str(error)
    assert "exists" not in str(error)
    assert asked(tasks) == ["delete", "get", "delete", "get"]


def test_a_delete_that_is_lost_each_time_names_both_causes(tasks: Sandbox) -> None:
    tasks.fault("reset_after", method=DELETE, times=None)
    error = failure_of(tasks, 1)
    assert isinstance(error, AnswerLost)
    assert FINDS_NONE in str(error)


def test_a_lost_delete_of_a_task_that_this_call_could_read_is_done(tasks: Sandbox) -> None:
    tasks.fault("reset_before", method=DELETE)
    tasks.fault("reset_after", method=DELETE)
    assert delete(tasks, 2) == {"task": True}
    assert asked(tasks) == ["delete", "get", "delete", "get"]


def test_a_refusal_after_a_lost_delete_of_a_task_that_is_still_there_stands(tasks: Sandbox) -> None:
    tasks.fault("reset_before", method=DELETE)
    tasks.fault("error", method=DELETE, code="1048582", description="No access to delete the task", status=400)
    error = failure_of(tasks, 3)
    assert isinstance(error, Invalid)
    assert "the task exists and can be read" in str(error)


def test_a_refusal_because_a_lost_delete_took_effect_late_is_done() -> None:
    """The portal goes on after the connection is gone: the task is there for the first look-up, and then it is not."""
    there = [{"task": {"id": "5"}}, []]

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == DELETE and len(portal.params(DELETE)) == 2:
            raise Refusal("1048582", "No access to delete the task", 400)
        return {"task": True} if method == DELETE else there.pop(0)

    def spoil(body: dict[str, Any], method: str) -> bytes | None:
        return b"" if method == DELETE and len(portal.params(DELETE)) == 1 else None

    with Hostile(answer, spoil=spoil) as portal, client_of_hostile(portal) as client:
        assert client.call(DELETE, {"taskId": 5}) == {"task": True}


@pytest.mark.parametrize("task_id", [999, 2], ids=["missing", "hidden"])
def test_a_refused_delete_of_a_task_that_is_not_found_names_both_causes(tasks: Sandbox, task_id: int) -> None:
    tasks.fault("error", method=DELETE, code="1048582", description="No access to delete the task", status=400)
    if task_id == 2:
        tasks.fault("body", method="tasks.task.get", body=b'{"result": []}', times=None)
    error = failure_of(tasks, task_id)
    assert isinstance(error, Invalid)
    assert not isinstance(error, NotFound)
    assert not error.cause_known
    assert f"{FINDS_NONE}; this portal does not say which" in str(error)


def test_in_a_batch_too(tasks: Sandbox) -> None:
    with client_of(tasks, naps=Naps(tasks)) as client:
        outcome = client.batch({1: (DELETE, {"taskId": 1}), 999: (DELETE, {"taskId": 999})})
        assert [*outcome.replies] == [1]
        assert f"{FINDS_NONE}; this portal does not say which" in str(outcome.errors[999])
        # It must not be seen when it is read before, either.
        tasks.fault("reset_after", method="batch", after=1)
        lost = client.batch({999: (DELETE, {"taskId": 999})}).errors[999]
    assert isinstance(lost, AnswerLost)
    assert FINDS_NONE in str(lost)
    assert 'the tasks.task.delete that was sent after it was refused (1048582 "No access to delete the task")' in str(
        lost
    )
    assert (lost.ran, lost.retryable) == ("unknown", True)


FAULT = b'{"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}'
LOST: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset_after"},
    "closed": {"kind": "close_after"},
    "a page": {"kind": "status_after", "status": 502},
    "a fault of the portal": {"kind": "body", "status": 500, "body": FAULT, "executed": True},
    "cut": {"kind": "body", "body": b'{"result": {"result": {', "executed": True},
    "without the command": {"kind": "body", "body": b'{"result": {"result": {}}}', "executed": True},
}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("flags", [{}, {"halt": True}], ids=["in any order", "halt"])
def test_in_a_batch_a_lost_delete_of_a_task_that_could_be_read_before_is_done(
    tasks: Sandbox, lost: str, flags: dict[str, bool]
) -> None:
    tasks.fault(method="batch", after=1, **LOST[lost])
    with client_of(tasks, naps=Naps(tasks)) as client:
        outcome = client.batch({task: (DELETE, {"taskId": task}) for task in (1, 2)}, **flags)
    assert outcome.all_results() == {task: {"task": True} for task in (1, 2)}
    assert tasks.executed(DELETE) == 2


def test_a_lost_delete_that_a_batch_has_sent_alone_is_done(tasks: Sandbox) -> None:
    tasks.fault("query_limit", method=DELETE)
    tasks.fault("reset_after", method=DELETE)
    with client_of(tasks, naps=Naps(tasks)) as client:
        outcome = client.batch({2: (DELETE, {"taskId": 2})})
    assert outcome.all_results() == {2: {"task": True}}


def test_objects_are_read_before_only_where_their_look_up_may_be_empty(tasks: Sandbox) -> None:
    payment = tasks.add_payment(1)
    with client_of(tasks, naps=Naps(tasks)) as client:
        client.batch({"payment": ("crm.item.payment.delete", {"id": payment}), "me": ("profile", {})})
        assert tasks.executed("crm.item.payment.get") == 0
        client.batch({task: (DELETE, {"taskId": task}) for task in (1, 2, 3)})
    assert tasks.executed("tasks.task.get") == 3
    assert tasks.executed("batch") == 3


def test_in_a_batch_a_lost_delete_of_a_task_that_this_call_could_read_is_done(tasks: Sandbox) -> None:
    with client_of(tasks, naps=Naps(tasks)) as client:
        # The look-ups before and between them are batches too; that before does not find them.
        tasks.fault("body", method="batch", body=b'{"result": {"result": {"c0": [], "c1": [], "c2": []}}}')
        tasks.fault("reset_before", method="batch")
        tasks.fault("reset_after", method="batch", after=1)
        outcome = client.batch({task: (DELETE, {"taskId": task}) for task in (1, 2, 3)})
    assert outcome.all_results() == {task: {"task": True} for task in (1, 2, 3)}
    assert all(reply.repeated for reply in outcome.replies.values())


def test_in_a_batch_a_delete_that_is_lost_each_time_is_looked_for_at_last(tasks: Sandbox) -> None:
    with client_of(tasks, naps=Naps(tasks)) as client:
        payment = tasks.add_payment(1)
        commands = {"task": (DELETE, {"taskId": 2}), "payment": ("crm.item.payment.delete", {"id": payment})}
        for place in (1, 3, 5):
            tasks.fault("reset_after" if place == 5 else "reset_before", method="batch", after=place)
        outcome = client.batch(commands)
    assert outcome.all_results() == {"task": {"task": True}, "payment": True}


def test_in_a_batch_a_refusal_after_a_lost_delete_of_a_task_that_is_still_there_stands(tasks: Sandbox) -> None:
    tasks.fault("reset_before", method="batch", after=1)
    tasks.fault("error", method=DELETE, code="1048582", description="No access to delete the task", status=400)
    with client_of(tasks, naps=Naps(tasks)) as client:
        error = client.batch({3: (DELETE, {"taskId": 3}), "me": ("profile", {})}).errors[3]
    assert isinstance(error, Invalid)
    assert "the task exists and can be read" in str(error)
    assert error.ran == "unknown"


@pytest.mark.parametrize("nothing", [[], {}, None, "", False, {"task": []}, {"task": None}, {"item": {}}])
@pytest.mark.parametrize(
    ("method", "params", "version"),
    [(DELETE, {"taskId": 5}, 2), (DELETE, {"id": 5}, 3), ("crm.timeline.comment.delete", {"id": 5}, 2)],
    ids=["tasks", "tasks of version 3", "comments"],
)
def test_every_form_of_nothing_is_an_empty_look_up(
    nothing: Any, method: str, params: dict[str, Any], version: int
) -> None:
    def answer(name: str, its_params: dict[str, Any]) -> Any:
        if name == method:
            raise Refusal("0", "Nein", 400)
        assert its_params == params
        return nothing

    expected = pytest.raises(Invalid, match=r"finds no \w+ with this id: there is none, or the connection's user")
    with Hostile(answer) as portal, client_of_hostile(portal) as client, expected:
        client.call(method, params, version=version)


@pytest.mark.parametrize("batched", [False, True])
def test_a_missing_owner_after_a_lost_delete_does_not_mean_that_the_object_is_gone(batched: bool) -> None:
    method = "crm.timeline.comment.delete"
    with Sandbox(deals=1) as portal, client_of(portal, naps=Naps(portal)) as client:
        comment = client.call(
            "crm.timeline.comment.add", {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "x"}}
        )
        portal.fault("reset_before", method="batch" if batched else method)
        portal.fault("error", method=method, code="OWNER_NOT_FOUND", description="Owner was not found", status=400)
        params = {"id": comment, "ownerTypeId": 2, "ownerId": 1}
        if batched:
            error = client.batch({"a": (method, params), "b": ("profile", {})}).errors["a"]
        else:
            portal.fault("body", method="crm.timeline.comment.get", body=b'{"result": {"ID": 1}}', executed=False)
            with pytest.raises(Bitrix24Error) as caught:
                client.call(method, params)
            error = caught.value
        assert portal.executed(method) == 0
    assert isinstance(error, NotFound)
    assert error.ran == "unknown"
