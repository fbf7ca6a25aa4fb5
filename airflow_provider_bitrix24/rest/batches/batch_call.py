"""Any number of commands, each brought to its own end: sent in batches, repeated, or sent as a direct call."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ConfigurationError,
    ExpiredToken,
    Forbidden,
    NotFound,
    OperationTimeLimit,
    QueryLimitExceeded,
    RestError,
    ServerFault,
)
from airflow_provider_bitrix24.rest.answers.diagnosis import (
    deletes,
    diagnose,
    done_earlier,
    is_empty,
    needs_lookup,
    not_found_or_hidden,
)
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_exchange import (
    LOST_IN_A_ROW,
    CommandAnswer,
    down,
    exchange,
    is_too_much,
    may_have_run,
    number_run,
    read_answer,
    stops_all,
)
from airflow_provider_bitrix24.rest.batches.batch_result import BatchResult
from airflow_provider_bitrix24.rest.batches.checked_commands import check_flags, checked_commands
from airflow_provider_bitrix24.rest.batches.commands import (
    Command,
    is_free,
    looks,
    must_not_repeat,
    packs,
    parts_of,
    with_our_keys,
)
from airflow_provider_bitrix24.rest.batches.exchanges import Answers, Exchanges
from airflow_provider_bitrix24.rest.conversation import Conversation
from airflow_provider_bitrix24.rest.retry import LOST_ANSWER, Patience
from airflow_provider_bitrix24.types import Params

Key = TypeVar("Key", bound=Hashable)

#: How often commands whose answer was lost are sent.
ATTEMPTS = 3


class BatchCall(Generic[Key]):
    """
    One call of :meth:`Client.batch`.

    :param halt: stop after the first command that fails.
    :param references: leave references to other commands to the portal.
    :param ordered: send one batch after the other; commands that only read have no order.
    :param allow_cut: take hits that may have been cut off.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        halt: bool = False,
        references: bool = False,
        ordered: bool = True,
        allow_cut: bool = False,
    ) -> None:
        self._conversation = conversation
        self._allow_cut = allow_cut
        self._halt, self._references, self._ordered = halt, references, ordered
        self._ended: BatchResult[Key] = BatchResult()
        self._undiagnosed: list[Command[Key]] = []
        #: How an earlier attempt failed, for commands that may have run in it.
        self._lost: dict[Key, Bitrix24Error] = {}
        self._lost_in_a_row = 0
        #: Objects that could be read before or after an attempt to delete them.
        self._were_there: set[Key] = set()
        #: Why nothing more is sent.
        self._stopped_by: Bitrix24Error | None = None
        #: Why the portal takes no batch at all; direct calls may go on.
        self._no_batch: Bitrix24Error | None = None

    def run(self, commands: Mapping[Key, tuple[str, Params | None]]) -> BatchResult[Key]:
        """
        Send the commands and return how each ended.

        :raises ConfigurationError: a command cannot be sent; nothing was sent.
        """
        check_flags(halt=self._halt, references=self._references, ordered=self._ordered, allow_cut=self._allow_cut)
        if not isinstance(commands, Mapping):
            raise ConfigurationError(
                "the commands of a batch are not an object",
                next_step='write each command under a key, e.g. {"a": ("crm.item.get", {"entityTypeId": 2, "id": 7})}',
            )
        prepared = checked_commands(
            self._conversation,
            commands,
            halt=self._halt,
            references=self._references,
            allow_cut=self._allow_cut,
        )
        batched = [command for command in prepared if command.text is not None]
        if not self._references:
            # A reference names its object only while the batch runs.
            self._look_before(prepared)
        if self._halt or self._references:
            # All are checked before the first is sent.
            requests = list(packs(batched, self._conversation.command_costs))
            if self._references:
                for pack in requests:
                    with_our_keys(pack)
            self._send_in_order(requests)
        else:
            self._send(batched, attempt=1, lost=self._lost)
        for command in prepared:
            if command.text is None:
                self._send_alone(command)
        self._explain()
        return self._ended.in_order_of(commands)

    def _send(self, commands: list[Command[Key]], *, attempt: int, lost: dict[Key, Bitrix24Error]) -> None:
        """
        Send commands, each batch sized by what the ones before took.

        :param lost: how an earlier attempt failed, for commands that may have run in it.
        """
        again: list[Command[Key]] = []
        refused: list[tuple[Command[Key], Bitrix24Error]] = []
        lost_in_a_row = 0
        waiting = deque(commands)
        concurrent = not self._ordered or all(command.method.repeat == "read" for command in commands)

        def most() -> float:
            if self._stopped_by or self._no_batch or lost_in_a_row >= LOST_IN_A_ROW:
                return 0
            # A portal that loses answers is asked one by one until it answers again.
            return 1 if lost_in_a_row or attempt > 1 else math.inf

        for ended in Exchanges(self._conversation, waiting, self._exchange, most, concurrent=concurrent):
            pack, error = ended.pack, ended.error
            if ended.answers is not None:
                lost_in_a_row = 0
                # All are read before any is sent alone: until when a limit lasts is counted from now.
                refused += self._read(pack, *ended.answers)
                if not concurrent:
                    self._after_refusals(refused, lost)
            elif error is None:
                stopped_by = self._stopped_by or self._no_batch
                if stopped_by is None:
                    again += pack
                else:
                    self._fail_all(pack, stopped_by, lost)
            elif not isinstance(error, (AnswerLost, ServerFault)):
                self._fail_all(pack, error, lost)
            else:
                lost_in_a_row += error.retryable
                if lost_in_a_row == LOST_IN_A_ROW and attempt == ATTEMPTS:
                    self._stopped_by = down(error)
                may_help = error.ran != "no" and (error.retryable or is_too_much(error))
                # In smaller requests: what was too large at once, and what nobody minds being sent again.
                splits = len(pack) > 1 and lost_in_a_row < LOST_IN_A_ROW and (is_too_much(error) or is_free(pack))
                alone = len(pack) == 1 and (is_free(pack) or is_too_much(error))
                for command in pack:
                    own = error.but(method=command.method.name)
                    if not may_help or must_not_repeat(command) or alone or (attempt >= ATTEMPTS and not splits):
                        self._fail(command, own)
                        continue
                    (waiting if splits else again).append(command)
                    lost[command.key] = own
                if splits and error.retryable:
                    self._conversation.patience().sleep(LOST_ANSWER(lost_in_a_row) or 0.0)
        self._after_refusals(refused, lost)
        if again:
            self._conversation.activity.repeats("batch", lost.get(again[0].key))
            self._conversation.patience().sleep(LOST_ANSWER(attempt) or 0.0)
            # A portal that answers nothing is not asked for its objects either.
            left = self._not_gone(again) if lost_in_a_row < LOST_IN_A_ROW else again
            self._send(left, attempt=attempt + 1, lost=lost)

    def _look_before(self, commands: Sequence[Command[Key]]) -> None:
        """Read the objects of deletes after which a look-up that finds nothing would not show that they are gone."""
        wanted = looks(c for c in commands if deletes(c.method) and c.method.lookup_may_be_empty)
        if wanted:
            seen = BatchCall[Key](self._conversation).run(wanted)
            self._were_there |= {key for key, reply in seen.replies.items() if not is_empty(reply.result)}

    def _not_gone(self, commands: list[Command[Key]]) -> list[Command[Key]]:
        """Leave out the deletes of objects that are gone: their lost attempt has done the work."""
        wanted = looks(command for command in commands if deletes(command.method))
        seen = BatchCall[Key](self._conversation).run(wanted) if wanted else BatchResult()
        for command in commands:
            if self._is_gone(command.key, seen):
                self._ended.replies[command.key] = done_earlier(command.method, self._lost[command.key])
            elif command.key in seen.replies and not is_empty(seen.replies[command.key].result):
                self._were_there.add(command.key)
        return [command for command in commands if command.key not in self._ended.replies]

    def _is_gone(self, key: Key, seen: BatchResult[Key]) -> bool:
        """Whether a look-up shows that an object is gone; where it finds nothing, only if it did so before."""
        if key in seen.replies:
            return key in self._were_there and is_empty(seen.replies[key].result)
        return isinstance(seen.errors.get(key), NotFound)

    def _send_in_order(self, requests: Sequence[list[Command[Key]]]) -> None:
        for pack in requests:
            if self._halt and self._ended.errors:
                self._ended.not_run += [command.key for command in pack]
            else:
                self._send_whole(pack)

    def _send_whole(self, pack: list[Command[Key]]) -> None:
        """Send commands that belong together in this order: in one request, and again only as far as they do."""
        stopped_by = self._stopped_by or self._no_batch
        if stopped_by is not None:
            return self._fail_all(pack, stopped_by, {})
        parts = parts_of(pack, references=self._references)
        sent = with_our_keys(pack) if self._references else pack
        repeatable = is_free(pack) and not parts
        try:
            answers, reply = exchange(self._conversation, sent, halt=self._halt, repeatable=repeatable)
        except Bitrix24Error as error:
            if parts and may_have_run(error) and (error.retryable or is_too_much(error)):
                if error.retryable:
                    self._conversation.patience().sleep(LOST_ANSWER(1) or 0.0)
                return self._send_in_order(parts)
            self._lost_in_a_row += may_have_run(error) and error.retryable
            if self._lost_in_a_row == LOST_IN_A_ROW:
                self._stopped_by = down(error)
            return self._fail_all(pack, error, {})
        self._lost_in_a_row = 0
        ran = (number_run(answers) if self._halt else None) or len(pack)
        self._ended.not_run += [command.key for command in pack[ran:]]
        for command, failure in self._read(pack[:ran], answers[:ran], reply):
            self._fail(command, failure)
        return None

    def _exchange(self, pack: list[Command[Key]], patience: Patience) -> Answers:
        # A batch that may be split is not repeated as it is.
        repeatable = len(pack) == 1 and is_free(pack)
        return exchange(self._conversation, pack, halt=False, repeatable=repeatable, patience=patience)

    def _read(
        self, pack: list[Command[Key]], answers: Sequence[CommandAnswer], reply: Reply
    ) -> list[tuple[Command[Key], Bitrix24Error]]:
        """Keep the replies of a batch, and return what went wrong with the other commands."""
        failures = []
        for command, answer in zip(pack, answers, strict=True):
            try:
                self._ended.replies[command.key] = read_answer(self._conversation, command, answer, reply)
            except Bitrix24Error as error:
                failures.append((command, error))
        return failures

    def _after_refusals(
        self, refused: list[tuple[Command[Key], Bitrix24Error]], lost: dict[Key, Bitrix24Error]
    ) -> None:
        """Bring commands that failed in a batch to their end, and note which of the others may have run before."""
        for command, failure in refused:
            self._after_refusal(command, failure, lost.get(command.key))
        refused.clear()
        for key in lost.keys() & self._ended.replies.keys():
            self._ended.replies[key] = replace(self._ended.replies[key], repeated=True)

    def _after_refusal(self, command: Command[Key], error: Bitrix24Error, lost: Bitrix24Error | None) -> None:
        """
        Bring a command that failed in a batch to its end.

        :param lost: how an earlier attempt failed, when it may have run.
        """
        if lost is not None and deletes(command.method):
            if isinstance(error, NotFound) and not error.referred:
                self._ended.replies[command.key] = done_earlier(command.method, error)
                return
            if isinstance(error, RestError) and not error.cause_known:
                # Only its object shows whether the first attempt has deleted it.
                self._fail(command, error)
                return
        if isinstance(error, ExpiredToken):
            # It ended in the middle of the batch: a call of its own renews it.
            self._send_alone(command, lost=lost)
            return
        refused = isinstance(error, (QueryLimitExceeded, OperationTimeLimit))
        lost_alone = isinstance(error, (AnswerLost, ServerFault)) and (
            error.ran == "no" or not must_not_repeat(command)
        )
        if refused or lost_alone:
            self._send_alone(command, lost=lost or (error if error.ran != "no" else None), after=error)
        else:
            # This attempt did not run, but an earlier one may have.
            self._fail(command, error.but(ran="unknown") if lost is not None and error.ran == "no" else error)

    def _send_alone(
        self, command: Command[Key], *, lost: Bitrix24Error | None = None, after: Bitrix24Error | None = None
    ) -> None:
        """
        Send one command as a direct call, with all that a direct call does.

        :param lost: how an earlier attempt failed, when it may have run.
        :param after: how it failed in the batch.
        """
        if self._stopped_by is not None:
            return self._fail_all([command], self._stopped_by, {command.key: lost} if lost else {})
        if isinstance(after, OperationTimeLimit) and any(
            isinstance(error, OperationTimeLimit) and error.method == command.method.name
            for error in self._ended.errors.values()
        ):
            self._ended.errors[command.key] = after
            return None
        try:
            self._ended.replies[command.key] = self._conversation.call(
                command.method,
                command.params,
                self._conversation.patience(),
                lost=lost,
                after=after,
                was_there=command.key in self._were_there,
            )
        except Bitrix24Error as error:
            self._ended.errors[command.key] = error
            if stops_all(error):
                self._stopped_by = error
        return None

    def _fail_all(self, pack: list[Command[Key]], error: Bitrix24Error, lost: dict[Key, Bitrix24Error]) -> None:
        """
        What went wrong with a whole batch went wrong with each of its commands.

        :param lost: how an earlier attempt failed, for commands that may have run in it.
        """
        if stops_all(error):
            self._stopped_by = error
        if isinstance(error, (OperationTimeLimit, Forbidden)) and error.status is not None:
            # Refused by the portal, not held back by us because of one of its methods.
            self._no_batch = error
        for command in pack:
            self._fail(command, lost.get(command.key) or error.but(method=command.method.name))

    def _fail(self, command: Command[Key], error: Bitrix24Error) -> None:
        self._ended.errors[command.key] = error
        self._undiagnosed.append(command)

    def _explain(self) -> None:
        """Complete the errors of the commands that were not sent alone; looking at their objects is one more batch."""
        errors, conversation = self._ended.errors, self._conversation
        wanted = looks(
            command
            for command in self._undiagnosed
            if needs_lookup(errors[command.key], command.method)
            or (self._stopped_by is None and deletes(command.method) and may_have_run(errors[command.key]))
        )
        seen = BatchCall[Key](conversation).run(wanted) if wanted else BatchResult[Key]()
        scopes: list[Any] = []

        def ask(key: Key, method: str, params: Params) -> Any:
            if method == "scope":
                scopes[:] = scopes or [conversation.ask_once(method, params)]
                return scopes[0]
            if key in seen.errors:
                raise seen.errors[key]
            return seen.replies[key].result

        for command in self._undiagnosed:
            key, error = command.key, errors[command.key]
            lost = error if may_have_run(error) else self._lost.get(key)
            if lost is not None and deletes(command.method) and self._is_gone(key, seen):
                del errors[key]
                self._ended.replies[key] = done_earlier(command.method, lost)
                continue
            found_nothing = key in seen.replies and is_empty(seen.replies[key].result)
            error = diagnose(
                error.but(advice=not_found_or_hidden(command.method)) if error is lost and found_nothing else error,
                command.method,
                command.params,
                methods=conversation.methods,
                ask=partial(ask, key),
                scrub=conversation.scrub,
                lost=self._lost.get(key),
                was_there=key in self._were_there,
            )
            errors[key] = error.but(ran="unknown") if lost is not None and error.ran == "no" else error
