"""The token of one call: the pair that signs each attempt, and what the call may do when the pair is refused."""

from __future__ import annotations

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.rest.oauth.authorization import without_token
from airflow_provider_bitrix24.rest.oauth.token_pair import TokenPair
from airflow_provider_bitrix24.rest.oauth.token_renewal import Tokens
from airflow_provider_bitrix24.types import Params

#: How many pairs that other workers have stored a call tries before it gives up.
PAIRS_OF_OTHERS = 3


class CallToken:
    """
    One call's use of the tokens. It renews once at most, whether the token has expired or was refused.

    :param tokens: None for a webhook, which signs in the path.
    """

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._pairs_of_others_left = PAIRS_OF_OTHERS
        self._pair: TokenPair | None = None

    def pair(self) -> TokenPair | None:
        """
        Return the pair to sign the next attempt with; None for a webhook.

        :raises Bitrix24Error: there is none; the method did not run.
        """
        if self._tokens is None:
            return None
        self._pair = None
        try:
            pair = self._tokens.current()
            if self.may_renew and self._tokens.is_expired(pair):
                self._renew(pair)
                pair = self._tokens.current()
        except Bitrix24Error as error:
            failure = without_token(error)
        else:
            self._pair = pair
            return pair
        raise failure

    @property
    def may_renew(self) -> bool:
        return self._pairs_of_others_left > 0

    def renew(self) -> Bitrix24Error | None:
        """Get a newer pair than the one that was refused; return what went wrong."""
        try:
            if self._pair is not None:
                self._renew(self._pair)
        except Bitrix24Error as error:
            return without_token(error)
        return None

    @property
    def is_signed(self) -> bool:
        """Whether the last attempt was signed with a token."""
        return self._pair is not None

    def _renew(self, refused: TokenPair) -> None:
        if self._tokens is not None:
            is_new = self._tokens.renew(refused)
            self._pairs_of_others_left = 0 if is_new else self._pairs_of_others_left - 1


def check_no_token(params: Params, tokens: Tokens | None, *, method: str) -> None:
    """
    Check that the parameters bring no token of their own where the connection has one.

    :raises ConfigurationError: they do.
    """
    if tokens is not None and "auth" in params:
        raise ConfigurationError(
            "the parameter auth is set by the connection", method=method, next_step="leave it out of the parameters"
        )
