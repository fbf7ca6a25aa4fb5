"""One attempt at a call: paced, signed, sent to where the portal is now, and its answer read."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping

from airflow_provider_bitrix24.exceptions import (
    Bitrix24Error,
    OperationTimeLimit,
    PortalMoved,
    QueryLimitExceeded,
    TaskStopped,
)
from airflow_provider_bitrix24.methods import Method
from airflow_provider_bitrix24.rest.answers.reply import Reply, read_reply
from airflow_provider_bitrix24.rest.encoding import json_body
from airflow_provider_bitrix24.rest.limits.file_bucket import BucketStore
from airflow_provider_bitrix24.rest.limits.operating import OperatingTime
from airflow_provider_bitrix24.rest.oauth.call_token import Signing
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair
from airflow_provider_bitrix24.rest.patience import Patience
from airflow_provider_bitrix24.rest.portal import Portal
from airflow_provider_bitrix24.rest.scrub import scrubber
from airflow_provider_bitrix24.rest.wire.transport import Transport
from airflow_provider_bitrix24.types import Params

log = logging.getLogger(__name__)

#: Most redirects that one request follows: a renamed portal needs one.
MAX_REDIRECTS = 3
#: How long a task that is being killed may sleep on.
_NAP_SECONDS = 0.5


class Sender:
    """
    Sends attempts to one portal over one kept-alive connection. May be shared by threads.

    :param bucket: where the portal's request bucket is kept.
    :param clock: Unix seconds.
    """

    def __init__(self, portal: Portal, bucket: BucketStore, clock: Callable[[], float]) -> None:
        self.operating = OperatingTime(portal.operating_budget_seconds)
        self._bucket, self._clock = bucket, clock
        self._secrets = set(portal.secrets())
        self._scrub = portal.scrubber()
        self._stopped = False
        self._home, self._transport = portal, Transport(portal)

    def scrub(self, text: str) -> str:
        """Take the secrets out of a text of the portal."""
        return self._scrub(text)

    @property
    def portal(self) -> Portal:
        """The portal as it is reached now: at another host than at first if it has been renamed."""
        return self._transport.portal

    def stop(self) -> None:
        """Send nothing from now on: every attempt raises."""
        self._stopped = True

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or until a moment after :meth:`stop`."""
        until = time.monotonic() + seconds
        # In short parts: an event that a signal handler sets while its own thread waits for it may lock up.
        while not self._stopped and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _NAP_SECONDS))

    def close(self) -> None:
        """Close the connection. A later attempt opens a new one."""
        self._transport.close()

    def send(
        self,
        known: Method,
        method: str,
        params: Params,
        patience: Patience,
        signing: Signing,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """
        Make one attempt, as soon as the limits allow it.

        :param patience: what the call may sleep.
        :raises Bitrix24Error: it came to nothing; its ``ran`` tells whether the method may have run.
        """
        pair = self._pair(signing)
        body = json_body(params if pair is None else {**params, "auth": pair.access_token}, method=method)
        delay = self.operating.delay(method, now=self._clock())
        if delay > 0:
            patience.wait_or_raise(delay, OperationTimeLimit, method, reset_at=self._clock() + delay)
        wait = self._bucket.reserve(self.portal.bucket, patience.seconds_left)
        if wait > 0:
            patience.wait_or_raise(wait, QueryLimitExceeded, method)
        if self._stopped:
            raise TaskStopped("not sent: the task is being stopped", method=method)
        request_id = str(uuid.uuid4())
        began = time.monotonic()
        for _ in range(MAX_REDIRECTS + 1):
            transport = self._transport
            answer = transport.post(method, body, version=known.version, headers=headers, request_id=request_id)
            if answer.location is None:
                break
            moved = transport.portal.moved(answer.location, method=method, status=answer.status, request_id=request_id)
            log.warning(
                "The portal %s has moved to %s: change the host of the connection.", transport.portal.host, moved.host
            )
            transport.close()
            self._transport = Transport(moved)
        else:
            raise PortalMoved(
                "the portal redirects in a circle",
                method=method,
                request_id=request_id,
                next_step="look at the connection's host",
            )
        log.debug("%s: HTTP %d in %.3f s (request %s)", method, answer.status, time.monotonic() - began, request_id)
        try:
            reply = read_reply(
                answer.status,
                answer.content_type,
                answer.body,
                method=method,
                request_id=request_id,
                must_be_true=known.must_be_true,
                scrub=self.scrub,
            )
        except Bitrix24Error as error:
            self.refused(error, method, batched=False)
            raise
        self.operating.learn(method, reply.time, now=self._clock())
        return reply

    def _pair(self, signing: Signing) -> TokenPair | None:
        """The token that goes with the parameters; None for a webhook, which signs in the path."""
        pair = signing.pair()
        if pair is not None and not {pair.access_token, pair.refresh_token} <= self._secrets:
            self._secrets |= {pair.access_token, pair.refresh_token}
            self._scrub = scrubber(self._secrets)
            home = self._home.at(pair.client_endpoint)
            if home is not self._home:
                self._transport.close()
                self._transport = Transport(home)
        return pair

    def refused(self, error: Bitrix24Error, method: str, *, batched: bool) -> None:
        """Learn from a refusal: all who share a limit slow down, and the error tells until when."""
        if isinstance(error, QueryLimitExceeded):
            self._bucket.report_full(self.portal.bucket)
        elif isinstance(error, OperationTimeLimit) and error.reset_at is None:
            error.reset_at = self.operating.refused(method, batched=batched, now=self._clock())
            if error.reset_at is not None:
                error.advise(f"(in {max(error.reset_at - self._clock(), 0):.0f} s)")
