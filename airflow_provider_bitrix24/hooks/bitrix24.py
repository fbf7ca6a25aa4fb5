"""The hook: from an Airflow connection to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bitrix24._compat import AirflowNotFoundException, BaseHook, is_airflow_2
from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError
from airflow_provider_bitrix24.hooks.connection_form import field_behaviour, form_widgets

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.portal import Portal
    from airflow_provider_bitrix24.types import Params

#: Most seconds that a connection test sleeps in all: a person waits for it.
TEST_PATIENCE_SECONDS = 3.0


class Bitrix24Hook(BaseHook):
    """
    Talk to a Bitrix24 portal through an Airflow connection of type ``bitrix24``.

    :param bitrix24_conn_id: the connection's id.
    """

    conn_name_attr = "bitrix24_conn_id"
    default_conn_name = "bitrix24_default"
    conn_type = "bitrix24"
    hook_name = "Bitrix24"

    def __init__(self, bitrix24_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bitrix24_conn_id = bitrix24_conn_id
        self._client: Client | None = None

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of the connection form for Airflow before 3.2; later versions read the provider info."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and placeholders of the connection form for Airflow before 3.2."""
        return field_behaviour()

    def get_portal(self) -> Portal:
        """
        Read the connection. Nothing else in this package reads it.

        :raises ConfigurationError: it is not defined, or a part of it is missing or wrong; the message names it.
        """
        # It imports requests, which a DAG file has no use for.
        from airflow_provider_bitrix24.hooks.connection import portal_from
        from airflow_provider_bitrix24.hooks.missing_connections import not_defined

        try:
            connection = self.get_connection(self.bitrix24_conn_id)
        except AirflowNotFoundException:
            failure = not_defined(self.bitrix24_conn_id)
        else:
            return portal_from(connection, self.bitrix24_conn_id)
        raise failure

    def get_conn(self) -> Client:
        """Return the client of this connection: one for the life of the hook, with a kept-alive HTTP connection."""
        if self._client is None:
            # It imports requests, which a DAG file has no use for.
            from airflow_provider_bitrix24.hooks.connection import client_for

            self._client = client_for(self.get_portal(), self.bitrix24_conn_id)
        return self._client

    def call(self, method: str, params: Params | None = None, *, version: int = 2, allow_cut: bool = False) -> Any:
        """
        Call any method of the portal and return its ``result``; see :meth:`Client.call`.

        ``hook.call("crm.item.payment.list", {"entityTypeId": 2, "entityId": 13})`` returns
        ``[{"id": 1036, "accountNumber": "3653/1", "paid": "N", …}, …]``.

        :raises Bitrix24Error: see :mod:`airflow_provider_bitrix24.exceptions`.
        """
        return self.get_conn().call(method, params, version=version, allow_cut=allow_cut)

    def get_sdk_client(self, *, version: int = 2) -> Any:
        """
        Return the official SDK's client (extra ``sdk``), whose typed methods call through this hook's client.

        ``hook.get_sdk_client().crm.deal.get(bitrix_id=7).result`` has our limits, retries and exceptions.

        :param version: 3 for the SDK's surface of REST 3.0.
        :raises ConfigurationError: the package ``b24pysdk`` is not installed, or this is Python 3.10.
        """
        # It imports requests, which a DAG file has no use for.
        from airflow_provider_bitrix24.hooks.sdk import sdk_client

        return sdk_client(self.get_conn(), version=version)

    def test_connection(self) -> tuple[bool, str]:
        """
        Say whose webhook or application this is and what it may do. Nothing is changed, at the portal or in Airflow: a
        token that has expired is not renewed, because the new one could not be stored from here.

        :return: whether the portal accepts it, and a sentence for the person who pressed the button.
        """
        # They import requests, which a DAG file has no use for.
        from airflow_provider_bitrix24.hooks.connection import client_for
        from airflow_provider_bitrix24.rest.whoami import introduce

        try:
            client = client_for(
                self.get_portal(), self.bitrix24_conn_id, renews=False, patience_seconds=TEST_PATIENCE_SECONDS
            )
            with client:
                return introduce(client)
        except Bitrix24Error as error:
            # Airflow tests a connection under a random id, which would mislead the person who pressed the button.
            reason = str(error).removeprefix(f"connection {self.bitrix24_conn_id!r}: ")
            return False, f"{reason}{self._note_on_password(error)}"

    def _note_on_password(self, error: Bitrix24Error) -> str:
        """Return a note for the person who presses Test while editing, where the page sends no stored password."""
        if not isinstance(error, ConfigurationError) or not is_airflow_2():
            return ""
        try:
            connection = self.get_connection(self.bitrix24_conn_id)
        except AirflowNotFoundException:
            return ""
        if connection.password or not connection.login:
            return ""
        return (
            " (the page of Airflow 2 sends no stored code to its test: write it again to test it there, or run "
            "`airflow connections test` with the connection's id)"
        )
