"""
One call from its first attempt to its last: paced, signed, sent, read, and repeated where that does no harm.

Batches and lists stand on this; :mod:`airflow_provider_bitrix24.rest.client` is the face of it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from airflow_provider_bitrix24.exceptions import (
    AnswerLost,
    Bitrix24Error,
    ExpiredToken,
    NotFound,
    OperationTimeLimit,
    QueryLimitExceeded,
    ServerFault,
    TaskStopped,
    Unauthorized,
)
from airflow_provider_bitrix24.methods import Method, Methods
from airflow_provider_bitrix24.rest.activity import Activity
from airflow_provider_bitrix24.rest.answers.diagnosis import (
    deletes,
    diagnose,
    done_earlier,
    identifying_params,
    is_empty,
    not_found_or_hidden,
)
from airflow_provider_bitrix24.rest.answers.failures_inside import check_number_of_values, check_reply
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_reply
from airflow_provider_bitrix24.rest.encoding import as_params, json_body
from airflow_provider_bitrix24.rest.limits.bucket import BucketStore
from airflow_provider_bitrix24.rest.limits.command_costs import CommandCosts
from airflow_provider_bitrix24.rest.limits.concurrency import Concurrency
from airflow_provider_bitrix24.rest.limits.operating import OperatingTime
from airflow_provider_bitrix24.rest.limits.request_slots import RequestSlots
from airflow_provider_bitrix24.rest.method_names import method_named
from airflow_provider_bitrix24.rest.oauth import authorization
from airflow_provider_bitrix24.rest.oauth.call_token import CallToken, check_no_token
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.retry import (
    CALL_SECONDS,
    QUIET_SECONDS,
    Patience,
    StoppableSleep,
    delay_before_retry,
)
from airflow_provider_bitrix24.rest.scrub import scrubber
from airflow_provider_bitrix24.rest.structured_parameters import check_structures
from airflow_provider_bitrix24.rest.wire.redirects import RedirectedTransport
from airflow_provider_bitrix24.rest.wire.transport import Answer
from airflow_provider_bitrix24.types import Params

log = logging.getLogger(__name__)


class UnreadReply(NamedTuple):
    """What came back for one attempt, before it is known what it says."""

    method: Method
    answer: Answer
    request_id: str
    seconds: float


class Conversation:
    """
    Calls methods of one portal over kept-alive connections. May be shared by threads.

    Parameters are those of :class:`~airflow_provider_bitrix24.rest.client.Client`.
    """

    def __init__(
        self,
        portal: Portal,
        *,
        methods: Methods,
        tokens: Tokens | None,
        bucket: BucketStore,
        activity: Activity,
        patience_seconds: float,
        sleep: Callable[[float], object] | None,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self.methods, self.tokens, self.activity = methods, tokens, activity
        self.command_costs = CommandCosts()
        self.operating = OperatingTime(portal.operating_budget_seconds)
        self.concurrency = Concurrency(portal.parallel)
        self.clock, self.monotonic = clock, monotonic
        self.bucket, self.slots = bucket, RequestSlots(bucket, portal.bucket)
        self._patience_seconds, self._jitter = patience_seconds, jitter
        self._stopping = StoppableSleep()
        self._sleep = sleep or self._stopping
        self._secrets = set(portal.secrets())
        self._scrub = portal.scrubber()
        self._home, self._transport = portal, RedirectedTransport(portal, self.slots.sending)

    @property
    def portal(self) -> Portal:
        """The portal as it is reached now: at another host than at first if it has been renamed."""
        return self._transport.portal

    def scrub(self, text: str) -> str:
        """Take the secrets out of a text of the portal."""
        return self._scrub(text)

    def stop(self) -> None:
        """Send nothing from now on: every attempt raises."""
        self._stopping.stop()

    def close(self) -> None:
        """Close the connection. A later attempt opens a new one."""
        self._transport.close()

    def method(self, name: str, version: int = 2) -> Method:
        """
        What is known of a method, under the name that is sent.

        :raises ConfigurationError: it cannot be the name of a method, or is not supported in this version.
        """
        return method_named(name, version, self.methods)

    def patience(self, sleep: Callable[[float], object] | None = None) -> Patience:
        """
        A new allowance of sleeping, for one call.

        :param sleep: how to wait; until :meth:`stop` by default.
        """
        return Patience(self._patience_seconds, self.clock, sleep or self._sleep, self.activity.waits)

    def sleep(self, seconds: float) -> None:
        """Sleep for this time, or until a moment after :meth:`stop`."""
        self._sleep(seconds)

    def ask(self, name: str, params: Params | None = None, *, version: int = 2, allow_cut: bool = False) -> Reply:
        """Call a method by its name, see :meth:`call`."""
        method = self.method(name, version)
        if allow_cut:
            method = replace(method, max_hits=None)
        given = as_params(params, method=method.name)
        check_structures(method, given)
        return self.call(method, given, self.patience())

    def ask_once(self, name: str, params: Params, *, version: int = 2) -> Any:
        """``result`` of a reading method, in one attempt."""
        unread = self._send(self.method(name, version), params, self.patience(), CallToken(self.tokens))
        return self.read(unread).result

    def call(
        self,
        method: Method,
        params: Params,
        patience: Patience,
        *,
        after: Bitrix24Error | None = None,
        lost: Bitrix24Error | None = None,
        was_there: bool = False,
        explain: bool = True,
    ) -> Reply:
        """
        One call from its first attempt to its last.

        :param patience: what the call may sleep.
        :param after: how a first attempt failed elsewhere, as a command of a batch.
        :param lost: how an earlier attempt failed that may have run.
        :param was_there: whether the object could be read before.
        :param explain: False leaves it to the caller to say what a failure means: a batch has many commands.
        :raises Bitrix24Error: it failed for good; ``ran`` says whether any of the attempts may have run.
        """
        check_no_token(params, self.tokens, method=method.name)
        check_number_of_values(method, params)
        repeat = method.repeat_for(params)
        # REST 3.0 replays the stored answer of a write that comes again under its key; version 2 ignores the header.
        headers = {"Idempotency-Key": str(uuid.uuid4())} if repeat != "read" and method.version == 3 else {}
        attempt, failure, token = 0, after, CallToken(self.tokens)
        while True:
            attempt += 1
            if failure is None:
                try:
                    reply = self.read(self._send(method, params, patience, token, headers))
                    return reply if lost is None else replace(reply, repeated=True)
                except Bitrix24Error as error:
                    # A copy: with its traceback it would hold this frame and those of all callers, and they it.
                    failure = error.but()
            if token.is_signed and self._is_expired(failure, method.version):
                if token.may_renew:
                    failure = token.renew()
                    if failure is None:
                        attempt -= 1
                        continue
                else:
                    failure = failure.but(
                        next_step="a renewed token is refused too: check that the application is still installed"
                    )
            may_have_run = isinstance(failure, (AnswerLost, ServerFault)) and failure.ran != "no"
            if may_have_run:
                lost = failure
            delay = delay_before_retry(
                failure,
                attempt,
                repeatable=repeat != "never" or bool(headers),
                patience_seconds=patience.seconds_left,
                now=self.clock(),
            )
            if patience.spent_seconds() > CALL_SECONDS:
                delay = None
            if delay is not None:
                self.activity.repeats(method.name, failure)
                level = logging.INFO if delay > QUIET_SECONDS else logging.DEBUG
                log.log(level, "%s. Trying again in %.1f s (attempt %d).", failure, delay, attempt + 1)
                patience.sleep(delay * self._jitter())
            if may_have_run and deletes(method) and method.lookup is not None:
                is_there = self._is_there(method, params, failure, patience)
                if is_there is False or (is_there is None and was_there):
                    return done_earlier(method, failure)
                if is_there is None and delay is None:
                    failure = failure.but(advice=not_found_or_hidden(method))
                was_there = was_there or bool(is_there)
            if delay is None:
                return self._give_up(failure, method, params, lost, was_there=was_there, explain=explain)
            failure = None

    def _give_up(
        self,
        failure: Bitrix24Error,
        method: Method,
        params: Params,
        lost: Bitrix24Error | None,
        *,
        was_there: bool,
        explain: bool,
    ) -> Reply:
        """Raise what the last attempt ended with, unless it shows that a lost one has deleted the object."""
        if lost is not None and failure.ran == "no" and (failure.retryable or method.repeat_for(params) == "never"):
            failure = lost.but(advice=f"a later attempt failed: {failure.reason}")
        failure = self._diagnosed(failure, method, params, lost, was_there=was_there) if explain else failure
        if lost is not None and isinstance(failure, NotFound) and not failure.referred and deletes(method):
            return done_earlier(method, lost)
        # The last attempt did not run, but an earlier one may have.
        raise failure.but(ran="unknown") if lost is not None and failure.ran == "no" else failure.but()

    def refused(self, error: Bitrix24Error, method: str, *, batched: bool) -> Bitrix24Error:
        """
        Learn from a refusal: all who share the limit slow down.

        :param batched: whether a command of a batch was refused.
        :return: the error, with the moment when the limit ends where it is known.
        """
        if isinstance(error, QueryLimitExceeded):
            self.bucket.report_full(self.portal.bucket)
        elif isinstance(error, OperationTimeLimit) and error.reset_at is None and error.ran == "no":
            now = self.clock()
            reset_at = self.operating.refused(method, batched=batched, now=now)
            if reset_at is not None:
                return error.but(reset_at=reset_at, advice=f"(in {max(reset_at - now, 0):.0f} s)")
        return error

    def send_once(self, method: Method, params: Params, patience: Patience) -> UnreadReply:
        """
        Make one attempt, as soon as the limits allow it, and leave its answer unread.

        :raises Bitrix24Error: it failed, or a limit does not allow it with this patience.
        """
        return self._send(method, params, patience, CallToken(self.tokens))

    def _send(
        self,
        method: Method,
        params: Params,
        patience: Patience,
        token: CallToken,
        headers: Mapping[str, str] | None = None,
    ) -> UnreadReply:
        """
        Make one attempt, as soon as the limits allow it.

        :raises Bitrix24Error: it failed; ``ran`` says whether the method may have run.
        """
        pair = self._pair(token)
        body = json_body(params if pair is None else {**params, "auth": pair.access_token}, method=method.name)
        delay = self.operating.delay(method.name, now=self.clock())
        if delay > 0:
            patience.wait_or_raise(delay, OperationTimeLimit, method.name, reset_at=self.clock() + delay)
        wait = self.slots.reserve(patience.seconds_left)
        if wait > 0:
            patience.wait_or_raise(wait, QueryLimitExceeded, method.name)
        if self._stopping.is_stopped:
            raise TaskStopped("not sent: the task is being stopped", method=method.name)
        request_id = str(uuid.uuid4())
        post = partial(self._transport.post, version=method.version, headers=headers, request_id=request_id)
        answer, seconds = self.activity.sent(method.name, partial(post, method.name, body))
        log.debug("%s: HTTP %d in %.3f s (request %s)", method.name, answer.status, seconds, request_id)
        return UnreadReply(method, answer, request_id, seconds)

    def read(self, unread: UnreadReply) -> Reply:
        """
        Read the answer of an attempt, and learn from it.

        :raises Bitrix24Error: the attempt failed; ``ran`` says whether the method may have run.
        """
        method, answer = unread.method, unread.answer
        try:
            reply = read_reply(
                answer.status,
                answer.content_type,
                answer.body,
                method=method.name,
                request_id=unread.request_id,
                must_be_true=method.must_be_true,
                scrub=self.scrub,
                max_mib=self.portal.max_response_mib,
            )
            check_reply(reply, method, self.scrub)
        except Bitrix24Error as error:
            self.activity.answered(method.name, unread.seconds, error)
            raise self.refused(error, method.name, batched=False) from None
        self.activity.answered(method.name, unread.seconds)
        self.operating.learn(method.name, reply.time, now=self.clock())
        return reply

    def _pair(self, token: CallToken) -> TokenPair | None:
        """The token pair that signs the parameters; None for a webhook, which signs in the path."""
        pair = token.pair()
        if pair is not None and not {pair.access_token, pair.refresh_token} <= self._secrets:
            self._secrets |= {pair.access_token, pair.refresh_token}
            self._scrub = scrubber(self._secrets)
            home = self._home.at(pair.client_endpoint)
            if home is not self._home:
                self._transport.move(home)
        return pair

    def _is_expired(self, failure: Bitrix24Error, version: int) -> bool:
        if version != 3 or type(failure) is not Unauthorized:
            return isinstance(failure, ExpiredToken)
        # REST 3.0 has one code for all that may be wrong with a token; version 2 names it.
        try:
            self.ask_once("app.info", {})
        except Bitrix24Error as error:
            return isinstance(error, ExpiredToken)
        return False

    def _diagnosed(
        self,
        failure: Bitrix24Error,
        method: Method,
        params: Params,
        lost: Bitrix24Error | None = None,
        *,
        was_there: bool = False,
    ) -> Bitrix24Error:
        if failure.method == authorization.METHOD:
            # The authorization server's words mean something else than the portal's.
            return failure

        def ask(name: str, its_params: Params) -> Any:
            return self.ask_once(name, its_params, version=method.version if name == method.lookup else 2)

        return diagnose(
            failure,
            method,
            params,
            methods=self.methods,
            ask=ask,
            scrub=self.scrub,
            lost=lost,
            was_there=was_there,
        )

    def _is_there(self, method: Method, params: Params, lost: Bitrix24Error, patience: Patience) -> bool | None:
        """
        After a lost answer to a delete: whether the object is still there; where it is gone, the work is done.

        :return: None where the look-up finds nothing, and does not say whether it is gone or must not be seen.
        """
        try:
            found = self.call(self.method(method.lookup or "", method.version), identifying_params(params), patience)
        except NotFound:
            return False
        except Bitrix24Error as error:
            reason = error.reason
        else:
            return None if is_empty(found.result) else True
        raise self._diagnosed(lost, method, params).but(
            advice=f"({method.lookup} could not say whether it is gone: {reason})"
        )
