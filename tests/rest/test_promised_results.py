"""An answer that is good in form, and empty where the method's page shows an id, an object or ``true``."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_bitrix24
from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.exceptions import ConfigurationError, Invalid
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
from airflow_provider_bitrix24.methods import METHODS, Method
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.hostile import Hostile, client_of_hostile

ROOT = Path(__file__).parents[2]
EMPTY: list[Any] = [None, [], "", {}, 0]
#: What a method may answer beside its documented result: nothing is known of an older portal's forms.
OTHERS: list[Any] = [True, 5, "7", {"other": 1}, [1]]

#: Method, version, a result that its page shows.
METHODS_AND_RESULTS: list[tuple[str, int, Any]] = [
    ("tasks.task.update", 2, {"task": {"id": "8157"}}),
    ("tasks.task.add", 2, {"task": {"id": "8157"}}),
    ("tasks.task.complete", 2, {"task": {"id": "8157"}}),
    ("tasks.task.update", 3, {"result": True}),
    ("crm.timeline.comment.update", 2, 999),
    ("crm.timeline.comment.add", 2, 999),
    ("crm.deal.add", 2, 394),
    ("crm.item.update", 2, {"item": {"id": 1}}),
    ("crm.item.productrow.add", 2, {"productRow": {"id": 1}}),
    ("crm.item.productrow.set", 2, {"productRows": []}),
    ("crm.activity.add", 2, 7),
    ("crm.requisite.add", 2, 7),
    ("crm.currency.add", 2, "CNY"),
    ("sale.order.update", 2, {"order": {"id": 1}}),
    ("catalog.product.update", 2, {"element": {"id": 1}}),
    ("catalog.price.modify", 2, {"prices": [{"id": 1}]}),
    ("disk.file.rename", 2, {"ID": "8964", "NAME": "x"}),
    ("disk.folder.addSubFolder", 2, {"ID": 8930}),
    ("lists.element.add", 2, 6999),
    ("lists.field.add", 2, "PROPERTY_1151"),
    ("bizproc.workflow.start", 2, "66e81a641752f8.56521481"),
    ("im.message.add", 2, 34239),
    ("im.notify.read.all", 2, {"result": True, "newCounter": 0}),
    ("sonet_group.update", 2, 77),
    ("userfieldconfig.add", 2, {"field": {"id": "6953"}}),
    ("humanresources.node.member.set", 3, {"success": True}),
    ("telephony.externalLine.update", 2, {"ID": "7"}),
    ("user.update", 2, True),
    ("crm.contact.company.items.set", 2, True),
]


class Answering(Hostile):
    """Answers ``result``, whatever it is asked."""

    result: Any = None

    def __init__(self) -> None:
        super().__init__(lambda name, params: self.result)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Answering]:
    with Answering() as portal:
        yield portal


@pytest.fixture
def client(hostile: Answering) -> Iterator[Client]:
    with client_of_hostile(hostile) as client:
        yield client


def answers(client: Client, method: str, version: int = 2) -> Iterator[Any]:
    """What comes of a direct call, and of a command: the result, or the error."""
    try:
        yield client.call(method, {}, version=version)
    except Invalid as error:
        yield error
    if version == 2:
        done = client.batch({"a": (method, {})})
        yield done.errors.get("a", done.results.get("a"))


@pytest.mark.parametrize(("method", "version", "good"), METHODS_AND_RESULTS)
def test_only_a_result_that_holds_what_its_page_shows_is_taken_for_done(
    method: str, version: int, good: Any, hostile: Answering, client: Client
) -> None:
    for hostile.result in [False, *EMPTY]:
        for error in answers(client, method, version):
            assert type(error) is Invalid, (hostile.result, error)
            assert (error.ran, error.retryable) == ("no" if hostile.result is False else "unknown", False)
            assert error.method == method
    for hostile.result in [good, *OTHERS]:
        for result in answers(client, method, version):
            assert result == hostile.result


@pytest.mark.parametrize(
    ("method", "version", "result", "ran"),
    [
        ("tasks.task.update", 2, {"task": []}, "unknown"),
        ("tasks.task.update", 2, {"task": None}, "unknown"),
        ("tasks.task.update", 2, {"task": False}, "no"),
        ("tasks.task.update", 3, {"result": False}, "no"),
        ("catalog.product.add", 2, {"element": None}, "unknown"),
        ("crm.item.add", 2, {"item": {}}, "unknown"),
        ("biconnector.source.add", 2, {"id": 0}, "unknown"),
        ("humanresources.node.member.add", 3, {"success": False}, "no"),
        # "on error = `null`"
        ("crm.activity.todo.add", 2, None, "no"),
        ("crm.activity.configurable.update", 2, None, "no"),
        ("crm.timeline.logmessage.delete", 2, None, "no"),
        ("crm.type.delete", 2, None, "no"),
        # Nothing is what these answer; ``false`` is something else.
        ("crm.timeline.item.pin", 2, False, "no"),
        ("userfieldconfig.delete", 2, False, "no"),
    ],
)
def test_an_empty_part_says_no_more_than_an_empty_result(
    method: str, version: int, result: Any, ran: str, hostile: Answering, client: Client
) -> None:
    hostile.result = result
    before = len(hostile.commands)
    for error in answers(client, method, version):
        assert type(error) is Invalid
        assert (error.ran, error.retryable) == (ran, False)
    calls = 2 if version == 2 else 1
    # A refused delete is looked after, where something reads its object.
    assert len(hostile.commands) == before + calls * (2 if METHODS.find(method, version).lookup else 1)


@pytest.mark.parametrize(
    ("method", "results"),
    [
        ("crm.timeline.comment.delete", [None, []]),
        ("crm.item.productrow.delete", [None, []]),
        ("crm.category.delete", [None]),
        ("task.checklistitem.update", [None]),
        ("task.dependence.add", [[]]),
        ("crm.type.delete", [[]]),
        ("crm.deal.contact.add", [True, False]),
        ("crm.lead.contact.delete", [True, False]),
        ("event.unbind", [{"count": 0}]),
        ("crm.product.update", [False, None]),
        ("acme.report.build", [False, None, [], ""]),
        ("catalog.product.sku.getFieldsByFilter", [[]]),
        ("lists.element.get.file.url", [[]]),
        ("task.stages.canmovetask", [False]),
        ("crm.deal.list", [[]]),
        ("tasks.task.get", [[]]),
    ],
)
def test_an_empty_result_is_taken_where_it_is_documented_or_nothing_is(
    method: str, results: list[Any], hostile: Answering, client: Client
) -> None:
    for hostile.result in results:
        assert list(answers(client, method)) == [hostile.result, hostile.result]


def test_a_refused_delete_of_what_can_be_read_says_so() -> None:
    def answer(name: str, params: Any) -> Any:
        return {"item": {"id": 7}} if name == "crm.item.get" else False

    with (
        Hostile(answer) as portal,
        client_of_hostile(portal) as client,
        pytest.raises(Invalid, match="the item exists and can be read, so the change itself was refused") as caught,
    ):
        client.call("crm.item.delete", {"entityTypeId": 2, "id": 7})
    assert caught.value.ran == "no"


def test_a_user_says_what_a_method_promises(hostile: Answering) -> None:
    own = METHODS.adding(Method("acme.report.build", promises="report=id"), Method("tasks.task.update"))
    with client_of_hostile(hostile, methods=own) as client:
        hostile.result = {"report": 0}
        with pytest.raises(Invalid, match="report of its result is 0 and not an id: it may have been"):
            client.call("acme.report.build")
        hostile.result = []
        assert client.call("tasks.task.update", {"taskId": 1}) == []
    with pytest.raises(ConfigurationError, match="promises of a method is 'ids'"):
        Method("acme.report.build", promises="ids")


# Operators

WRITES = [
    ("tasks.task.update", {"taskId": 1, "fields": {"TITLE": "x"}}),
    ("crm.timeline.comment.update", {"id": 1, "fields": {"COMMENT": "x"}}),
    ("disk.file.rename", {"id": 1, "newName": "x"}),
    ("lists.element.add", {"IBLOCK_TYPE_ID": "lists", "IBLOCK_ID": 1, "ELEMENT_CODE": "a", "FIELDS": {"NAME": "x"}}),
]


@pytest.mark.parametrize(("result", "outcome"), [(False, "failed"), ([], "unknown"), (None, "unknown")])
@pytest.mark.parametrize(("method", "params"), WRITES)
def test_no_operator_is_green_where_nothing_was_done(
    method: str, params: dict[str, Any], result: Any, outcome: str, portal: Sandbox, connection: None
) -> None:
    portal.fault("body", method, body=json.dumps({"result": result}), times=None)
    with pytest.raises(AirflowFailException, match=method):
        Bitrix24Operator(task_id="a", method=method, method_params=params, check_fields=False).execute(context())
    with pytest.raises(Invalid, match=method):
        Bitrix24Hook().call(method, params)
    batch = json.dumps({"result": {"result": {"c0": result}, "result_error": []}})
    portal.fault("body", "batch", body=batch, times=None)
    commands = {"a": [method, params]}
    with pytest.raises(AirflowFailException, match=method):
        Bitrix24BatchOperator(task_id="b", commands=commands, check_fields=False).execute(context())
    with Bitrix24Hook().get_conn() as client:
        assert client.batch(commands).errors["a"].ran == ("no" if outcome == "failed" else "unknown")
    given = context()
    with pytest.raises(AirflowFailException):
        Bitrix24BulkWriteOperator(task_id="c", method=method, rows=[params]).execute(given)
    summary = given["ti"].pushed["bitrix24_rows"]
    assert (summary["written"], summary[outcome]) == (0, 1)


# The table


def test_the_table_is_what_the_documentation_of_the_sandbox_says() -> None:
    spec = importlib.util.spec_from_file_location("made", ROOT / "ci" / "make_promised_results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = list(module.lines(ROOT / "tests" / "contract"))
    table = Path(airflow_provider_bitrix24.__file__).with_name("promised_results.txt").read_text("utf-8")
    assert len(made) > 100
    assert set(made) <= set(table.splitlines())


def test_no_method_that_reads_promises_a_result() -> None:
    assert [method.name for method in METHODS if method.promises and method.repeat == "read"] == []
