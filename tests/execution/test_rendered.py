"""What templates and other tasks lose within lists, objects, mappings and rows: neither written nor taken to clear."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import (
    Bitrix24AddItemOperator,
    Bitrix24ListItemsOperator,
    Bitrix24UpdateItemOperator,
)
from airflow_provider_bitrix24.operators.crm_import import Bitrix24ImportItemsOperator
from airflow_provider_bitrix24.operators.crm_upsert import Bitrix24UpsertItemOperator, Bitrix24UpsertItemsOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator
from tests.operators.context import context

SEVERAL = "ufCrm_1700000003"
LOST = [None, "", "None", "nan", math.nan]
X = "{{ x }}"


def rendered(operator: type, x: Any, *, native: bool = False, **arguments: Any) -> Any:
    """Run an operator whose templates have found ``x``."""
    with DAG("lost", schedule=None, render_template_as_native_obj=native):
        task = operator(task_id="task", **arguments)
    task.render_template_fields({"x": x})
    return task.execute(context())


def of_another_task(operator: type, fields: Any, **arguments: Any) -> Any:
    task = operator(task_id="task", fields="{{ x }}", **arguments)
    task.fields = fields
    return task.execute(context())


@pytest.fixture
def deal(portal, connection) -> int:
    fields = {SEVERAL: ["kept"], "observers": [1], "comments": "kept", "originId": "K-1"}
    Bitrix24UpdateItemOperator(task_id="task", entity_type_id=2, item_id=1, fields=fields).execute(context())
    return 1


@pytest.fixture
def company(portal, connection) -> int:
    fields = {"title": "Oak", "originId": "K-1", "PHONE": "+1"}
    return Bitrix24AddItemOperator(task_id="task", entity_type_id=4, fields=fields).execute(context())


def phones(portal: Any, company: int) -> list[str]:
    return [entry["value"] for entry in portal.item(4, company).get("fm") or []]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize("value", [[X], [X, X], X], ids=str)
def test_a_list_of_what_templates_lost_clears_nothing(value, x, native, deal, portal):
    for fields in ({SEVERAL: value, "title": "Elm"}, {"observers": value, "title": "Elm"}):
        rendered(Bitrix24UpdateItemOperator, x, native=native, entity_type_id=2, item_id=deal, fields=fields)
        item = portal.item(2, deal)
        assert (item["title"], item[SEVERAL], item["observers"]) == ("Elm", ["kept"], [1])
    rendered(
        Bitrix24UpsertItemOperator, x, native=native, entity_type_id=2, key="originId",
        fields={"originId": "K-1", SEVERAL: value},
    )  # fmt: skip
    assert portal.item(2, deal)[SEVERAL] == ["kept"]


@pytest.mark.parametrize("lost", [[None], [""], [], set(), np.array([]), [math.nan], [None, ""]], ids=repr)
def test_so_does_a_list_of_nothing_that_another_task_returned(lost, deal, portal):
    for name in (SEVERAL, "observers", "comments"):
        of_another_task(Bitrix24UpdateItemOperator, {name: lost, "title": "Elm"}, entity_type_id=2, item_id=deal)
        of_another_task(
            Bitrix24UpsertItemOperator, {name: lost, "originId": "K-1"}, entity_type_id=2, key="originId"
        )  # fmt: skip
    item = portal.item(2, deal)
    assert (item[SEVERAL], item["observers"], item["comments"]) == (["kept"], [1], "kept")


@pytest.mark.parametrize("x", LOST, ids=repr)
def test_a_lost_member_is_left_out_of_texts_and_refused_among_ids(x, deal, portal, all_output):
    arguments = {"entity_type_id": 2, "item_id": deal}
    rendered(Bitrix24UpdateItemOperator, x, fields={SEVERAL: [X, "b"]}, **arguments)
    assert portal.item(2, deal)[SEVERAL] == ["b"]
    assert f"fields has no value for {SEVERAL}[0], which is left as it is" in (
        all_output.printed + str(all_output.records)
    )
    with pytest.raises(AirflowFailException, match="observers takes ids above 0"):
        rendered(Bitrix24UpdateItemOperator, x, fields={"observers": [2, X]}, **arguments)
    assert portal.item(2, deal)["observers"] == [1]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize(
    "fields",
    [
        {"PHONE": X},
        {"PHONE": [X]},
        {"PHONE": [X, "a1"]},
        {"PHONE": [{"VALUE": X, "VALUE_TYPE": "HOME"}]},
        {"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": X}]},
        {"fm": {"n0": {"typeId": "PHONE", "value": X}, "n1": {"typeId": "PHONE", "value": "a1"}}},
    ],
    ids=str,
)
def test_a_lost_phone_is_not_added(fields, x, native, company, portal):
    meant = ["a1"] if "a1" in str(fields) else []
    arguments = {"entity_type_id": 4, "fields": {"title": "Elm", **fields}}
    rendered(Bitrix24UpdateItemOperator, x, native=native, item_id=company, **arguments)
    assert phones(portal, company) == ["+1", *meant]
    added = rendered(Bitrix24AddItemOperator, x, native=native, **arguments)
    assert phones(portal, added) == meant


@pytest.mark.parametrize("x", LOST, ids=repr)
def test_an_entry_whose_new_value_was_lost_is_not_removed(x, company, portal):
    (entry,) = portal.item(4, company)["fm"]
    fields = {"title": "Elm", "fm": {str(entry["id"]): {"value": X}}}
    rendered(Bitrix24UpdateItemOperator, x, entity_type_id=4, item_id=company, fields=fields)
    assert phones(portal, company) == ["+1"]
    written = {"fm": {str(entry["id"]): {"value": ""}}}
    Bitrix24UpdateItemOperator(task_id="task", entity_type_id=4, item_id=company, fields=written).execute(context())
    assert phones(portal, company) == []


@pytest.mark.parametrize("written", [[], [""], [None], ()], ids=repr)
def test_an_empty_list_that_the_author_wrote_clears(written, deal, portal):
    rendered(Bitrix24UpdateItemOperator, None, entity_type_id=2, item_id=deal, fields={SEVERAL: written})
    assert portal.item(2, deal)[SEVERAL] == []


@pytest.mark.parametrize("written", [["None"], {"nan"}, ("null", "x")], ids=repr)
def test_names_that_the_author_wrote_into_a_list_are_written(written, deal, portal):
    rendered(Bitrix24UpdateItemOperator, None, entity_type_id=2, item_id=deal, fields={SEVERAL: written})
    assert portal.item(2, deal)[SEVERAL] == list(written)


# Longer texts


@pytest.mark.parametrize(("x", "shown"), [(None, "None"), (float("nan"), "nan"), ("None", "None")])
def test_what_a_template_lost_inside_of_a_text_is_in_no_filter_and_no_row(x, shown, deal, portal):
    portal.reset_calls()
    text = "K-{{ x }}/1"
    for operator, arguments in (
        (Bitrix24ListItemsOperator, {"entity_type_id": 2, "item_filter": {"0": {"logic": "OR", "=originId": text}}}),
        (Bitrix24ListOperator, {"method": "crm.deal.list", "method_params": {"filter": {"@ORIGIN_ID": ["a", text]}}}),
        (
            Bitrix24ListOperator,
            {"method": "crm.deal.list", "method_params": f'{{"filter": {{"ORIGIN_ID": "{text}"}}}}'},
        ),
        (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "rows": [{"t": "x"}], "mapping": {"originId": text}}),
    ):
        with pytest.raises(AirflowFailException, match=f"is 'K-{shown}/1': it has no value: check the template"):
            rendered(operator, x, **arguments)
    assert portal.requests == 0


@pytest.mark.parametrize("x", ["", "us", "Nonesuch", 0])
def test_a_text_with_a_template_that_says_something_passes(x, deal, portal):
    filter_ = {"=originId": "None of {{ x }}"}
    assert rendered(Bitrix24ListItemsOperator, x, entity_type_id=2, item_filter=filter_) == []


# Mappings


ROWS = [{"id": 1, "t": "Oak", "originId": "K-1"}]
OPERATORS = {
    "add": (Bitrix24BulkWriteOperator, {"entity_type_id": 2}),
    "update": (Bitrix24BulkWriteOperator, {"entity_type_id": 2, "operation": "update"}),
    "upsert": (Bitrix24UpsertItemsOperator, {"entity_type_id": 2, "key": "originId"}),
    "import": (Bitrix24ImportItemsOperator, {"entity_type_id": 2}),
}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ({"originId": "$originId", "comments": X}, "[comments]"),
        ({"originId": "$originId", SEVERAL: ["$t", X]}, rf"[{SEVERAL}][1]"),
        ('{"originId": "$originId", "title": "$t", "comments": "{{ x }}"}', "[comments]"),
    ],
    ids=["a value", "a member", "JSON text"],
)
def test_what_a_template_lost_in_a_mapping_is_in_no_row(mapping, place, name, x, native, deal, portal):
    portal.reset_calls()
    operator, others = OPERATORS[name]
    with pytest.raises(AirflowFailException, match=r"mapping\[\w+\](\[1\])? is .*: it has no value") as caught:
        rendered(operator, x, native=native and not isinstance(mapping, str), mapping=mapping, rows=ROWS, **others)
    assert f"mapping{place} is " in str(caught.value)
    assert portal.requests == 0


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize(
    ("method", "mapping"),
    [
        ("crm.deal.update", {"id": "$id", "fields": {"COMMENTS": X}}),
        ("crm.deal.add", {"fields": {"TITLE": X, "COMMENTS": "$t"}}),
        ("im.notify.system.add", {"USER_ID": "$id", "MESSAGE": X}),
        ("crm.deal.update", {"id": X, "fields": {"COMMENTS": "$t"}}),
    ],
    ids=str,
)
def test_nor_is_it_in_a_call_of_a_method(method, mapping, x, native, deal, portal):
    portal.reset_calls()
    with pytest.raises(AirflowFailException, match=r"mapping\[.* is .*: it has no value"):
        rendered(Bitrix24BulkWriteOperator, x, native=native, method=method, rows=ROWS, mapping=mapping)
    assert portal.executed(method) == 0
    assert portal.item(2, deal)["comments"] == "kept"


def test_what_an_author_writes_into_a_mapping_is_in_each_row(deal, portal):
    arguments = {"entity_type_id": 2, "operation": "update", "rows": [{"id": deal, "t": "Oak"}]}
    mapping = {"title": "None", "comments": "{{ 'all: ' ~ x }}"}
    rendered(Bitrix24BulkWriteOperator, "nan", mapping=mapping, **arguments)
    assert (portal.item(2, deal)["title"], portal.item(2, deal)["comments"]) == ("None", "all: nan")
    summary = rendered(Bitrix24BulkWriteOperator, "", mapping={"comments": ""}, blank="clear", **arguments)
    assert (summary["written"], portal.item(2, deal)["comments"] or "") == (1, "")
    by_method = {"id": "$id", "fields": {"COMMENTS": "", "TITLE": "$t"}}
    rendered(Bitrix24BulkWriteOperator, "", method="crm.deal.update", rows=arguments["rows"], mapping=by_method)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize("name", OPERATORS)
def test_a_lost_mapping_clears_nothing_where_blank_cells_do(name, x, native, deal, portal):
    operator, others = OPERATORS[name]
    mapping = {"originId": "$originId", "comments": X}
    with pytest.raises(AirflowFailException, match=r"mapping\[comments\] is .*: it has no value"):
        rendered(operator, x, native=native, mapping=mapping, rows=ROWS, blank="clear", **others)
    of_task = operator(task_id="task", mapping="{{ x }}", rows=ROWS, blank="clear", **others)
    of_task.mapping = {"originId": "$originId", "comments": "" if x == "nan" else x}
    if x != "None":
        with pytest.raises(AirflowFailException, match=r"mapping\[comments\] is"):
            of_task.execute(context())
    for whole in ("{{ x }}", {"comments": [X]}):
        with pytest.raises(AirflowFailException, match="mapping"):
            rendered(operator, x, native=native, mapping=whole, rows=ROWS, blank="clear", **others)
    assert portal.item(2, deal)["comments"] == "kept"


@pytest.mark.parametrize("x", [None, "None", "nan"], ids=repr)
@pytest.mark.parametrize(
    "fields",
    [
        '{"comments": "{{ x }}", "opportunity": {{ 5 }}}',
        '{"comments": "{{ x or {"a": x}["a"] }}", "opportunity": 5}',
        '{"opportunity": {{ 5 }}, "comments": "{{ x }}", "title": "a \\"b\\" {{ x }}"}',
    ],
)
def test_json_text_that_is_json_only_when_it_is_rendered_is_compared_as_well(fields, x, deal, portal):
    rendered(Bitrix24UpdateItemOperator, x, entity_type_id=2, item_id=deal, fields=fields)
    item = portal.item(2, deal)
    assert (item["comments"], item["opportunity"]) == ("kept", 5)
    with pytest.raises(AirflowFailException, match=r"mapping\[comments\] is"):
        rendered(Bitrix24BulkWriteOperator, x, entity_type_id=2, operation="update", rows=[{"id": 1}], mapping=fields)
    params = f'{{"id": {deal}, "fields": {{"COMMENTS": "{{{{ x }}}}", "OPPORTUNITY": {{{{ 5 }}}} }} }}'
    with pytest.raises(AirflowFailException, match=r"method_params\[fields\]\[COMMENTS\] is"):
        rendered(Bitrix24Operator, x, method="crm.deal.update", method_params=params)
    commands = f'{{"a": ["crm.deal.update", {params}]}}'
    with pytest.raises(AirflowFailException, match=r"commands\[a\]\[fields\]\[COMMENTS\] is"):
        rendered(Bitrix24BatchOperator, x, commands=commands)
    assert portal.item(2, deal)["comments"] == "kept"


def test_a_value_in_json_text_is_that_of_the_data(deal, portal):
    """``| tojson`` writes None as null, which nobody has written, and a person's name as it is."""
    fields = '{"comments": {{ x | tojson }}, "title": "Elm"}'
    rendered(Bitrix24UpdateItemOperator, None, entity_type_id=2, item_id=deal, fields=fields)
    assert (portal.item(2, deal)["comments"], portal.item(2, deal)["title"]) == ("kept", "Elm")
    rendered(Bitrix24UpdateItemOperator, "None", entity_type_id=2, item_id=deal, fields=fields)
    assert portal.item(2, deal)["comments"] == "None"
    rendered(Bitrix24UpdateItemOperator, "", entity_type_id=2, item_id=deal, fields=fields.replace("Elm", "Oak"))
    assert (portal.item(2, deal)["comments"], portal.item(2, deal)["title"]) == ("None", "Oak")


