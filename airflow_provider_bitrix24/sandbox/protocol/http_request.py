"""An HTTP request as the protocols see it, and its parameters as PHP would read them."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitrix24.sandbox.forms import as_map, parse_query
from airflow_provider_bitrix24.sandbox.methods.registry import Params

#: PHP reads 512 levels; no request has as many, and Python would not get through them.
_MAX_DEPTH = 100
_BOUNDARY = re.compile(r'^multipart/form-data;.*\bboundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_FORM_NAMES = re.compile(r'\b(filename|name)="([^"]*)"')
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


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
        # Broken JSON is not an error in REST v2: the method runs without parameters.
        with contextlib.suppress(ValueError):
            params.update(as_map(read_json(request.body or b"null")))
    elif content_type == "application/x-www-form-urlencoded":
        params.update(parse_query(request.body.decode("utf-8", errors="replace")))
    return params


def file_of_form(request: HttpRequest, field: str) -> tuple[str, bytes] | None:
    """Name and bytes of the file in a field of a form (``multipart/form-data``); ``None`` if there is none."""
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    if boundary is None:
        return None
    parts = (b"\r\n" + request.body).split(b"\r\n--" + (boundary[1] or boundary[2]).encode())
    for part in parts[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        names = dict(_FORM_NAMES.findall(head.decode("utf-8", errors="replace")))
        if names.get("name") == field and "filename" in names:
            return names["filename"], content
    return None


def read_json(body: bytes) -> Any:
    """
    A body as PHP's ``json_decode`` reads it.

    :raises ValueError: broken JSON, or what Python would read but PHP does not: NaN and the infinities, UTF-16, a byte
        order mark, halves of surrogate pairs (how Python spells bytes of a wrong encoding), endless nesting.
    """
    text = body.decode("utf-8")
    if text.count("[") + text.count("{") > _MAX_DEPTH and _depth(text) > _MAX_DEPTH:
        raise ValueError("too deep")
    value = _JSON.decode(text)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _depth(text: str) -> int:
    """How deep brackets are nested; those inside of strings do not count."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        if bracket[0] != '"':
            depth += 1 if bracket in "[{" else -1
            deepest = max(deepest, depth)
    return deepest


def _not_json(constant: str) -> None:
    raise ValueError(constant)


#: Made once: `json.loads` makes one for each text.
_JSON = json.JSONDecoder(parse_constant=_not_json)
