"""
A client for triggers.

The client blocks, so a trigger calls it in a thread: ``await asyncio.to_thread(client.call, "crm.item.get", {…})``.
In that thread Airflow 3 cannot be asked for anything: what talks to the triggerer's supervisor must start on its event
loop and go through ``sync_to_async``. So calls of the token store and the masker are sent back to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.hooks.bitrix24 import Bitrix24Hook

if TYPE_CHECKING:
    from airflow_provider_bitrix24.rest.client import Client
    from airflow_provider_bitrix24.rest.portal import Portal

Result = TypeVar("Result")

#: Most seconds to wait for Airflow: an event loop that has ended never answers.
ASK_SECONDS = 60.0


async def aget_client(conn_id: str, **options: Any) -> Client:
    """
    Return a client of an Airflow connection, to be used in threads while the trigger's event loop runs.

    :param conn_id: the connection's id.
    :param options: of :class:`~airflow_provider_bitrix24.rest.client.Client`, e.g. ``patience_seconds``.
    :raises ConfigurationError: a part of the connection is missing or wrong; the message names it.
    """
    return client_in_threads(await aget_portal(conn_id), conn_id, **options)


async def aget_portal(conn_id: str) -> Portal:
    """
    Read an Airflow connection while an event loop runs.

    :param conn_id: the connection's id.
    :raises ConfigurationError: a part of the connection is missing or wrong; the message names it.
    """
    return await sync_to_async(Bitrix24Hook(conn_id).get_portal)()


def client_in_threads(portal: Portal, conn_id: str, **options: Any) -> Client:
    """
    Return a client to be used in threads while the event loop runs in which this is called.

    :param conn_id: the connection's id, for messages.
    :param options: of :class:`~airflow_provider_bitrix24.rest.client.Client`, e.g. ``patience_seconds``.
    :raises ConfigurationError: the extra ``limiter`` or ``token_store`` cannot be used.
    """
    # It imports requests, which a DAG file has no use for.
    from airflow_provider_bitrix24.hooks.connection import client_for

    loop = asyncio.get_running_loop()

    def ask_airflow(function: Callable[..., Result], *arguments: Any) -> Result:
        return _run_on(loop, function, *arguments)

    return client_for(portal, conn_id, ask_airflow=ask_airflow, **options)


def _run_on(loop: asyncio.AbstractEventLoop, function: Callable[..., Result], *arguments: Any) -> Result:
    try:
        here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        raise ConfigurationError(
            "the client was called on the trigger's own event loop, which would wait for itself",
            next_step="call it in a thread: await asyncio.to_thread(client.call, …)",
        )
    answer = asyncio.run_coroutine_threadsafe(sync_to_async(function)(*arguments), loop)
    return answer.result(timeout=ASK_SECONDS)
