"""Waiting for the result of any method: in a worker."""

from __future__ import annotations

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.sensors.rest import Bitrix24Sensor
from tests.operators.context import context
from tests.sensors.waiting import Waiting

DONE = {"result_path": "task.status", "operator": "=", "value": "5"}


@pytest.fixture
def wait(portal, connection, monkeypatch):
    return Waiting(portal, monkeypatch)


def test_it_waits_until_a_place_in_the_result_has_a_value(portal, wait):
    portal.answers["bizproc.workflow.get"] = [{"state": "run"}, {"state": "run"}, {"state": "done"}]
    end, seen = wait(
        Bitrix24Sensor,
        method="bizproc.workflow.get",
        method_params={"id": 7},
        condition={"result_path": "state", "operator": "=", "value": "done"},
    )
    assert (end, seen, len(wait.slept)) == ("success", "done", 2)
    assert portal.requests == 3


def test_it_waits_until_there_is_any_row(portal, wait):
    end, seen = wait(
        Bitrix24Sensor,
        method="crm.deal.list",
        method_params={"filter": {"=TITLE": "Oak door, special"}, "select": ["ID", "TITLE"]},
        condition="any row",
        happens={2: lambda: portal.add_deals(1, title="Oak door, special")},
    )
    assert (end, len(seen), seen[0]["TITLE"]) == ("success", 1, "Oak door, special")
    assert portal.count("crm.deal.list") == 3


def test_a_function_decides_in_a_worker(portal, wait):
    portal.answers["bizproc.workflow.get"] = [{"steps": 1}, {"steps": 2}]
    end, seen = wait(
        Bitrix24Sensor,
        method="bizproc.workflow.get",
        condition=lambda result: result["steps"] % 2 == 0,
    )
    assert (end, seen, len(wait.slept)) == ("success", {"steps": 2}, 1)


def test_fail_when_ends_the_waiting_also_beside_a_function(portal, wait):
    portal.answers["bizproc.workflow.get"] = [{"state": "run"}, {"state": "broken"}]
    end, message = wait(
        Bitrix24Sensor,
        method="bizproc.workflow.get",
        condition=lambda result: result["state"] == "done",
        fail_when={"result_path": "state", "operator": "=", "value": "broken"},
    )
    assert (end, len(wait.slept)) == ("failed", 1)
    assert "fail_when has come true" in message


def test_a_place_that_the_result_does_not_have_fails_instead_of_waiting_for_ever(portal, wait):
    portal.answers["bizproc.workflow.get"] = [[{"state": "run"}]]
    portal.answers["tasks.task.get"] = {"task": {"id": 1}}
    end, message = wait(Bitrix24Sensor, method="tasks.task.get", method_params={"taskId": 1}, condition=DONE)
    assert end == "failed"
    assert "tasks.task.get: the answer has no 'status' of result_path 'task.status'" in message


def test_what_is_too_large_for_xcom_does_not_fail_what_was_waited_for(portal, wait, caplog):
    portal.answers["bizproc.workflow.get"] = {"rows": [{"text": "x" * 50_000}]}
    end, seen = wait(Bitrix24Sensor, method="bizproc.workflow.get", condition="any row")
    assert (end, seen) == ("success", None)
    assert "larger than 48 KiB and does not go to XCom" in caplog.text


@pytest.mark.parametrize(
    "method", ["crm.deal.update", "crm.item.payment.pay", "event.offline.get", "crm.item.add", "my.own.method"]
)
def test_a_method_that_is_not_known_to_only_read_is_refused(portal, wait, method):
    end, message = wait(Bitrix24Sensor, method=method, method_params={"id": 7}, condition="any row")
    assert end == "failed"
    assert "a sensor calls it again and again" in message
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": None}, "method is None"),
        ({"method": "batch"}, "Bitrix24BatchOperator"),
        ({"method_params": None}, "method_params is None"),
        ({"method_params": "None"}, "method_params is not an object"),
        ({"method_params": {"filter": {">ID": None}}}, "None"),
        ({"method_params": {"filter": {"titel": "x"}}}, "not a field here"),
        ({"method_params": {"filters": {"ID": 7}}}, "did you mean filter"),
        ({"method_params": {"filter": '{"ID": 7}'}}, "text"),
        ({"condition": None}, "condition is None"),
        ({"condition": "{{ nothing }}"}, "not a condition"),
        ({"fail_when": None}, "fail_when is None"),
        ({"params": {"ID": 7}, "method_params": None}, "method_params is None"),
    ],
)
def test_what_would_wait_for_something_else_is_refused(portal, wait, arguments, message):
    end, refusal = wait(Bitrix24Sensor, **{"method": "crm.deal.list", "condition": "any row", **arguments})
    assert end == "failed"
    assert message in refusal
    assert portal.count("crm.deal.list") == 0


