"""The text of a list or an object is refused where the documentation has a list or an object, and nowhere else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.crm.values import ItemField, to_write
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24UpdateItemOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from airflow_provider_bitrix24.rest import structured_parameters
from airflow_provider_bitrix24.rest.client import Client
from tests.operators.context import context
from tests.rest.clients import client_of

ROOT = Path(__file__).parents[2]
#: Method, version, the place of the parameter, and what it holds.
DOCUMENTED: list[tuple[str, int, str, Any]] = [
    ("crm.deal.add", 2, "fields", {"TITLE": "x"}),
    ("crm.deal.add", 2, "FIELDS.CONTACT_IDS", [1, 2]),
    ("crm.deal.list", 2, "filter", {">ID": 5}),
    ("crm.item.list", 2, "select", ["id", "title"]),
    ("crm.contact.list", 2, "order", {"ID": "ASC"}),
    ("crm.item.add", 2, "fields.observers", [1]),
    ("crm.item.productrow.set", 2, "productRows", [{"productId": 1}]),
    ("crm.duplicate.findbycomm", 2, "values", ["+15550001"]),
    ("crm.entity.mergeBatch", 2, "params.entityIds", [1, 2]),
    ("tasks.task.list", 2, "params", {"WITH_RESULT_INFO": "Y"}),
    ("task.checklistitem.add", 2, "FIELDS", {"TITLE": "x"}),
    ("user.get", 2, "FILTER", {"ACTIVE": "Y"}),
    ("my.own.method", 2, "fields", {"A": 1}),
    ("tasks.task.list", 3, "filter", [["id", ">", 5]]),
    ("tasks.task.add", 3, "fields", {"title": "x"}),
]
#: What must stand in front.
FIRST = {"task.checklistitem.add": {"TASKID": 5}}
WRITTEN = {
    "JSON": json.dumps,
    "Python": str,
    "spaced": lambda value: f" {value}\n",
    "a mapped task's": lambda value: "LazySelectSequence([2 items])",
}


def at(place: str, value: Any) -> dict[str, Any]:
    name, _, inner = place.partition(".")
    return {name: at(inner, value) if inner else value}


def by_call(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    client.call(method, params, version=version)


def by_batch(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    client.batch({"a": (method, params)})


def by_operator(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    Bitrix24Operator(task_id="task", method=method, method_params=params, version=version).execute(context())


def by_batch_operator(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    Bitrix24BatchOperator(task_id="task", commands={"a": [method, params]}).execute(context())


def by_list(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    list(client.list(method, params, version=version))


def by_list_operator(client: Client, method: str, version: int, params: dict[str, Any]) -> None:
    Bitrix24ListOperator(task_id="task", method=method, method_params=params, version=version).execute(context())


WAYS = (by_call, by_batch, by_operator, by_batch_operator, by_list, by_list_operator)
CASES = [
    (way, *documented)
    for way in WAYS
    for documented in DOCUMENTED
    if (documented[1] == 2 or way not in (by_batch, by_batch_operator))
    and (documented[0].endswith((".list", "user.get")) or way not in (by_list, by_list_operator))
]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(("way", "method", "version", "place", "value"), CASES)
def test_the_text_of_a_documented_list_or_object_is_refused_before_anything_is_sent(
    way, method, version, place, value, written, portal, connection
):
    params = {**FIRST.get(method, {}), **at(place, WRITTEN[written](value))}
    with client_of(portal) as client, pytest.raises((ConfigurationError, AirflowFailException)) as caught:
        way(client, method, version, params)
    assert f"{place} is the text of a list or an object" in str(caught.value) or "is a text" in str(caught.value)
    assert "render_template_as_native_obj=True" in str(caught.value) or "tojson" in str(caught.value)
    assert portal.requests == 0
    if "batch" in way.__name__:
        assert "'a'" in str(caught.value) or "[a]" in str(caught.value)


@pytest.mark.parametrize("number", ["0", 0])
def test_a_parameter_that_is_given_by_its_number_is_checked_too(number, portal, connection):
    with client_of(portal) as client, pytest.raises(ConfigurationError, match="1 is the text of a list or an object"):
        client.call("task.checklistitem.add", [5, "{'TITLE': 'x'}"])


def test_a_member_of_a_list_names_its_place(portal, connection):
    settings = "{'DEFAULT_VALUE': 1}"
    with client_of(portal) as client, pytest.raises(ConfigurationError, match=r"fields\.SETTINGS is the text"):
        client.call("crm.deal.userfield.add", {"fields": {"FIELD_NAME": "X", "SETTINGS": settings}})


def test_a_row_with_such_a_text_fails_by_itself(portal, connection):
    rows = [{"TITLE": "a", "CONTACT_IDS": [1]}, {"TITLE": "b", "CONTACT_IDS": "[1, 2]"}, {"TITLE": "c"}]
    summary = Bitrix24BulkWriteOperator(
        task_id="task",
        method="crm.deal.add",
        mapping={"fields": {"TITLE": "$TITLE", "CONTACT_IDS": "$CONTACT_IDS"}},
        rows=[{"CONTACT_IDS": [], **row} for row in rows],
        max_failures=1,
    ).execute(context())
    assert (summary["written"], summary["failed"]) == (2, 1)
    assert portal.executed("crm.deal.add") == 2


@pytest.mark.parametrize("value", ["[1, 2]", '["1", "2"]', "(1, 2)"])
@pytest.mark.parametrize("name", ["contactIds", "observers"])
def test_a_multiple_field_of_an_item_takes_no_text_of_a_list(name, value, portal, connection):
    with pytest.raises(AirflowFailException, match=f"{name} takes a list, not"):
        Bitrix24UpdateItemOperator(task_id="task", entity_type_id="deal", item_id=1, fields={name: value}).execute(
            context()
        )
    assert portal.executed("crm.item.update") == 0


@pytest.mark.parametrize("name", ["@ID", "!@ID", "><ID", "@STAGE_ID"])
@pytest.mark.parametrize("value", ["[1, 2]", "['NEW', 'WON']", "LazySelectSequence([2 items])"])
def test_a_condition_on_many_values_takes_no_text_of_a_list(name, value, portal, connection):
    with client_of(portal) as client, pytest.raises(ConfigurationError, match="is the text of a list"):
        client.list("crm.deal.list", {"filter": {name: value}})
    with pytest.raises(AirflowFailException, match="is the text of a list"):
        Bitrix24Operator(task_id="task", method="crm.deal.list", method_params={"filter": {name: value}}).execute(
            context()
        )
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("method", "version", "params"),
    [
        ("crm.deal.update", 2, {"id": 1, "fields": {"COMMENTS": '{"a": [1]}', "TITLE": "[VIP] (x)"}}),
        ("crm.timeline.comment.add", 2, {"fields": {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": '["a"]'}}),
        ("crm.item.update", 2, {"entityTypeId": 2, "id": 1, "fields": {"comments": "{'payload': 1}"}}),
        ("im.notify.system.add", 2, {"USER_ID": 1, "MESSAGE": '{"webhook": {"event": "ONCRMDEALADD"}}'}),
        ("crm.deal.list", 2, {"filter": {"=TITLE": "[1, 2]"}, "select": ["ID"]}),
        ("crm.deal.list", 2, {"filter": {"%TITLE": "{x}"}, "select": []}),
        ("tasks.task.add", 2, {"fields": {"TITLE": "[b]x[/b]", "DESCRIPTION": "[1]", "RESPONSIBLE_ID": 1}}),
    ],
)  # fmt: skip
def test_json_in_a_text_is_a_text(method, version, params, portal, connection):
    with client_of(portal) as client:
        client.call(method, params, version=version)
        client.batch({"a": (method, params)}).all_results()
    assert portal.executed(method) == 2


def test_a_multiple_field_takes_one_text_in_brackets(portal, connection):
    field = ItemField("ufCrmTags", "UF_CRM_TAGS", "string", is_multiple=True)
    assert to_write(field, "[VIP]") == ["[VIP]"]


# The table


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("made", ROOT / "ci" / "make_structured_parameters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_documentation_of_the_sandbox_says():
    made = list(script().lines(ROOT / "tests" / "contract"))
    table = Path(structured_parameters.__file__).with_name("structured_parameters.txt").read_text("utf-8")
    assert len(made) > 50
    assert set(made) <= set(table.splitlines())


def test_the_table_is_read_when_the_first_call_needs_it():
    text = (
        "import sys, builtins; opened = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and opened.append(str(args[0])))\n"
        "from airflow_provider_bitrix24.rest import client, structured_parameters\n"
        "assert not [name for name in opened if name.endswith('structured_parameters.txt')]\n"
    )
    subprocess.run([sys.executable, "-c", text], check=True)


def test_the_table_is_small():
    assert Path(structured_parameters.__file__).with_name("structured_parameters.txt").stat().st_size < 20_000
