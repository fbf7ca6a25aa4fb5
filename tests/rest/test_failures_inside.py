"""Answers that are good in form: with a failure inside, done in part, or cut off silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError, IncompleteList, Invalid
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.methods import METHODS, Method
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.clients import client_of
from tests.rest.hostile import Hostile, client_of_hostile

MERGE, FIND = "crm.entity.mergeBatch", "crm.duplicate.findbycomm"


@pytest.fixture
def portal() -> Iterator[Sandbox]:
    with Sandbox(data={"contacts": []}) as portal:
        yield portal


@pytest.fixture
def client(portal: Sandbox) -> Iterator[Client]:
    with client_of(portal) as client:
        yield client


def contact(client: Client, phone: str = "", **fields: Any) -> int:
    phones = {"PHONE": [{"VALUE": phone}]} if phone else {}
    return int(client.call("crm.contact.add", {"fields": {**fields, **phones}}))


def both_ways(client: Client, method: str, params: dict[str, Any]) -> list[Bitrix24Error]:
    """The error of a direct call, and that of a command."""
    with pytest.raises(Bitrix24Error) as caught:
        client.call(method, params)
    return [caught.value, client.batch({"a": (method, params)}).errors["a"]]


def merge(*ids: int) -> dict[str, Any]:
    return {"params": {"entityTypeId": 3, "entityIds": list(ids)}}


def test_a_merge_that_the_portal_did_not_do_is_an_error(portal: Sandbox, client: Client) -> None:
    ids = contact(client, NAME="Ada"), contact(client, NAME="Bob")
    for error in both_ways(client, MERGE, merge(*ids)):
        assert isinstance(error, Invalid)
        assert (error.code, error.ran, error.retryable, error.method) == ("CONFLICT", "no", False, MERGE)
        assert "nothing was merged" in str(error)
    assert len(portal.items(3)) == 2


def test_a_merge_that_was_done_is_none(portal: Sandbox, client: Client) -> None:
    ids = contact(client, NAME="Ada"), contact(client, NAME="Ada")
    assert client.call(MERGE, merge(*ids)) == {"STATUS": "SUCCESS", "ENTITY_IDS": [ids[1]]}


@pytest.mark.parametrize(
    ("method", "version", "result", "ran", "says"),
    [
        (
            MERGE,
            2,
            {"STATUS": "ERROR", "ENTITY_IDS": [7]},
            "unknown",
            "check at the portal which of the objects are left",
        ),
        (MERGE, 2, {"STATUS": "LATER"}, "unknown", "STATUS of the result is not SUCCESS"),
        (MERGE, 2, [], "unknown", "STATUS of the result is not SUCCESS"),
        ("crm.address.update", 2, False, "no", "its result is false"),
        ("crm.activity.todo.add", 2, None, "no", "its result is null"),
        ("im.notify", 2, False, "no", "its result is false"),
        ("crm.deal.productrows.set", 2, False, "no", "its result is false"),
        (
            "humanresources.node.member.remove",
            3,
            {"removed": [18], "failed": [{"userId": 31, "reason": "Not found in this node"}]},
            "unknown",
            "1 in 'failed' of the result: [{'userId': 31, 'reason': 'Not found in this node'}]",
        ),
    ],
)
def test_a_failure_inside_a_good_answer_is_an_error(
    method: str, version: int, result: Any, ran: str, says: str
) -> None:
    with Hostile(lambda name, params: result) as portal, client_of_hostile(portal) as client:
        with pytest.raises(Invalid) as caught:
            client.call(method, {"id": 7}, version=version)
        assert len(portal.asked) == 1
    assert (caught.value.ran, caught.value.retryable) == (ran, False)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("method", "version", "result"),
    [
        ("humanresources.node.member.remove", 3, {"removed": [18], "failed": []}),
        ("crm.deal.contact.add", 2, False),
        ("crm.address.update", 2, True),
        ("im.notify", 2, 17),
        (FIND, 2, []),
    ],
)
def test_other_answers_stay_what_they_are(method: str, version: int, result: Any) -> None:
    with Hostile(lambda name, params: result) as portal, client_of_hostile(portal) as client:
        assert client.call(method, {"id": 7}, version=version) == result


@pytest.mark.parametrize("name", ["values", "VALUES"])
def test_values_that_the_portal_would_ignore_are_refused(portal: Sandbox, client: Client, name: str) -> None:
    portal.reset_calls()
    params = {"type": "PHONE", name: [str(number) for number in range(21)]}
    with pytest.raises(
        ConfigurationError, match="has 21 values, and the portal silently ignores those after the first 20"
    ):
        client.call(FIND, params)
    with pytest.raises(ConfigurationError, match="silently ignores"):
        client.batch({"a": (FIND, params)}, allow_cut=True)
    assert portal.requests == 0
    assert client.call(FIND, {"type": "PHONE", name: params[name][:20]}) == []


@pytest.mark.parametrize("number", [19, 20, 22])
def test_hits_that_may_have_been_cut_off_are_an_error(client: Client, number: int) -> None:
    ids = [contact(client, "155501001", NAME="Ada") for _ in range(number)]
    params = {"type": "PHONE", "values": ["155501001"]}
    if number < 20:
        assert client.call(FIND, params) == {"CONTACT": ids}
        return
    for error in both_ways(client, FIND, params):
        assert isinstance(error, IncompleteList)
        assert "CONTACT has 20 hits, and the method silently leaves out those after 20" in str(error)
    assert client.call(FIND, params, allow_cut=True) == {"CONTACT": ids[:20]}
    assert client.batch({"a": (FIND, params)}, allow_cut=True).results == {"a": {"CONTACT": ids[:20]}}


def test_a_user_says_what_fails_and_what_is_cut() -> None:
    own = METHODS.adding(
        Method("acme.report.build", fails_if="state!=done"),
        Method("acme.visit.find", max_values=("ids", 3), max_hits=5),
    )
    answers = {"acme.report.build": {"state": "broken"}, "acme.visit.find": [1, 2, 3, 4, 5]}
    with (
        Hostile(lambda name, params: answers[name]) as portal,
        client_of_hostile(portal, methods=own) as client,
    ):
        with pytest.raises(Invalid, match="broken"):
            client.call("acme.report.build")
        with pytest.raises(ConfigurationError, match="ids has 4 values"):
            client.call("acme.visit.find", {"ids": [1, 2, 3, 4]})
        with pytest.raises(IncompleteList, match="result has 5 hits"):
            client.call("acme.visit.find", {"ids": [1]})


@pytest.mark.parametrize("allow_cut", [False, True])
@pytest.mark.parametrize("way", ["operator", "batch operator", "hook"])
def test_hits_that_may_have_been_cut_off_are_taken_only_where_the_author_says_so(
    way: str, allow_cut: bool, portal: Sandbox, connection: None, client: Client
) -> None:
    ids = [contact(client, "155501001", NAME="Ada") for _ in range(21)]
    params = {"type": "PHONE", "values": ["155501001"]}

    def found() -> Any:
        if way == "hook":
            return Bitrix24Hook().call(FIND, params, allow_cut=allow_cut)
        if way == "operator":
            operator = Bitrix24Operator(task_id="task", method=FIND, method_params=params, allow_cut=allow_cut)
            return operator.execute(context())
        commands = {"a": [FIND, params]}
        batch = Bitrix24BatchOperator(task_id="task", commands=commands, allow_cut=allow_cut)
        return batch.execute(context())["results"]["a"]

    if allow_cut:
        assert found() == {"CONTACT": ids[:20]}
        return
    with pytest.raises((IncompleteList, AirflowFailException), match="silently leaves out those after 20"):
        found()


@pytest.mark.parametrize("flags", [{}, {"halt": True}, {"references": True}])
def test_more_values_than_the_portal_reads_are_refused_in_a_batch_operator(
    flags: dict[str, bool], portal: Sandbox, connection: None
) -> None:
    commands = {"a": [FIND, {"type": "PHONE", "values": [str(number) for number in range(21)]}]}
    operator = Bitrix24BatchOperator(task_id="task", commands=commands, allow_cut=True, **flags)
    with pytest.raises(AirflowFailException, match="'a': values has 21 values"):
        operator.execute(context())
    assert portal.requests == 0


PROMISE_TRUE = [
    "user.update",
    "lists.element.update",
    "lists.delete",
    "crm.status.update",
    "crm.company.contact.items.set",
    "crm.deal.contact.items.set",
    "crm.requisite.update",
    "crm.lead.userfield.update",
    "im.message.update",
    "department.delete",
    "task.commentitem.update",
    "task.checklistitem.complete",
    "bizproc.workflow.terminate",
    "disk.folder.deleteTree",
]


@pytest.mark.parametrize("answer", [False, None])
@pytest.mark.parametrize("method", PROMISE_TRUE)
def test_a_write_that_promises_true_and_answers_false_is_an_error(method: str, answer: Any) -> None:
    with Hostile(lambda name, params: answer) as portal, client_of_hostile(portal) as client:
        for error in both_ways(client, method, {}):
            assert (type(error), error.retryable) == (Invalid, False)


@pytest.mark.parametrize("method", ["crm.deal.contact.add", "crm.quote.contact.delete", "crm.contact.company.add"])
def test_false_that_only_says_that_it_was_so_already_is_an_answer(method: str) -> None:
    with Hostile(lambda name, params: False) as portal, client_of_hostile(portal) as client:
        assert client.call(method, {"id": 1}) is False
