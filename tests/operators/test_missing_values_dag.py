"""Arguments that come out as nothing in a DAG that Airflow runs: never taken for "all", "no filter" or "no limit"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

try:
    from airflow.sdk import task
except ImportError:
    from airflow.decorators import task

from airflow_provider_bitrix24.operators.bulk_write import Bitrix24BulkWriteOperator
from airflow_provider_bitrix24.operators.crm import Bitrix24AddItemOperator, Bitrix24ListItemsOperator
from airflow_provider_bitrix24.operators.delete_payments import Bitrix24DeletePaymentsOperator
from airflow_provider_bitrix24.operators.list_payments import Bitrix24ListPaymentsOperator
from airflow_provider_bitrix24.operators.payment import Bitrix24UpdatePaymentOperator
from airflow_provider_bitrix24.operators.rest import Bitrix24BatchOperator, Bitrix24ListOperator, Bitrix24Operator

FILTER = {"=paid": "N"}
DELETE: dict[str, Any] = {"task_id": "task", "entity_ids": [1, 2], "max_deletions": 50, "retries": 1}


def empty_dag(name: str, **arguments: Any) -> Any:
    return DAG(name, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None, **arguments)


def upstream(result: Any) -> Any:
    """Another task's result."""

    @task
    def found() -> Any:
        return result

    return found()


#: How the second of two mapped tasks is given None.
MAPPED: dict[str, Callable[[], Any]] = {
    "expand": lambda: Bitrix24DeletePaymentsOperator.partial(**DELETE).expand(payment_filter=[FILTER, None]),
    "expand over a task": lambda: Bitrix24DeletePaymentsOperator.partial(**DELETE).expand(
        payment_filter=upstream([FILTER, None])
    ),
    "expand_kwargs": lambda: Bitrix24DeletePaymentsOperator.partial(**DELETE).expand_kwargs(
        [{"payment_filter": FILTER}, {"payment_filter": None}]
    ),
    "expand_kwargs over a task": lambda: Bitrix24DeletePaymentsOperator.partial(**DELETE).expand_kwargs(
        upstream([{"payment_filter": FILTER}, {"payment_filter": None}])
    ),
    "map": lambda: Bitrix24DeletePaymentsOperator.partial(**DELETE).expand(
        payment_filter=upstream([1, 2]).map(lambda number: FILTER if number == 1 else None)
    ),
}


@pytest.mark.parametrize("mapped", MAPPED.values(), ids=MAPPED)
def test_none_among_mapped_filters_deletes_nothing(mapped, portal, connection, run_dag, task_instance, all_output):
    with empty_dag("mapped_none") as dag:
        mapped()
    before = {payment["id"] for payment in portal.payments()}
    paid = {payment["id"] for payment in portal.payments() if payment["paid"] == "Y"}
    run = run_dag(dag)
    assert [task_instance(run, "task", index).state for index in (0, 1)] == ["success", "failed"]
    # No retry would help.
    assert task_instance(run, "task", 1).try_number == 1
    assert "payment_filter is None: it has no value" in all_output.printed + all_output.records
    # The first did what it should.
    assert paid <= {payment["id"] for payment in portal.payments()} <= before


EMPTY_TEXT = "{{ dag_run.conf.get('nothing', '') }}"
#: What a lost value would have chosen.
CHOSEN_BY_NOTHING: dict[str, Callable[[], dict[str, Any]]] = {
    "deals": lambda: {"entity_filter": {"=originId": EMPTY_TEXT}},
    "deals, in a group": lambda: {
        "entity_filter": {"0": {"logic": "OR", "0": {"=originId": EMPTY_TEXT}, "1": {"=id": 1}}}
    },
    "deals, in a list": lambda: {"entity_filter": {"@originId": ["A", EMPTY_TEXT]}},
    "deals, as JSON text": lambda: {"entity_filter": '{"=originId": "' + EMPTY_TEXT + '"}'},
    "deals, of a task": lambda: {"entity_filter": upstream({"=originId": ""})},
    "payments": lambda: {"entity_ids": [1, 2], "payment_filter": {"!accountNumber": EMPTY_TEXT}},
    "payments, of a task": lambda: {"entity_ids": [1, 2], "payment_filter": upstream({"!accountNumber": " "})},
}


