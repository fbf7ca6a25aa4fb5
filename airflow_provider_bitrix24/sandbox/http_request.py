"""An HTTP request as the protocols see it, and its parameters as PHP would read them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

from airflow_provider_bitrix24.sandbox.forms import as_map, parse_query
from airflow_provider_bitrix24.sandbox.methods.registry import Params


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What the protocols need of an HTTP request."""

    verb: str
    #: Percent-encoded, as it came.
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    is_https: bool
    address: str
    connection: int


def params_of(request: HttpRequest) -> Params:
    """Parameters of query and body together; the body wins."""
    params: Params = parse_query(request.query)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/json" or content_type.endswith("+json"):
        # Broken JSON is no error in REST v2: the method runs without parameters. NaN is broken JSON in PHP.
        with contextlib.suppress(ValueError):
            params.update(as_map(json.loads(request.body or b"null", parse_constant=not_json)))
    elif content_type == "application/x-www-form-urlencoded":
        params.update(parse_query(request.body.decode("utf-8", errors="replace")))
    return params


def not_json(constant: str) -> None:
    """For ``json.loads``: refuses NaN and the infinities, which Python would read."""
    raise ValueError(constant)
