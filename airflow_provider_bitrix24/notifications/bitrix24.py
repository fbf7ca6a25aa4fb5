"""A notifier: messages from callbacks of tasks and DAGs to people in Bitrix24."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import BaseNotifier
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.execution.arguments import NOT_GIVEN, NotGiven, text
from airflow_provider_bitrix24.execution.literals import is_literal
from airflow_provider_bitrix24.messages.texts import EscapedValues
from airflow_provider_bitrix24.notifications.failure_message import bitrix24_failure_message

if TYPE_CHECKING:
    from airflow_provider_bitrix24.messages.destinations import Destination
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.portal import Portal

#: Airflow 3.3 ends a process 20 seconds after its task has ended, callbacks included (``task_success_overtime``).
#: The last request begins within the first of these, and takes no longer than the second.
_SECONDS_IN_ALL, _SECONDS_FOR_AN_ANSWER, _SECONDS_OF_SLEEP, _SECONDS_FOR_OTHERS = 13.0, 6.0, 4.0, 8.0
#: Arguments that name a destination, as they go together.
_DESTINATIONS = (("user_id",), ("dialog_id",), ("entity_type_id", "item_id"), ("portal_task_id",))
_FIX = "give user_id, or dialog_id, or entity_type_id with item_id, or portal_task_id"


class Bitrix24Notifier(EscapedValues, BaseNotifier):
    """
    Send a message when a task or a DAG fails, succeeds or is retried, or when a deadline is missed.

    It never fails anything: what goes wrong is logged. Messages to one destination within ``group_seconds`` are
    grouped, for all processes of a host together, and for all hosts if the connection has a ``limiter``: the first is
    sent at once, and those that follow are added to it by editing it, one line each; notifications of users and
    comments of tasks cannot be edited, so there they are collected for six seconds at a time and sent together. Secrets
    that Airflow knows, and codes of webhooks, are taken out of the text, and BB codes in values (``[user=all]`` in the
    text of an error) are shown as text; those in ``message`` itself count.

    :param message: the text, up to 20,000 characters, templated; by default what failed, why, and a link to the log.
    :param user_id: a user, who is notified; templated.
    :param dialog_id: a chat: ``"chat12"``, ``"sg45"`` of a project, ``"7"`` with a user; templated.
    :param entity_type_id: with ``item_id``, a CRM item whose timeline gets a comment: ``"lead"``, ``"deal"``,
        ``"contact"``, ``"company"`` or the number of a smart process; templated.
    :param item_id: its id; templated.
    :param portal_task_id: a task in the portal, which gets a comment; templated.
    :param bitrix24_conn_id: the connection's id; templated. It needs the scope ``im`` for users and chats, ``crm`` for
        timelines, ``task`` for tasks.
    :param group_seconds: how long messages are added to the first; 0 sends each by itself.

    Source: Bitrix24 REST docs, ``im.notify.system.add``, ``im.message.add``, ``crm.timeline.comment.add``,
    ``task.commentitem.add``, and those that change or delete what these have written.
    """

    template_fields: Sequence[str] = (
        "message",
        "user_id",
        "dialog_id",
        "entity_type_id",
        "item_id",
        "portal_task_id",
        "bitrix24_conn_id",
    )

    def __init__(
        self,
        *,
        message: str = bitrix24_failure_message,
        user_id: int | str | NotGiven = NOT_GIVEN,
        dialog_id: str | NotGiven = NOT_GIVEN,
        entity_type_id: int | str | NotGiven = NOT_GIVEN,
        item_id: int | str | NotGiven = NOT_GIVEN,
        portal_task_id: int | str | NotGiven = NOT_GIVEN,
        bitrix24_conn_id: str = "bitrix24_default",
        group_seconds: float = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.message = message
        self.user_id = user_id
        self.dialog_id = dialog_id
        self.entity_type_id = entity_type_id
        self.item_id = item_id
        self.portal_task_id = portal_task_id
        self.bitrix24_conn_id = bitrix24_conn_id
        self.group_seconds = group_seconds
        self._check()

    def __call__(self, *args: Any) -> None:
        # Rendering changes the instance, which may be shared by many tasks.
        mine = copy.copy(self)
        with mine._logged():
            super(Bitrix24Notifier, mine).__call__(*args)

    def __await__(self) -> Generator[Any, None, None]:
        return copy.copy(self)._notify_in_trigger().__await__()

    async def _notify_in_trigger(self) -> None:
        with self._logged():
            self._update_context(self.context)
            self.render_template_fields(self.context)
            await self.async_notify(self.context)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """Log why a message was not sent. Of a foreign error only the kind: its text may hold anything."""
        try:
            yield
        except Exception as error:
            reason = str(error) if isinstance(error, Bitrix24Error) else type(error).__name__
            self.log.error("The message to Bitrix24 was not sent (connection %s): %s", self.bitrix24_conn_id, reason)

    def get_template_env(self, dag: Any = None) -> Any:
        # A message stays text in a DAG with render_template_as_native_obj, where "1_000" would become a number.
        return super().get_template_env() if dag is None else dag.get_template_env(force_sandboxed=True)

    def notify(self, context: Any) -> None:
        """Send the message, or log why not; Airflow calls it."""
        # Only the run needs them.
        from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook
        from airflow_provider_bitrix24.hooks.connection import client_for

        with self._logged():
            portal = _in_a_hurry(Bitrix24Hook(self.bitrix24_conn_id).get_portal())
            self._send(client_for(portal, self.bitrix24_conn_id, patience_seconds=_SECONDS_OF_SLEEP))

    async def async_notify(self, context: Any) -> None:
        """Send the message from a triggerer, or log why not; Airflow calls it."""
        # Only the run needs it.
        from airflow_provider_bitrix24.hooks.async_client import aget_portal, client_in_threads

        with self._logged():
            portal = _in_a_hurry(await aget_portal(self.bitrix24_conn_id))
            client = client_in_threads(portal, self.bitrix24_conn_id, patience_seconds=_SECONDS_OF_SLEEP)
            await asyncio.to_thread(self._send, client)

    def _send(self, client: Client) -> None:
        # Only the run needs them.
        from airflow_provider_bitrix24._compat import redact
        from airflow_provider_bitrix24.messages.destinations import write
        from airflow_provider_bitrix24.messages.groups import Delivery, MessageGroup
        from airflow_provider_bitrix24.messages.shared_states import shared_states
        from airflow_provider_bitrix24.messages.texts import shortened, without_webhooks

        destination = self._destination()
        # A text of nothing tells at least that something has happened.
        message = self.message if isinstance(self.message, str) else text(self.message, "message")
        words = without_webhooks(client.scrub(str(redact(message)))).strip()
        if not words:
            raise ConfigurationError("message is empty", next_step="check its template")
        timer = threading.Timer(_SECONDS_IN_ALL, client.stop)
        timer.daemon = True
        timer.start()

        tried = False

        def put(whole: str, message_id: int | None) -> int:
            nonlocal tried
            tried = True
            if message_id is None:
                return write(client, destination, whole)
            client.call(*destination.edit(message_id, whole))
            return message_id

        def deliver() -> Delivery:
            key = f"{client.portal.source} {destination}"
            for shared in shared_states(key, client.portal.limiter) if self.group_seconds else ():
                group = MessageGroup(shared, self.group_seconds, editable=destination.editable)
                try:
                    return group.deliver(words, put, patience_seconds=_SECONDS_FOR_OTHERS)
                except OSError as error:
                    if tried:
                        raise
                    self.log.warning("Messages cannot be grouped %s: %s", shared.reach, error)
            put(shortened(words), None)
            return "sent"

        try:
            with client:
                delivery = deliver()
        finally:
            timer.cancel()
        if delivery == "sent":
            self.log.info("Message to %s: sent", destination)
        else:
            self.log.info("Message to %s: left to the one that is being sent there", destination)

    def _destination(self) -> Destination:
        # Only the run needs it.
        from airflow_provider_bitrix24.messages.destinations import comments_of, timeline_of, user_or_dialog

        if self.portal_task_id is not NOT_GIVEN:
            return comments_of(self.portal_task_id)
        if self.item_id is not NOT_GIVEN:
            return timeline_of(self.entity_type_id, self.item_id)
        return user_or_dialog(self.user_id, None if self.dialog_id is NOT_GIVEN else self.dialog_id)

    def _check(self) -> None:
        """:raises ConfigurationError: no destination, or more than one; a message that is not a text."""
        if not isinstance(self.message, str) and is_literal(self.message):
            text(self.message, "message")
        given = {name for names in _DESTINATIONS for name in names if getattr(self, name) is not NOT_GIVEN}
        if given not in map(set, _DESTINATIONS):
            named = ", ".join(sorted(given)) or "no destination"
            raise ConfigurationError(f"the notifier has {named}", next_step=_FIX)
        if not isinstance(self.group_seconds, (int, float)) or isinstance(self.group_seconds, bool):
            raise ConfigurationError("group_seconds is not a number", next_step="write e.g. 60, or 0 for no groups")


def _in_a_hurry(portal: Portal) -> Portal:
    return replace(portal, timeout_seconds=min(portal.timeout_seconds, _SECONDS_FOR_AN_ANSWER))


__all__ = ("Bitrix24Notifier", "bitrix24_failure_message")
