"""Where a text goes: to a user, a chat, the timeline of a CRM item, or the comments of a task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitrix24.crm.entity_types import entity_type_id
from airflow_provider_bitrix24.exceptions import ConfigurationError, Invalid, NotFound
from airflow_provider_bitrix24.execution.arguments import positive_id
from airflow_provider_bitrix24.rest.message_parts import preview
from airflow_provider_bitrix24.rest.missing_values import nothing_hint
from airflow_provider_bitrix24.types import EntityTypeId, Params

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client

#: Kinds whose timelines take comments by name; smart processes do as ``dynamic_<number>`` ("crm.timeline.comment.add").
_WITH_TIMELINE: Mapping[EntityTypeId, str] = {1: "lead", 2: "deal", 3: "contact", 4: "company"}
#: ``chat12``, ``sg45`` (the chat of a project), or the id of a user ("im.message.add").
_DIALOG = re.compile(r"(?:chat|sg)?[1-9][0-9]{0,17}", re.ASCII)


#: A method and its parameters.
Call = tuple[str, Params]


class Destination:
    """Where a text goes. ``str()`` of it is for people."""

    #: Whether who has written a text there may change it.
    editable: ClassVar[bool] = False

    @property
    def hint(self) -> str:
        """What to check where the portal does not take a text."""
        raise NotImplementedError

    def add(self, text: str) -> Call:
        """Return the call that writes a text there and answers its id."""
        raise NotImplementedError

    def edit(self, message_id: int, text: str) -> Call:
        """Return the call that puts a text in the place of one that was written there; where :attr:`editable`."""
        raise NotImplementedError


@dataclass(frozen=True)
class User(Destination):
    """Notifications of one user, who sees them under the bell. One can be deleted by that user alone."""

    user_id: int

    def __str__(self) -> str:
        return f"user {self.user_id}"

    @property
    def hint(self) -> str:
        return f"check that user {self.user_id} is there and active"

    def add(self, text: str) -> Call:
        return "im.notify.system.add", {"USER_ID": self.user_id, "MESSAGE": text}


@dataclass(frozen=True)
class Dialog(Destination):
    """A chat: ``chat12``, ``sg45`` of a project, or ``7`` with a user."""

    dialog_id: str
    editable = True

    def __str__(self) -> str:
        return f"the chat {self.dialog_id}"

    @property
    def hint(self) -> str:
        return f"check that there is a chat {self.dialog_id}, and that the webhook's user may write there"

    def add(self, text: str) -> Call:
        return "im.message.add", {"DIALOG_ID": self.dialog_id, "MESSAGE": text}

    def edit(self, message_id: int, text: str) -> Call:
        return "im.message.update", {"MESSAGE_ID": message_id, "MESSAGE": text}


@dataclass(frozen=True)
class Timeline(Destination):
    """The timeline of a CRM item."""

    entity_type: str
    item_id: int
    editable = True

    def __str__(self) -> str:
        return f"the timeline of {self.entity_type} {self.item_id}"

    @property
    def hint(self) -> str:
        return f"check that there is a {self.entity_type} {self.item_id}"

    def add(self, text: str) -> Call:
        fields = {"ENTITY_TYPE": self.entity_type, "ENTITY_ID": self.item_id, "COMMENT": text}
        return "crm.timeline.comment.add", {"fields": fields}

    def edit(self, message_id: int, text: str) -> Call:
        return "crm.timeline.comment.update", {"id": message_id, "fields": {"COMMENT": text}}


@dataclass(frozen=True)
class TaskComments(Destination):
    """The comments of a task in the portal. Only an administrator may change one ("task.commentitem.update")."""

    task_id: int

    def __str__(self) -> str:
        return f"the comments of task {self.task_id}"

    @property
    def hint(self) -> str:
        return f"check that there is a task {self.task_id} in the portal, and that the webhook's user sees it"

    def add(self, text: str) -> Call:
        return "task.commentitem.add", {"TASKID": self.task_id, "FIELDS": {"POST_MESSAGE": text}}


def write(client: Client, destination: Destination, text: str) -> int:
    """
    Write a text, and return its id.

    :raises Bitrix24Error: of the call; with what to check where the portal does not take it.
    """
    try:
        return int(client.call(*destination.add(text)))
    except (Invalid, NotFound) as error:
        failure = error.but(advice=destination.hint)
    raise failure


def user_or_dialog(user_id: Any, dialog_id: Any) -> User | Dialog:
    """
    Return whom a message is for; one of the two is None.

    :raises ConfigurationError: not an id.
    """
    if dialog_id is None:
        return User(positive_id(user_id, "user_id"))
    text = str(dialog_id).strip()
    if not _DIALOG.fullmatch(text):
        raise ConfigurationError(
            f"dialog_id is {preview(dialog_id)}, which does not name a chat",
            next_step=nothing_hint(dialog_id)
            or 'write "chat12", "sg45" for the chat of project 45, or "7" for a chat with user 7',
        )
    return Dialog(text)


def timeline_of(entity_type: Any, item_id: Any) -> Timeline:
    """
    Return the timeline of a CRM item.

    :raises ConfigurationError: not a kind whose timeline is known to take comments, or not an id.
    """
    number = entity_type_id(entity_type)
    name = _WITH_TIMELINE.get(number) or (f"dynamic_{number}" if number >= 128 else None)
    if name is None:
        raise ConfigurationError(
            f"entity_type_id is {preview(entity_type)}: its timeline is not documented to take comments",
            next_step="write lead, deal, contact, company or the number of a smart process",
        )
    return Timeline(name, positive_id(item_id, "item_id"))


def comments_of(portal_task_id: Any) -> TaskComments:
    """
    Return the comments of a task in the portal.

    :raises ConfigurationError: not an id.
    """
    return TaskComments(positive_id(portal_task_id, "portal_task_id"))
