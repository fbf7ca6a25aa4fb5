"""The name of a method as a person writes it, checked."""

from __future__ import annotations

import re
from dataclasses import replace

from airflow_provider_bitrix24.exceptions import ConfigurationError
from airflow_provider_bitrix24.methods import Method, Methods

_METHOD_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
#: The longest names of the documentation have about 60 characters. A server cuts the line of a request at 8,000.
_LONGEST_NAME = 200


def method_named(name: str, version: int, methods: Methods) -> Method:
    """
    What is known of a method, under the name that is sent.

    :raises ConfigurationError: it cannot be the name of a method, or is not supported in this version.
    """
    sent = name.strip().removesuffix(".json") if isinstance(name, str) else ""
    if not _METHOD_NAME.fullmatch(sent) or len(sent) > _LONGEST_NAME:
        raise ConfigurationError(
            "the name of the method is not valid",
            next_step='write it as the documentation does, e.g. "crm.item.list"',
        )
    if not isinstance(version, int) or version not in (2, 3):
        raise ConfigurationError(
            f"there is no version {version!r} of the REST API", method=sent, next_step="write 2 or 3"
        )
    if version == 3 and sent.lower() == "batch":
        raise ConfigurationError(
            "a batch of version 3 is not supported",
            method=sent,
            next_step="call its methods one by one with version=3, or send methods of version 2 with client.batch",
        )
    method = methods.find(sent, version)
    return method if method.name == sent else replace(method, name=sent)
