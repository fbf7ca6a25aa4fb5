"""The notifier as a callback of tasks and DAGs that Airflow runs, and in a trigger's event loop."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_bitrix24._compat import AirflowFailException, BaseNotifier, BaseOperator
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.connection import mask
from airflow_provider_bitrix24.messages import shared_states
from airflow_provider_bitrix24.notifications.bitrix24 import Bitrix24Notifier, bitrix24_failure_message
from tests.fixtures.airflow import AIRFLOW
from tests.rest.clients import client_of
from tests.rest.redis_server import Server, forwarding_to, refused_port, tcp

HIDDEN = "\u200b"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Failing(BaseOperator):
    def __init__(self, text: str = "the till is empty", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def execute(self, context: Any) -> None:
        raise AirflowFailException(self.text)


class Passing(BaseOperator):
    def execute(self, context: Any) -> int:
        return 5


def messages_of(portal: Any) -> list[str]:
    return [row["MESSAGE"] for row in (*portal.notifications(), *portal.messages())]


def context_of(**more: Any) -> dict[str, Any]:
    ti = SimpleNamespace(task_id="t", dag_id="d", map_index=-1, try_number=1, max_tries=2, log_url="https://af/log")
    return {
        "ti": ti,
        "dag_run": SimpleNamespace(dag_id="d", run_id="r"),
        "dag": None,
        "exception": ValueError("x"),
        **more,
    }


@pytest.mark.skipif(AIRFLOW == (3, 0), reason="dag.test() of Airflow 3.0 gives a callback no error")
@pytest.mark.parametrize("native", [False, True])
def test_a_notifier_that_tasks_share_names_each_of_them(native, portal, connection, run_dag):
    notify = Bitrix24Notifier(user_id=7, group_seconds=0)
    arguments = {"on_failure_callback": notify, "retries": 0}
    with DAG(
        "shared_notifier", start_date=START, schedule=None, default_args=arguments, render_template_as_native_obj=native
    ) as dag:
        Failing(task_id="till")
        Failing.partial(task_id="safe").expand(text=["[user=all]", "no key"])
    run = run_dag(dag)
    texts = sorted(messages_of(portal))
    lines = [text.splitlines() for text in texts]
    assert [text[0] for text in lines] == [
        "Task safe[0] of DAG shared_notifier failed",
        "Task safe[1] of DAG shared_notifier failed",
        "Task till of DAG shared_notifier failed",
    ]
    assert lines[2][1:4] == [f"Run: {run.run_id}", "Try: 1 of 1", "Error: the till is empty"]
    assert lines[0][3] == f"Error: [{HIDDEN}user=all]"
    assert lines[0][4].startswith("[url=http")
    assert lines[0][4].endswith("]Log[/url]")
    assert notify.message == bitrix24_failure_message


@pytest.mark.parametrize(
    ("context", "first"),
    [
        ({"reason": "task_failure", "exception": None}, "DAG d failed"),
        ({"exception": ValueError("x")}, "Task t of DAG d failed"),
        (
            {"ti": SimpleNamespace(task_id="t", dag_id="d", map_index=3, try_number=1, max_tries=0)},
            "Task t[3] of DAG d failed",
        ),
    ],
)
def test_the_message_begins_with_what_failed(context, first, portal, connection):
    context = context_of(**context)
    if context["exception"] is None:
        del context["exception"]
    Bitrix24Notifier(user_id=7)(context)
    (text,) = messages_of(portal)
    assert text.splitlines()[0] == first
    assert ("Reason: task_failure" in text) == ("reason" in context)


@pytest.mark.parametrize(
    "destination",
    [{"user_id": 7}, {"dialog_id": "chat1"}, {"entity_type_id": "deal", "item_id": 3}, {"portal_task_id": "TASK"}],
    ids=" ".join,
)
def test_every_destination_gets_a_message(destination, portal, connection):
    task_id = client_of(portal).call("tasks.task.add", {"fields": {"TITLE": "x", "RESPONSIBLE_ID": 1}})["task"]["id"]
    destination = {name: task_id if value == "TASK" else value for name, value in destination.items()}
    Bitrix24Notifier(message="Hello", **destination)(context_of())
    comments = client_of(portal).call("crm.timeline.comment.list", {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 3}})
    on_task = client_of(portal).call("task.commentitem.getlist", {"TASKID": task_id})
    texts = [*messages_of(portal), *(row["COMMENT"] for row in comments), *(row["POST_MESSAGE"] for row in on_task)]
    assert texts == ["Hello"]


def test_messages_of_a_minute_become_one(portal, connection):
    for number in range(5):
        Bitrix24Notifier(dialog_id="chat1", message=f"Task {number} failed")(context_of())
    Bitrix24Notifier(dialog_id="chat1", message="Another", bitrix24_conn_id="bitrix24_default", group_seconds=0)(
        context_of()
    )
    lines = [f"Task {number} failed" for number in range(5)]
    assert messages_of(portal) == ["\n".join([lines[0], "", "and 4 more:", *lines[1:]]), "Another"]


def test_the_context_of_a_deadline_suffices_in_an_event_loop(portal, connection):
    # Airflow 2 has no deadlines, and renders nothing without a DAG.
    no_dag = {} if hasattr(BaseNotifier, "async_notify") else {"dag": None}
    context = {"dag_run": {"dag_id": "nightly", "dag_run_id": "manual__1"}, "deadline": {"id": "x"}, **no_dag}

    async def await_it() -> None:
        notifier = Bitrix24Notifier(user_id="{{ 3 + 4 }}", group_seconds=0)
        notifier.context = context
        await notifier

    asyncio.run(await_it())
    assert messages_of(portal) == ["DAG nightly has missed a deadline\nRun: manual__1"]


def test_secrets_are_taken_out(portal, connection):
    mask("Str0ng-Passw0rd")
    code = portal.connection_json().partition('password": "')[2].partition('"')[0]
    error = ValueError(f"Str0ng-Passw0rd at https://x.bitrix24.com/rest/1/0123456789abcdef/ and {code}")
    Bitrix24Notifier(user_id=7)(context_of(exception=error))
    (text,) = messages_of(portal)
    assert code
    assert "Error: *** at https://x.bitrix24.com/rest/1/***/ and ***" in text


def test_a_long_message_is_cut(portal, connection):
    Bitrix24Notifier(user_id=7, message="x" * 30_000)(context_of())
    (text,) = messages_of(portal)
    assert (len(text), text[-26:]) == (20_000, "x… (cut: 30000 characters)")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"user_id": 999}, "check that user 999 is there and active"),
        ({"user_id": "{{ nothing.at.all }}"}, "UndefinedError"),
        ({"user_id": None}, "user_id must be a whole number"),
        ({"user_id": 7, "message": " "}, "message is empty"),
        ({"user_id": 7, "bitrix24_conn_id": "no_such"}, "connection 'no_such' is not defined"),
        ({"dialog_id": "everybody"}, "dialog_id is 'everybody'"),
    ],
)
def test_what_goes_wrong_is_logged_and_changes_nothing(
    arguments, part, portal, connection, run_dag, task_instance, all_output
):
    with DAG("bad_notifier", start_date=START, schedule=None) as dag:
        Passing(task_id="good", on_success_callback=Bitrix24Notifier(**arguments))
        Failing(task_id="bad", retries=0, on_failure_callback=Bitrix24Notifier(**arguments))
    run = run_dag(dag)
    assert (task_instance(run, "good").state, task_instance(run, "bad").state) == ("success", "failed")
    assert messages_of(portal) == []
    said = all_output.records + all_output.printed
    assert said.count("The message to Bitrix24 was not sent") >= 2
    assert part in said


def test_where_messages_cannot_be_grouped_each_is_sent(portal, connection, monkeypatch, tmp_path, all_output):
    (tmp_path / "file").write_text("in place of a directory")
    monkeypatch.setattr(shared_states, "shared_directory", lambda: str(tmp_path / "file"))
    for number in range(2):
        Bitrix24Notifier(user_id=7, message=f"Task {number}")(context_of())
    assert messages_of(portal) == ["Task 0", "Task 1"]
    assert "cannot be grouped" in all_output.records + all_output.printed


def test_hosts_with_a_limiter_share_a_group(portal, connect, monkeypatch, tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        with tcp(forwarding_to(server)) as port:
            connect(limiter=f"redis://127.0.0.1:{port}/0")
            for host in range(3):
                monkeypatch.setattr(shared_states, "shared_directory", lambda host=host: str(tmp_path / f"host{host}"))
                Bitrix24Notifier(dialog_id="7", message=f"Task {host}")(context_of())
    finally:
        server.stop()
    (message,) = messages_of(portal)
    assert message.splitlines() == ["Task 0", "", "and 2 more:", "Task 1", "Task 2"]


def test_while_redis_is_away_each_host_has_its_groups(portal, connect, monkeypatch, tmp_path, all_output):
    connect(limiter=f"redis://:hunter2@127.0.0.1:{refused_port()}/0")
    for host in (1, 1, 2):
        monkeypatch.setattr(shared_states, "shared_directory", lambda host=host: str(tmp_path / f"host{host}"))
        Bitrix24Notifier(dialog_id="7", message=f"Task of {host}")(context_of())
    assert messages_of(portal) == ["Task of 1\n\nand 1 more:\nTask of 1", "Task of 2"]
    said = all_output.records + all_output.printed
    assert "Messages cannot be grouped among hosts: Redis, which the extra `limiter` names, cannot be used" in said
    assert "hunter2" not in said


def test_a_portal_that_is_away_changes_nothing(portal, connection, run_dag, task_instance, all_output):
    portal.stop_listening()
    with DAG("away_notifier", start_date=START, schedule=None) as dag:
        Passing(task_id="good", on_success_callback=Bitrix24Notifier(user_id=7))
    assert task_instance(run_dag(dag), "good").state == "success"
    assert (
        "The message to Bitrix24 was not sent (connection bitrix24_default): "
        in all_output.records + all_output.printed
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"user_id": 7, "dialog_id": "7"},
        {"item_id": 3},
        {"entity_type_id": "deal"},
        {"user_id": 7, "group_seconds": "60"},
    ],
)
def test_a_notifier_without_one_destination_is_refused_when_the_dag_is_parsed(arguments):
    with pytest.raises(ConfigurationError, match=r"the notifier has|group_seconds is not a number"):
        Bitrix24Notifier(**arguments)


@pytest.mark.parametrize("value", [None, ["a", "b"], {"a": 1}, [], b"a"], ids=repr)
def test_what_is_not_a_text_is_not_sent(value, portal, connection, all_output):
    # Whether bytes, or an object of Python, are meant shows only when they are used.
    if value != b"a":
        with pytest.raises(ConfigurationError, match="message is "):
            Bitrix24Notifier(message=value, user_id=7)
    notifier = Bitrix24Notifier(message="{{ x }}", user_id=7)
    # A DAG that renders native objects, or a task's result.
    notifier.message = value
    notifier.notify(context_of())
    assert f"was not sent (connection bitrix24_default): message is {value!r}" in (
        all_output.printed + str(all_output.records)
    )
    assert messages_of(portal) == []
