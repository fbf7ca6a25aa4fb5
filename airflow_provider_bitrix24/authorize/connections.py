"""Connections in Airflow's database, written as ``airflow connections add`` writes them, on an administrator's host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_bitrix24.exceptions import Bitrix24Error, ConfigurationError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ExistingConnection:
    """
    A connection that exists already.

    :param parts: ``host``, ``schema``, ``port`` as they are stored; the login and the password are not read.
    :param extra: its extras; empty where they cannot be read.
    """

    conn_type: str
    parts: dict[str, Any]
    extra: dict[str, Any]


def find(conn_id: str) -> ExistingConnection | None:
    """
    Look a connection up.

    :raises Bitrix24Error: the database cannot be used.
    """
    return _in_database(lambda session: _existing(_row(session, conn_id)))


def store(conn_id: str, connection: dict[str, Any], *, replace: bool) -> bool:
    """
    Write a connection, committed when this returns.

    :param connection: ``{"conn_type": "bitrix24", "host": "my.bitrix24.com", "port": 443, "extra": {…}}``.
    :param replace: whether an existing one may be overwritten; only its description stays.
    :return: whether its secrets are encrypted.
    :raises ConfigurationError: the connection exists and may not be overwritten.
    :raises Bitrix24Error: the database cannot be used.
    """

    def write(session: Any) -> bool:
        from airflow.models.connection import Connection

        row = _row(session, conn_id)
        if row is not None and not replace:
            raise ConfigurationError(
                f"connection {conn_id!r} was created in the meantime", next_step="run this again with --replace"
            )
        if row is None:
            row = Connection(conn_id=conn_id)
            session.add(row)
        row.conn_type, row.host = connection["conn_type"], connection["host"]
        row.login = row.schema = None
        # Without a port the Test button of Airflow 3.3 answers Bad Request.
        row.port = connection["port"]
        # set_password(None) would keep the present one.
        row._password, row.is_encrypted = None, False
        row.set_extra(json.dumps(connection["extra"]))
        return bool(row.is_extra_encrypted)

    return _in_database(write)


def _in_database(work: Callable[[Any], Value]) -> Value:
    try:
        from airflow.utils.session import create_session

        with create_session() as session:
            return work(session)
    except Bitrix24Error:
        raise
    except Exception as error:
        # Not its text: that may hold the address of the database, with a password.
        failure = Bitrix24Error(
            f"Airflow's database cannot be used ({type(error).__name__})",
            next_step="check that `airflow connections list` works here, or use --print json",
        )
    raise failure


def _row(session: Any, conn_id: str) -> Any:
    from airflow.models.connection import Connection
    from sqlalchemy import select

    return session.scalar(select(Connection).where(Connection.conn_id == conn_id))


def _existing(row: Any) -> ExistingConnection | None:
    if row is None:
        return None
    try:
        extra = json.loads(row.extra or "{}")
    except Exception:
        # Not JSON, or encrypted with another key: then the person is asked for everything.
        extra = None
    parts = {"host": row.host, "schema": row.schema, "port": row.port}
    return ExistingConnection(row.conn_type or "", parts, extra if isinstance(extra, dict) else {})
