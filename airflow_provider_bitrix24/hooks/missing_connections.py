"""Connections that Airflow does not find: a slip of the pen, or a store of connections that is out of reach."""

from __future__ import annotations

from airflow_provider_bitrix24._compat import conf
from airflow_provider_bitrix24.exceptions import ConfigurationError


def not_defined(name: str) -> ConfigurationError:
    """
    Return the error for a connection that Airflow does not find.

    A typo stays one, however often the task is tried. But Airflow reports a secrets backend that does not answer in the
    same way, so where one is configured the task's ``retries`` apply.
    """
    has_backend = has_secrets_backend()
    return ConfigurationError(
        f"connection {name!r} is not defined",
        next_step="correct the id, or create the connection (Airflow also says this of an AIRFLOW_CONN_… variable that "
        "it cannot read; Airflow 3, in a script, of every connection in its database"
        f"{'; and when the secrets backend does not answer' if has_backend else ''})",
        retryable=has_backend,
    )


def has_secrets_backend() -> bool:
    """Whether connections are looked for in a store that may be out of reach for a while."""
    return any(
        conf.get(section, option, fallback="")
        for section, option in (("secrets", "backend"), ("workers", "secrets_backend"))
    )
