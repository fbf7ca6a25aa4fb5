"""One call as a conversation with the portal: send, wait, send again, look what became of it."""

from __future__ import annotations

import copy
import logging
import random
import re
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ConfigurationError,
    ExpiredToken,
    NotFound,
    OperationTimeLimit,
    ServerFault,
    Unauthorized,
)
from airflow_provider_bitrix24.methods import KNOWN, Method, Methods
from airflow_provider_bitrix24.rest.answers.diagnosis import deletes, explained, identifying
from airflow_provider_bitrix24.rest.answers.reply import Reply
from airflow_provider_bitrix24.rest.batches.batch_call import BatchCall
from airflow_provider_bitrix24.rest.batches.commands import BatchResult, Command, Measured, Part, seconds_of
from airflow_provider_bitrix24.rest.batches.commands import body as batch_body
from airflow_provider_bitrix24.rest.batches.commands import parts as batch_parts
from airflow_provider_bitrix24.rest.encoding import as_params
from airflow_provider_bitrix24.rest.field_descriptions import described
from airflow_provider_bitrix24.rest.limits.file_bucket import BucketStore, bucket_store
from airflow_provider_bitrix24.rest.lists.exactness import Stream
from airflow_provider_bitrix24.rest.lists.listing import Listing
from airflow_provider_bitrix24.rest.lists.per_parent import children
from airflow_provider_bitrix24.rest.lists.row_list import RowList
from airflow_provider_bitrix24.rest.oauth import authorization
from airflow_provider_bitrix24.rest.oauth.call_token import Signing, check_unsigned
from airflow_provider_bitrix24.rest.oauth.tokens import Tokens
from airflow_provider_bitrix24.rest.patience import QUIET_SECONDS, Patience
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.retry import CALL_SECONDS, PATIENCE_SECONDS, delay_before_retry
from airflow_provider_bitrix24.rest.sender import Sender
from airflow_provider_bitrix24.types import Params, Row

log = logging.getLogger(__name__)
Key = TypeVar("Key", bound=Hashable)

_METHOD_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
#: The longest names of the documentation have about 60 characters. A server cuts the line of a request at 8,000.
_LONGEST_NAME = 200