# Rows of the DAG file


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("x", LOST, ids=repr)
@pytest.mark.parametrize(
    "rows",
    [
        [{"id": 1, "title": "Elm", "comments": X}],
        [{"id": 1, "title": "Elm", SEVERAL: [X]}],
        '[{"id": 1, "title": "Elm", "comments": "{{ x }}"}]',
        '{"id": 1, "title": "Elm", "comments": "{{ x }}"}',
        ' {"id": {{ 1 }}, "title": "Elm", "comments": "{{ x }}"}',
        '[{"id": {{ 1 }}, "title": "Elm", "comments": "{{ x }}"}]',
    ],
    ids=str,
)
def test_a_cell_that_a_template_lost_is_a_blank_one(rows, x, native, deal, portal):
    arguments = {"entity_type_id": 2, "operation": "update", "rows": rows}
    native = native and not isinstance(rows, str)
    assert rendered(Bitrix24BulkWriteOperator, x, native=native, **arguments)["written"] == 1
    item = portal.item(2, deal)
    assert (item["title"], item["comments"], item[SEVERAL]) == ("Elm", "kept", ["kept"])
    with pytest.raises(AirflowFailException, match="the row has no value for"):
        rendered(Bitrix24BulkWriteOperator, x, native=native, blank="fail", **arguments)


def test_names_in_rows_of_another_task_and_of_the_author_are_written(deal, portal):
    update = {"entity_type_id": 2, "operation": "update"}
    found = [{"id": deal, "title": "None"}]
    rendered(Bitrix24BulkWriteOperator, found, native=True, rows="{{ x }}", **update)
    assert portal.item(2, deal)["title"] == "None"
    rendered(Bitrix24BulkWriteOperator, deal, rows=[{"id": "{{ x }}", "title": "nan"}], **update)
    assert portal.item(2, deal)["title"] == "nan"


@pytest.mark.parametrize("kind", [list, tuple])
def test_rows_of_the_dag_have_a_blank_cell_where_a_template_lost_a_value(kind, deal, portal):
    before = portal.item(2, deal)["title"]
    rows = kind([{"id": deal, "title": X, "comments": "new"}])
    rendered(Bitrix24BulkWriteOperator, None, entity_type_id=2, operation="update", rows=rows)
    assert (portal.item(2, deal)["title"], portal.item(2, deal)["comments"]) == (before, "new")