@pytest.mark.parametrize("argument", ["condition", "fail_when"])
@pytest.mark.parametrize(
    "condition",
    [
        {"result_path": "0.TITLE", "operator": "=", "value": "{{ none }}"},
        {"result_path": "0.TITLE", "operator": "=", "value": "{{ 'nan' }}"},
        {"result_path": "0.TITLE", "operator": "in", "value": ["None", "{{ none }}"]},
        '{"result_path": "0.TITLE", "operator": "=", "value": "{{ none }}"}',
        '{"result_path": "{{ 0 }}.TITLE", "operator": {{ "=" | tojson }}, "value": "{{ none }}"}',
    ],
    ids=str,
)
def test_what_a_template_leaves_in_a_condition_is_refused(portal, connection, argument, condition):
    with DAG("lost", schedule=None):
        task = Bitrix24Sensor(
            task_id="task", method="crm.deal.list", deferrable=False, **{"condition": "any row", argument: condition}
        )
    task.render_template_fields({})
    with pytest.raises(AirflowFailException, match=rf"{argument}\[value\](\[1\])? is '(None|nan)'"):
        task.execute(context())
    assert portal.count("crm.deal.list") == 0


def test_a_deal_may_be_called_none(portal, wait):
    portal.add_items(2, 1, title="None")
    condition = {"result_path": "0.TITLE", "operator": "in", "value": ["None", "nan"]}
    params = {"filter": {"TITLE": "None"}}
    end, _ = wait(Bitrix24Sensor, method="crm.deal.list", method_params=params, condition=condition)
    assert end == "success"


def test_params_are_airflows(portal, wait):
    end, message = wait(Bitrix24Sensor, method="crm.deal.list", condition="any row", params={"filter": {"ID": 7}})
    assert end == "failed"
    assert "give the method's parameters as method_params" in message


@pytest.mark.parametrize("native", [False, True], ids=["literal", "from a template"])
@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("crm.item.list", {"entityTypeId": 2, "filter": {"@id": []}}, "'@id' in .* is an empty list"),
        ("crm.item.list", {"entityTypeId": 2, "filter": {"stageId": []}}, "'stageId' in .* is an empty list"),
        ("crm.item.list", {"entityTypeId": 2, "filter": {"0": {"!@id": ()}}}, "'!@id' in .* is an empty list"),
        ("crm.deal.list", {"filter": {"@STAGE_ID": []}}, "'@STAGE_ID' in .* is an empty list"),
        ("catalog.product.list", {"filter": {"iblockId": 1, "@id": []}}, "'@id' in .* is an empty list"),
        ("crm.item.list", '{"entityTypeId": 2, "filter": {"@id": []}}', "'@id' in .* is an empty list"),
        ("crm.item.list", {"entityTypeId": 2, "filter": {">=id": None}}, "'>=id' in .* is None"),
    ],
)
def test_a_filter_that_would_find_everything_or_nothing_is_refused(portal, connection, method, params, message, native):
    arguments = {"method": method, "condition": "any row", "deferrable": False, "timeout": 0}
    make = lambda value: Bitrix24Sensor(task_id="waits", method_params=value, **arguments)  # noqa: E731
    if native:
        task = make("{{ x }}")
        task.method_params = params
        with pytest.raises(AirflowFailException, match=message):
            task.execute(context())
    else:
        with pytest.raises(AirflowFailException, match=message):
            make(params)
    assert portal.calls == []
