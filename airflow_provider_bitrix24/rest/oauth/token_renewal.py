"""
The token pair to sign with, and its renewal.

An access token lives an hour, and each renewal replaces the refresh token: whoever uses the old one afterwards is
refused. So a pair is stored before it is used, renewals on one host wait for each other, and a worker whose token is
refused first looks for a newer pair that another one has stored.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

from airflow_provider_bitrix24.exceptions import ConfigurationError, ExpiredToken, NotSent, Unauthorized
from airflow_provider_bitrix24.rest.locks.file_lock import locked_file, shared_directory
from airflow_provider_bitrix24.rest.oauth.authorization import AuthorizationServer, TokenResponse
from airflow_provider_bitrix24.rest.oauth.signal_shield import shielded
from airflow_provider_bitrix24.rest.oauth.stored_pairs import AUTHORIZE_AGAIN, StoredPair, StoredPairs
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair, fingerprint
from airflow_provider_bitrix24.rest.oauth.token_stores import TokenStore
from airflow_provider_bitrix24.rest.portal import OAuthApp, Portal

log = logging.getLogger(__name__)

#: After ``invalid_grant``: how long to look for a pair that another worker may be about to store.
OTHERS_PATIENCE_SECONDS = 20.0
#: How long to wait for another process of this host that is renewing: longer than its request may take.
LOCK_PATIENCE_SECONDS = 120.0
#: How many pairs are tried one after the other, where each was stored by another worker and refused as well.
_MOST_PAIRS = 3


class Tokens:
    """
    The token pair of one application at one portal for one user, shared by all workers with a connection to it.

    :param store: where the pair is kept.
    :param renews: False to use only the access token that is stored, as a connection test must.
    :param on_secret: called with every secret of a pair before it is used.
    """

    def __init__(
        self,
        portal: Portal,
        app: OAuthApp,
        store: TokenStore,
        *,
        renews: bool = True,
        on_secret: Callable[[str], object] = lambda secret: None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._portal, self._app = portal, app
        self._renews, self._on_secret = renews, on_secret
        self._clock, self._sleep = clock, sleep
        self._stored = StoredPairs(store, app, sleep, renews=renews)
        self._server = AuthorizationServer(portal, app)
        self._pair: TokenPair | None = None
        #: Why the store could not be read, where nothing is renewed: the pair is the connection's own then.
        self.store_error: str | None = None

    def current(self) -> TokenPair:
        """
        Return the newest pair that this process knows of; the first time, it is read from the store.

        :raises ConfigurationError: it is for another portal, or what is stored cannot be read.
        :raises NotSent: the store cannot be reached.
        """
        return self._pair or self._accepted(self._read())

    def _read(self) -> TokenPair:
        try:
            return self._stored.read().pair
        except NotSent as error:
            if self._renews:
                raise
            # A connection test may run on another host than the tasks, without their store.
            self.store_error = error.reason
            return self._stored.seed

    def is_expired(self, pair: TokenPair) -> bool:
        """Whether the access token is missing, or known to have expired."""
        return pair.is_expired(self._clock())

    def renew(self, refused: TokenPair) -> bool:
        """
        Get a newer pair than the one that was refused: another worker's if there is one, else a new one.

        :return: whether the pair was renewed; False where another worker's was found.
        :raises Unauthorized: the refresh token is not accepted; a person must authorize the application again.
        :raises Blocked: the application's paid period is over.
        :raises ConfigurationError: the pair is for another portal, or the store cannot be read or written.
        :raises NotSent: the store cannot be reached, or another process has been renewing for too long.
        :raises TransportError: the authorization server cannot be reached, or its answer was lost.
        """
        if not self._renews:
            raise self._cannot_renew_here(refused)
        pairs_left = _MOST_PAIRS
        while True:
            with self._one_at_a_time():
                stored = self._stored.read()
                is_newer = stored.pair.access_token != refused.access_token
                if is_newer and not self.is_expired(self._accepted(stored.pair)):
                    return False
                self._stored.check_writable()
                # Once the server has answered, the old pair is of no use, and the new one exists nowhere else.
                refusal = shielded(partial(self._renew, stored))
            if refusal is None:
                return True
            # Outside the lock, so that all workers that were refused wait at the same time.
            refused, pairs_left = stored.pair, pairs_left - 1
            if pairs_left == 0 or self._stored.is_known_to_be_dead(refused):
                raise refusal
            if not self._newer_pair_appears(refused):
                self._stored.remember_dead(refused)
                raise refusal

    def _renew(self, stored: StoredPair) -> Unauthorized | None:
        """Ask the authorization server, and store what it answers; return its refusal of the refresh token."""
        try:
            response = self._server.renew(stored.pair.refresh_token, stored.pair.server_endpoint)
        except Unauthorized as error:
            if (error.code or "").lower() != "invalid_grant":
                raise
            return error.but(next_step=f"the refresh token was used before or is too old; {AUTHORIZE_AGAIN}")
        if stored.pair.member_id and response.member_id and response.member_id != stored.pair.member_id:
            raise ConfigurationError(
                f"the authorization server answered for another portal (member_id {response.member_id}) than before "
                f"({stored.pair.member_id})",
                next_step=f"the new pair is not used, and the previous one is no longer valid; {AUTHORIZE_AGAIN}",
            )
        pair = self._pair_from(response, stored.pair)
        for secret in (pair.access_token, pair.refresh_token):
            self._on_secret(secret)
        # Stored before it is used, and before it is checked: what is not stored is lost.
        self._stored.save(stored, pair)
        self._accepted(pair)
        log.info("The access token of %s has been renewed.", self._portal.host)
        return None

    def _pair_from(self, response: TokenResponse, before: TokenPair) -> TokenPair:
        return TokenPair(
            access_token=response.access_token,
            refresh_token=response.refresh_token,
            expires_at=None if response.expires_in is None else self._clock() + response.expires_in,
            member_id=response.member_id or before.member_id or self._app.member_id,
            user_id=response.user_id or before.user_id,
            client_endpoint=response.client_endpoint or before.client_endpoint,
            server_endpoint=self._server.trusted(response.server_endpoint) or before.server_endpoint,
        )

    def _accepted(self, pair: TokenPair) -> TokenPair:
        """
        Keep the pair for the next calls.

        :raises ConfigurationError: it is for another portal than the connection.
        """
        for secret in (pair.access_token, pair.refresh_token):
            if secret:
                self._on_secret(secret)
        expected = self._app.member_id
        if expected and pair.member_id and pair.member_id != expected:
            raise ConfigurationError(
                f"the token is for the portal with member_id {pair.member_id}, and the connection is for {expected}",
                next_step="correct the extra `member_id`, or authorize the application at the connection's portal",
            )
        self._portal.at(pair.client_endpoint)
        self._pair = pair
        return pair

    def _cannot_renew_here(self, refused: TokenPair) -> ExpiredToken:
        return ExpiredToken(
            "the access token has expired" if refused.access_token else "there is no access token yet",
            code="expired_token",
            next_step="the next task that uses this connection gets a new one with the refresh token; a connection "
            "test does not, because it cannot store one"
            + (f". It read the connection alone: {self.store_error}" if self.store_error else ""),
        )

    def _newer_pair_appears(self, refused: TokenPair) -> bool:
        """Wait for a pair that another worker may be about to store; return whether one appeared."""
        waited_seconds, pause_seconds = 0.0, 0.1
        while waited_seconds < OTHERS_PATIENCE_SECONDS:
            self._sleep(pause_seconds)
            waited_seconds += pause_seconds
            if self._stored.read().pair.refresh_token != refused.refresh_token:
                return True
            pause_seconds = min(2 * pause_seconds, 3.0, max(OTHERS_PATIENCE_SECONDS - waited_seconds, 0.1))
        return False

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        name = f"token-{fingerprint(self._app.client_id)}.lock"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(
                    locked_file(
                        name,
                        shared_directory(),
                        patience_seconds=LOCK_PATIENCE_SECONDS,
                        private=True,
                        sleep=self._sleep,
                    )
                )
            except BlockingIOError:
                raise NotSent("another process has been renewing the access token for too long") from None
            except OSError as error:
                # Without a lock the authorization server decides: it takes a refresh token once, the others read again.
                log.debug("Renewals on this host cannot wait for each other (%s).", error)
            yield
