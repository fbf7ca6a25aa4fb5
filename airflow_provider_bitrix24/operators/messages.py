"""Operators that write to people: messages, comments, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.dates import moment
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, flag, positive_id, some_fields, text
from airflow_provider_bitrix24.execution.at_most_once import once
from airflow_provider_bitrix24.execution.base_operator import Bitrix24BaseOperator
from airflow_provider_bitrix24.execution.literals import Check
from airflow_provider_bitrix24.execution.rendered import without_lost_values
from airflow_provider_bitrix24.hooks.airflow_outcome import airflow_outcome
from airflow_provider_bitrix24.links.bitrix24 import leave
from airflow_provider_bitrix24.links.pages import page_of_task
from airflow_provider_bitrix24.messages.destinations import Destination, comments_of, timeline_of, user_or_dialog, write
from airflow_provider_bitrix24.messages.texts import MAX_CHARACTERS, EscapedValues

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client


class Bitrix24SendMessageOperator(EscapedValues, Bitrix24BaseOperator):
    """
    Notify a user, or write into a chat, and return the id of the message, a number.

    BB codes in ``message`` itself count; those in values that a template puts into it are shown as text. It is never
    sent twice: when its answer is lost, the task fails without retry, since it may be there. So does the next try of a
    task that was killed while it sent; but before Airflow 3.3 nothing remembers that: set ``retries=0`` there.

    :param message: the text, up to 20,000 characters; templated.
    :param user_id: a user, who is notified by the system; templated.
    :param dialog_id: in its place, a chat: ``"chat12"``, ``"sg45"`` of a project, ``"7"`` with user 7; templated. The
        message is in the name of the webhook's user, who must be allowed to write there.
    :raises AirflowFailException: no right, no scope ``im``, no such user or chat, a text that is empty or too long, or
        a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``im.notify.system.add``, ``im.message.add``.
    """

    template_fields: Sequence[str] = ("message", "user_id", "dialog_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {
        "message": text,
        "user_id": positive_id,
        "dialog_id": lambda value, name: user_or_dialog(None, value),
    }

    def __init__(
        self,
        *,
        message: str,
        user_id: int | str | NotGiven = NOT_GIVEN,
        dialog_id: str | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.user_id = self.given(user_id, "user_id")
        self.dialog_id = self.given(dialog_id, "dialog_id")
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            _check_destination(self, ("user_id",), ("dialog_id",))

    def run(self, client: Client, context: Any) -> int:
        message = text(self.message, "message")
        if len(message) > MAX_CHARACTERS:
            raise ConfigurationError(
                f"message has {len(message)} characters, and the portal cuts it after {MAX_CHARACTERS}",
                next_step="shorten it",
            )
        return _written(self, client, context, user_or_dialog(self.user_id, self.dialog_id), message)


class Bitrix24AddCommentOperator(EscapedValues, Bitrix24BaseOperator):
    """
    Add a comment to the timeline of a CRM item or to a task, and return its id, a number.

    BB codes and repetition: see :class:`Bitrix24SendMessageOperator`.

    :param comment: the text; templated.
    :param entity_type_id: with ``item_id``: ``"lead"``, ``"deal"``, ``"contact"``, ``"company"``, or the number of a
        smart process; templated.
    :param item_id: the item's id; templated.
    :param portal_task_id: in their place, the id of a task in the portal; templated.
    :raises AirflowFailException: no right, no scope (``crm``, or ``task`` for tasks), no such object, an empty comment,
        or a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``crm.timeline.comment.add``, ``task.commentitem.add``.
    """

    template_fields: Sequence[str] = ("comment", "entity_type_id", "item_id", "portal_task_id", "bitrix24_conn_id")
    literal_checks: ClassVar[Mapping[str, Check]] = {
        "comment": text,
        "entity_type_id": lambda value, name: timeline_of(value, 1),
        "portal_task_id": positive_id,
    }

    def __init__(
        self,
        *,
        comment: str,
        entity_type_id: int | str | NotGiven = NOT_GIVEN,
        item_id: int | str | NotGiven = NOT_GIVEN,
        portal_task_id: int | str | NotGiven = NOT_GIVEN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.comment = comment
        self.entity_type_id = self.given(entity_type_id, "entity_type_id")
        self.item_id = self.given(item_id, "item_id")
        self.portal_task_id = self.given(portal_task_id, "portal_task_id")
        self.check_literals()

    def check_literals(self, **hints: str) -> None:
        super().check_literals(**hints)
        with airflow_outcome():
            _check_destination(self, ("entity_type_id", "item_id"), ("portal_task_id",))

    def run(self, client: Client, context: Any) -> int:
        comment = text(self.comment, "comment")
        if self.is_given("portal_task_id"):
            return _written(self, client, context, comments_of(self.portal_task_id), comment)
        return _written(self, client, context, timeline_of(self.entity_type_id, self.item_id), comment)


class Bitrix24AddTaskOperator(EscapedValues, Bitrix24BaseOperator):
    """
    Add a task for somebody in the portal, and return its id, a number.

    BB codes and repetition: see :class:`Bitrix24SendMessageOperator`.

    :param title: what is to be done; templated.
    :param responsible_id: the id of the user who does it; templated.
    :param description: more about it; templated.
    :param deadline: a moment with a zone, e.g. ``"2027-01-31T18:00:00+03:00"``; templated.
    :param fields: further fields, an object or its JSON text, e.g. ``{"UF_CRM_TASK": ["D_10"], "GROUP_ID": 5}``;
        templated.
    :param check_fields: False takes names and values in ``fields`` as they are, see :class:`Bitrix24Operator`.
    :raises AirflowFailException: no right, no scope ``task``, a wrong field, or a lost answer.
    :raises Bitrix24Error: a limit, the network, a fault of the portal: the task's ``retries`` apply.

    Source: Bitrix24 REST docs, ``tasks.task.add``.
    """

    template_fields: Sequence[str] = (
        "title",
        "responsible_id",
        "description",
        "deadline",
        "fields",
        "bitrix24_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"fields": "json"}
    literal_checks: ClassVar[Mapping[str, Check]] = {
        "title": text,
        "responsible_id": positive_id,
        "description": text,
        "deadline": moment,
    }

    def __init__(
        self,
        *,
        title: str,
        responsible_id: int | str,
        description: str | NotGiven = NOT_GIVEN,
        deadline: str | NotGiven = NOT_GIVEN,
        fields: Mapping[str, Any] | str | NotGiven = NOT_GIVEN,
        check_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.title = title
        self.responsible_id = responsible_id
        self.description = self.given(description, "description")
        self.deadline = self.given(deadline, "deadline")
        self.fields = self.given(fields, "fields")
        self.check_fields = self.fixed(flag, check_fields, "check_fields")
        self.check_literals()

    def run(self, client: Client, context: Any) -> int:
        # Only the run needs it.
        from airflow_provider_bitrix24.crm.write_names import FieldNames

        own = {
            "TITLE": text(self.title, "title"),
            "RESPONSIBLE_ID": positive_id(self.responsible_id, "responsible_id"),
            "DESCRIPTION": None if self.description is None else text(self.description, "description"),
            "DEADLINE": None if self.deadline is None else moment(self.deadline, "deadline"),
        }
        written = self.as_written("fields")
        further = {} if self.fields is None else without_lost_values(written, some_fields(self.fields))
        twice = sorted(name for name in further if name.upper() in own)
        if twice:
            raise ConfigurationError(
                f"fields has {', '.join(twice)}, which {'is an argument' if len(twice) == 1 else 'are arguments'}",
                next_step="leave it out of fields",
            )
        params = {"fields": {**{name: value for name, value in own.items() if value is not None}, **further}}
        if self.check_fields:
            names = FieldNames(client, "tasks.task.add")
            names.check(params)
            params = names.exact(params)

        def add() -> int:
            return int(client.call("tasks.task.add", params)["task"]["id"])

        task_id = once(context, "tasks.task.add", params, add)
        self.log.info("tasks.task.add: task %d added for user %s", task_id, own["RESPONSIBLE_ID"])
        leave(context["ti"], client.portal, page_of_task, task_id, own["RESPONSIBLE_ID"])
        return task_id


def _written(operator: Bitrix24BaseOperator, client: Client, context: Any, destination: Destination, words: str) -> int:
    """Write a text once over the tries of a task, and return its id."""
    method, params = destination.add(words)
    message_id = once(context, method, params, lambda: write(client, destination, words))
    operator.log.info("%s: %d written to %s", method, message_id, destination)
    return message_id


def _check_destination(operator: Bitrix24BaseOperator, *choices: Sequence[str]) -> None:
    """:raises ConfigurationError: not the arguments of one of these choices."""
    names = [name for choice in choices for name in choice]
    given = {name for name in names if operator.is_given(name)}
    if given not in map(set, choices):
        words = ", or ".join(" with ".join(choice) for choice in choices)
        named = ", ".join(name for name in names if name in given) or "no destination"
        raise ConfigurationError(f"the task has {named}", next_step=f"give {words}")
