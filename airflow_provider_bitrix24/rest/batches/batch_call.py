"""A batch as a conversation: send, take apart, and bring every command to its own end."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    Blocked,
    ConfigurationError,
    ExpiredToken,
    Forbidden,
    NotFound,
    NotSent,
    OperationTimeLimit,
    PortalMoved,
    QueryLimitExceeded,
    RestError,
    ServerFault,
    TaskStopped,
    Unauthorized,
)
from airflow_provider_bitrix24.rest.answers.diagnosis import deletes, explained, identifying, needs_a_look
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_error, reply_of
from airflow_provider_bitrix24.rest.batches import commands as batch
from airflow_provider_bitrix24.rest.batches.commands import BatchResult, Command
from airflow_provider_bitrix24.rest.encoding import as_params, has_reference
from airflow_provider_bitrix24.rest.oauth.call_token import check_unsigned
from airflow_provider_bitrix24.rest.retry import LOST_ANSWER
from airflow_provider_bitrix24.types import Params

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.patience import Patience

Key = TypeVar("Key", bound=Hashable)

#: How often commands whose answer was lost are sent again.
ATTEMPTS = 3
#: When the answers of so many requests in a row were lost, those behind them wait for the next attempt: a portal that
#: is down would take a minute for each, and leave fewer and fewer commands certain.
LOST_IN_A_ROW = 3
#: What befell one request befalls the next: the commands behind it are not sent.
_FOR_ALL = (TaskStopped, NotSent, PortalMoved, Unauthorized, Blocked, QueryLimitExceeded)


class BatchCall(Generic[Key]):
    """One call of :meth:`Client.batch`."""

    def __init__(self, client: Client, *, halt: bool, references: bool) -> None:
        self.client = client
        self.halt, self.references = halt, references
        self.outcome: BatchResult[Key] = BatchResult()
        self._unexplained: list[Command[Key]] = []
        self._stopped_by: Bitrix24Error | None = None
        #: Why the portal takes no batch at all; direct calls may go on.
        self._no_batch: Bitrix24Error | None = None

    def run(self, commands: Mapping[Key, tuple[str, Params | None]]) -> BatchResult[Key]:
        for name, value in (("halt", self.halt), ("references", self.references)):
            if not isinstance(value, bool):
                # Any text is true, "false" too.
                raise ConfigurationError(f"{name} of a batch is neither True nor False", next_step="write one of them")
        if not isinstance(commands, Mapping):
            raise ConfigurationError(
                "the commands of a batch are not an object",
                next_step='write {"a": ("crm.item.get", {"entityTypeId": 2, "id": 7})}, each command under a key',
            )
        made = self._made(commands)
        batched = [one for one in made if one.text is not None]
        if self.halt or self.references:
            # Checked for all of them before the first is sent.
            requests = list(batch.packs(batched, self.client.measured))
            if self.references:
                requests = [batch.with_our_keys(pack) for pack in requests]
            for number, pack in enumerate(requests):
                if self.halt and self.outcome.errors:
                    self.outcome.not_run += [one.key for rest in requests[number:] for one in rest]
                    break
                self._send_whole(pack)
        else:
            self._send(batched, attempt=1, lost={})
        for one in made:
            if one.text is None:
                self._alone(one, self.client.patience())
        self._explain()
        return self.outcome.in_order_of(commands)

    def _made(self, commands: Mapping[Key, tuple[str, Params | None]]) -> list[Command[Key]]:
        made, names = [], {}
        for key, command in commands.items():
            if not isinstance(command, (tuple, list)) or len(command) != 2:
                raise ConfigurationError(
                    f"the command {key!r} is not a method with its params",
                    next_step='write ("crm.item.get", {"entityTypeId": 2, "id": 7})',
                )
            name = command[0]
            if not isinstance(name, str) or name not in names:
                # Most batches call one method many times.
                names[name] = self.client.known(name)
            method, known = names[name]
            params = as_params(command[1], method=method)
            check_unsigned(params, self.client.tokens, method=method)
            one = batch.command(key, known, method, params, references=self.references)
            if one.text is None and (self.halt or (self.references and has_reference(one.params))):
                raise ConfigurationError(
                    f"the command {key!r} can only go as a direct call (true, false, null, an empty list or object, a "
                    "text such as $result[, or too many values), and so not with halt or references",
                    method=method,
                    next_step="write Y, N, 1 or 0, leave empty values out, or call it by itself",
                )
            made.append(one)
        return made

    def _send(self, commands: list[Command[Key]], *, attempt: int, lost: dict[Key, Bitrix24Error]) -> None:
        """
        Send commands, each batch sized by what the ones before took.

        :param lost: commands that may have run in an earlier attempt, with what went wrong then.
        """
        again: list[Command[Key]] = []
        lost_in_a_row = 0
        for pack in batch.packs(commands, self.client.measured):
            stopped_by = self._stopped_by or self._no_batch
            if stopped_by is not None:
                self._not_sent(pack, stopped_by, lost)
                continue
            if lost_in_a_row >= LOST_IN_A_ROW:
                again += pack
                continue
            try:
                answers, reply = self._exchange(pack, repeatable=all(_free(one) for one in pack))
            except (AnswerLost, ServerFault) as error:
                lost_in_a_row += error.retryable
                if lost_in_a_row == LOST_IN_A_ROW and attempt == ATTEMPTS:
                    self._stopped_by = NotSent(
                        f"not sent: {LOST_IN_A_ROW} requests in a row got no answer ({error.reason})",
                        next_step="see whether the portal is up",
                    )
                final = error.ran == "no" or not error.retryable or attempt >= ATTEMPTS or all(map(_free, pack))
                for one in pack:
                    if final or _never(one):
                        self._fail(one, _copy(error, one))
                    else:
                        again.append(one)
                        lost[one.key] = _copy(error, one)
                continue
            except Bitrix24Error as error:
                self._not_sent(pack, error, lost)
                continue
            lost_in_a_row = 0
            # All are read before any is sent alone: until when a limit lasts is counted from now.
            for one, failure in self._failures(pack, answers, reply):
                self._ended_badly(one, failure, lost.get(one.key))
            for key in lost.keys() & self.outcome.replies.keys():
                self.outcome.replies[key] = replace(self.outcome.replies[key], repeated=True)
        if again:
            self.client.patience().sleep(LOST_ANSWER(attempt) or 0.0)
            self._send(again, attempt=attempt + 1, lost=lost)

    def _failures(
        self, pack: list[Command[Key]], answers: Sequence[batch.Part], reply: Reply
    ) -> list[tuple[Command[Key], Bitrix24Error]]:
        """Keep the replies of a batch, and return what went wrong with the other commands."""
        failures = []
        for one, part in zip(pack, answers, strict=True):
            try:
                self.outcome.replies[one.key] = self._read(one, part, reply)
            except Bitrix24Error as error:
                failures.append((one, error))
        return failures

    def _send_whole(self, pack: list[Command[Key]]) -> None:
        """Send commands that belong together: in this order, in one request, and again only as a whole."""
        stopped_by = self._stopped_by or self._no_batch
        if stopped_by is not None:
            return self._not_sent(pack, stopped_by, {})
        try:
            answers, reply = self._exchange(pack, repeatable=all(_free(one) for one in pack))
        except Bitrix24Error as error:
            return self._not_sent(pack, error, {})
        halted = self.halt and _number_run(answers)
        for index, (one, part) in enumerate(zip(pack, answers, strict=True)):
            if halted and index >= halted:
                self.outcome.not_run.append(one.key)
                continue
            try:
                self.outcome.replies[one.key] = self._read(one, part, reply)
            except Bitrix24Error as error:
                self._fail(one, error)
        return None

    def _not_sent(self, pack: list[Command[Key]], error: Bitrix24Error, lost: dict[Key, Bitrix24Error]) -> None:
        """
        What befell the whole batch befell each of its commands.

        :param lost: what had gone wrong with a command before, when it may have run.
        """
        if isinstance(error, _FOR_ALL):
            self._stopped_by = error
        if isinstance(error, (OperationTimeLimit, Forbidden)) and error.status is not None:
            # Refused by the portal, not held back by us because of one of its methods.
            self._no_batch = error
        for one in pack:
            self._fail(one, lost.get(one.key) or _copy(error, one))

    def _exchange(self, pack: list[Command[Key]], *, repeatable: bool) -> tuple[Sequence[batch.Part], Reply]:
        return self.client.exchange_batch(pack, halt=self.halt, repeatable=repeatable)

    def _read(self, one: Command[Key], part: batch.Part, reply: Reply) -> Reply:
        if part.error is not None:
            error = read_error(
                part.error, method=one.method, status=None, request_id=reply.request_id, scrub=self.client.scrub
            )
            self.client.refused(error, one.method, batched=True)
            raise error
        if part.result is None:
            # «A command is done only if its key is in one of the two maps» («batch»).
            raise AnswerLost("the batch came back without this command", method=one.method, request_id=reply.request_id)
        return reply_of(
            part.result[0],
            part.total,
            part.next,
            part.time,
            method=one.method,
            status=None,
            request_id=reply.request_id,
            must_be_true=one.known.must_be_true,
        )

    def _ended_badly(self, one: Command[Key], error: Bitrix24Error, lost: Bitrix24Error | None) -> None:
        if lost is not None and deletes(one.known):
            if isinstance(error, NotFound):
                done = copy.copy(one.known.done)
                self.outcome.replies[one.key] = Reply(done, request_id=error.request_id, repeated=True)
                return
            if isinstance(error, RestError) and not error.cause_known:
                self._fail(one, lost.advise(f"(asked again, the portal said {error.reason})"))
                return
        if isinstance(error, ExpiredToken):
            # It ended in the middle of the batch: a call of its own renews it.
            self._alone(one, self.client.patience(), lost=lost)
            return
        refused = isinstance(error, (QueryLimitExceeded, OperationTimeLimit))
        lost_alone = isinstance(error, (AnswerLost, ServerFault)) and (error.ran == "no" or not _never(one))
        if refused or lost_alone:
            self._alone(one, self.client.patience(), lost=lost or (error if error.ran != "no" else None), after=error)
        else:
            if lost is not None and error.ran == "no":
                error.ran = "unknown"  # This attempt did not, but an earlier one may have.
            self._fail(one, error)

    def _alone(
        self,
        one: Command[Key],
        patience: Patience,
        *,
        lost: Bitrix24Error | None = None,
        after: Bitrix24Error | None = None,
    ) -> None:
        """Send one command as a direct call, with all that a direct call does."""
        if self._stopped_by is not None:
            return self._not_sent([one], self._stopped_by, {one.key: lost} if lost else {})
        blocked = [error for error in self.outcome.errors.values() if isinstance(error, OperationTimeLimit)]
        if isinstance(after, OperationTimeLimit) and any(error.method == one.method for error in blocked):
            self.outcome.errors[one.key] = after
            return None
        try:
            self.outcome.replies[one.key] = self.client.conversation(
                one.known, one.method, one.params, patience, lost=lost, after=after
            )
        except Bitrix24Error as error:
            self.outcome.errors[one.key] = error
            if isinstance(error, _FOR_ALL):
                self._stopped_by = error
        return None

    def _fail(self, one: Command[Key], error: Bitrix24Error) -> None:
        self.outcome.errors[one.key] = error
        self._unexplained.append(one)

    def _explain(self) -> None:
        """Complete the errors of the commands that were not sent alone; looking at their objects is one more batch."""
        looks = {
            one.key: (one.known.lookup, identifying(one.params))
            for one in self._unexplained
            if one.known.lookup and needs_a_look(self.outcome.errors[one.key], one.known)
        }
        seen = BatchCall[Key](self.client, halt=False, references=False).run(looks) if looks else BatchResult[Key]()
        scopes: list[Any] = []

        def ask(key: Key, method: str, params: Params) -> Any:
            if method == "scope":
                scopes[:] = scopes or [self.client.ask_once(method, params)]
                return scopes[0]
            if key in seen.errors:
                raise seen.errors[key]
            return seen.replies[key].result

        for one in self._unexplained:
            self.outcome.errors[one.key] = explained(
                self.outcome.errors[one.key],
                one.known,
                one.params,
                methods=self.client.methods,
                ask=partial(ask, one.key),
                scrub=self.client.scrub,
            )


def _copy(error: Bitrix24Error, one: Command[Any]) -> Bitrix24Error:
    """What befell the whole batch, said of one of its commands."""
    own = copy.copy(error)
    own.method = one.method
    return own


def _number_run(answers: Sequence[batch.Part]) -> int | None:
    """
    How many commands a batch ran before it was halted; None where the portal does not say that it was.

    It says so by ending with a command that failed. One that is merely missing may have run.
    """
    ended = [index for index, part in enumerate(answers) if part.result is not None or part.error is not None]
    return ended[-1] + 1 if ended and answers[ended[-1]].error is not None else None


def _free(one: Command[Any]) -> bool:
    """Whether the whole batch may be sent again without a thought for this command."""
    return not _never(one) and not deletes(one.known)


def _never(one: Command[Any]) -> bool:
    return one.known.repeat_for(one.params) == "never"
