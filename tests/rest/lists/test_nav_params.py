"""Time entries of tasks, which are paged by ``NAV_PARAMS``: every row once, to the end of the list, or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitrix24.exceptions import ConfigurationError, IncompleteList
from airflow_provider_bitrix24.operators.rest import Bitrix24ListOperator
from airflow_provider_bitrix24.sandbox import Sandbox
from tests.operators.context import context
from tests.rest.clients import client_of

ADD, DELETE, LIST = (f"task.elapseditem.{name}" for name in ("add", "delete", "getlist"))


@pytest.fixture
def entries(portal: Sandbox) -> Callable[[int], list[str]]:
    """Adds time entries to task 1, and another to task 2 before each third; returns the ids of task 1's."""

    def add(count: int) -> list[str]:
        commands: dict[tuple[int, int], Any] = {}
        for number in range(count):
            if number % 3 == 0:
                commands[2, number] = (ADD, [2, {"SECONDS": 60, "COMMENT_TEXT": "other"}])
            commands[1, number] = (ADD, [1, {"SECONDS": 60 + number, "COMMENT_TEXT": "x"}])
        with client_of(portal) as client:
            added = client.batch(commands).all_results()
        portal.reset_calls()
        return [str(id_) for (task, _), id_ in added.items() if task == 1]

    return add


def listed(portal: Sandbox, params: Any, **more: Any) -> list[str]:
    with client_of(portal) as client:
        rows = client.list(LIST, params, **more)
        ids = [row["ID"] for row in rows]
    assert rows.report.complete
    return ids


@pytest.mark.parametrize("params", [{"TASKID": 1}, [1], {"taskid": 1, "order": {"ID": "asc"}}, [1, {"ID": "asc"}, {}]])
@pytest.mark.parametrize("count", [0, 1, 50, 51, 100, 149])
def test_every_row_of_a_task_comes_once_in_order_of_id(count, params, portal, entries):
    ids = entries(count)
    assert listed(portal, params) == ids
    assert portal.requests == max(-(-count // 50), 1)


def test_the_operator_reads_it_too(portal, connection, entries):
    ids = entries(70)
    for params in ({"TASKID": 1}, '{"TASKID": 1}'):
        rows = Bitrix24ListOperator(task_id="task", method=LIST, method_params=params).execute(context())
        assert [row["ID"] for row in rows] == ids


@pytest.mark.parametrize("params", [{}, None, [{}], [{"ID": "asc"}], {"ORDER": {"ID": "ASC"}}])
def test_without_a_task_the_entries_of_all_come(params, portal, entries):
    entries(60)
    assert len(listed(portal, params)) == 80


@pytest.mark.parametrize("form", ["names", "numbers"])
def test_filter_and_select_stay_in_their_places(form, portal, entries):
    ids = entries(120)
    params = {"TASKID": 1, "FILTER": {">=ID": ids[10]}, "SELECT": ["SECONDS"]}
    given = params if form == "names" else [1, {}, params["FILTER"], params["SELECT"]]
    with client_of(portal) as client:
        rows = list(client.list(LIST, given))
    assert rows == [{"SECONDS": str(60 + number)} for number in range(10, 120)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"TASKID": 1, "PARAMS": {"NAV_PARAMS": {"nPageSize": 2}}}, "'PARAMS' is set by the client"),
        ([1, {}, {}, [], {"NAV_PARAMS": {"iNumPage": 2}}], "'PARAMS' is set by the client"),
        ({"TASKID": 1, "ORDER": {"ID": "desc"}}, "'ORDER' is set by the client"),
        ([{"SECONDS": "asc"}], "'ORDER' is set by the client"),
        ([1, {}, {}, [], {}, 7], "6 parameters are given, and there are 5"),
    ],
)
def test_what_would_make_the_list_inexact_is_refused_before_anything_is_sent(params, message, portal):
    with client_of(portal) as client, pytest.raises(ConfigurationError, match=message):
        list(client.list(LIST, params))
    assert portal.requests == 0


def test_a_row_that_is_deleted_meanwhile_is_noticed(portal, entries):
    ids = entries(120)
    with client_of(portal) as client, client_of(portal) as other:
        rows = iter(client.list(LIST, {"TASKID": 1}))
        read = [next(rows) for _ in range(50)]
        other.call(DELETE, [1, ids[0]])
        with pytest.raises(IncompleteList, match="rows were deleted while the list was read"):
            read += rows
    assert [row["ID"] for row in read] == ids[:50]


def test_a_page_that_is_repeated_is_noticed(portal, entries):
    """As from a portal that does not know the page's number."""
    entries(120)
    page = ",".join(f'{{"ID": "{number}"}}' for number in range(1, 51)).encode()
    portal.fault("body", LIST, body=b'{"result": [' + page + b'], "total": 120}', times=None)
    with client_of(portal) as client, pytest.raises(IncompleteList, match="came after"):
        list(client.list(LIST, [1]))


def test_a_limit_ends_it_early(portal, entries):
    ids = entries(120)
    with client_of(portal) as client:
        assert [row["ID"] for row in client.list(LIST, [1], limit=60)] == ids[:60]
    assert portal.requests == 2
