"""Airflow variables as a token store: encrypted at rest, seen by every worker, and hidden in the interface."""

from __future__ import annotations

from airflow_provider_bitrix24._compat import Variable
from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.rest.oauth.file_token_store import version_of


class VariableTokenStore:
    """
    Keeps token pairs in Airflow variables.

    Airflow cannot write a variable only if it is unchanged, so two workers may write at the same time. The
    authorization server takes a refresh token only once, so at most one of them has a new pair.
    """

    def read(self, key: str) -> tuple[str | None, str]:
        text = Variable.get(key, None)
        return text, version_of(text)

    def write(self, key: str, text: str, version: str) -> bool:
        if self.read(key)[1] != version:
            return False
        try:
            Variable.set(
                key, text, description="Token of a Bitrix24 application: replaced at each renewal, do not edit"
            )
        except ImportError:
            refusal = ConfigurationError("Airflow 3 lets only tasks and triggers write variables, and this is neither")
        else:
            return True
        raise refusal
