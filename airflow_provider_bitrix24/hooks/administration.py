"""A client for an administrator at a host of Airflow: no task runs, so connection and tokens come from the database."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitrix24._compat import AirflowNotFoundException
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.hooks.connection import client_for, portal_from
from airflow_provider_bitrix24.hooks.token_store import VariableTokenStore
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.oauth.file_token_store import version_of


def administrators_client(conn_id: str) -> Client:
    """
    :raises ConfigurationError: there is no such connection, or a part of it is wrong.
    :raises Bitrix24Error: Airflow's database cannot be used.
    """
    return client_for(portal_from(_connection(conn_id), conn_id), conn_id, variables=DatabaseTokenStore)


class DatabaseTokenStore(VariableTokenStore):
    """Airflow's variables as its own commands read and write them: Airflow 3 keeps them from other scripts."""

    def read(self, key: str) -> tuple[str | None, str]:
        from airflow.models.variable import Variable

        text = Variable.get(key, None)
        return text, version_of(text)

    def write(self, key: str, text: str, version: str) -> bool:
        from airflow.models.variable import Variable

        if self.read(key)[1] != version:
            return False
        Variable.set(key, text, description="Token of a Bitrix24 application: replaced at each renewal, do not edit")
        return True


def _connection(conn_id: str) -> Any:
    from airflow.models.connection import Connection

    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        failure: Bitrix24Error = ConfigurationError(
            f"connection {conn_id!r} is not defined", next_step="`airflow connections list` shows those that are"
        )
    except Exception as error:
        # Not its text: that may hold the address of the database, with a password.
        failure = Bitrix24Error(
            f"Airflow's database cannot be used ({type(error).__name__})",
            next_step="check that `airflow connections list` works here",
        )
    raise failure