@pytest.mark.parametrize("operator", [Bitrix24DeletePaymentsOperator, Bitrix24ListPaymentsOperator])
@pytest.mark.parametrize("chosen", CHOSEN_BY_NOTHING)
def test_a_lost_value_does_not_choose_what_has_none(
    operator, chosen, portal, connection, run_dag, task_instance, all_output
):
    with empty_dag("chosen_by_nothing") as dag:
        operator(task_id="task", retries=1, **CHOSEN_BY_NOTHING[chosen]())
    before = portal.payments()
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert "came out empty, and would choose everything" in all_output.printed + all_output.records
    assert portal.payments() == before


def test_an_empty_text_in_the_dag_is_meant(portal, connection, run_dag, task_instance):
    with empty_dag("written_empty") as dag:
        given = {"entity_ids": [1, 2], "payment_filter": {"!accountNumber": "", "=paid": "{{ 'N' }}"}}
        Bitrix24DeletePaymentsOperator(task_id="task", dry_run=True, **given)
        Bitrix24ListPaymentsOperator(task_id="deals", entity_filter={"=originId": "", ">=id": "{{ 1 }}"})
    run = run_dag(dag)
    assert [task_instance(run, name).state for name in ("task", "deals")] == ["success", "success"]


LISTS: dict[str, tuple[type, dict[str, Any]]] = {
    "item_filter": (Bitrix24ListItemsOperator, {"entity_type_id": "deal"}),
    "select": (Bitrix24ListItemsOperator, {"entity_type_id": "deal"}),
    "limit": (Bitrix24ListOperator, {"method": "crm.deal.list"}),
    "method_params": (Bitrix24ListOperator, {"method": "crm.deal.list"}),
    "destination": (Bitrix24ListOperator, {"method": "crm.deal.list"}),
    "result_path": (Bitrix24Operator, {"method": "profile"}),
    "paid": (Bitrix24UpdatePaymentOperator, {"payment_id": 1001, "pay_system_id": 110}),
    "mapping": (Bitrix24BulkWriteOperator, {"entity_type_id": "company", "rows": [{"title": "Acme"}]}),
    "payment_filter": (Bitrix24DeletePaymentsOperator, {"entity_ids": [1, 2]}),
}


@pytest.mark.parametrize("argument", LISTS)
@pytest.mark.parametrize("way", ["expand", "default_args", "template", "task"])
def test_none_is_refused_however_it_comes(argument, way, portal, connection, run_dag, task_instance, all_output):
    operator, others = LISTS[argument]
    default_args = {argument: None} if way == "default_args" else {}
    with empty_dag(f"none_{argument}_{way}", render_template_as_native_obj=True, default_args=default_args) as dag:
        if way == "expand":
            operator.partial(task_id="task", **others).expand(**{argument: [None]})
        else:
            given = {"template": "{{ dag_run.conf.get('nothing') }}", "task": upstream(None)}
            operator(task_id="task", **others, **({argument: given[way]} if way in given else {}))
    task = task_instance(run_dag(dag), "task", 0 if way == "expand" else -1)
    assert (task.state, task.try_number) == ("failed", 1)
    assert f"{argument} is None: it has no value" in all_output.printed + all_output.records
    assert portal.requests == 0


@pytest.mark.parametrize(
    ("argument", "operator", "others"),
    [(argument, *LISTS[argument]) for argument in ("item_filter", "limit", "select", "payment_filter", "mapping")],
)
def test_an_undefined_variable_of_a_native_template_is_refused(
    argument, operator, others, portal, connection, run_dag, task_instance
):
    with empty_dag(f"undefined_{argument}", render_template_as_native_obj=True) as dag:
        operator(task_id="task", **others, **{argument: "{{ nowhere_defined }}"})
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.requests == 0


