"""The official SDK, ``b24pysdk``, over our client: its typed methods with our limits, retries and exceptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from airflow_provider_bitrix24.exceptions import ConfigurationError, RestError
from airflow_provider_bitrix24.rest.client import Client
from airflow_provider_bitrix24.rest.encoding import has_reference
from airflow_provider_bitrix24.rest.limits.command_costs import MAX_COMMANDS
from airflow_provider_bitrix24.types import Row


class SdkToken:
    """
    The token through which the SDK calls, as its ``BitrixTokenFullProtocol`` documents it.

    Timeouts and other options of the SDK's calls have no effect: those of the connection apply. Exceptions are ours.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def domain(self) -> str:
        """The portal's host."""
        return self._client.portal.host

    def __str__(self) -> str:
        return f"<token of portal {self.domain}>"

    def call_method(
        self,
        api_method: str,
        params: Mapping[str, Any] | None = None,
        timeout: Any = None,
        prefer_version: int = 2,
        **_: Any,
    ) -> dict[str, Any]:
        """Return ``{"result": …, "time": {…}}``, with ``total`` and ``next`` where the portal gives them."""
        reply = self._client.ask(api_method, params, version=_version(api_method, prefer_version))
        more = {name: value for name, value in (("total", reply.total), ("next", reply.next)) if value is not None}
        return {"result": reply.result, "time": reply.time or _empty_time(), **more}

    def call_batch(
        self,
        methods: Mapping[Any, Sequence[Any]] | Sequence[Sequence[Any]],
        halt: bool = False,
        ignore_size_limit: bool = False,
        timeout: Any = None,
        prefer_version: int = 2,
        **_: Any,
    ) -> dict[str, Any]:
        """
        Call up to 50 methods and return the answer in the portal's form.

        :raises ConfigurationError: more than 50, unless ``ignore_size_limit`` cuts them off.
        """
        if len(methods) > MAX_COMMANDS and not ignore_size_limit:
            raise ConfigurationError(
                f"{len(methods)} methods in one batch", next_step=f"use call_batches for more than {MAX_COMMANDS}"
            )
        if isinstance(methods, Mapping):
            return self.call_batches(dict(list(methods.items())[:MAX_COMMANDS]), halt=halt)
        return self.call_batches(list(methods)[:MAX_COMMANDS], halt=halt)

    def call_batches(
        self,
        methods: Mapping[Any, Sequence[Any]] | Sequence[Sequence[Any]],
        halt: bool = False,
        timeout: Any = None,
        prefer_version: int = 2,
        **_: Any,
    ) -> dict[str, Any]:
        """
        Call any number of methods and return ``{"result": {"result": …, "result_error": …, …}, "time": {…}}``.

        Results are a list where the methods are one, else an object by key; errors are always by key.

        :raises Bitrix24Error: a command failed for another reason than a refusal of the portal.
        """
        by_key = isinstance(methods, Mapping)
        named: dict[Any, Sequence[Any]] = (
            dict(methods.items()) if isinstance(methods, Mapping) else dict(enumerate(methods))
        )
        commands = {key: (call[0], call[1] if len(call) > 1 else None) for key, call in named.items()}
        done = self._client.batch(commands, halt=halt, references=_have_references(commands), check_fields=False)
        for error in done.errors.values():
            if not isinstance(error, RestError):
                raise error
        parts = {
            "result": {key: reply.result for key, reply in done.replies.items()},
            "result_total": {key: reply.total for key, reply in done.replies.items() if reply.total is not None},
            "result_next": {key: reply.next for key, reply in done.replies.items() if reply.next is not None},
            "result_time": {key: reply.time for key, reply in done.replies.items() if reply.time},
        }
        whole: dict[str, Any] = {
            name: part if by_key or len(part) < len(commands) else list(part.values()) for name, part in parts.items()
        }
        whole["result_error"] = {
            key: {"error": error.code, "error_description": error.description} for key, error in done.errors.items()
        }
        return {"result": whole, "time": _empty_time()}

    def call_list(
        self,
        api_method: str,
        params: Mapping[str, Any] | None = None,
        limit: int | None = None,
        timeout: Any = None,
        prefer_version: int = 2,
        **_: Any,
    ) -> dict[str, Any]:
        """Return ``{"result": [rows], "time": {…}}``: the whole list, exact, in order of id."""
        return {"result": list(self._rows(api_method, params, limit, prefer_version)), "time": _empty_time()}

    def call_list_fast(
        self,
        api_method: str,
        params: Mapping[str, Any] | None = None,
        descending: bool = False,
        limit: int | None = None,
        timeout: Any = None,
        prefer_version: int = 2,
        **_: Any,
    ) -> dict[str, Any]:
        """Like :meth:`call_list`, with the rows as a generator; ``descending`` keeps all in memory to reverse them."""
        rows = self._rows(api_method, params, None if descending else limit, prefer_version)
        if descending:
            descending_rows = list(rows)[::-1]
            rows = iter(descending_rows if limit is None else descending_rows[:limit])
        return {"result": (row for row in rows), "time": _empty_time()}

    def _rows(
        self, method: str, params: Mapping[str, Any] | None, limit: int | None, prefer_version: int
    ) -> Iterator[Row]:
        return self._client.list(method, params, limit=limit, version=_version(method, prefer_version))


def sdk_client(client: Client, *, version: int = 2) -> Any:
    """
    Return the SDK's own client, ``ClientV2`` or ``ClientV3``, which calls through ours.

    :raises ConfigurationError: the package is not installed.
    """
    try:
        from b24pysdk import Client as SdkClient
    except (ImportError, TypeError):
        # A TypeError: its import on Python 3.10, where pip lets it in.
        raise ConfigurationError(
            "the package b24pysdk cannot be imported",
            next_step="pip install 'airflow-provider-bitrix24[sdk]', with Python 3.11 or newer",
        ) from None
    return SdkClient(SdkToken(client), prefer_version=version)


def _version(method: str, prefer_version: int) -> int:
    """Return the version: the SDK asks for 3, and means it only for the methods of its own list."""
    from b24pysdk.constants.version import API_V3_METHODS

    return 3 if int(prefer_version) == 3 and method.lower() in API_V3_METHODS else 2


def _have_references(commands: Mapping[Any, Any]) -> bool:
    return any(has_reference(params or {}) for _, params in commands.values())


def _empty_time() -> dict[str, Any]:
    """Return the ``time`` of an answer that was put together from many, or that has none."""
    now = datetime.now(timezone.utc)
    moment = now.isoformat(timespec="seconds")
    start = now.timestamp()
    return {
        "start": start,
        "finish": start,
        "duration": 0,
        "processing": 0,
        "date_start": moment,
        "date_finish": moment,
    }
