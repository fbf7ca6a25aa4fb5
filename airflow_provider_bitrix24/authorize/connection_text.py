"""A connection as text with its secrets, to be stored elsewhere than in Airflow's database."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any
from urllib.parse import urlencode

from airflow_provider_bitrix24.exceptions import ConfigurationError

#: The forms that can be printed.
FORMS = ("json", "uri", "env")


def variable_of(conn_id: str) -> str:
    """Return the environment variable in which Airflow looks for a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def check_printable(conn_id: str, form: str) -> None:
    """
    Check that the connection can have that form, before anybody signs in.

    :raises ConfigurationError: no environment variable can have this name.
    """
    if form == "env" and not re.fullmatch(r"[A-Za-z0-9_]+", conn_id):
        raise ConfigurationError(
            f"no environment variable can be named {variable_of(conn_id)}",
            next_step="use a --conn-id of letters, digits and _",
        )


def as_text(conn_id: str, connection: dict[str, Any], form: str) -> str:
    """
    Return one line in one of :data:`FORMS`.

    :param connection: ``{"conn_type": "bitrix24", "host": "my.bitrix24.com", "port": 443, "extra": {…}}``, of texts.
    """
    if form == "uri":
        host, slash, folder = connection["host"].removeprefix("https://").partition("/")
        return f"bitrix24://{host}/{folder if slash else ''}?{urlencode(connection['extra'])}"
    text = json.dumps(connection, ensure_ascii=False)
    return text if form == "json" else f"export {variable_of(conn_id)}={shlex.quote(text)}"