#: An argument that holds a filter -> the operator, its other arguments, and the argument around a filter.
FILTERS: dict[str, tuple[type, dict[str, Any], Callable[[Any], dict[str, Any]]]] = {
    "typed list": (Bitrix24ListItemsOperator, {"entity_type_id": "deal"}, lambda given: {"item_filter": given}),
    "raw list": (Bitrix24ListOperator, {"method": "crm.deal.list"}, lambda given: {"method_params": {"filter": given}}),
    "any method": (Bitrix24Operator, {"method": "crm.deal.list"}, lambda given: {"method_params": {"filter": given}}),
    "a batch": (
        Bitrix24BatchOperator, {}, lambda given: {"commands": {"a": ["crm.deal.list", {"filter": given}]}}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("operator", "others", "around"), FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("nothing", ["{{ none }}", "{{ 'nan' }}", "{{ dag_run.conf.get('x') }}"])
def test_the_text_of_nothing_from_a_template_is_refused_in_a_filter(
    nothing, operator, others, around, portal, connection, run_dag, task_instance, all_output
):
    with empty_dag("text_of_nothing") as dag:
        operator(task_id="task", **others, **around({"=TITLE": nothing}))
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert "[=TITLE] is " in all_output.printed + all_output.records
    assert portal.executed("crm.deal.list") + portal.executed("crm.item.list") == 0


@pytest.mark.parametrize(("operator", "others", "around"), FILTERS.values(), ids=FILTERS)
def test_a_name_may_be_none(operator, others, around, portal, connection, run_dag, task_instance):
    with empty_dag("called_none") as dag:
        operator(task_id="task", **others, **around({"=TITLE": "None", "@TITLE": ["nan", "{{ ds }}"]}))
        operator.partial(task_id="mapped", **others).expand_kwargs([around({"=TITLE": "None"})])
        operator.partial(task_id="partial", **others, **around({"=TITLE": "None"})).expand(
            bitrix24_conn_id=["bitrix24_default"]
        )
    run = run_dag(dag)
    assert task_instance(run, "task").state == "success"
    assert task_instance(run, "mapped", 0).state == "success"
    assert task_instance(run, "partial", 0).state == "success"


@pytest.mark.parametrize(("operator", "others", "around"), FILTERS.values(), ids=FILTERS)
def test_the_text_of_nothing_from_another_task_is_refused_also_mapped(
    operator, others, around, portal, connection, run_dag, task_instance
):
    with empty_dag("mapped_text_of_nothing") as dag:
        (argument,) = around({})
        operator.partial(task_id="mapped", **others).expand(
            **{argument: upstream([around({"=TITLE": "None"})[argument]])}
        )
    task = task_instance(run_dag(dag), "mapped", 0)
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.executed("crm.deal.list") + portal.executed("crm.item.list") == 0


#: Parameters of a method -> what is refused among them.
LOST: dict[str, tuple[str, dict[str, Any], str]] = {
    "None in a template": ("crm.deal.update", {"id": 1, "fields": {"TITLE": "{{ none }}"}}, "[TITLE] is 'None'"),
    "nothing in conf": (
        "crm.deal.add", {"fields": {"TITLE": "{{ dag_run.conf.get('x') }}"}}, "[fields][TITLE] is 'None'",
    ),
    "nan": ("crm.contact.update", {"id": 1, "fields": {"PHONE": [{"VALUE": "{{ 'nan' }}"}]}}, "[VALUE] is 'nan'"),
    "another task's None": ("crm.item.update", lambda: {
        "entityTypeId": 2, "id": 1, "fields": {"title": upstream(None)}}, "[fields][title] is None",
    ),
    "a list of another task": (
        "crm.deal.update", lambda: {"id": 1, "fields": {"CONTACT_IDS": upstream([])}}, "[CONTACT_IDS] is empty",
    ),
    "an empty text": ("crm.deal.update", {"id": 1, "fields": {"TITLE": "{{ '' }}"}}, "[fields][TITLE] is empty"),
    "outside of fields": ("im.notify.system.add", {"USER_ID": 1, "MESSAGE": "{{ none }}"}, "[MESSAGE] is 'None'"),
    "a filter without a name": ("user.get", {"LAST_NAME": "{{ none }}"}, "[LAST_NAME] is 'None'"),
    "a search": ("user.search", {"NAME": "{{ dag_run.conf.get('x') }}"}, "[NAME] is 'None'"),
    "by position": ("task.checklistitem.add", [1, {"TITLE": "{{ none }}"}], "[1][TITLE] is 'None'"),
    "an empty filter": ("crm.deal.list", lambda: {"filter": upstream({})}, "[filter] is empty"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "params", "message"), LOST.values(), ids=LOST)
@pytest.mark.parametrize("operator", [Bitrix24Operator, Bitrix24ListOperator, Bitrix24BatchOperator])
def test_what_templates_lose_is_neither_written_nor_taken_for_all(
    operator, method, params, message, portal, connection, run_dag, task_instance, all_output
):
    is_list = method.rpartition(".")[2] in ("get", "list", "search")
    if operator is Bitrix24ListOperator and not is_list:
        pytest.skip("no list")
    with empty_dag("lost") as dag:
        params = params() if callable(params) else params
        batch = operator is Bitrix24BatchOperator
        operator(task_id="task", **({"commands": {"a": [method, params]}} if batch else
                                    {"method": method, "method_params": params}))  # fmt: skip
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert message in all_output.printed + all_output.records
    assert portal.executed("*") == 0


def test_an_add_leaves_out_what_a_template_lost(portal, connection, run_dag, task_instance, xcom, all_output):
    with empty_dag("typed") as dag:
        add = {"entity_type_id": "company"}
        lost = {"title": "{{ none }}", "comments": "x"}
        Bitrix24AddItemOperator(task_id="some", fields=lost, **add)
        Bitrix24AddItemOperator(task_id="all", fields={"title": "{{ dag_run.conf.get('x') }}"}, **add)
        Bitrix24AddItemOperator(task_id="data", fields=upstream({"title": "None"}), **add)
        Bitrix24AddItemOperator(task_id="literal", fields={"title": "None"}, **add)
    run = run_dag(dag)
    states = {name: task_instance(run, name).state for name in ("some", "all", "data", "literal")}
    assert states == {"some": "success", "all": "failed", "data": "success", "literal": "success"}
    titles = {name: portal.item(4, xcom(run, name))["title"] for name in ("some", "data", "literal")}
    assert titles["some"] != "None"
    assert (titles["data"], titles["literal"]) == ("None", "None")
    assert "fields has no value" in all_output.printed + all_output.records


def test_what_is_meant_is_written(portal, connection, run_dag, task_instance):
    """Nothing that the author wrote, a name of another task, and what ``clear`` says."""
    update = {"method": "crm.deal.update", "do_xcom_push": False}
    with empty_dag("meant") as dag:
        said = {"id": 1, "fields": {"TITLE": "None", "COMMENTS": ""}}
        Bitrix24Operator(task_id="literal", method_params=said, **update)
        data = upstream({"id": 2, "fields": {"TITLE": "None"}})
        Bitrix24Operator(task_id="data", method_params=data, **update)
        lost = {"id": 3, "fields": {"TITLE": "{{ 'x' }}", "COMMENTS": "{{ '' }}"}}
        Bitrix24Operator(task_id="cleared", method_params=lost, clear=True, **update)
        Bitrix24Operator.partial(task_id="mapped", **update).expand(method_params=[{**said, "id": 4}])
        Bitrix24ListOperator(task_id="all", method="crm.deal.list", method_params={"filter": {}, "select": ["ID"]})
        Bitrix24ListOperator(task_id="positional", method="task.elapseditem.getlist", method_params=[1])
    run = run_dag(dag)
    names = [("literal", -1), ("data", -1), ("cleared", -1), ("mapped", 0), ("all", -1), ("positional", -1)]
    assert [task_instance(run, *name).state for name in names] == ["success"] * 6
    assert [portal.item(2, deal)["title"] for deal in (1, 2, 3, 4)] == ["None", "None", "x", "None"]


@pytest.mark.parametrize(
    "bounds",
    [
        {">=DATE_MODIFY": "{{ prev_data_interval_end_success }}"},
        {"<DATE_MODIFY": "{{ none }}"},
        {">ID": "{{ '' }}"},
        {">=ID": "{{ 5 }}", "<ID": "{{ 5 }}"},
    ],
)
@pytest.mark.parametrize(("operator", "others", "around"), FILTERS.values(), ids=FILTERS)
def test_bounds_from_templates_that_hold_all_or_nothing_are_refused(
    bounds, operator, others, around, portal, connection, run_dag, task_instance
):
    with empty_dag("bounds") as dag:
        operator(task_id="task", **others, **around(bounds))
    task = task_instance(run_dag(dag), "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.executed("crm.deal.list") + portal.executed("crm.item.list") == 0
