"""Methods of ``task.*`` that read their parameters by position: in the documented order, whatever the author's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.clients import client_of

UPDATE, LIST = "task.checklistitem.update", "task.elapseditem.getlist"


def answered(portal: Sandbox, method: str) -> None:
    portal.fault("body", method, body=json.dumps({"result": True}).encode(), times=None)


@pytest.mark.parametrize(
    ("method", "params", "sent"),
    [
        (UPDATE, {"FIELDS": {"TITLE": "x"}, "ITEMID": 7, "TASKID": 5},
         [("TASKID", 5), ("ITEMID", 7), ("FIELDS", {"TITLE": "x"})]),
        (UPDATE, {"fields": {"TITLE": "x"}, "taskId": 5, "itemId": 7},
         [("taskId", 5), ("itemId", 7), ("fields", {"TITLE": "x"})]),
        (UPDATE, [5, 7, {"TITLE": "x"}], [("0", 5), ("1", 7), ("2", {"TITLE": "x"})]),
        (UPDATE, {"0": 5, "1": 7, "2": {"TITLE": "x"}}, [("0", 5), ("1", 7), ("2", {"TITLE": "x"})]),
        (LIST, {"FILTER": {">ID": 5}, "TASKID": 5}, [("TASKID", 5), ("ORDER", {}), ("FILTER", {">ID": 5})]),
        (LIST, {"FILTER": {">ID": 5}}, [("ORDER", {}), ("FILTER", {">ID": 5})]),
        ("Task.CommentItem.Add", {"FIELDS": {"POST_MESSAGE": "x"}, "TASKID": 5},
         [("TASKID", 5), ("FIELDS", {"POST_MESSAGE": "x"})]),
    ],
)  # fmt: skip
def test_parameters_are_sent_in_the_documented_order(method, params, sent, portal, connection):
    answered(portal, method)
    Bitrix24Operator(task_id="task", method=method, method_params=params).execute(context())
    assert list(portal.calls[-1].params.items()) == sent
    with client_of(portal) as client:
        client.call(method, params)
    assert list(portal.calls[-1].params.items()) == sent


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"FIELDS": {}, "TASKID": 5}, "ITEMID is missing, and FIELDS would take its place"),
        ({"TASKID": 5, "ITEMID": 7, "FIELD": {}}, "'FIELD' is not a parameter, and would take the place of another"),
        ({"0": 5, "ITEMID": 7}, "'0' is not a parameter"),
    ],
)
def test_parameters_that_would_take_the_place_of_others_are_refused(params: Any, message: str, portal: Sandbox) -> None:
    with client_of(portal) as client, pytest.raises(ConfigurationError, match=message):
        client.call(UPDATE, params)
    assert portal.connections == 0


def test_a_batch_takes_a_list_too(portal, connection):
    commands = {"a": [UPDATE, [5, 7, {"TITLE": "x"}]], "b": {"method": UPDATE, "params": {"ITEMID": 8, "TASKID": 5}}}
    Bitrix24BatchOperator(task_id="task", commands=commands, on_error="continue").execute(context())
    (sent,) = [call.params["cmd"] for call in portal.calls if call.method == "batch"]
    assert [text.partition("?")[2] for text in sent.values()] == ["0=5&1=7&2%5BTITLE%5D=x", "TASKID=5&ITEMID=8"]


def test_other_methods_take_no_list(portal: Sandbox) -> None:
    client: Client
    with client_of(portal) as client, pytest.raises(ConfigurationError, match="not an object"):
        client.call("crm.deal.get", [7])  # type: ignore[arg-type]
