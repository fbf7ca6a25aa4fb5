"""
What hangs on a task: time entries and check lists (``task.elapseditem.*``, ``task.checklistitem.*``).

These methods read their parameters by position, whatever their names are. Source: pages under ``tasks/elapsed-item``
and ``tasks/checklist-item``, and "Data encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_bitrix24.sandbox.fields.item_kinds import Row
from airflow_provider_bitrix24.sandbox.forms import as_map
from airflow_provider_bitrix24.sandbox.methods.registry import Handler, Params, Refusal, method
from airflow_provider_bitrix24.sandbox.methods.selection import Field
from airflow_provider_bitrix24.sandbox.methods.tasks.tasks import sees_task
from airflow_provider_bitrix24.sandbox.php import as_integer
from airflow_provider_bitrix24.sandbox.state.portal import PortalState
from airflow_provider_bitrix24.sandbox.state.store import Store, Table
from airflow_provider_bitrix24.sandbox.state.users import User

#: Of a method's parameters: how errors call it, and its type.
Place: TypeAlias = tuple[str, str]
TASK: Place = ("taskId", "integer")
ITEM: Place = ("itemId", "integer")
FIELDS: Place = ("arFields", "array")


@dataclass(frozen=True)
class TaskItem:
    """
    One kind of things that hang on a task.

    :param word: ``elapseditem`` of ``task.elapseditem.*``.
    :param table: where its rows are; their ``taskId`` says of which task.
    :param fields: as orders and filters see them.
    """

    word: str
    table: Callable[[Store], Table]
    fields: Mapping[str, Field]
    writable: frozenset[str]
    sortable: frozenset[str]
    filterable: frozenset[str] = field(default_factory=frozenset)

    def failed(self, problem: str, number: int = 256, code: str = "WRONG_ARGUMENTS") -> Refusal:
        return Refusal("ERROR_CORE", f"TASKS_ERROR_EXCEPTION_#{number}; {problem}; {number}/TE/{code}<br>")

    def not_done(self, what: str) -> Refusal:
        return self.failed(what, 8, "ACTION_FAILED_TO_BE_PROCESSED")

    def arguments(self, action: str, params: Params, *places: Place, optional: int = 0) -> list[Any]:
        """
        The parameters by position; of ``optional`` ones at the end those that are missing are ``None``.

        :raises Refusal: a missing one, or one of another type.
        """
        values = positional(params)
        name = f"ctask{self.word}::{action.lower()}()"
        for position, (place, kind) in enumerate(places):
            if position >= len(values):
                if position < len(places) - optional:
                    raise self.failed(f"Param #{position} ({place}) expected by method {name}, but not given.")
                values.append(None)
            elif kind == "integer":
                number = as_integer(values[position])
                if number is None:
                    problem = f'expected to be of type "{kind}", but given something else.'
                    raise self.failed(f"Param #{position} ({place}) for method {name} {problem}")
                values[position] = number
            else:
                self._check_keys(f"Param #{position} ({place}) for method {name}", place, values[position])
        return values[: len(places)]

    def _check_keys(self, subject: str, place: str, value: Any) -> None:
        allowed = {"arFields": self.writable, "arOrder": self.sortable, "arFilter": self.filterable}.get(place)
        if not isinstance(value, (dict, list)):
            raise self.failed(f'{subject} expected to be of type "array", but given something else.')
        for key in as_map(value) if allowed is not None else ():
            if (key.lstrip("!<>=") if place == "arFilter" else key) not in (allowed or ()):
                raise self.failed(f'{subject} must not contain key "{key}".')


def positional(params: Params) -> list[Any]:
    # Stands beside the parameters in every call of an application.
    return [value for name, value in params.items() if name not in ("auth", "auth_connector")]


def visible_task(portal: PortalState, user: User, task_id: int) -> Row | None:
    task = portal.store.tasks.get(task_id)
    return task if task is not None and sees_task(user, task) else None


def offer(kind: TaskItem, action: str) -> Callable[[Handler], Handler]:
    return method(f"task.{kind.word}.{action}", scope="task")