class Client:
    """
    Calls methods of one portal over one kept-alive connection. May be shared by threads.

    :param portal: where and as whom.
    :param methods: what is known of methods; :meth:`Methods.adding` corrects or extends it.
    :param tokens: the token pair, where an application calls.
    :param bucket: where the portal's request bucket is kept; by default all processes of this host share it, or all
        hosts that name the same ``limiter``.
    :param patience_seconds: most seconds that one call sleeps in all; longer waits are raised.
    :param sleep: how to wait; by default, until :meth:`stop`.
    :param clock: Unix seconds.
    :param jitter: a factor for each wait before a repetition.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        methods: Methods = KNOWN,
        tokens: Tokens | None = None,
        bucket: BucketStore | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(1.0, 1.25),  # noqa: S311 - spreads waits, guards nothing
    ) -> None:
        self.methods = methods
        self.measured = Measured()
        self.tokens = tokens
        self._patience_seconds = patience_seconds
        self._clock, self._jitter = clock, jitter
        self._sender = Sender(portal, bucket or bucket_store(portal.source, portal.limiter), clock)
        self._sleep = sleep or self._sender.sleep

    def scrub(self, text: str) -> str:
        """Take the secrets out of a text of the portal."""
        return self._sender.scrub(text)

    @property
    def portal(self) -> Portal:
        """The portal as it is reached now: at another host than at first if it has been renamed."""
        return self._sender.portal

    def stop(self) -> None:
        """Send nothing from now on: every call raises. For a task that is being killed."""
        self._sender.stop()

    def close(self) -> None:
        """Close the connection. A later call opens a new one."""
        self._sender.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, method: str, params: Params | None = None, *, version: int = 2) -> Any:
        """
        Call a method once and return its ``result``: any JSON value.

        It is repeated inside the call only where «did it run?» allows it, and sleeps at most ``patience_seconds`` in
        all. A ``delete`` whose answer was lost is looked for: gone means done.

        :param params: what the method is given, ``{"id": 1035}``.
        :param version: 3 for a REST 3.0 method.
        :raises ConfigurationError: the parameters have no form; nothing was sent.
        :raises NotSent: no connection, after three attempts.
        :raises AnswerLost: it may have run, and repeating it could do harm or did not help.
        :raises RestError: the portal said no.
        :raises PortalMoved: the portal redirected to where the secret must not go.
        """
        return self.ask(method, params, version=version).result

    def ask(self, method: str, params: Params | None = None, *, version: int = 2) -> Reply:
        """Call a method like :meth:`call` and return the whole answer: result, total, next, time."""
        name, known = self.known(method, version)
        return self.conversation(known, name, as_params(params, method=name), self.patience())

    def batch(
        self, commands: Mapping[Key, tuple[str, Params | None]], *, halt: bool = False, references: bool = False
    ) -> BatchResult[Key]:
        """
        Call any number of methods, 50 to a request.

        Commands that a batch has no form for (true, false, null, an empty list or object, a text such as ``$result[``)
        are sent after the others as direct calls. A command that was refused by a limit is repeated alone. After a lost
        answer of the whole batch, each command is repeated or not by its own nature; a portal that loses one after the
        other is not sent the rest, which ends as ``NotSent``.

        :param commands: ``{"a": ("crm.item.get", {"entityTypeId": 2, "id": 7}), …}``.
        :param halt: stop after the first command that fails; the order of the commands is kept.
        :param references: take ``$result[a][ID]`` in a value as a reference to the command ``a`` of the same request.
            Without ``halt``, what refers to a command that failed runs all the same, with something else as its value.
        :return: how each command ended; nothing is raised for a command that failed.
        :raises ConfigurationError: a command has no form; nothing was sent.
        """
        return BatchCall[Key](self, halt=halt, references=references).run(commands)

    def list(self, method: str, params: Params | None = None, *, limit: int | None = None, version: int = 2) -> RowList:
        """
        Read a whole list: every row once, in ascending order of id where the method has one, or an error.

        Where the method filters by id, one request brings up to 2,500 rows. Rows that are created meanwhile may be
        seen, rows that are deleted meanwhile may be missed.

        :param params: the method's own, e.g. ``{"filter": {">=DATE_CREATE": "2026-01-01T00:00:00+03:00"}}``. The order
            is ours where ids have one; an own ``>ID`` narrows; the id is added to ``select`` and taken out again.
        :param limit: at most so many rows.
        :return: an iterator of rows as the portal sends them, at most one request's rows in memory; its ``report``
            tells afterwards how many there were and whether the list is complete.
        :raises ConfigurationError: a parameter that cannot be combined with reading it all; nothing was sent.
        :raises IncompleteList: while reading: the list cannot be proven whole.
        """
        name, known = self.known(method, version)
        return RowList(self, Listing(name, known, params), limit)

    def children(
        self, method: str, parents: Iterable[Key], params_of: Callable[[Key], Params]
    ) -> Iterator[tuple[Key, Row]]:
        """
        Read a list for each parent, 50 parents to a request, and yield each row with its parent.

        ``client.children("crm.item.productrow.list", deal_ids, lambda deal: {"filter": {"=ownerType": "D", "=ownerId":
        deal}})`` yields ``(7, {"id": 1, "ownerId": 7, …}), …`` in the order of the parents. A list that does not fit
        into one page is read like :meth:`list`.

        :raises Bitrix24Error: the list of one parent could not be read; rows of those before it have been yielded.
        """
        return Stream(children(self, method, parents, params_of))

    def described(self, method: str, params: Params | None = None, *, fresh: bool = False) -> Mapping[str, Any]:
        """
        What a method such as ``crm.deal.fields`` answers; the portal is asked once per process.

        :param fresh: ask the portal in any case, and keep its answer: a field may be new.
        :return: the result, shared by all callers and not to be changed; empty where it is not an object.
        """
        return described(self.portal, self.call, method, params, fresh=fresh)

    # What a batch and a list are made of.

    def known(self, method: str, version: int = 2) -> tuple[str, Method]:
        """The method's name as it is sent, and what is known of it."""
        name = method.strip().removesuffix(".json") if isinstance(method, str) else ""
        if not _METHOD_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise ConfigurationError(
                "the method's name is not one", next_step='write it as the documentation does, e.g. "crm.item.list"'
            )
        if not isinstance(version, int) or version not in (2, 3):
            raise ConfigurationError(
                f"the version {version!r} is none of the REST API", method=name, next_step="write 2 or 3"
            )
        return name, self.methods.find(name, version)

    def patience(self) -> Patience:
        """A new allowance of sleeping, for one call."""
        return Patience(self._patience_seconds, self._clock, self._sleep)

    def conversation(
        self,
        known: Method,
        method: str,
        params: Params,
        patience: Patience,
        *,
        after: Bitrix24Error | None = None,
        lost: Bitrix24Error | None = None,
        explain: bool = True,
    ) -> Reply:
        """
        One call from first attempt to last.

        :param after: a first attempt that failed elsewhere, as a command of a batch.
        :param lost: an earlier attempt that may have run.
        :param explain: False leaves it to the caller to say what a failure means: a batch has many commands.
        """
        check_unsigned(params, self.tokens, method=method)
        writes = known.repeat_for(params) != "read"
        # REST 3.0 replays the stored answer of a write that comes again under its key; version 2 ignores the header.
        headers = {"Idempotency-Key": str(uuid.uuid4())} if writes and known.version == 3 else {}
        repeatable = known.repeat_for(params) != "never" or bool(headers)
        attempt, failure, signing = 0, after, Signing(self.tokens)
        while True:
            attempt += 1
            if failure is None:
                try:
                    reply = self._sender.send(known, method, params, patience, signing, headers)
                    return reply if lost is None else replace(reply, repeated=True)
                except Bitrix24Error as error:
                    failure = error
            # From here outside the handler: nothing of the way here belongs into a traceback.
            if signing.is_signed and self._is_expired(failure, known.version):
                if not signing.may_renew:
                    failure.next_step = "a renewed token is refused too: see whether the application is still installed"
                else:
                    failure = signing.renew()
                    if failure is None:
                        attempt -= 1
                        continue
            may_have_run = isinstance(failure, (AnswerLost, ServerFault)) and failure.ran != "no"
            if may_have_run:
                lost = failure
            delay = delay_before_retry(
                failure, attempt, repeatable=repeatable, patience_seconds=patience.seconds_left, now=self._clock()
            )
            if patience.spent_seconds() > CALL_SECONDS:
                delay = None
            if delay is not None:
                level = logging.INFO if delay > QUIET_SECONDS else logging.DEBUG
                log.log(level, "%s. Trying again in %.1f s (attempt %d).", failure, delay, attempt + 1)
                patience.sleep(delay * self._jitter())
            if may_have_run and deletes(known) and self._is_gone(known, params, failure, patience):
                return _done(known, failure)
            if delay is None:
                never = known.repeat_for(params) == "never"
                if lost is not None and failure.ran == "no" and (failure.retryable or never):
                    failure = lost.advise(f"then {failure.reason}")
                failure = self.explained(failure, known, params, lost) if explain else failure
                if lost is not None and isinstance(failure, NotFound) and deletes(known):
                    return _done(known, lost)
                if lost is not None and failure.ran == "no":
                    failure.ran = "unknown"  # This attempt did not, but an earlier one may have.
                raise failure
            failure = None

    def _is_expired(self, failure: Bitrix24Error, version: int) -> bool:
        if version != 3 or type(failure) is not Unauthorized:
            return isinstance(failure, ExpiredToken)
        # REST 3.0 has one code for all that may be wrong with a token; version 2 tells.
        try:
            self.ask_once("app.info", {})
        except Bitrix24Error as error:
            return isinstance(error, ExpiredToken)
        return False

    def explained(
        self, failure: Bitrix24Error, known: Method, params: Params, lost: Bitrix24Error | None = None
    ) -> Bitrix24Error:
        if failure.method == authorization.METHOD:
            # The authorization server's words mean something else than the portal's.
            return failure
        return explained(failure, known, params, methods=self.methods, ask=self.ask_once, scrub=self.scrub, lost=lost)

    def ask_once(self, method: str, params: Params) -> Any:
        """``result`` of a reading method, without repeating."""
        known = self.methods.find(method)
        return self._sender.send(known, method, params, self.patience(), Signing(self.tokens)).result

    def exchange_batch(
        self, pack: Sequence[Command[Any]], *, halt: bool, repeatable: bool
    ) -> tuple[Sequence[Part], Reply]:
        """
        Send one batch and take its answer apart, command by command.

        :param repeatable: whether the whole of it may be repeated when its answer is lost.
        """
        known = Method("batch", repeat="read" if repeatable else "never")
        patience = self.patience()
        delay = self._sender.operating.delay_of_batch([one.method for one in pack], now=self._clock())
        if delay > 0:
            patience.wait_or_raise(delay, OperationTimeLimit, "batch", reset_at=self._clock() + delay)
        reply = self.conversation(known, "batch", batch_body(pack, halt=halt), patience, explain=False)
        answers = batch_parts(reply.result, len(pack))
        if answers is None:
            raise AnswerLost("the answer is not one of a batch", method="batch", request_id=reply.request_id)
        self._learn_from(pack, answers, reply.size / len(pack))
        return answers, reply

    def _learn_from(self, pack: Sequence[Command[Any]], answers: Sequence[Part], bytes_each: float) -> None:
        times: dict[str, Mapping[str, Any]] = {}
        seconds: dict[str, list[float]] = {}
        for one, part in zip(pack, answers, strict=True):
            if part.time:
                times[one.method] = part.time
            if part.result is not None:
                seconds.setdefault(one.method, []).append(seconds_of(part.time))
        now = self._clock()
        for method, time_told in times.items():
            # A running total: the last command's counts.
            self._sender.operating.learn(method, time_told, batched=True, now=now)
        for method, each in seconds.items():
            self.measured.learn(method, sum(each) / len(each), bytes_each)

    def refused(self, error: Bitrix24Error, method: str, *, batched: bool) -> None:
        """Learn from a refusal: all who share a limit slow down, and the error tells until when."""
        self._sender.refused(error, method, batched=batched)

    def _is_gone(self, known: Method, params: Params, lost: Bitrix24Error, patience: Patience) -> bool:
        """After a lost answer to a delete: whether the object is gone, so that the work is done."""
        if known.lookup is None:
            return False
        try:
            self.conversation(self.methods.find(known.lookup), known.lookup, identifying(params), patience)
        except NotFound:
            return True
        except Bitrix24Error as error:
            cannot_tell = f"{known.lookup} could not tell ({error.reason})"
        else:
            return False
        raise self.explained(lost, known, params).advise(f"({cannot_tell})")


def _done(known: Method, failure: Bitrix24Error) -> Reply:
    log.info("%s: an earlier attempt was executed, though its answer was lost (%s).", known.name, failure.reason)
    return Reply(copy.copy(known.done), request_id=failure.request_id, repeated=True)
