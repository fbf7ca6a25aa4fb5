"""Messages, comments and tasks, written by operators that Airflow runs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException
from airflow_provider_bitrix24.operators.messages import (
    Bitrix24AddCommentOperator,
    Bitrix24AddTaskOperator,
    Bitrix24SendMessageOperator,
)
from tests.operators.context import StateStore, context
from tests.rest.clients import client_of
from tests.sleepless import sleepless

HIDDEN = "\u200b"
MESSAGE, COMMENT, TASK = Bitrix24SendMessageOperator, Bitrix24AddCommentOperator, Bitrix24AddTaskOperator


def dag_of(name: str, operator: type, native: bool = False, **arguments: Any) -> Any:
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    with DAG(name, start_date=start, schedule=None, render_template_as_native_obj=native) as dag:
        operator(task_id="task", **arguments)
    return dag


def run(operator: type, *, store: StateStore | None = None, **arguments: Any) -> Any:
    return sleepless(operator)(task_id="task", **arguments).execute(context(store=store))


def failure_of(operator: type, **arguments: Any) -> str:
    with pytest.raises(AirflowFailException) as caught:
        run(operator, **arguments)
    return str(caught.value)


def comments_of(portal: Any, deal: int) -> list[str]:
    rows = client_of(portal).call("crm.timeline.comment.list", {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": deal}})
    return [row["COMMENT"] for row in rows]


def test_a_user_is_notified(portal, connection, run_dag, xcom):
    arguments = {"user_id": "{{ dag_run.conf['user'] }}", "message": "Paid: [b]{{ dag_run.conf['sum'] }}[/b]"}
    run = run_dag(dag_of("notify_user", Bitrix24SendMessageOperator, **arguments), {"user": 7, "sum": "5 [EUR]"})
    (row,) = portal.notifications()
    assert (row["USER_ID"], row["MESSAGE"], row["id"]) == (7, f"Paid: [b]5 [{HIDDEN}EUR][/b]", xcom(run, "task"))


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("dialog_id", ["chat1", "sg1", "7", "{{ 'chat1' }}"])
def test_a_chat_gets_a_message(dialog_id, native, portal, connection, run_dag, xcom):
    dag = dag_of("chat", Bitrix24SendMessageOperator, native, dialog_id=dialog_id, message="Deal {{ 7 }}: done")
    run = run_dag(dag)
    (row,) = portal.messages()
    assert (row["MESSAGE"], row["id"]) == ("Deal 7: done", xcom(run, "task"))


def test_codes_in_values_are_text_in_mapped_tasks_too(portal, connection, run_dag, xcom):
    with DAG("mapped_message", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        Bitrix24SendMessageOperator.partial(
            task_id="task", message="{{ dag_run.conf['text'] }} {{ ti.map_index }}"
        ).expand(user_id=[1, 7])
    run_dag(dag, {"text": "[user=all]"})
    texts = sorted(row["MESSAGE"] for row in portal.notifications())
    assert texts == [f"[{HIDDEN}user=all] 0", f"[{HIDDEN}user=all] 1"]


def test_the_timeline_of_a_deal_gets_a_comment(portal, connection, run_dag, xcom):
    dag = dag_of("comment", Bitrix24AddCommentOperator, entity_type_id="deal", item_id=3, comment="Checked")
    run = run_dag(dag)
    assert comments_of(portal, 3) == ["Checked"]
    assert isinstance(xcom(run, "task"), int)


def test_a_task_is_added_and_gets_a_comment(portal, connection, run_dag, xcom):
    arguments = {"responsible_id": 7, "description": "See {{ ds }}", "deadline": "2027-01-31T18:00:00+03:00"}
    with DAG("task_and_comment", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), schedule=None) as dag:
        added = Bitrix24AddTaskOperator(
            task_id="add", title="Call [b]Oak[/b]", fields={"UF_CRM_TASK": ["D_3"], "PRIORITY": "2"}, **arguments
        )
        Bitrix24AddCommentOperator(task_id="comment", portal_task_id=added.output, comment="From Airflow")
    run = run_dag(dag)
    task_id = xcom(run, "add")
    task = client_of(portal).call("tasks.task.get", {"taskId": task_id, "select": ["*", "UF_CRM_TASK"]})["task"]
    assert (task["title"], task["responsibleId"], task["priority"], task["ufCrmTask"]) == (
        "Call [b]Oak[/b]",
        "7",
        "2",
        ["D_3"],
    )
    comments = client_of(portal).call("task.commentitem.getlist", {"TASKID": task_id})
    assert [row["POST_MESSAGE"] for row in comments] == ["From Airflow"]


@pytest.mark.parametrize(
    ("operator", "arguments", "part"),
    [
        (MESSAGE, {"message": "x"}, "the task has no destination: give user_id, or dialog_id"),
        (MESSAGE, {"message": "x", "user_id": 7, "dialog_id": "7"}, "the task has user_id, dialog_id"),
        (MESSAGE, {"message": "x" * 20_001, "user_id": 7}, "message has 20001 characters"),
        (MESSAGE, {"message": "x", "user_id": 999}, "check that user 999 is there and active"),
        (MESSAGE, {"message": "x", "dialog_id": "chat999"}, "check that there is a chat chat999"),
        (COMMENT, {"comment": "x", "item_id": 3}, "the task has item_id: give entity_type_id"),
        (COMMENT, {"comment": "x", "entity_type_id": "deal", "item_id": 999}, "check that there is a deal 999"),
        (COMMENT, {"comment": "x", "portal_task_id": 999}, "check that there is a task 999 in the portal"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"Title": "y"}}, "fields has Title, which is an"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"PRIORTY": 1}}, "PRIORITY"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"RESPONSIBLE": 1}}, "did you mean RESPONSIBLE_ID?"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"groupId": 1}}, "did you mean GROUP_ID?"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"PRIORITY": "High"}}, "which is not one of 0, 1, 2"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"GROUP_ID": "Sales"}}, "which is not a whole number"),
        (TASK, {"title": "x", "responsible_id": 7, "fields": {"ACCOMPLICES": ["Anna"]}}, "holds 'Anna', which is not"),
        (TASK, {"title": "x", "responsible_id": 7, "deadline": "2027-01-31 18:00"}, "which has no time zone"),
        (TASK, {"title": "x", "responsible_id": 7, "deadline": "soon"}, "deadline is 'soon'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_with_the_way_out(operator, arguments, part, portal, connection):
    assert part in failure_of(operator, **arguments)


def test_fields_of_a_task_are_taken_as_they_are_where_the_author_says_so(portal, connection):
    arguments = {"title": "x", "responsible_id": 7, "fields": {"RESPONSIBLE": 1, "ACCOMPLICES": ["Anna"]}}
    assert "did you mean RESPONSIBLE_ID?" in failure_of(TASK, **arguments)
    assert portal.count("tasks.task.add") == 0
    TASK(task_id="task", check_fields=False, **arguments).execute(context())
    sent = portal.calls[-1].params["fields"]
    assert (sent["RESPONSIBLE"], sent["ACCOMPLICES"]) == (1, ["Anna"])


@pytest.mark.parametrize("value", ["quote", "invoice", 31])
def test_timelines_that_are_not_documented_to_take_comments_are_refused(value, portal, connection):
    with pytest.raises(AirflowFailException, match="its timeline is not documented to take comments"):
        Bitrix24AddCommentOperator(task_id="task", comment="x", entity_type_id=value, item_id=3)


@pytest.mark.parametrize("value", ["general", "chat", "chat-1", "0", "user7"])
def test_a_dialog_that_cannot_be_is_refused_when_the_dag_is_parsed(value):
    with pytest.raises(AirflowFailException, match="which does not name a chat"):
        Bitrix24SendMessageOperator(task_id="task", message="x", dialog_id=value)


@pytest.mark.parametrize(
    ("operator", "arguments", "method"),
    [
        (MESSAGE, {"message": "x", "user_id": 7}, "im.notify.system.add"),
        (MESSAGE, {"message": "x", "dialog_id": "chat1"}, "im.message.add"),
        (COMMENT, {"comment": "x", "entity_type_id": 2, "item_id": 3}, "crm.timeline.comment.add"),
        (TASK, {"title": "x", "responsible_id": 7}, "tasks.task.add"),
    ],
)
def test_a_lost_answer_sends_nothing_twice(operator, arguments, method, portal, connection, run_dag, task_instance):
    portal.fault("reset_after", method=method)
    run = run_dag(dag_of("lost_message", operator, retries=2, **arguments))
    task = task_instance(run, "task")
    assert (task.state, task.try_number) == ("failed", 1)
    assert portal.count(method) == 1


@pytest.mark.parametrize(
    ("operator", "arguments", "method"),
    [
        (MESSAGE, {"message": "x", "user_id": 7}, "im.notify.system.add"),
        (TASK, {"title": "x", "responsible_id": 7}, "tasks.task.add"),
    ],
)
def test_a_later_try_sends_nothing_again(operator, arguments, method, portal, connection):
    store = StateStore()
    first = run(operator, store=store, **arguments)
    assert run(operator, store=store, **arguments) == first
    # A try that was killed before it could say that it is done.
    store.values = {key: value for key, value in store.values.items() if not key.endswith("_done")}
    store.values = {key: value.replace("true", "false") for key, value in store.values.items()}
    with pytest.raises(AirflowFailException, match="an earlier try of this task was killed"):
        run(operator, store=store, **arguments)
    assert portal.count(method) == 1


@pytest.mark.parametrize(
    ("operator", "arguments", "scope"),
    [
        (MESSAGE, {"message": "x", "user_id": 7}, "im"),
        (COMMENT, {"comment": "x", "portal_task_id": 1}, "task"),
        (TASK, {"title": "x", "responsible_id": 7}, "task"),
    ],
)
def test_a_missing_scope_is_named(operator, arguments, scope, portal, connection):
    portal.scopes.discard(scope)
    assert f'tick "{scope}" in the permissions' in failure_of(operator, **arguments)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (MESSAGE, {"message": "x"}),
        (MESSAGE, {"message": "x", "user_id": 7, "dialog_id": "7"}),
        (COMMENT, {"comment": "x", "item_id": 3}),
        (COMMENT, {"comment": "x", "entity_type_id": 2, "item_id": 3, "portal_task_id": 1}),
    ],
)
def test_a_task_without_one_destination_fails_when_the_dag_is_parsed(operator, arguments):
    with pytest.raises(AirflowFailException, match="the task has"):
        operator(task_id="task", **arguments)


NOT_TEXTS = [None, ["a", "b"], ("a",), {"a": 1}, [], {}, {"a"}, b"a", print]


@pytest.mark.parametrize("value", NOT_TEXTS, ids=repr)
@pytest.mark.parametrize(
    ("operator", "name", "arguments"),
    [
        (MESSAGE, "message", {"user_id": 7}),
        (COMMENT, "comment", {"entity_type_id": "deal", "item_id": 1}),
        (TASK, "title", {"responsible_id": 1}),
        (TASK, "description", {"responsible_id": 1, "title": "Oak"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_a_text_is_not_written_to_anybody(operator, name, arguments, value, portal, connection):
    def of_a_task() -> Any:
        # A task's result comes in place of the template.
        task = sleepless(operator)(task_id="task", **{name: "{{ x }}"}, **arguments)
        setattr(task, name, value)
        return task.execute(context())

    for write in (of_a_task, lambda: run(operator, **{name: value}, **arguments)):
        with pytest.raises(AirflowFailException, match=f"{name} is "):
            write()
    assert portal.requests == 0


@pytest.mark.parametrize("value", [5, 5.5, datetime(2027, 1, 2, tzinfo=timezone.utc), "[1, 2]", '{"a": 1}'], ids=repr)
def test_numbers_times_and_texts_of_any_kind_are_written(value, portal, connection):
    run(MESSAGE, user_id=7, message=value)
    assert portal.notifications()[0]["MESSAGE"] == str(value)
