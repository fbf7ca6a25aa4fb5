"""The batches of one call: one after the other, or several under way at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_exchange import CommandAnswer
from airflow_provider_bitrix24.rest.batches.commands import Command, packs
from airflow_provider_bitrix24.rest.concurrent_requests import ConcurrentRequests
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS
from airflow_provider_bitrix24.rest.progress import Progress
from airflow_provider_bitrix24.rest.retry import Patience

Key = TypeVar("Key")

log = logging.getLogger(__name__)

#: Commands of a batch that is sent beside others before the portal has shown how it takes that, where there are so many
#: that a few requests more are not half as many again.
FIRST_COMMANDS, MANY_COMMANDS = 10, 8 * MAX_COMMANDS

Answers: TypeAlias = tuple[Sequence[CommandAnswer], Reply]


@dataclass(frozen=True, slots=True)
class Exchange(Generic[Key]):
    """
    One batch and what came of it.

    :param answers: None where it failed, or was not sent.
    :param error: why it failed.
    """

    pack: list[Command[Key]]
    answers: Answers | None = None
    error: Bitrix24Error | None = None


class Exchanges(Generic[Key]):
    """
    Sends batches as long as it may.

    :param waiting: commands; others may be added while batches are under way.
    :param send: sends one batch.
    :param most: how many may be under way now: 0 for none at all, 1 for one after the other.
    :param concurrent: several may be under way at once, in no order.
    """

    def __init__(
        self,
        conversation: Conversation,
        waiting: deque[Command[Key]],
        send: Callable[[list[Command[Key]], Patience], Answers],
        most: Callable[[], float],
        *,
        concurrent: bool,
    ) -> None:
        self._conversation, self._waiting = conversation, waiting
        self._send, self._most = send, most
        self._is_concurrent = concurrent and conversation.portal.parallel > 1
        self._begins_short = self._is_concurrent and len(waiting) >= MANY_COMMANDS

    def __iter__(self) -> Iterator[Exchange[Key]]:
        """Each batch once, as it ends."""
        progress, total, done = Progress(log, "batch", "commands"), len(self._waiting), 0
        for ended in self._concurrent() if self._is_concurrent else self._one_by_one():
            done += len(ended.pack)
            progress.note(done, total)
            yield ended

    def _one_by_one(self) -> Iterator[Exchange[Key]]:
        for pack in self._packs():
            send = partial(self._send, pack, self._conversation.patience())
            yield self._exchange(pack, send) if self._most() else Exchange(pack)

    def _concurrent(self) -> Iterator[Exchange[Key]]:
        under_way: dict[Future[Answers], list[Command[Key]]] = {}
        packs_left = self._packs()
        pack: list[Command[Key]] | None = None
        with ConcurrentRequests(self._conversation) as requests:
            while True:
                # An answer that has come is read first: it may stop the others.
                while not any(future.done() for future in under_way):
                    most = self._most()
                    if most and under_way and (len(under_way) >= most or not self._may_have_more(requests)):
                        break
                    if pack is None and (pack := next(packs_left, None)) is None:
                        if not self._waiting:
                            break
                        # Added since the last of the others was taken.
                        packs_left = self._packs()
                        continue
                    if not most:
                        yield Exchange(pack)
                        pack = None
                        continue
                    send = partial(self._send, pack, requests.patience())
                    if requests.come_at_once:
                        yield self._exchange(pack, partial(requests.sent, send, len(pack)))
                    else:
                        future = requests.start(send, [command.method.name for command in pack])
                        if future is None:
                            break
                        under_way[future] = pack
                    pack = None
                if not under_way:
                    return
                if not any(future.done() for future in under_way):
                    requests.wait()
                for future in [future for future in under_way if future.done()]:
                    yield self._exchange(under_way.pop(future), partial(requests.result, future))

    def _may_have_more(self, requests: ConcurrentRequests) -> bool:
        # Until an answer has shown what commands take, batches are short, or one is alone.
        # Nor is a batch sized before it is known whether it can be sent now.
        is_known = self._conversation.concurrency.is_known
        return (self._begins_short or is_known) and not (requests.are_most or requests.stay_alone())

    def _exchange(self, pack: list[Command[Key]], answers: Callable[[], Answers]) -> Exchange[Key]:
        try:
            return Exchange(pack, answers())
        except Bitrix24Error as error:
            return Exchange(pack, error=error)

    def _packs(self) -> Iterator[list[Command[Key]]]:
        while self._waiting:
            # One by one: a command that is added while a batch is under way belongs to the next ones.
            taken = iter(lambda: self._waiting.popleft() if self._waiting else None, None)
            yield from packs(taken, self._conversation.command_costs, self._largest)

    def _largest(self) -> int:
        return FIRST_COMMANDS if self._begins_short and not self._conversation.concurrency.is_known else MAX_COMMANDS
