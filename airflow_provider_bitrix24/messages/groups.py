"""
Messages that follow each other within a minute are one message to those who read it.

The first goes out at once. Those that follow are added to it where the portal lets a text be edited; elsewhere they are
collected for some seconds and sent together. Callbacks of Airflow run in many processes, and none of them lives until
the minute is over. They share a state: one of them sends at a time, and the others leave their lines to it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Literal

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.messages.shared_states import Content, SharedState
from airflow_provider_bitrix24.messages.texts import MAX_CHARACTERS, first_line, shortened

log = logging.getLogger(__name__)

#: Lines of messages that are shown below the first; the others are counted.
MOST_LINES = 20
#: How far the clocks of hosts may be apart.
_CLOCKS_APART_SECONDS = 30.0
#: How long messages are collected where none can be edited.
COLLECTING_SECONDS = 6.0
#: Characters that the lines below the first message may take.
_CHARACTERS_OF_LINES = 5_000

#: How a message ended: sent by this call, or left to a process that is sending to the same destination.
Delivery = Literal["sent", "joined"]
#: ``put(text, message_id)`` writes a text, in the place of an earlier one unless that is None, and returns its id.
Put = Callable[[str, "int | None"], int]


@dataclass
class _State:
    """What the processes share."""

    #: Unix seconds.
    began: float = 0.0
    first: str = ""
    #: Of the messages that followed, the first :data:`MOST_LINES`.
    lines: list[str] = field(default_factory=list)
    #: Messages in all.
    count: int = 0
    #: How many of them the portal shows.
    shown: int = 0
    message_id: int | None = None

    def text(self) -> str:
        """The first message, unless it has been sent for good, and the others."""
        others = self.count - max(self.shown, 1) if not self.first else self.count - 1
        if not others:
            return shortened(self.first)
        head = [shortened(self.first, MAX_CHARACTERS - _CHARACTERS_OF_LINES), ""] if self.first else []
        more = [f"… and {others - len(self.lines)} more"] if others > len(self.lines) else []
        return "\n".join([*head, f"and {others} more:" if head else f"{others} more:", *self.lines, *more])

    def follow(self, text: str) -> None:
        """Add a message."""
        self.count += 1
        if len(self.lines) < MOST_LINES:
            self.lines.append(first_line(text))

    def followed_by(self, text: str, now: float) -> _State:
        """Return the next group, which begins with a message and with those that this one has not shown."""
        following = _State(began=now, first=text, count=1)
        unshown = self.count - self.shown
        if unshown:
            first = [] if self.shown else [self.first]
            for line in [*first, *self.lines][-unshown:]:
                following.follow(line)
            following.count = 1 + unshown
        return following


class MessageGroup:
    """
    The messages to one destination.

    :param shared: what the processes share.
    :param seconds: how long after the first message others are added to it.
    :param editable: whether the portal lets a text be edited there.
    :param clock: Unix seconds.
    :param sleep: how to wait while messages are collected.
    """

    def __init__(
        self,
        shared: SharedState,
        seconds: float,
        *,
        editable: bool,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._shared, self._seconds, self._editable = shared, seconds, editable
        self._clock, self._sleep = clock, sleep

    def deliver(self, text: str, put: Put, *, patience_seconds: float) -> Delivery:
        """
        Send a message, alone or as part of the one before it.

        :param put: writes to the portal.
        :param patience_seconds: how long to go on with messages of others that came meanwhile.
        :raises Bitrix24Error: of ``put``. What was not sent goes out with the next message.
        :raises OSError: the state cannot be used.
        """
        until = self._clock() + patience_seconds
        with ExitStack() as sending:
            with self._shared.locked() as content:
                state, now = _read(content), self._clock()
                if state.count and -_CLOCKS_APART_SECONDS <= now - state.began < self._seconds:
                    state.follow(text)
                else:
                    state = state.followed_by(text, now)
                _write(content, state)
                try:
                    # Within the other lock: who sends looks for new messages and ends under it, too.
                    sending.enter_context(self._shared.sending())
                except BlockingIOError:
                    return "joined"
            while True:
                is_last = self._clock() >= until
                if state.shown and not self._editable and not is_last:
                    self._sleep(COLLECTING_SECONDS)
                self._send_all(put)
                with self._shared.locked() as content:
                    state = _read(content)
                    if state.shown >= state.count or is_last:
                        if left := state.count - state.shown:
                            log.warning("Messages that came meanwhile go out with the next one: %d", left)
                        sending.close()
                        return "sent"

    def _send_all(self, put: Put) -> None:
        with self._shared.locked() as content:
            sent = _read(content)
        try:
            message_id = put(sent.text(), sent.message_id if self._editable else None)
        except Bitrix24Error as error:
            if error.ran == "unknown" and not (self._editable and sent.message_id is not None):
                # It may be there, and must not come twice.
                self._note(sent, None)
            raise
        self._note(sent, message_id)

    def _note(self, sent: _State, message_id: int | None) -> None:
        with self._shared.locked() as content:
            state = _read(content)
            # Meanwhile another group may have begun.
            if state.began != sent.began:
                return
            state.shown, state.message_id = sent.count, message_id
            if message_id is None:
                # Nothing to edit: the next message begins another group.
                state.began = 0.0
            if not self._editable or message_id is None:
                state.first, state.lines = "", state.lines[len(sent.lines) :]
            _write(content, state)


def _read(content: Content) -> _State:
    try:
        return _State(**json.loads(content.read()))
    except (ValueError, TypeError):
        # None yet, or of a process that was killed while it wrote.
        return _State()


def _write(content: Content, state: _State) -> None:
    content.write(json.dumps(asdict(state)).encode())
